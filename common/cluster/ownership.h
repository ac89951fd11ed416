// Types of data, and which server of a group owns each.
//
// The type of an item is the first that holds of: the rule with the longest prefix of its path; one
// of `virtual_types` types, by a hash of its path. The query is no part of it, and percent-encoding
// makes no difference, so all names of an item are of one type.
//
// The owner of a type is the server that its rule names, or else the first in the type's order: a
// weighted rendezvous (Thaler and Ravishankar 1998; weights by -log(hash)/weight), the weight being
// the capacity. Another server moves the types that it gets, and no other; so does one that goes.
// The servers that count are those of the group in the view, offline ones too, but not those that
// announced their leave: a death moves nothing. While the owner is offline the next one in the
// type's order that is online acts in its stead: the same for all who have the same view, and the
// types of a dead server spread over the whole group. All in integers, so that all compute alike.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/cluster/view.h"

namespace tandem {

struct TypeRule {
  std::string prefix;  // of the path, percent-decoded; begins with a slash
  std::string owner;   // a server's name; empty: by the rendezvous

  bool operator==(const TypeRule&) const = default;
};

// The number of a type among those of one Types: for tables in memory. What lasts (a file, a
// database) and what others read knows it by Types::key().
struct TypeId {
  std::uint32_t value = 0;

  auto operator<=>(const TypeId&) const = default;
};

// Which types there are. Immutable; look-ups allocate nothing.
class Types {
 public:
  static constexpr std::size_t kRulesMax = 1024;
  static constexpr std::uint32_t kVirtualTypesMax = 65536;
  static constexpr std::uint32_t kVirtualTypesDefault = 256;

  // The order of the rules does not matter. No two have one prefix; virtual_types is not 0.
  explicit Types(std::vector<TypeRule> rules = {},
                 std::uint32_t virtual_types = kVirtualTypesDefault);

  // Of a request target, with or without a query.
  TypeId type_of(std::string_view target) const;
  std::size_t size() const { return rules_.size() + virtual_types_; }
  // Null: a virtual type.
  const TypeRule* rule(TypeId type) const;
  // The same on every server and in every run, as long as its rule, or the number of virtual
  // types, stays.
  std::uint64_t key(TypeId type) const { return keys_[type.value]; }
  // For people: the prefix, or "#12".
  std::string name(TypeId type) const;
  // Of all rules and virtual types: servers of one group must agree. Never 0.
  std::uint64_t fingerprint() const { return fingerprint_; }

 private:
  std::vector<TypeRule> rules_;  // the longest prefix first
  std::uint32_t virtual_types_;
  std::vector<std::uint64_t> keys_;
  std::uint64_t fingerprint_;
};

// Since when a server acts for a type. Of two the greater counts: whoever acted before and does not
// know that it is over has a lesser one.
struct ActingEpoch {
  std::uint64_t version = 0;  // of the view; 0: nobody acts
  ServerId server;

  auto operator<=>(const ActingEpoch&) const = default;
};

// Who owns what, by the newest view. Computed when a view comes; look-ups allocate nothing.
class Ownership {
 public:
  Ownership(Types types, std::string group);

  // Takes the place of the former view.
  void apply(const View& view);

  const Types& types() const { return types_; }
  const std::string& group() const { return group_; }
  bool has_view() const { return seen_.version != 0; }
  // Nobody while no server of the group is in the view.
  ServerId owner(TypeId type) const { return places_[type.value].owner; }
  // The owner if it is online, else who acts in its stead; nobody while all are offline.
  ServerId acting(TypeId type) const { return places_[type.value].acting; }
  bool stands_in(ServerId server, TypeId type) const {
    return acting(type) == server && owner(type) != server;
  }
  // Of the acting server. Grows by views; it is the same on two servers that have seen the same
  // views one by one, and greater on one that has missed some and cannot know who acted meanwhile.
  ActingEpoch epoch(TypeId type) const;
  // All servers that count, the owner first: who acts when those before it are offline.
  std::vector<ServerId> order(TypeId type) const;
  // Types that a server owns, and those for which it acts.
  std::size_t owned_by(ServerId server) const;
  std::size_t acted_for_by(ServerId server) const;

 private:
  struct Member {
    ServerId id;
    std::uint64_t mixed = 0;  // the id's part of the hash
    std::uint32_t weight = 1;
    bool online = false;

    bool operator==(const Member&) const = default;
  };
  struct Place {
    ServerId owner;
    ServerId acting;
    std::uint64_t since = 0;
  };

  Place place(TypeId type) const;
  const Member* named_owner(TypeId type) const;

  Types types_;
  std::string group_;
  std::vector<Member> members_;
  std::vector<Place> places_;  // by type
  ViewId seen_;
};

}  // namespace tandem
