#include "server/core/source_state.h"

#include <utility>

namespace tandem {

bool SourceState::may_ask(Instant now) {
  if (!down()) return true;
  if (now < next_try_) return false;
  next_try_ = now + options_.retry;
  return true;
}

SourceState::Change SourceState::on_answer() {
  const bool was_down = down();
  failures_ = 0;
  return was_down ? Change::kUp : Change::kNone;
}

SourceState::Change SourceState::on_failure(Instant now) {
  if (down()) return Change::kNone;
  ++failures_;
  if (!down()) return Change::kNone;
  down_since_ = now;
  next_try_ = now + options_.retry;
  return Change::kDown;
}

}  // namespace tandem
