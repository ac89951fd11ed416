// Which content of an item is current, and for how long: what the data source's responses promised.
//
// It knows only what this server has seen: a content that is not known here is never called
// current. A promise ends with its time; with a write through this server; and, where the source
// has versions (a database), with the source's version. One thread; bounded, the longest recorded
// going first.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>

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

  explicit Freshness(std::size_t items_max) : items_max_(items_max) {}

  // Taken before the source is asked; what was invalidated since then is not recorded.
  std::uint64_t mark() const { return invalidations_; }
  void record(Instant now, Host host, const HeldItem& item, const Promise& promise,
              std::uint64_t mark);
  // Before and after an unsafe method on the item (RFC 9111, 4.4), at any host.
  void invalidate(ItemKey key);

  // Is this the item's current content, and for how long from now? 0: it is, just now. Nothing: it
  // is not known to be. `version` is the source's now.
  std::optional<Duration> current(Instant now, Host host, const HeldItem& item,
                                  std::optional<std::uint64_t> version) const;

  std::size_t size() const { return items_.size(); }

 private:
  struct Known {
    Host host = 0;
    Validator validator;
    Instant until{};
    Promise promise;
    std::list<ItemKey>::iterator age;
  };
  static constexpr std::size_t kSlots = 4096;  // items that share one are invalidated together

  void forget(std::unordered_map<ItemKey, Known>::iterator at);

  std::size_t items_max_;
  std::unordered_map<ItemKey, Known> items_;
  std::list<ItemKey> ages_;  // the longest recorded in front
  std::uint64_t invalidations_ = 0;
  std::array<std::uint64_t, kSlots> invalidated_{};  // the last one of each slot
};

}  // namespace tandem
