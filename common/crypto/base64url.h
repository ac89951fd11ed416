// Base64 with the URL and file name safe alphabet, without padding (RFC 4648, section 5).
//
// Decoding is strict: a character outside the alphabet, an impossible length or spare bits that are
// not zero are refused, so that every text that decodes is the only text of its bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tandem {

constexpr std::size_t base64url_length(std::size_t bytes) { return (bytes * 8 + 5) / 6; }

// Writes exactly base64url_length(bytes.size()) characters to `text`, which must have room for
// them.
void base64url_encode(std::span<const std::uint8_t> bytes, char* text);
std::string base64url_encode(std::span<const std::uint8_t> bytes);

// Decodes text of exactly base64url_length(bytes.size()) characters into `bytes`; false (and
// `bytes` in any state) if it is not that.
[[nodiscard]] bool base64url_decode(std::string_view text, std::span<std::uint8_t> bytes);

}  // namespace tandem
