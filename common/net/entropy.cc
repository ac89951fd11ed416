#include "common/net/entropy.h"

#include <sys/random.h>

#include <array>
#include <cerrno>

#include "common/base/error.h"

namespace tandem {

void system_random(void* bytes, std::size_t count) {
  auto* at = static_cast<char*>(bytes);
  while (count > 0) {
    const ssize_t n = ::getrandom(at, count, 0);
    if (n < 0 && errno == EINTR) continue;
    TANDEM_CHECK(n > 0);
    at += n;
    count -= static_cast<std::size_t>(n);
  }
}

std::uint64_t random_u64() {
  std::uint64_t value = 0;
  system_random(&value, sizeof value);
  return value;
}

std::uint64_t pooled_random_u64() {
  struct Pool {
    std::array<std::uint64_t, 512> words;
    std::size_t left = 0;
  };
  static thread_local Pool pool;
  if (pool.left == 0) {
    system_random(pool.words.data(), sizeof pool.words);
    pool.left = pool.words.size();
  }
  return pool.words[--pool.left];
}

SessionId random_session_id() {
  SessionId id;
  while (!id) id = SessionId{pooled_random_u64(), pooled_random_u64()};
  return id;
}

CacheId random_cache_id() {
  CacheId id;
  while (!id) id = CacheId{pooled_random_u64()};
  return id;
}

}  // namespace tandem
