#include "common/session/token_cache.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "common/base/hash.h"

namespace tandem {
namespace {

// A token is the output of a cipher: sixteen of its characters are as good as a hash of it. Texts
// made to meet in one set cost their sender a set, not a long chain.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t a;
  std::uint64_t b;
  std::memcpy(&a, text.data() + 8, sizeof a);
  std::memcpy(&b, text.data() + 40, sizeof b);
  return mix64(a ^ std::rotl(b, 29));
}

}  // namespace

TokenCache::TokenCache(TokenCodec& codec, const Options& options)
    : codec_(codec),
      ttl_(options.ttl),
      sets_(std::bit_ceil(std::max<std::size_t>(options.entries_max / kWays, 1))) {}

TokenCodec::Opened TokenCache::open(std::string_view text, UnixSeconds now) {
  if (text.size() != kTokenLength) {
    ++counts_.refused;
    return {.token = {}, .fault = TokenFault::kMalformed};
  }
  const std::uint64_t hash = hash_of(text);
  const auto mark = static_cast<std::uint32_t>(hash >> 32);
  Set& set = sets_[hash & (sets_.size() - 1)];
  for (std::size_t way = 0; way < kWays; ++way) {
    const Entry& entry = set.entries[way];
    if (set.marks[way] != mark || entry.generation != codec_.generation()) continue;
    if (std::memcmp(entry.sealed.text.data(), text.data(), kTokenLength) != 0) continue;
    if (!token_is_young(entry.token.issued, entry.token.flags, now, ttl_)) {
      ++counts_.refused;
      return {.token = {}, .fault = TokenFault::kExpired};
    }
    ++counts_.hits;
    return {.token = entry.token};
  }
  TokenCodec::Opened opened = codec_.open(text, now, ttl_);
  if (!opened) {
    ++counts_.refused;
    return opened;
  }
  ++counts_.opened;
  const std::size_t way = set.next++ % kWays;
  set.marks[way] = mark;
  Entry& entry = set.entries[way];
  entry.generation = codec_.generation();
  std::memcpy(entry.sealed.text.data(), text.data(), kTokenLength);
  entry.token = opened.token;
  return opened;
}

TokenCodec::Opened TokenCache::open_from_client(std::string_view text, UnixSeconds now) {
  TokenCodec::Opened opened = open(text, now);
  if (opened && is_for_one_request(opened.token.flags)) {
    ++counts_.refused;
    return {.token = {}, .fault = TokenFault::kFlagged};
  }
  return opened;
}

}  // namespace tandem
