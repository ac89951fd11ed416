#include "server/core/data_cache.h"

#include <algorithm>
#include <utility>

#include "common/base/error.h"
#include "common/http/chars.h"
#include "common/http/head_parser.h"
#include "server/core/lifetime.h"
#include "server/core/same_origin.h"

namespace tandem {
namespace {

using http::FieldId;
using Forwarded = CacheOutcome::Forwarded;

std::optional<std::int64_t> ttl_of(const CacheTerms& terms, Instant now) {
  if (terms.version) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::seconds>(terms.lifetime - terms.age(now)).count();
}

// A head that we composed ourselves: it may be somewhat longer than those that are taken in.
bool parse_own(const std::string& text, http::ResponseHead& head) {
  http::HeadParser parser({.start_line_bytes_max = text.size(),
                           .head_bytes_max = text.size(),
                           .fields_max = http::kFieldsMax});
  return parser.parse(text, head) == http::Progress::kDone;
}

bool fits(const http::Framing& framing, std::uint64_t bytes_max) {
  switch (framing.kind) {
    case http::BodyKind::kNone:
    case http::BodyKind::kChunked:  // ended by on_too_large(), if need be
      return true;
    case http::BodyKind::kLength:
      return framing.length <= bytes_max;
    case http::BodyKind::kUntilClose:  // nobody can tell whether all has come (RFC 9111, 3.3)
    case http::BodyKind::kTunnel:
      return false;
  }
  return false;
}

}  // namespace

DataCache::Attempt DataCache::Attempt::after(Release release) const {
  Attempt next = *this;
  next.waits = static_cast<std::uint8_t>(waits + 1);
  next.alone = alone || release == Release::kAlone;
  next.died = release == Release::kDied;
  if (next.died) next.deaths = static_cast<std::uint8_t>(deaths + 1);
  return next;
}

// --- requests ----------------------------------------------------------------------------------

DataCache::Verdict DataCache::on_request(const Asked& asked, Ticket ticket, Attempt attempt) {
  Verdict verdict;
  const CacheCourse course = cache_course(asked.head);
  if (course != CacheCourse::kLookUp) {
    ++counts_.passed;
    verdict.invalidates = course == CacheCourse::kInvalidate;
    verdict.outcome.forwarded = verdict.invalidates ? Forwarded::kMethod : Forwarded::kBypass;
    return verdict;
  }
  if (asked.version) {
    version_ = asked.version;
    version_at_ = asked.now;
  }
  const http::CacheControl directives = cache_directives(asked.head);
  const bool authorized = asked.head.has(FieldId::kAuthorization);
  const CacheKey key = CacheKey::of(asked.head);
  Stored stored = store_.find(key, asked.head);
  const bool withheld = stored != nullptr && authorized && !stored->terms.for_authorized;
  if (withheld) stored = nullptr;
  if (stored != nullptr) {
    if (auto served = from_store(asked, stored, directives, authorized, attempt)) return *served;
  }
  if (attempt.died && attempt.deaths > kDeathsMax) {
    verdict.what = Verdict::Do::kUnavailable;
    return verdict;
  }
  if (directives.only_if_cached) {
    ++counts_.refused;
    verdict.what = Verdict::Do::kGatewayTimeout;
    return verdict;
  }
  CacheOutcome& outcome = verdict.outcome;
  outcome.forwarded = store_.has(key) ? Forwarded::kVaryMiss : Forwarded::kUriMiss;
  if (stored != nullptr) {
    const bool fresh = stored->terms.fresh(asked.now, asked.version) && !stored->terms.no_cache;
    outcome.forwarded = fresh ? Forwarded::kRequest : Forwarded::kStale;
  } else if (withheld) {
    outcome.forwarded = Forwarded::kBypass;
  }
  // Parts and heads alone are not stored, and what must not be stored is waited for by nobody.
  const bool whole = asked.head.method() == http::Method::kGet && !asked.head.has(FieldId::kRange);
  if (!whole || directives.no_store) {
    ++counts_.passed;
    return verdict;
  }
  bool shares = !attempt.alone && attempt.waits < kWaitsMax && !authorized &&
                !directives.no_cache && directives.max_age != 0 && !is_pass(asked.now, key);
  FlightId flight = 0;
  if (Flight* other = shares ? joinable(asked, key, flight) : nullptr) {
    if (waiters_ < options_.waiters_max) {
      ++waiters_;
      ++counts_.collapsed;
      other->waiters.push_back(ticket);
      return {Verdict::Do::kWait, nullptr, flight, false, outcome};
    }
    ++counts_.crowded;
    shares = false;
  }
  return fetch(asked, key, stored, outcome, shares);
}

std::optional<DataCache::Verdict> DataCache::from_store(const Asked& asked, const Stored& stored,
                                                        const http::CacheControl& directives,
                                                        bool authorized, Attempt attempt) {
  const CacheTerms& terms = stored->terms;
  Verdict verdict{Verdict::Do::kServe, stored, 0, false, {}};
  verdict.outcome.ttl_s = ttl_of(terms, asked.now);
  verdict.outcome.collapsed = attempt.waits > 0;
  if (terms.version) verdict.outcome.age = as_last_seen(terms).age(asked.now);
  switch (cache_use(terms, directives, authorized, asked.now, asked.version)) {
    case CacheUse::kFresh:
      ++counts_.hits;
      return verdict;
    case CacheUse::kStale:
      ++counts_.stale_hits;
      return verdict;
    case CacheUse::kStaleBehind: {
      ++counts_.stale_hits;
      const CacheKey key = CacheKey::of(asked.head);
      FlightId flight = 0;
      if (joinable(asked, key, flight) == nullptr) verdict.flight = begin(asked, key, stored, true);
      return verdict;
    }
    case CacheUse::kValidate:
      break;
  }
  const bool serves = attempt.died && may_use_on_error(as_last_seen(terms), options_.rules,
                                                       directives, authorized, asked.now);
  if (!serves) return std::nullopt;
  ++counts_.error_hits;
  verdict.outcome.detail = "stale-if-error";
  return verdict;
}

// While the source tells its version, what has that version is as if it came now.
CacheTerms DataCache::as_last_seen(const CacheTerms& terms) const {
  CacheTerms seen = terms;
  if (!terms.version || terms.version != version_) return seen;
  seen.received = std::max(terms.received, version_at_);
  seen.initial_age = Duration{0};
  return seen;
}

DataCache::Verdict DataCache::fetch(const Asked& asked, const CacheKey& key, Stored stored,
                                    CacheOutcome outcome, bool joinable) {
  ++counts_.misses;
  const FlightId id = begin(asked, key, stored, joinable);
  flights_.at(id).outcome = outcome;
  return {Verdict::Do::kFetch, std::move(stored), id, false, outcome};
}

DataCache::Flight* DataCache::joinable(const Asked& asked, const CacheKey& key, FlightId& id) {
  if (joinable_.empty()) return nullptr;
  const auto found = joinable_.find({key, store_.selecting(key, asked.head)});
  if (found == joinable_.end()) return nullptr;
  Flight& flight = flights_.at(found->second);
  const bool same =
      flight.target == asked.head.path() && http::same_word(flight.host, asked.head.authority());
  if (!same) return nullptr;
  id = found->second;
  return &flight;
}

DataCache::FlightId DataCache::begin(const Asked& asked, const CacheKey& key, Stored validates,
                                     bool joinable) {
  const FlightId id = ++last_flight_;
  Flight& flight = flights_[id];
  flight.key = key;
  flight.host = asked.head.authority();
  flight.target = asked.head.path();
  flight.selecting = store_.selecting(key, asked.head);
  flight.asked = asked.now;
  flight.version = asked.version;
  flight.undated = asked.has_versions && !asked.version;
  flight.validates = std::move(validates);
  flight.outcome.forwarded = Forwarded::kStale;
  flight.joinable = joinable && joinable_.try_emplace({key, flight.selecting}, id).second;
  return id;
}

void DataCache::on_passed(const http::RequestHead& request, const http::ResponseHead* response) {
  // Of a failure, and of what a broken source says, nobody knows what was done.
  const int status = response == nullptr ? 502 : response->status();
  if (status >= 400 && status < 500) return;
  invalidate(ItemKey::of(request.path()));
  if (response == nullptr) return;
  for (const FieldId id : {FieldId::kLocation, FieldId::kContentLocation}) {
    if (const auto target = same_origin_target(request, response->value(id))) {
      invalidate(ItemKey::of(*target));
    }
  }
}

// --- flights -----------------------------------------------------------------------------------

DataCache::Landing DataCache::on_response(FlightId id, Instant now, UnixSeconds wall,
                                          const http::RequestHead& request,
                                          const http::ResponseHead& response,
                                          const http::Framing& framing) {
  Flight& flight = flights_.at(id);
  flight.outcome.forwarded_status = response.status();
  if (response.status() == 304) return on_not_modified(id, now, wall, request, response);
  const CacheTimes times{flight.asked, now, wall};
  std::optional<CacheTerms> terms;
  if (!flight.undated) {
    terms = terms_to_store(options_.rules, request, response, times, flight.version);
  }
  const bool failed = is_source_error(response.status());
  if (failed && flight.validates != nullptr) {
    Death death = on_failure(id, now, request);
    const auto what = death.stored ? Landing::Do::kServe : Landing::Do::kRelay;
    death.outcome.forwarded_status = response.status();
    return {what, std::move(death.stored), death.outcome, std::move(death.waiters)};
  }
  if (failed && !terms) {
    ++counts_.dead_flights;
    return relay(id, now, Release::kDied);
  }
  auto vary = vary_text(response, request);
  if (flight.detached || flight.undated) return relay(id, now, Release::kLanded);
  if (!terms || !vary || !fits(framing, options_.item_bytes_max)) {
    if (flight.validates != nullptr) store_.drop(flight.key);  // it is that no more
    return relay(id, now, Release::kAlone);
  }
  flight.coming = store_head(response, *terms, std::move(*vary), wall);
  flight.outcome.stored = true;
  Landing landing{Landing::Do::kCollect, nullptr, flight.outcome, {{}, Release::kAlone}};
  const bool for_others = cache_use(*terms, {}, false, now, flight.version) == CacheUse::kFresh;
  if (!for_others) {
    remember_pass(now, flight);
    end_joining(id, flight);
    landing.waiters.tickets = take_waiters(flight);
  }
  return landing;
}

DataCache::Landing DataCache::relay(FlightId id, Instant now, Release release) {
  const Flight& flight = flights_.at(id);
  if (release == Release::kAlone) remember_pass(now, flight);
  const CacheOutcome outcome = flight.outcome;
  return {Landing::Do::kRelay, nullptr, outcome, {land(id), release}};
}

DataCache::Landing DataCache::on_not_modified(FlightId id, Instant now, UnixSeconds wall,
                                              const http::RequestHead& request,
                                              const http::ResponseHead& response) {
  Flight& flight = flights_.at(id);
  if (flight.validates == nullptr) return relay(id, now, Release::kAlone);
  const std::string text = freshened_head(*flight.validates, response);
  http::ResponseHead head;
  if (!is_validated_by(*flight.validates, response) || !parse_own(text, head)) {
    flight.validates = nullptr;
    return {Landing::Do::kAskAgain, nullptr, flight.outcome, {}};
  }
  ++counts_.validated;
  const CacheTimes times{flight.asked, now, wall};
  const auto terms = terms_to_store(options_.rules, request, head, times, flight.version);
  auto vary = vary_text(head, request);
  const bool keeps = !flight.detached && !flight.undated;
  const bool stores = terms && vary && keeps;
  CacheTerms for_one;  // it answers this request, and no other
  for_one.received = now;
  for_one.initial_age = stated_age(head);
  auto fresh = std::make_shared<StoredResponse>(
      store_head(head, terms.value_or(for_one), vary.value_or(""), wall));
  fresh->body = flight.validates->body;
  Landing landing{Landing::Do::kServe, fresh, flight.outcome, {}};
  landing.outcome.ttl_s = ttl_of(fresh->terms, now);
  landing.outcome.stored = stores;
  bool for_others = false;
  if (stores) {
    store_.put(flight.key, request, fresh);
    for_others = cache_use(*terms, {}, false, now, flight.version) == CacheUse::kFresh;
  } else if (keeps) {
    store_.drop(flight.key);
  }
  if (for_others) {
    forget_pass(flight.key);
  } else if (!flight.undated) {
    remember_pass(now, flight);
  }
  landing.waiters.release = for_others || !keeps ? Release::kLanded : Release::kAlone;
  landing.waiters.tickets = land(id);
  return landing;
}

DataCache::Waiters DataCache::on_complete(FlightId id, const http::RequestHead& request,
                                          StoredResponse::Body body) {
  Flight& flight = flights_.at(id);
  TANDEM_CHECK(flight.coming.has_value());
  if (!flight.detached) {
    auto stored = std::make_shared<StoredResponse>(std::move(*flight.coming));
    stored->body = std::move(body);
    ++counts_.stored;
    if (flight.joinable) forget_pass(flight.key);
    store_.put(flight.key, request, std::move(stored));
  }
  return {land(id), Release::kLanded};
}

DataCache::Waiters DataCache::on_too_large(FlightId id, Instant now) {
  remember_pass(now, flights_.at(id));
  return {land(id), Release::kAlone};
}

DataCache::Death DataCache::on_failure(FlightId id, Instant now, const http::RequestHead& request) {
  ++counts_.dead_flights;
  const Flight& flight = flights_.at(id);
  Death death;
  death.outcome = flight.outcome;
  const bool serves =
      flight.validates != nullptr && !flight.detached &&
      may_use_on_error(as_last_seen(flight.validates->terms), options_.rules,
                       cache_directives(request), request.has(FieldId::kAuthorization), now);
  if (serves) {
    ++counts_.error_hits;
    death.stored = flight.validates;
    death.outcome.ttl_s = ttl_of(death.stored->terms, now);
    if (death.stored->terms.version) {
      death.outcome.age = as_last_seen(death.stored->terms).age(now);
    }
    death.outcome.detail = "stale-if-error";
  }
  death.waiters = {land(id), Release::kDied};
  return death;
}

bool DataCache::has_waiters(FlightId flight) const {
  const auto found = flights_.find(flight);
  return found != flights_.end() && !found->second.waiters.empty();
}

void DataCache::leave(FlightId flight, Ticket ticket) {
  const auto found = flights_.find(flight);
  if (found == flights_.end()) return;
  waiters_ -= std::erase(found->second.waiters, ticket);
}

void DataCache::end_joining(FlightId id, Flight& flight) {
  if (!flight.joinable) return;
  flight.joinable = false;
  const auto found = joinable_.find({flight.key, flight.selecting});
  TANDEM_CHECK(found != joinable_.end() && found->second == id);
  joinable_.erase(found);
}

std::vector<DataCache::Ticket> DataCache::take_waiters(Flight& flight) {
  waiters_ -= flight.waiters.size();
  return std::exchange(flight.waiters, {});
}

// The flight is over.
std::vector<DataCache::Ticket> DataCache::land(FlightId id) {
  Flight& flight = flights_.at(id);
  end_joining(id, flight);
  std::vector<Ticket> tickets = take_waiters(flight);
  flights_.erase(id);
  return tickets;
}

// --- what ends before its time -----------------------------------------------------------------

void DataCache::invalidate(ItemKey item) {
  counts_.invalidated += store_.drop_item(item);
  for (auto& [id, flight] : flights_) {
    if (flight.key.item != item) continue;
    end_joining(id, flight);
    flight.detached = true;
  }
}

void DataCache::forget(const std::function<bool(std::string_view target)>& which) {
  counts_.forgotten += store_.drop_if(which);
  for (auto& [id, flight] : flights_) {
    if (!which(flight.target)) continue;
    end_joining(id, flight);
    flight.detached = true;
  }
}

// What was asked for in a way of its own says nothing of what others get.
void DataCache::remember_pass(Instant now, const Flight& flight) {
  if (!flight.joinable || options_.passes_max == 0) return;
  const CacheKey& key = flight.key;
  forget_pass(key);
  if (passes_.size() >= options_.passes_max) forget_pass(CacheKey(pass_order_.front().key));
  passes_[key] = pass_order_.insert(pass_order_.end(), {key, now + options_.pass_time});
}

void DataCache::forget_pass(const CacheKey& key) {
  const auto found = passes_.find(key);
  if (found == passes_.end()) return;
  pass_order_.erase(found->second);
  passes_.erase(found);
}

bool DataCache::is_pass(Instant now, const CacheKey& key) const {
  const auto found = passes_.find(key);
  return found != passes_.end() && now < found->second->until;
}

}  // namespace tandem
