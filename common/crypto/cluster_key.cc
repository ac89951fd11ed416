#include "common/crypto/cluster_key.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "common/crypto/base64url.h"
#include "common/crypto/hkdf.h"

namespace tandem {
namespace {

constexpr std::string_view kKind = "tandem-key-1";
constexpr std::string_view kBlanks = " \t\r";

// A word of a line and where it begins (columns count bytes from 1).
struct Word {
  std::string_view text;
  std::size_t column = 0;
};

Word next_word(std::string_view line, std::size_t& position) {
  position = std::min(line.find_first_not_of(kBlanks, position), line.size());
  const std::size_t begin = position;
  position = std::min(line.find_first_of(kBlanks, begin), line.size());
  return Word{line.substr(begin, position - begin), begin + 1};
}

// What is wrong with a line, and where.
struct Complaint {
  std::size_t column;
  std::string text;
};

std::optional<Complaint> parse_line(std::string_view line, ClusterKey& key) {
  std::size_t position = 0;
  const Word kind = next_word(line, position);
  if (kind.text != kKind) {
    return Complaint{kind.column, fmt::format("a key's line begins with {}", kKind)};
  }
  const Word from = next_word(line, position);
  const char* end = from.text.data() + from.text.size();
  const auto [stop, failure] = std::from_chars(from.text.data(), end, key.seals_from);
  if (failure != std::errc() || stop != end || key.seals_from < 0) {
    return Complaint{from.column,
                     "the time from which the key seals is a whole number of seconds since 1970"};
  }
  const Word secret = next_word(line, position);
  if (!base64url_decode(secret.text, key.secret)) {
    return Complaint{secret.column,
                     fmt::format("the key is {} characters of base64url, without padding",
                                 base64url_length(key.secret.size()))};
  }
  const Word rest = next_word(line, position);
  if (!rest.text.empty()) return Complaint{rest.column, "nothing may follow the key"};
  return std::nullopt;
}

template <class Bytes>
Bytes derive(const ClusterKey::Secret& secret, std::string_view label) {
  Bytes bytes;
  hkdf_sha256(secret, label, bytes);
  return bytes;
}

}  // namespace

Sealer::Key ClusterKey::token_key() const {
  return derive<Sealer::Key>(secret, "tandem 1 session token");
}

ClusterKey::Psk ClusterKey::psk() const { return derive<Psk>(secret, "tandem 1 tls psk"); }

std::uint64_t ClusterKey::id() const {
  std::uint64_t id = 0;
  for (const std::uint8_t byte : derive<std::array<std::uint8_t, 8>>(secret, "tandem 1 key id")) {
    id = id << 8 | byte;
  }
  return id;
}

std::string ClusterKey::name() const { return fmt::format("{:016x}", id()); }

std::string ClusterKey::line() const {
  return fmt::format("{} {} {}\n", kKind, seals_from, base64url_encode(secret));
}

ClusterKeys::ClusterKeys(std::vector<ClusterKey> keys) : keys_(std::move(keys)) {
  TANDEM_CHECK(!keys_.empty() && keys_.size() <= kKeysMax);
  std::stable_sort(keys_.begin(), keys_.end(), [](const ClusterKey& a, const ClusterKey& b) {
    return a.seals_from < b.seals_from;
  });
}

Result<ClusterKeys> ClusterKeys::parse(std::string_view text, std::string_view file_name) {
  std::vector<ClusterKey> keys;
  std::size_t number = 0;
  const auto complain = [&](std::size_t column, std::string_view what) {
    return fail(Error::conf(fmt::format("{}:{}:{}: {}", file_name, number, column, what)));
  };
  while (!text.empty()) {
    const std::size_t length = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, length);
    text.remove_prefix(std::min(length + 1, text.size()));
    ++number;
    const std::size_t begin = line.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos || line[begin] == '#') continue;
    ClusterKey key;
    if (const auto complaint = parse_line(line, key)) {
      return complain(complaint->column, complaint->text);
    }
    const auto same = [&](const ClusterKey& other) { return other.secret == key.secret; };
    if (std::any_of(keys.begin(), keys.end(), same)) {
      return complain(begin + 1, "this key is listed twice");
    }
    if (keys.size() == kKeysMax) {
      return complain(begin + 1, fmt::format("at most {} keys may be listed", kKeysMax));
    }
    keys.push_back(key);
  }
  if (keys.empty()) {
    number = 1;
    return complain(1, "no key is listed; `tandemctl keygen` makes one");
  }
  return ClusterKeys(std::move(keys));
}

Result<ClusterKeys> ClusterKeys::rotated(ClusterKey fresh, UnixSeconds now,
                                         UnixSeconds keep) const {
  fresh.seals_from = std::max(fresh.seals_from, keys_.back().seals_from);
  std::vector<ClusterKey> keys;
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    const UnixSeconds sealed_until = i + 1 < keys_.size() ? keys_[i + 1].seals_from : now;
    if (now - sealed_until <= keep) keys.push_back(keys_[i]);
  }
  if (keys.size() == kKeysMax) {
    return fail(Error::conf(fmt::format(
        "at most {} keys may be listed, and none of them is old enough to go", kKeysMax)));
  }
  keys.push_back(fresh);
  return ClusterKeys(std::move(keys));
}

std::vector<ClusterKeyName> ClusterKeys::names() const {
  std::vector<ClusterKeyName> names;
  for (const ClusterKey& key : keys_) names.push_back({key.name(), key.seals_from});
  return names;
}

std::size_t ClusterKeys::sealing_index(UnixSeconds now) const {
  std::size_t index = 0;
  while (index + 1 < keys_.size() && keys_[index + 1].seals_from <= now) ++index;
  return index;
}

}  // namespace tandem
