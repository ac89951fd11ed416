#include "common/net/tunnel.h"

#include <algorithm>
#include <utility>

namespace tandem {

Tunnel::Tunnel(EventLoop& loop, End left, End right, Duration idle_timeout,
               std::function<void()> done)
    : loop_(loop),
      idle_timeout_(idle_timeout),
      done_(std::move(done)),
      left_(*this),
      right_(*this),
      timer_(loop, [this] {
        if (!std::exchange(moved_, false)) return finish();
        timer_.set_after(idle_timeout_);
      }) {
  left_.stream = std::move(left.stream);
  left_.waiting = std::move(left.unsent);
  right_.stream = std::move(right.stream);
  right_.waiting = std::move(right.unsent);
  left_.stream->set_handler(&left_);
  right_.stream->set_handler(&right_);
  timer_.set_after(idle_timeout_);
  pump();
}

Tunnel::~Tunnel() = default;

// Writes what is owed to a side. False: it is broken.
bool Tunnel::flush(Side& side) {
  while (!side.waiting.empty()) {
    const IoResult wrote = side.stream->write(side.waiting);
    if (wrote.would_block()) return true;
    if (!wrote.ok()) return false;
    moved_ = true;
    side.waiting.erase(0, wrote.bytes);
  }
  return true;
}

bool Tunnel::move(Side& from, Side& to) {
  if (!flush(to)) return false;
  const StreamTurn turn(loop_, *from.stream);
  while (!from.ended && to.waiting.size() < kWaitingBytesMax && !turn.over()) {
    const std::size_t room = std::min(loop_.scratch().size(), kWaitingBytesMax - to.waiting.size());
    const IoResult got = from.stream->read(loop_.scratch().first(room));
    if (got.would_block()) break;
    if (got.failed()) return false;
    if (got.end()) {
      from.ended = true;
      break;
    }
    moved_ = true;
    to.waiting.append(loop_.scratch().data(), got.bytes);
    if (!flush(to)) return false;
  }
  if (from.ended && to.waiting.empty() && !std::exchange(to.shut, true)) {
    to.stream->shutdown_write();
  }
  return true;
}

void Tunnel::pump() {
  if (!done_) return;
  if (!move(left_, right_) || !move(right_, left_)) return finish();
  // Sealed bytes would be lost with their stream; on_stream() tells when they have left.
  const auto owed = [](const Side& side) {
    return side.stream->has_unsent() && !side.stream->write_failed();
  };
  if (left_.shut && right_.shut && !owed(left_) && !owed(right_)) finish();
}

void Tunnel::finish() {
  timer_.cancel();
  left_.stream->set_handler(nullptr);
  right_.stream->set_handler(nullptr);
  if (auto done = std::exchange(done_, nullptr)) loop_.defer(std::move(done));
}

}  // namespace tandem
