// Counts the living sessions of plain servers, whose tokens the balancer itself issues: tokens
// issued or renewed within the last `ttl`, in minute buckets. A renewal moves its session from the
// minute of the old token to now; since it may have been another worker that counted it there,
// buckets may be negative here, and only the sum over all workers means something.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"

namespace tandem {

class TokenCounter {
 public:
  struct Sessions {
    ServerId server;
    std::int64_t primaries = 0;
    std::int64_t alternates = 0;

    bool operator==(const Sessions&) const = default;
  };

  TokenCounter(UnixSeconds ttl, UnixSeconds began);

  // A confirmed token was issued, or one was renewed.
  void issued(ServerId primary, ServerId alternate, UnixSeconds now);
  // The counted token that it replaces.
  void replaced(ServerId primary, ServerId alternate, UnixSeconds issued_at, UnixSeconds now);

  // The sums by server, in the order of their ids; servers that have none are left out.
  std::vector<Sessions> sums(UnixSeconds now);

 private:
  struct Bucket {
    std::int64_t minute = -1;
    std::int64_t primaries = 0;
    std::int64_t alternates = 0;
  };
  void add(ServerId server, bool alternate, std::int64_t minute, std::int64_t now_minute, int n);

  UnixSeconds began_;
  std::int64_t minutes_;  // how many a token lives, rounded up
  std::unordered_map<ServerId, std::vector<Bucket>> servers_;
};

}  // namespace tandem
