// SipHash-2-4 with a result of 128 bits (Aumasson and Bernstein, "SipHash: a fast short-input PRF",
// 2012), of whole 64-bit words. Keyed: whoever does not know the key cannot make values collide.
// For what is summed up or looked up, never for a content's identity (digest.h).
#pragma once

#include <cstdint>
#include <span>

namespace tandem {

struct SipKey {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

struct Hash128 {
  std::uint64_t low = 0;
  std::uint64_t high = 0;

  bool operator==(const Hash128&) const = default;
};

// Of the words' bytes, the least significant one first, on every machine.
Hash128 siphash(SipKey key, std::span<const std::uint64_t> words);

}  // namespace tandem
