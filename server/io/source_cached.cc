#include "server/io/source_cached.h"

#include <utility>

#include "server/io/cached_call.h"

namespace tandem::server {

CachedSource::CachedSource(EventLoop& loop, Source& source, Options options)
    : loop_(loop), source_(source), name_(std::move(options.name)), cache_(options.cache) {}

CachedSource::~CachedSource() = default;

std::unique_ptr<SourceCall> CachedSource::start(HttpRequest request, HttpCallHandler& handler) {
  auto call = std::make_unique<CachedCall>(*this, std::move(request), handler);
  call->begin();
  return call;
}

void CachedSource::invalidate(ItemKey item) {
  cache_.invalidate(item);
  source_.invalidate(item);
}

void CachedSource::forget(const Targets& which) {
  cache_.forget(which);
  source_.forget(which);
}

// Who asks again may begin a flight, and others may wait for it; none is answered within this call.
void CachedSource::release(const DataCache::Waiters& waiters) {
  for (const DataCache::Ticket ticket : waiters.tickets) {
    const auto found = waiting_.find(ticket);
    if (found == waiting_.end()) continue;
    CachedCall& call = *found->second;
    waiting_.erase(found);
    call.again(waiters.release);
  }
}

// The flight may be the caller.
void CachedSource::remove(CacheFlight& flight) {
  const auto found = flights_.find(&flight);
  if (found == flights_.end()) return;
  loop_.dispose(std::move(found->second));
  flights_.erase(found);
}

std::vector<AdminSnapshot::Count> CachedSource::counts() const {
  const DataCacheCounts& all = cache_.counts();
  const CacheStore& store = cache_.store();
  return {
      {"cache_hits_total", "Requests answered from the cache, fresh.", all.hits},
      {"cache_stale_hits_total", "Requests answered from the cache, stale as they may be.",
       all.stale_hits},
      {"cache_error_hits_total", "Requests answered stale since the source had failed.",
       all.error_hits},
      {"cache_misses_total", "Requests for which the source was asked.", all.misses},
      {"cache_collapsed_total", "Times that a request waited for another's answer.", all.collapsed},
      {"cache_crowded_total", "Requests that did not wait since cache.waiters_max did.",
       all.crowded},
      {"cache_passed_total", "Requests passed by the cache.", all.passed},
      {"cache_stored_total", "Responses stored.", all.stored},
      {"cache_validated_total", "Stored responses that the source said are current.",
       all.validated},
      {"cache_refused_total", "Requests answered 504: only-if-cached, and nothing was.",
       all.refused},
      {"cache_failed_fetches_total", "Fetches that the source did not answer, or with an error.",
       all.dead_flights},
      {"cache_invalidated_total", "Stored responses dropped since the item was written.",
       all.invalidated},
      {"cache_forgotten_total", "Stored responses dropped with their type.", all.forgotten},
      {"cache_evicted_total", "Stored responses dropped for want of room.", store.evicted()},
      {"cache_responses", "Responses stored now.", store.size()},
      {"cache_bytes", "Bytes of the responses stored now.", store.bytes()},
      {"cache_fetches", "Fetches under way.", cache_.flights()},
      {"cache_waiters", "Requests that wait for one.", cache_.waiters()},
  };
}

}  // namespace tandem::server
