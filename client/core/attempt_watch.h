// Is an attempt of which nothing is heard worth waiting for?
//
// A server that is slow with this answer still says how it is; one that is frozen, or cut off, does
// not. So after half of the attempt's patience the server is asked beside it (a look), and the look
// has the other half: an attempt on a server that answers nobody is over after the whole, and what
// only takes long is neither cut nor sent twice.
//
// Pure; one for each call, begun anew with each attempt.
#pragma once

#include <algorithm>
#include <utility>

#include "common/base/time.h"

namespace tandem {

class AttemptWatch {
 public:
  enum class Action {
    kNone,   // wait on, until next_deadline()
    kLook,   // ask the server how it is, and tell of it: on_look()
    kLeave,  // the attempt is over
  };

  // `patience` with a silent server; 0: there is no end to it.
  explicit AttemptWatch(Duration patience) : half_(patience / 2) {}

  // An attempt begins. `may_leave`: it could be sent again, to another; else it is not watched.
  void begin(Instant now, bool may_leave) {
    watching_ = may_leave && half_ > Duration{0};
    looking_ = false;
    alive_ = now;
  }
  void end() { watching_ = looking_ = false; }
  bool looking() const { return looking_; }
  // kNever while a look is under way: whoever looks knows for how long (look_patience).
  Instant next_deadline() const { return watching_ && !looking_ ? alive_ + half_ : kNever; }
  Duration look_patience() const { return half_; }

  // `heard`: when the last byte of the response came; anything earlier than the attempt: none has.
  [[nodiscard]] Action on_deadline(Instant now, Instant heard) {
    alive_ = std::max(alive_, heard);
    if (now < next_deadline()) return Action::kNone;
    looking_ = true;
    return Action::kLook;
  }
  [[nodiscard]] Action on_look(bool answers, Instant now, Instant heard) {
    if (!std::exchange(looking_, false)) return Action::kNone;
    if (!answers && heard <= alive_) {
      end();
      return Action::kLeave;
    }
    alive_ = answers ? now : heard;
    return Action::kNone;
  }

 private:
  Duration half_;
  bool watching_ = false;
  bool looking_ = false;
  Instant alive_{};  // the last sign of life: the attempt's begin, a byte, a look's answer
};

}  // namespace tandem
