#include "common/session/validator.h"

#include <charconv>

#include "common/crypto/base64url.h"
#include "common/crypto/digest.h"

namespace tandem {
namespace {

constexpr std::size_t kCrcLength = 8;

// Takes an unsigned number in its one form (no sign, no leading zeros, no capitals) off the front.
template <class Integer>
bool take_number(std::string_view& text, int base, Integer& value) {
  for (const char c : text.substr(0, text.find('-'))) {
    if (c >= 'A' && c <= 'F') return false;
  }
  const auto [stop, failure] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (failure != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  return true;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

Validator Validator::of(std::string_view content, bool with_digest) {
  Validator validator;
  validator.crc = crc32_of(content);
  validator.length = content.size();
  validator.has_digest = with_digest;
  if (with_digest) validator.digest = sha256_128(content);
  return validator;
}

Validator Validator::of_foreign(std::string_view etag) {
  Validator validator;
  validator.length = kForeignLength;
  validator.has_digest = true;
  validator.digest = sha256_128(etag);
  return validator;
}

std::optional<Validator> Validator::parse(std::string_view etag) {
  if (etag.size() > kEtagBytesMax || !take(etag, '"') || etag.empty() || etag.back() != '"') {
    return std::nullopt;
  }
  etag.remove_suffix(1);
  Validator validator;
  std::string_view crc = etag.substr(0, kCrcLength);
  if (crc.size() != kCrcLength || !take_number(crc, 16, validator.crc) || !crc.empty()) {
    return std::nullopt;
  }
  etag.remove_prefix(kCrcLength);
  if (!take(etag, '-')) return std::nullopt;
  const bool leading_zero = etag.size() > 1 && etag[0] == '0' && etag[1] != '-';
  if (leading_zero || !take_number(etag, 10, validator.length)) return std::nullopt;
  if (validator.is_foreign()) return std::nullopt;
  if (!take(etag, '-')) return std::nullopt;
  if (etag.empty()) return validator;
  validator.has_digest = true;
  if (!base64url_decode(etag, validator.digest)) return std::nullopt;
  return validator;
}

std::string Validator::etag() const {
  constexpr std::string_view kHex = "0123456789abcdef";
  char text[kEtagBytesMax];
  char* next = text;
  *next++ = '"';
  for (int shift = 28; shift >= 0; shift -= 4) *next++ = kHex[crc >> shift & 15];
  *next++ = '-';
  next = std::to_chars(next, next + 20, length).ptr;
  *next++ = '-';
  if (has_digest) {
    base64url_encode(digest, next);
    next += base64url_length(digest.size());
  }
  *next++ = '"';
  return std::string(text, next);
}

bool matches(const Validator& announced, std::string_view content) {
  return announced.length == content.size() && announced.crc == crc32_of(content) &&
         (!announced.has_digest || announced.digest == sha256_128(content));
}

}  // namespace tandem
