// The cache of one server before its data source: a shared cache as RFC 9111 has it, with the two
// directives of RFC 5861, one fetch at a time for one item (a flight), and bounds on everything.
// Decides alone; the shell (server/io/source_cached.h) asks the source and answers.
//
// Every request that looks something up has a ticket, chosen by the shell. It is answered at once,
// or begins a flight, or waits for one that is on its way. Who waited asks again when the flight
// has ended, with the Attempt that the ending names, and then most often finds the answer stored. A
// response that is not for others sends everyone to the source by itself, and is remembered for a
// while, so that nobody waits in vain for the next; a flight that dies is followed by one more.
//
// An invalidation also detaches the flights of the item: what they bring is given to those who
// asked before, never to those who ask later, and is not stored.
//
// One thread. The heads that are passed in are looked at within the call only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/time.h"
#include "common/http/framing.h"
#include "common/http/head.h"
#include "server/core/cache_policy.h"
#include "server/core/cache_status.h"
#include "server/core/cache_store.h"

namespace tandem {

struct DataCacheOptions {
  std::uint64_t bytes_max = 64 * 1024 * 1024;
  std::uint64_t item_bytes_max = 4 * 1024 * 1024;  // of one body; larger ones are not stored
  std::size_t waiters_max = 4096;  // that wait for flights; over it each goes to the source
  std::size_t passes_max = 4096;   // items that are remembered not to be for others
  Duration pass_time = 10s;        // for so long
  CacheRules rules;
};

struct DataCacheCounts {
  std::uint64_t hits = 0;
  std::uint64_t stale_hits = 0;  // max-stale, stale-while-revalidate
  std::uint64_t error_hits = 0;  // since the source had failed
  std::uint64_t misses = 0;      // that began a flight
  std::uint64_t collapsed = 0;   // that waited for one
  std::uint64_t crowded = 0;     // over waiters_max
  std::uint64_t passed = 0;      // to the source, past the cache
  std::uint64_t stored = 0;
  std::uint64_t validated = 0;  // 304
  std::uint64_t refused = 0;    // only-if-cached, and nothing was
  std::uint64_t dead_flights = 0;
  std::uint64_t invalidated = 0;  // responses
  std::uint64_t forgotten = 0;    // responses
};

class DataCache {
 public:
  using FlightId = std::uint64_t;
  using Ticket = std::uint64_t;

  explicit DataCache(DataCacheOptions options) : options_(options), store_(options.bytes_max) {}

  // One request, at one moment.
  struct Asked {
    Instant now{};
    const http::RequestHead& head;
    std::optional<std::uint64_t> version = {};  // of the source
    bool has_versions = false;  // it has: if it does not tell it now, what it says is not stored
  };
  // Why a waiter asks again.
  enum class Release : std::uint8_t {
    kLanded,  // the flight has brought something that is stored
    kAlone,   // what it brought is not for others
    kDied,    // it brought nothing
  };
  // What a request has been through.
  struct Attempt {
    std::uint8_t waits = 0;
    std::uint8_t deaths = 0;
    bool alone = false;  // waits for nobody any more
    bool died = false;   // the last flight that it waited for

    Attempt after(Release release) const;
  };

  struct Verdict {
    enum class Do : std::uint8_t {
      kPass,            // to the source; see also `invalidates`
      kServe,           // `stored`, by cache_answer.h
      kFetch,           // begins `flight`: ask for the whole item, validating `stored` if there is
      kWait,            // for `flight`
      kGatewayTimeout,  // 504: only-if-cached
      kUnavailable,     // 503: the source has failed twice, and nothing may be served
    };
    Do what = Do::kPass;
    Stored stored;
    FlightId flight = 0;       // kServe: one that is to be begun behind it, 0: none
    bool invalidates = false;  // kPass: tell on_passed()
    CacheOutcome outcome;
  };
  Verdict on_request(const Asked& asked, Ticket ticket, Attempt attempt);
  // The source's answer to a request that was passed on and invalidates; no head: it failed.
  void on_passed(const http::RequestHead& request, const http::ResponseHead* response);

  struct Waiters {
    std::vector<Ticket> tickets;  // ask again, with Attempt::after(release)
    Release release = Release::kLanded;
  };
  // What becomes of a flight's response.
  struct Landing {
    enum class Do : std::uint8_t {
      kRelay,     // to who began it, as it comes; it is not stored, and the flight is over
      kCollect,   // the body, for on_complete(); who began it may read along
      kServe,     // `stored` to who began it; the response's body is of no use, the flight over
      kAskAgain,  // without conditions: what came says nothing of what is stored
    };
    Do what = Do::kRelay;
    Stored stored;
    CacheOutcome outcome;
    Waiters waiters;
  };
  // `request` is the one that began the flight; `wall` is the calendar's time now.
  Landing on_response(FlightId flight, Instant now, UnixSeconds wall,
                      const http::RequestHead& request, const http::ResponseHead& response,
                      const http::Framing& framing);
  // After kCollect: all of the body.
  Waiters on_complete(FlightId flight, const http::RequestHead& request, StoredResponse::Body body);
  // After kCollect: there is more of the body than is stored.
  Waiters on_too_large(FlightId flight, Instant now);
  // The source did not answer, or not to the end. `stored` may be served instead, or is null.
  struct Death {
    Stored stored;
    CacheOutcome outcome;
    Waiters waiters;
  };
  Death on_failure(FlightId flight, Instant now, const http::RequestHead& request);
  // Nobody is interested any more; only of a flight without waiters.
  void on_cancelled(FlightId flight) { land(flight); }
  bool has_waiters(FlightId flight) const;
  // The waiter is gone.
  void leave(FlightId flight, Ticket ticket);

  void invalidate(ItemKey item);
  void forget(const std::function<bool(std::string_view target)>& which);

  const DataCacheOptions& options() const { return options_; }
  const DataCacheCounts& counts() const { return counts_; }
  const CacheStore& store() const { return store_; }
  std::size_t flights() const { return flights_.size(); }
  std::size_t waiters() const { return waiters_; }

 private:
  static constexpr std::uint8_t kWaitsMax = 3;   // of one request, for one flight after another
  static constexpr std::uint8_t kDeathsMax = 1;  // one more flight

  struct Flight {
    CacheKey key;
    std::string host;
    std::string target;
    std::string selecting;  // what the request is selected by, as far as it was known
    bool joinable = false;  // who asks for the same may wait for it
    bool detached = false;  // invalidated meanwhile
    bool undated = false;   // the source has versions, and did not tell this one
    Instant asked{};
    std::optional<std::uint64_t> version;
    Stored validates;
    CacheOutcome outcome;
    std::optional<StoredResponse> coming;  // kCollect
    std::vector<Ticket> waiters;
  };
  using Flights = std::unordered_map<FlightId, Flight>;
  using Joinable = std::map<std::pair<CacheKey, std::string>, FlightId>;
  struct Pass {
    CacheKey key;
    Instant until{};
  };

  std::optional<Verdict> from_store(const Asked& asked, const Stored& stored,
                                    const http::CacheControl& directives, bool authorized,
                                    Attempt attempt);
  Verdict fetch(const Asked& asked, const CacheKey& key, Stored stored, CacheOutcome outcome,
                bool joinable);
  Flight* joinable(const Asked& asked, const CacheKey& key, FlightId& id);
  CacheTerms as_last_seen(const CacheTerms& terms) const;
  FlightId begin(const Asked& asked, const CacheKey& key, Stored validates, bool joinable);
  Landing on_not_modified(FlightId id, Instant now, UnixSeconds wall,
                          const http::RequestHead& request, const http::ResponseHead& response);
  Landing relay(FlightId id, Instant now, Release release);
  void end_joining(FlightId id, Flight& flight);
  std::vector<Ticket> take_waiters(Flight& flight);
  std::vector<Ticket> land(FlightId id);
  void remember_pass(Instant now, const Flight& flight);
  void forget_pass(const CacheKey& key);
  bool is_pass(Instant now, const CacheKey& key) const;

  DataCacheOptions options_;
  DataCacheCounts counts_;
  CacheStore store_;
  Flights flights_;
  Joinable joinable_;
  FlightId last_flight_ = 0;
  std::size_t waiters_ = 0;
  std::optional<std::uint64_t> version_;  // of the source, the last that it had
  Instant version_at_{};                  // when it had it
  std::list<Pass> pass_order_;            // the longest remembered in front
  std::unordered_map<CacheKey, std::list<Pass>::iterator, CacheKeyHash> passes_;
};

}  // namespace tandem
