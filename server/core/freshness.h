// Which content of an item is current, and for how long: what the data source's responses promised,
// here or to another server that told us (server/core/promises.h).
//
// A content that is not known here is never called current. A promise ends with its time; with a
// write through this server, or through one that told us of it; when another content is seen; and,
// where the source has versions (a database), with the source's version. One thread; bounded, the
// longest recorded going first.
//
// What others were told is remembered until its end, whatever is known here by then: a write, and
// where the host is still the same another content or an earlier end, is told to them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"
#include "common/session/cache_digest.h"

namespace tandem {

class Freshness {
 public:
  // Where an item is asked for, besides its path: a stable hash of the authority, without regard to
  // case. The same path at two names is two items.
  using Host = std::uint64_t;
  static Host host_of(std::string_view authority);

  struct Promise {
    Duration lifetime{};  // from now on (server/core/lifetime.h)
    // The source's version before it was asked: then the content is current until that changes, for
    // `lifetime` from whenever it is asked about. None: time alone counts.
    std::optional<std::uint64_t> version;
  };
  // One that is of use to other servers: of time alone, and with a while to go.
  struct Shared {
    static constexpr Duration kLeftMin = 10s;
    Host host = 0;
    Instant until{};
    Instant first_until{};  // the earliest end since it was last unknown, or of another content
  };

  explicit Freshness(std::size_t items_max) : items_max_(items_max) {}

  // Taken before the source is asked; what was invalidated since then is not recorded.
  std::uint64_t mark() const { return invalidations_; }
  // `now`: when the source was asked.
  void record(Instant now, Host host, const HeldItem& item, const Promise& promise,
              std::uint64_t mark);
  // Before and after an unsafe method on the item (RFC 9111, 4.4), at any host.
  void invalidate(Instant now, ItemKey key);

  // Is this the item's current content, and for how long from now? 0: it is, just now. Nothing: it
  // is not known to be. `version` is the source's now.
  std::optional<Duration> current(Instant now, Host host, const HeldItem& item,
                                  std::optional<std::uint64_t> version) const;

  // --- other servers ---
  std::optional<Shared> shared(Instant now, const HeldItem& item) const;
  // Others are about to be told of it: they have to know when it ends before its time.
  void on_told(ItemKey key);
  // A server says so, which said it at `as_of` or later.
  void learn(Instant now, ServerId from, const HeldItem& item, const Shared& promise,
             Instant as_of);
  // A server says that it has ended.
  void end(Instant now, ServerId from, ItemKey key);
  void end_all(Instant now, ServerId from);
  // What has ended here before its time and others have to know.
  bool has_ended() const { return !ended_.empty() || all_ended_; }
  struct Ended {
    std::vector<ItemKey> keys;
    bool all = false;  // they were more than kEndedMax
  };
  Ended take_ended();

  std::size_t size() const { return items_.size(); }

 private:
  struct Known {
    Host host = 0;
    Validator validator;
    Instant until{};
    Instant first_until{};
    Promise promise;
    Instant told_until = Instant::min();  // others were told so, or told us; maybe of another host
    std::list<ItemKey>::iterator age;
  };
  using Items = std::unordered_map<ItemKey, Known>;
  // The last one of a slot's items.
  struct Invalidation {
    std::uint64_t mark = 0;
    Instant at{};
    ServerId by;  // nobody: seen here
  };
  static constexpr std::size_t kSlots = 4096;  // items that share one are invalidated together
  static constexpr std::size_t kEndedMax = 1024;

  Invalidation& slot(ItemKey key) { return invalidated_[key.value % kSlots]; }
  void put(ItemKey key, Known known);
  void forget(Items::iterator at);
  void note_ended(Instant now, Items::iterator at);
  void tell_ended(ItemKey key);

  std::size_t items_max_;
  Items items_;
  std::list<ItemKey> ages_;  // the longest recorded in front
  std::uint64_t invalidations_ = 0;
  std::array<Invalidation, kSlots> invalidated_{};
  Instant forgotten_until_ = Instant::min();  // the latest told_until of what had to make room
  std::vector<ItemKey> ended_;
  bool all_ended_ = false;
};

}  // namespace tandem
