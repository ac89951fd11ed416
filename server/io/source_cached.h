// A source before another: a shared HTTP cache (server/core/data_cache.h), which asks the other one
// for what it lacks, for many at once if many want the same.
//
// What is stored is answered at the end of the round. What is fetched to be stored is read along by
// who began the flight, at its own pace, while it is gathered. A flight whose client has gone ends,
// unless others wait for it. Every response gets a Cache-Status (RFC 9211). One thread, the loop's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "server/core/data_cache.h"
#include "server/io/admin.h"
#include "server/io/source.h"

namespace tandem::server {

class CacheFlight;
class CachedCall;

class CachedSource final : public Source {
 public:
  struct Options {
    std::string name;  // of this cache, in Cache-Status
    DataCacheOptions cache;
  };
  // Loop and source must outlive this, and this its calls.
  CachedSource(EventLoop& loop, Source& source, Options options);
  ~CachedSource();

  std::unique_ptr<SourceCall> start(HttpRequest request, HttpCallHandler& handler) override;
  std::optional<std::uint64_t> version() override { return source_.version(); }
  bool has_versions() const override { return source_.has_versions(); }
  bool knows_our_tags() const override { return source_.knows_our_tags(); }
  void invalidate(ItemKey item) override;
  void forget(const Targets& which) override;

  const DataCache& cache() const { return cache_; }
  std::vector<AdminSnapshot::Count> counts() const;

 private:
  friend class CachedCall;
  friend class CacheFlight;
  void release(const DataCache::Waiters& waiters);
  void remove(CacheFlight& flight);

  EventLoop& loop_;
  Source& source_;
  std::string name_;
  DataCache cache_;
  DataCache::Ticket last_ticket_ = 0;
  std::unordered_map<DataCache::Ticket, CachedCall*> waiting_;
  std::unordered_map<CacheFlight*, std::unique_ptr<CacheFlight>> flights_;
  std::string text_;  // working room for heads
};

}  // namespace tandem::server
