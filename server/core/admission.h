// Does this server take a new session? Its own word is the last, since balancers' numbers are a
// little old. A pure formula over its own status and the others'.
#pragma once

#include <cstdint>
#include <span>

#include "common/cluster/view.h"

namespace tandem {

struct Admission {
  enum class Kind : std::uint8_t {
    kServe,
    kHandOn,       // to `second`, which must serve: a session is handed on at most once
    kUnavailable,  // at capacity
  };
  Kind kind = Kind::kServe;
  ServerId second;
};

// `own` is this server's status as it is; `others` may contain its old one. Over its threshold, or
// draining, it hands the session to the best other by status; if all are over theirs, the least
// loaded serves. `must_serve`: it has been handed on already.
Admission admit(const Status& own, ServerId self, std::span<const ServerRecord> others,
                bool must_serve);

}  // namespace tandem
