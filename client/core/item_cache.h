// What a client has fetched and may use again: contents with their validators, bounded in bytes,
// the least recently used given up first. Each belongs to the failover group whose server answered
// last about it, which has the mirror of it; empty where the balancer has no routes.
//
// Pure: no clock, no disk. Whoever keeps it on disk asks for the changes after each call. Not for
// several threads at once; items are shared and immutable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "client/include/tandem/client.h"
#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/session/validation_rounds.h"

namespace tandem {

struct Item {
  std::string etag;      // as it came
  HeaderFields headers;  // of the response, to be given again
  std::shared_ptr<const std::string> content;
  UnixSeconds validated = 0;  // when a server last said that it is right
  std::string group{};        // of that server

  // What it costs in memory, about.
  std::size_t bytes() const;
};
using ItemPtr = std::shared_ptr<const Item>;

class ItemCache {
 public:
  // Evictions that wait to be announced; of more, the oldest are forgotten, which costs the server
  // some room in its mirror.
  static constexpr std::size_t kEvictedMax = 1024;

  explicit ItemCache(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // The item of a request target, or null. Using it makes it the last to be given up.
  ItemPtr find(std::string_view target);
  // Replaces what there was, which counts as evicted if it was of another group. An item that does
  // not fit is not kept, and counts as evicted.
  void store(std::string_view target, Item item);
  // The same content, vouched for again, by a server of this group: new headers. Nothing if
  // another copy than `held` is there now.
  void refresh(std::string_view target, const ItemPtr& held, HeaderFields headers,
               UnixSeconds validated, std::string_view group = {});
  void remove(std::string_view target);

  // All items of the group with a strong entity tag, for a validation of the whole cache; of
  // several with one key, none.
  std::vector<HeldItem> held(std::string_view group = {}) const;
  // A server of the group has called these current, as of `now`. Lasts as long as it said, or until
  // the item changes; not kept on disk. Other copies than those are left out. How many were they?
  std::size_t vouch(std::span<const ValidationRounds::Vouched> vouched, UnixSeconds now,
                    std::string_view group = {});
  struct Vouch {
    UnixSeconds from = 0;
    UnixSeconds until = 0;  // `from`: it was current, and nothing is promised
  };
  std::optional<Vouch> vouched(std::string_view target) const;
  // Of the group's, those whose time is over.
  void forget_vouches(UnixSeconds now, std::string_view group);
  // Is the item held, and could a validation vouch for it? Not a use.
  bool vouchable(std::string_view target) const;
  // The group of an item; nothing: it is not held. Not a use. Valid until the next change.
  std::optional<std::string_view> group_of(std::string_view target) const;

  // What is announced of the group's items that are no longer held.
  struct Evictions {
    std::vector<ItemKey> keys;  // oldest first
    std::uint64_t mark = 0;     // stands for them, whatever is announced or given up meanwhile
  };
  // At most `count_max`. They stay until a server of the group has heard of them.
  Evictions evicted(std::size_t count_max, std::string_view group = {}) const;
  void evictions_heard(std::uint64_t mark, std::string_view group = {});

  // When a server last said of one that it is right; 0: of none.
  UnixSeconds last_validated() const;

  std::size_t items() const { return entries_.size(); }
  std::size_t bytes() const { return bytes_; }

  // Which items came, with their headers or contents new, and which went (item null) since the last
  // call.
  struct Change {
    std::string target;
    ItemPtr item;
  };
  std::vector<Change> take_changes() { return std::exchange(changes_, {}); }
  // Without this there are no changes to take.
  void record_changes() { recording_ = true; }
  // All, the least recently used first.
  std::vector<Change> all() const;

 private:
  struct Entry {
    std::string target;
    ItemPtr item;
    std::optional<Vouch> vouch{};
  };
  using Entries = std::list<Entry>;  // most recently used first

  void erase(Entries::iterator entry);
  void note_evicted(std::string_view target, std::string_view group);
  void forget_evicted(ItemKey key, std::string_view group);
  void note_change(std::string_view target, ItemPtr item);

  const std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  Entries entries_;
  std::unordered_map<std::string_view, Entries::iterator> index_;  // keys point into entries_
  struct Evicted {
    ItemKey key;
    std::string group;
    std::uint64_t number;  // ascending
  };
  std::deque<Evicted> evicted_;
  std::uint64_t evictions_ = 0;
  bool recording_ = false;
  std::vector<Change> changes_;
};

}  // namespace tandem
