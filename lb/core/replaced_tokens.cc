#include "lb/core/replaced_tokens.h"

#include <algorithm>

#include "common/base/hash.h"

namespace tandem {

namespace {

std::uint64_t mark_of(const SessionToken& token) {
  std::uint64_t mark = mix64(token.session.high);
  for (const std::uint64_t part :
       {token.session.low, std::uint64_t{token.epoch.counter},
        std::uint64_t{token.epoch.server.value}, std::uint64_t{token.alternate.value},
        static_cast<std::uint64_t>(token.issued)}) {
    mark = mix64(mark + part);
  }
  return std::max<std::uint64_t>(mark, 1);
}

}  // namespace

bool ReplacedTokens::first(const SessionToken& replaced) {
  const std::uint64_t mark = mark_of(replaced);
  Set& set = sets_[mark % sets_.size()];
  if (std::find(set.marks.begin(), set.marks.end(), mark) != set.marks.end()) return false;
  set.marks[set.next] = mark;
  set.next = (set.next + 1) % kWays;
  return true;
}

}  // namespace tandem
