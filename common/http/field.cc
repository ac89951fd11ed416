#include "common/http/field.h"

#include <array>
#include <cstring>

#include "common/http/chars.h"

namespace tandem::http {
namespace {

constexpr std::array<std::string_view, kFieldIdCount> kNames = {"", "",
#define TANDEM_HTTP_NAME(id, name) name,
                                                                TANDEM_HTTP_FIELDS(TANDEM_HTTP_NAME)
#undef TANDEM_HTTP_NAME
};

constexpr std::size_t kFirstKnown = 2;
constexpr std::size_t kSlots = 512;
constexpr std::size_t kNameSizeMax = 24;

// A name's slot, from its length and three of its characters. The multiplier is searched at
// compile time so that no two known names share a slot.
constexpr std::size_t slot_of(std::string_view name, std::uint32_t multiplier) {
  const auto at = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(name[i]) | 0x20);
  };
  const std::size_t n = name.size();
  const std::uint32_t key =
      at(0) ^ (at(n - 1) << 8) ^ (at(n * 3 / 4) << 16) ^ (static_cast<std::uint32_t>(n) << 24);
  return (key * multiplier) >> 23;
}

constexpr bool separates(std::uint32_t multiplier) {
  std::array<bool, kSlots> taken{};
  for (std::size_t i = kFirstKnown; i < kNames.size(); ++i) {
    bool& slot = taken[slot_of(kNames[i], multiplier)];
    if (slot) return false;
    slot = true;
  }
  return true;
}

constexpr std::uint32_t find_multiplier() {
  std::uint32_t multiplier = 0x9e3779b1;
  while (!separates(multiplier)) multiplier += 0x2545f492;  // even: stays odd
  return multiplier;
}

constexpr std::uint32_t kMultiplier = find_multiplier();

struct Entry {
  std::array<char, kNameSizeMax> lower_name{};
  std::uint8_t size = 0;
  FieldId id = FieldId::kOther;
};

constexpr std::array<Entry, kSlots> make_table() {
  std::array<Entry, kSlots> table{};
  for (std::size_t i = kFirstKnown; i < kNames.size(); ++i) {
    Entry& entry = table[slot_of(kNames[i], kMultiplier)];
    for (std::size_t k = 0; k < kNames[i].size(); ++k) entry.lower_name[k] = lower(kNames[i][k]);
    entry.size = static_cast<std::uint8_t>(kNames[i].size());
    entry.id = static_cast<FieldId>(i);
  }
  return table;
}

constexpr std::array<Entry, kSlots> kTable = make_table();

std::uint64_t load64(const char* p) {
  std::uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}
std::uint32_t load32(const char* p) {
  std::uint32_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

// Every character of a known name has bit 5 set once it is lower case, and no other token
// character becomes one of them by setting it. So words can be compared, the last one overlapping.
bool equal(const char* name, const char* lower_name, std::size_t size) {
  constexpr std::uint64_t kBit5 = 0x2020202020202020;
  if (size >= 8) {
    std::uint64_t differences = 0;
    for (std::size_t i = 0; i + 8 < size; i += 8) {
      differences |= (load64(name + i) | kBit5) ^ load64(lower_name + i);
    }
    return (differences | ((load64(name + size - 8) | kBit5) ^ load64(lower_name + size - 8))) == 0;
  }
  if (size >= 4) {
    const std::uint32_t first = (load32(name) | 0x20202020) ^ load32(lower_name);
    return (first | ((load32(name + size - 4) | 0x20202020) ^ load32(lower_name + size - 4))) == 0;
  }
  for (std::size_t i = 0; i < size; ++i) {
    if (static_cast<char>(name[i] | 0x20) != lower_name[i]) return false;
  }
  return true;
}

constexpr std::string_view kTandemPrefix = "tandem-";

}  // namespace

FieldId field_id(std::string_view name) {
  if (name.empty()) return FieldId::kOther;
  const Entry& entry = kTable[slot_of(name, kMultiplier)];
  if (entry.size == name.size() && equal(name.data(), entry.lower_name.data(), name.size()))
    return entry.id;
  if (name.size() >= kTandemPrefix.size() && (name.front() | 0x20) == 't' &&
      same_word(name.substr(0, kTandemPrefix.size()), kTandemPrefix)) {
    return FieldId::kTandemOther;
  }
  return FieldId::kOther;
}

std::string_view field_name(FieldId id) { return kNames[static_cast<std::size_t>(id)]; }

}  // namespace tandem::http
