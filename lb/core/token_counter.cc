#include "lb/core/token_counter.h"

#include <algorithm>

namespace tandem {

TokenCounter::TokenCounter(UnixSeconds ttl, UnixSeconds began)
    : began_(began), minutes_((ttl + 59) / 60 + 1) {}

void TokenCounter::add(ServerId server, bool alternate, std::int64_t minute,
                       std::int64_t now_minute, int n) {
  if (!server || minute <= now_minute - minutes_ || minute > now_minute) return;
  auto& buckets = servers_[server];
  if (buckets.empty()) buckets.resize(static_cast<std::size_t>(minutes_));
  Bucket& bucket = buckets[static_cast<std::size_t>(minute % minutes_)];
  if (bucket.minute != minute) bucket = Bucket{minute, 0, 0};
  (alternate ? bucket.alternates : bucket.primaries) += n;
}

void TokenCounter::issued(ServerId primary, ServerId alternate, UnixSeconds now) {
  add(primary, false, now / 60, now / 60, 1);
  add(alternate, true, now / 60, now / 60, 1);
}

void TokenCounter::replaced(ServerId primary, ServerId alternate, UnixSeconds issued_at,
                            UnixSeconds now) {
  if (issued_at < began_) return;
  add(primary, false, issued_at / 60, now / 60, -1);
  add(alternate, true, issued_at / 60, now / 60, -1);
}

std::vector<TokenCounter::Sessions> TokenCounter::sums(UnixSeconds now) {
  std::vector<Sessions> result;
  for (const auto& [server, buckets] : servers_) {
    Sessions sum{server, 0, 0};
    for (const Bucket& bucket : buckets) {
      if (bucket.minute <= now / 60 - minutes_) continue;
      sum.primaries += bucket.primaries;
      sum.alternates += bucket.alternates;
    }
    if (sum.primaries != 0 || sum.alternates != 0) result.push_back(sum);
  }
  std::sort(result.begin(), result.end(),
            [](const Sessions& a, const Sessions& b) { return a.server < b.server; });
  return result;
}

}  // namespace tandem
