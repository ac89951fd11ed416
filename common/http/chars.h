// Classes of bytes as RFC 9110 and RFC 9112 name them, and comparison without regard to case.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tandem::http {

enum CharClass : std::uint8_t {
  kTokenChar = 1,    // tchar: names of fields, methods, cookies
  kTargetChar = 2,   // visible ASCII but '#': what a request target may hold
  kValueChar = 4,    // field-vchar, obs-text, SP and HTAB: what a field value may hold
  kHostChar = 8,     // unreserved, sub-delims and '%': a registered name
  kDigitChar = 16,   // 0-9
  kHexChar = 32,     // 0-9 a-f A-F
  kEtagChar = 64,    // etagc: what stands between the quotes of an entity tag
  kLetterChar = 128  // A-Z a-z
};

namespace internal {
constexpr std::array<std::uint8_t, 256> make_char_classes() {
  constexpr std::string_view token_marks = "!#$%&'*+-.^_`|~";
  constexpr std::string_view host_marks = "-._~!$&'()*+,;=%";
  std::array<std::uint8_t, 256> classes{};
  for (int c = 0; c < 256; ++c) {
    const bool digit = c >= '0' && c <= '9';
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool hex = digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    const char as_char = static_cast<char>(c);
    const bool ascii = c < 128;
    int bits = 0;
    if (digit || letter || (ascii && token_marks.find(as_char) != token_marks.npos)) bits |= 1;
    if (c > 0x20 && c < 0x7f && c != '#') bits |= kTargetChar;
    if ((c >= 0x20 && c != 0x7f) || c == '\t') bits |= kValueChar;
    if (digit || letter || (ascii && host_marks.find(as_char) != host_marks.npos))
      bits |= kHostChar;
    if (digit) bits |= kDigitChar;
    if (hex) bits |= kHexChar;
    if (c == 0x21 || (c >= 0x23 && c != 0x7f)) bits |= kEtagChar;
    if (letter) bits |= kLetterChar;
    classes[static_cast<std::size_t>(c)] = static_cast<std::uint8_t>(bits);
  }
  return classes;
}
inline constexpr auto kCharClasses = make_char_classes();
}  // namespace internal

constexpr bool is(CharClass wanted, char c) {
  return (internal::kCharClasses[static_cast<unsigned char>(c)] & wanted) != 0;
}

constexpr bool all(CharClass wanted, std::string_view text) {
  for (char c : text) {
    if (!is(wanted, c)) return false;
  }
  return true;
}

constexpr bool is_token(std::string_view text) { return !text.empty() && all(kTokenChar, text); }
constexpr bool is_space(char c) { return c == ' ' || c == '\t'; }
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

// Equal but for the case of ASCII letters.
constexpr bool same_word(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

// Without the optional whitespace (SP, HTAB) around it.
constexpr std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace tandem::http
