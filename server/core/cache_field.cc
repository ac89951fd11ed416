#include "server/core/cache_field.h"

namespace tandem {
namespace {

constexpr std::string_view kEvicted = ";evicted=";
constexpr std::size_t kHexDigits = 16;

// Takes 16 lower-case hexadecimal digits from the front.
std::optional<std::uint64_t> take_hex(std::string_view& text) {
  if (text.size() < kHexDigits) return std::nullopt;
  std::uint64_t value = 0;
  for (char c : text.substr(0, kHexDigits)) {
    if (c >= '0' && c <= '9') {
      value = value * 16 + static_cast<std::uint64_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      value = value * 16 + static_cast<std::uint64_t>(c - 'a' + 10);
    } else {
      return std::nullopt;
    }
  }
  text.remove_prefix(kHexDigits);
  return value;
}

}  // namespace

std::optional<CacheField> CacheField::parse(std::string_view value) {
  CacheField field;
  const auto id = take_hex(value);
  if (!id || *id == 0) return std::nullopt;
  field.cache = CacheId{*id};
  if (value.empty()) return field;
  if (!value.starts_with(kEvicted)) return std::nullopt;
  value.remove_prefix(kEvicted.size());
  for (;;) {
    const auto key = take_hex(value);
    if (!key || field.evicted.size() == kEvictedMax) return std::nullopt;
    field.evicted.push_back(ItemKey{*key});
    if (value.empty()) return field;
    if (!value.starts_with(',')) return std::nullopt;
    value.remove_prefix(1);
  }
}

}  // namespace tandem
