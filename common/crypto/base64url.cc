#include "common/crypto/base64url.h"

#include <array>

namespace tandem {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint8_t kForeign = 0x80;

constexpr std::array<std::uint8_t, 256> make_values() {
  std::array<std::uint8_t, 256> values{};
  values.fill(kForeign);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}
constexpr std::array<std::uint8_t, 256> kValues = make_values();

std::uint8_t value_of(char c) { return kValues[static_cast<unsigned char>(c)]; }

}  // namespace

void base64url_encode(std::span<const std::uint8_t> bytes, char* text) {
  std::uint32_t held = 0;
  int held_bits = 0;
  for (const std::uint8_t byte : bytes) {
    held = held << 8 | byte;
    held_bits += 8;
    while (held_bits >= 6) {
      held_bits -= 6;
      *text++ = kAlphabet[held >> held_bits & 63];
    }
  }
  if (held_bits > 0) *text = kAlphabet[held << (6 - held_bits) & 63];
}

std::string base64url_encode(std::span<const std::uint8_t> bytes) {
  std::string text(base64url_length(bytes.size()), '\0');
  base64url_encode(bytes, text.data());
  return text;
}

bool base64url_decode(std::string_view text, std::span<std::uint8_t> bytes) {
  if (text.size() != base64url_length(bytes.size())) return false;
  std::uint32_t held = 0;
  int held_bits = 0;
  std::uint8_t foreign = 0;
  std::size_t next = 0;
  for (const char c : text) {
    const std::uint8_t value = value_of(c);
    foreign |= value;
    held = held << 6 | (value & 63);
    held_bits += 6;
    if (held_bits >= 8) {
      held_bits -= 8;
      bytes[next++] = static_cast<std::uint8_t>(held >> held_bits);
    }
  }
  const std::uint32_t spare = held & ((1u << held_bits) - 1);
  return (foreign & kForeign) == 0 && spare == 0;
}

}  // namespace tandem
