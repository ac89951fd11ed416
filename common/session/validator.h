// The validator: what stands for an item's content. CRC-32 and length first, since they are cheap
// and decide most comparisons, and a strong digest that confirms a CRC match.
//
// On the wire it is a strong entity tag (RFC 9110, 8.8.3): "CRC-LENGTH-DIGEST", CRC as 8 lower-case
// hex digits, LENGTH in decimal, DIGEST 22 characters of base64url (the first 128 bits of SHA-256);
// with validator = "crc32" the digest is left out, its dash stays: nginx's own tags are of the form
// "8 hex digits-hex digits", and must not be taken for ours.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tandem {

struct Validator {
  std::uint32_t crc = 0;
  std::uint64_t length = 0;
  std::array<std::uint8_t, 16> digest{};
  bool has_digest = false;

  // Of content; with_digest = false for validator = "crc32".
  static Validator of(std::string_view content, bool with_digest = true);
  // Parses an entity tag with its quotes; nothing if it is not one of ours.
  static std::optional<Validator> parse(std::string_view etag);
  // Stands for a strong entity tag that is not ours, where contents are only told apart: equal for
  // equal tags, and for no content.
  static Validator of_foreign(std::string_view etag);
  bool is_foreign() const { return length == kForeignLength; }
  // The entity tag, with its quotes; not of a foreign one. At most kEtagBytesMax characters.
  std::string etag() const;
  static constexpr std::size_t kEtagBytesMax = 2 + 8 + 1 + 20 + 1 + 22;

  bool operator==(const Validator&) const = default;

 private:
  static constexpr std::uint64_t kForeignLength = ~std::uint64_t{0};
};

// Does `announced` stand for exactly this content? CRC first; the digest is computed only when CRC
// and length agree and `announced` has one.
bool matches(const Validator& announced, std::string_view content);

}  // namespace tandem
