// Key derivation: HKDF with SHA-256 (RFC 5869), one label for each use, so that a key that is known
// to one part of the program says nothing about another's.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace tandem {

// Fills `derived` (at most 255 * 32 bytes) from a uniformly random secret and a label.
void hkdf_sha256(std::span<const std::uint8_t> secret, std::string_view label,
                 std::span<std::uint8_t> derived);

// The same with a salt, as RFC 5869 has it.
void hkdf_sha256(std::span<const std::uint8_t> secret, std::span<const std::uint8_t> salt,
                 std::string_view info, std::span<std::uint8_t> derived);

}  // namespace tandem
