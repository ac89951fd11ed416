// The failover mode, for each server: whoever has failed several times in a row is left alone for a
// while, its failover server (a session's alternate, a type's stand-in) is used instead, and the
// master is told of both: that it was entered and that it was left.
//
// It is what a process knows of its servers, not what a call does: all clients of a cluster in one
// process share one (client/io/failover_book.h, which has the lock). Pure; servers by name.
//
// A server in the mode is not tried before `retry_after` is over. Then one probe is due; it is
// handed out once, and is the only try until it is told what came of it. A call that has nobody
// else to turn to may still use the server: if it answers, the mode is over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/time.h"

namespace tandem {

class FailoverModes {
 public:
  struct Options {
    unsigned retries = 2;  // failed tries in a row after which the mode is entered; at least 1
    Duration retry_after = 10s;      // from entering, or from a failed probe, to the next probe
    Duration probe_patience = 5s;    // a probe of which nothing is heard has failed after this time
    std::size_t servers_max = 4096;  // of more, those that come later are never left alone
  };
  static constexpr Duration kProbeAgain = 1s;  // until a probe that was put back is due again
  // What the master is to be told.
  enum class Notice : std::uint8_t { kNone, kEntered, kLeft };

  explicit FailoverModes(const Options& options) : options_(options) {}

  // Is it to be left alone?
  bool avoids(std::string_view server) const;
  // A try of it, by a call or a probe, has failed: no connection, a broken one, or silence where
  // it was asked how it is.
  [[nodiscard]] Notice on_failure(std::string_view server, Instant now);
  // It has answered, whatever the status.
  [[nodiscard]] Notice on_answer(std::string_view server);

  // The server that is to be probed now; the caller probes it and tells what came of it. Nothing:
  // none is due.
  std::optional<std::string> take_probe(Instant now);
  // Whoever has it cannot probe, not knowing where the server is: another may, soon.
  void put_back(std::string_view server, Instant now);
  // Servers that are in no list any more will neither answer nor be asked.
  void forget_unless(const std::function<bool(std::string_view)>& exists);
  // When the next probe will be due; kNever: there is nobody to probe.
  Instant next_deadline() const;

  std::size_t avoided() const;  // servers in the mode
  std::size_t known() const {
    return servers_.size();
  }  // ... and those that have failed since they answered
  std::uint64_t entered() const { return entered_; }  // how often, of all servers
  std::uint64_t left() const { return left_; }

 private:
  struct Server {
    unsigned failures = 0;  // in a row, while not in the mode
    bool in_mode = false;
    Instant probe_at = kNever;  // while in the mode
  };

  Options options_;
  std::map<std::string, Server, std::less<>> servers_;  // those that have failed
  std::uint64_t entered_ = 0;
  std::uint64_t left_ = 0;
};

}  // namespace tandem
