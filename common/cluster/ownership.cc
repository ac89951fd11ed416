#include "common/cluster/ownership.h"

#include <algorithm>
#include <bit>
#include <tuple>
#include <utility>

#include "common/base/error.h"
#include "common/base/hash.h"

namespace tandem {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The path of a request target, byte by byte, percent-decoded. What is no encoding stands as it is.
class PathBytes {
 public:
  explicit PathBytes(std::string_view target) : rest_(target.substr(0, target.find('?'))) {}

  bool next(char& byte) {
    if (rest_.empty()) return false;
    byte = rest_.front();
    std::size_t used = 1;
    if (byte == '%' && rest_.size() >= 3) {
      const int high = hex_value(rest_[1]), low = hex_value(rest_[2]);
      if (high >= 0 && low >= 0) {
        byte = static_cast<char>(high * 16 + low);
        used = 3;
      }
    }
    rest_.remove_prefix(used);
    return true;
  }

 private:
  std::string_view rest_;
};

bool has_prefix(std::string_view target, std::string_view prefix) {
  PathBytes path(target);
  char byte = 0;
  for (const char wanted : prefix) {
    if (!path.next(byte) || byte != wanted) return false;
  }
  return true;
}

// stable_hash() of the decoded path.
std::uint64_t path_hash(std::string_view target) {
  PathBytes path(target);
  std::uint64_t h = 0xcbf29ce484222325ULL;
  for (char byte = 0; path.next(byte);) {
    h ^= static_cast<unsigned char>(byte);
    h *= 0x100000001b3ULL;
  }
  return mix64(h);
}

constexpr int kLogBits = 24;

// -log2(hash / 2^64), in 2^-24: at most 64 of these units' wholes. The fraction's bits come one by
// one, by squaring (Knuth, TAOCP 1.2.2, exercise 25).
std::uint64_t minus_log2(std::uint64_t hash) {
  hash |= 1;
  const int zeros = std::countl_zero(hash);
  std::uint64_t m = (hash << zeros) >> 32;  // in [1, 2), 31 bits after the point
  std::uint64_t fraction = 0;
  for (int i = 0; i < kLogBits; ++i) {
    m = (m * m) >> 31;
    const std::uint64_t bit = m >> 32;
    m >>= bit;
    fraction = fraction << 1 | bit;
  }
  return (static_cast<std::uint64_t>(zeros + 1) << kLogBits) - fraction;
}

// A server's place in a type's order: the least is the first.
struct Score {
  std::uint64_t cost;  // at most 2^31
  std::uint64_t weight;
  ServerId id;

  bool operator<(const Score& other) const {
    const std::uint64_t mine = cost * other.weight, others = other.cost * weight;
    return std::tie(mine, id) < std::tie(others, other.id);
  }
};

}  // namespace

Types::Types(std::vector<TypeRule> rules, std::uint32_t virtual_types)
    : rules_(std::move(rules)), virtual_types_(virtual_types) {
  TANDEM_CHECK(virtual_types_ > 0 && virtual_types_ <= kVirtualTypesMax);
  std::sort(rules_.begin(), rules_.end(), [](const TypeRule& a, const TypeRule& b) {
    const std::size_t a_size = b.prefix.size(), b_size = a.prefix.size();
    return std::tie(a_size, a.prefix) < std::tie(b_size, b.prefix);
  });
  keys_.reserve(size());
  std::uint64_t print = mix64(virtual_types_);
  for (const TypeRule& rule : rules_) {
    keys_.push_back(stable_hash(rule.prefix));
    print = mix64(print ^ keys_.back());
    print = stable_hash(rule.owner, print);
  }
  for (std::uint64_t i = 0; i < virtual_types_; ++i) {
    keys_.push_back(mix64(std::uint64_t{virtual_types_} << 32 | i));
  }
  fingerprint_ = print == 0 ? 1 : print;
}

TypeId Types::type_of(std::string_view target) const {
  for (std::uint32_t i = 0; i < rules_.size(); ++i) {
    if (has_prefix(target, rules_[i].prefix)) return {i};
  }
  return {static_cast<std::uint32_t>(rules_.size() + path_hash(target) % virtual_types_)};
}

const TypeRule* Types::rule(TypeId type) const {
  return type.value < rules_.size() ? &rules_[type.value] : nullptr;
}

std::string Types::name(TypeId type) const {
  const TypeRule* known = rule(type);
  return known != nullptr ? known->prefix : "#" + std::to_string(type.value - rules_.size());
}

Ownership::Ownership(Types types, std::string group)
    : types_(std::move(types)), group_(std::move(group)), places_(types_.size()) {}

void Ownership::apply(const View& view) {
  std::vector<Member> members;
  for (const ServerRecord& server : view.servers) {
    if (server.kind != ServerKind::kTandem || server.group != group_) continue;
    if (!server.online && server.left) continue;
    members.push_back({.id = server.id,
                       .mixed = mix64(std::uint64_t{server.id.value} + 0x9e3779b97f4a7c15ULL),
                       .weight = std::max(server.status.capacity, 1U),
                       .online = server.online});
  }
  // Who acted in a view that was not seen is not known: whoever acts now may have been replaced
  // meanwhile, and acts anew.
  const bool again = view.id() == seen_;
  const bool next = view.maker == seen_.maker && view.version == seen_.version + 1;
  const bool missed = !again && !next;
  seen_ = view.id();
  if (!missed && members == members_) return;
  members_ = std::move(members);
  for (std::uint32_t i = 0; i < places_.size(); ++i) {
    Place now = place({i});
    const bool stays = !missed && now.acting == places_[i].acting;
    now.since = stays ? places_[i].since : std::max(places_[i].since, view.version);
    places_[i] = now;
  }
}

const Ownership::Member* Ownership::named_owner(TypeId type) const {
  const TypeRule* rule = types_.rule(type);
  if (rule == nullptr || rule->owner.empty()) return nullptr;
  const ServerId wanted = ServerId::of(rule->owner);
  const auto it = std::find_if(members_.begin(), members_.end(),
                               [wanted](const Member& member) { return member.id == wanted; });
  return it == members_.end() ? nullptr : &*it;
}

Ownership::Place Ownership::place(TypeId type) const {
  const Member* owner = named_owner(type);
  const Member* acting = owner != nullptr && owner->online ? owner : nullptr;
  if (acting != nullptr) return {owner->id, acting->id, 0};
  const std::uint64_t key = types_.key(type);
  const Member* first = nullptr;
  Score first_score{}, acting_score{};
  for (const Member& member : members_) {
    const Score score{minus_log2(mix64(key ^ member.mixed)), member.weight, member.id};
    if (first == nullptr || score < first_score) {
      first = &member;
      first_score = score;
    }
    if (member.online && (acting == nullptr || score < acting_score)) {
      acting = &member;
      acting_score = score;
    }
  }
  if (owner == nullptr) owner = first;
  return {owner == nullptr ? ServerId{} : owner->id, acting == nullptr ? ServerId{} : acting->id,
          0};
}

ActingEpoch Ownership::epoch(TypeId type) const {
  const Place& known = places_[type.value];
  if (!known.acting) return {};
  return {known.since, known.acting};
}

std::vector<ServerId> Ownership::order(TypeId type) const {
  const Member* owner = named_owner(type);
  std::vector<Score> scores;
  for (const Member& member : members_) {
    if (&member == owner) continue;
    scores.push_back(
        {minus_log2(mix64(types_.key(type) ^ member.mixed)), member.weight, member.id});
  }
  std::sort(scores.begin(), scores.end());
  std::vector<ServerId> ids;
  if (owner != nullptr) ids.push_back(owner->id);
  for (const Score& score : scores) ids.push_back(score.id);
  return ids;
}

std::size_t Ownership::owned_by(ServerId server) const {
  return static_cast<std::size_t>(std::count_if(
      places_.begin(), places_.end(), [server](const Place& one) { return one.owner == server; }));
}

std::size_t Ownership::acted_for_by(ServerId server) const {
  return static_cast<std::size_t>(std::count_if(
      places_.begin(), places_.end(), [server](const Place& one) { return one.acting == server; }));
}

}  // namespace tandem
