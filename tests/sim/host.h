// A machine with one process: alive, paused or dead. What is meant for a paused process waits for
// it, in order; what is meant for a dead one is gone.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <utility>

namespace tandem::sim {

class Host {
 public:
  bool alive() const { return alive_; }
  bool paused() const { return paused_; }
  std::uint64_t incarnation() const { return incarnation_; }

  void start() {
    alive_ = true;
    paused_ = false;
    ++incarnation_;
  }
  void kill() {
    alive_ = false;
    paused_ = false;
    backlog_.clear();
  }
  void pause() { paused_ = alive_; }
  void resume() {
    paused_ = false;
    while (!backlog_.empty() && !paused_ && alive_) {
      const auto work = std::exchange(backlog_.front(), nullptr);
      backlog_.pop_front();
      work();
    }
  }

  // Now, later, or never: only the process of this incarnation does it.
  void run(std::uint64_t incarnation, std::function<void()> work) {
    if (!alive_ || incarnation != incarnation_) return;
    if (paused_) {
      backlog_.push_back(std::move(work));
    } else {
      work();
    }
  }

 private:
  bool alive_ = false;
  bool paused_ = false;
  std::uint64_t incarnation_ = 0;
  std::deque<std::function<void()>> backlog_;
};

}  // namespace tandem::sim
