// Queries of the database while a server of the group dies and comes back with nothing.
//
// Sessions ask for items whose popularity is Zipf's (0.99). Types and who acts for them, what is
// asked of whom, and which answers are noted (server/core/noted_answers.h) are the code that ships,
// and so is the store of the contents that mirrors hold; each server's data cache is a plain LRU of
// items of one size, since nothing here ends what is cached but the want of room, and each fetch is
// done at once. Nobody writes: with SQLite's one version for the whole file, a write ends all that
// is cached in the group, and all that is noted, whoever is alive.
//
// A session's items are held by its primary and its alternate. The alternate has the contents only:
// it has not seen the answer, and asks, as anyone else, who acts.
//
// The same requests go to two other groups: the same types and caches without mirrors, and simple
// rehashing (the item's hash modulo the servers alive, the same caches).
// One thread, deterministic from the seed.
#pragma once

#include <cstdint>

#include "common/base/time.h"

namespace tandem::sim {

struct ZipfOptions {
  std::uint64_t seed = 1;
  std::uint32_t servers = 8;
  std::uint32_t items = 30'000;
  double skew = 0.99;
  double hit_rate = 0.95;  // in steady state: the caches are as large as that takes
  std::uint32_t per_second = 10'000;
  std::uint32_t sessions = 8'000;
  std::uint32_t content_bytes = 1024;
  std::uint64_t mirror_bytes = 256 * 1024 * 1024;  // [mirror] bytes of each server
  Duration warm = 600s;                            // before anything is counted
  Duration steady = 30s;                           // counted before the death
  Duration away = 60s;
  Duration unnoticed = 50ms;  // until the view says that it is dead
  bool noted = true;          // false: what the check must be able to miss
};

struct ZipfReport {
  // Queries of the database in the 10 s after the death and after the return, in multiples of 10 s
  // of steady state.
  struct Group {
    double hit_rate = 0;  // in steady state, of all requests
    double steady = 0;    // queries in 10 s
    double after_death = 0;
    double after_return = 0;
    double worst() const { return after_death > after_return ? after_death : after_return; }
  };
  Group mirrors;                  // Tandem
  Group types;                    // without what is noted
  Group rehashing;                // modulo
  std::uint64_t cache_items = 0;  // of one server
  std::uint64_t noted = 0;        // answers, of all servers, when the server dies
  std::uint64_t held = 0;         // contents
  std::uint64_t used = 0;         // requests that were answered by noted answers
  std::uint64_t digest = 0;       // the same seed, the same run
};

ZipfReport run_zipf(const ZipfOptions& options);

}  // namespace tandem::sim
