// Is the data source there? Known by what becomes of requests: after several failures in a row it
// is taken to be down, and then asked only now and then, until it answers.
#pragma once

#include <cstdint>

#include "common/base/time.h"

namespace tandem {

class SourceState {
 public:
  struct Options {
    std::uint32_t failures_max = 3;  // in a row; then it is down
    Duration retry = 1s;             // while it is, one request in this time asks it
  };
  enum class Change : std::uint8_t { kNone, kDown, kUp };

  explicit SourceState(Options options) : options_(options) {}

  // May a request ask the source now? While it is down, who may is a try.
  bool may_ask(Instant now);
  // It answered, whatever it said.
  Change on_answer();
  // It could not be connected to, or did not answer.
  Change on_failure(Instant now);

  bool down() const { return failures_ >= options_.failures_max; }
  Instant down_since() const { return down_since_; }  // while it is

 private:
  Options options_;
  std::uint32_t failures_ = 0;  // in a row
  Instant down_since_{};
  Instant next_try_{};
};

}  // namespace tandem
