// The contract of a state machine: a message in, the time in, "when shall I be woken", effects out.
//
// A machine opens no socket, reads no clock, takes no lock and calls nothing back. Whoever drives
// it (a shell around libevent, or the simulator) delivers messages and the time, and carries out
// what the machine left in the outbox. A spurious on_deadline() is harmless.
//
//   void on_message(Instant now, ServerId from, const Message&, Outbox<Message>&);
//   void on_deadline(Instant now, Outbox<Message>&);
//   Instant next_deadline() const;      // kNever while there is nothing to wait for
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "common/base/error.h"
#include "common/base/ids.h"

namespace tandem {

// What a machine wants sent. Bounded: a machine never fills it past `limit` in one step, it keeps
// the rest for its next deadline; passing the limit is a broken invariant.
template <class Message>
class Outbox {
 public:
  struct Envelope {
    ServerId to;
    Message message;
  };
  static constexpr std::size_t kEnvelopesMax = 4096;

  explicit Outbox(std::size_t limit = kEnvelopesMax) : limit_(limit) {}

  void send(ServerId to, Message message) {
    TANDEM_CHECK(envelopes_.size() < limit_);
    envelopes_.push_back(Envelope{to, std::move(message)});
  }
  std::size_t room() const { return limit_ - envelopes_.size(); }
  bool empty() const { return envelopes_.empty(); }
  const std::vector<Envelope>& envelopes() const { return envelopes_; }
  std::vector<Envelope> take() { return std::exchange(envelopes_, {}); }

 private:
  std::size_t limit_;
  std::vector<Envelope> envelopes_;
};

}  // namespace tandem
