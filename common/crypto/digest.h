// Digests of content: SHA-256 cut to 128 bits (FIPS 180-4) and CRC-32 (the one of zlib, IEEE
// 802.3).
//
// Both may be called from any thread; neither allocates after a thread's first call.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace tandem {

using Digest128 = std::array<std::uint8_t, 16>;
using Digest256 = std::array<std::uint8_t, 32>;

Digest256 sha256(std::string_view bytes);

// The first 128 bits of SHA-256.
Digest128 sha256_128(std::string_view bytes);

// `crc` continues an earlier call over the bytes before these; 0 starts.
std::uint32_t crc32_of(std::string_view bytes, std::uint32_t crc = 0);

}  // namespace tandem
