// What the master knows of one registered server from what it sees itself: what was heard on its
// control connection, and what came of contacting its data port. One value for each server, virtual
// time in. It says whether a verification failed; whether the server is then offline is the
// master's decision (lb/core/master).
//
// A verification is `attempts` probes, staggered evenly over `timeout`, the control connection
// being pinged beside them. An answer to any of them, or to the ping, refutes. It fails when all
// attempts have, and the ping had `timeout` to be answered; a server whose control connection is
// gone and whose host refuses every attempt needs no waiting. One that is heard of otherwise,
// during it, may have sent that before: once the verification begins again, a second time it is
// refuted.
//
// Verified is who lost its control connection, was silent there for two status intervals, or was
// reported. Of a server that nobody else accuses a failed verification counts only when it has been
// silent for three intervals or lost its control connection.
//
// An offline server is back when it is heard, or a probe is answered; but once kIllProbes in a row
// were not answered, its word alone is not enough: it may be heard through heavy losses.
//
// A server that is heard, but whose data port answers no probe, not even one that may take long, is
// *deaf* (lb/core/port_doubt). Whoever is heard during a verification, before a probe is answered,
// is looked at for that.
#pragma once

#include <algorithm>
#include <cstdint>

#include "common/base/time.h"
#include "lb/core/port_doubt.h"

namespace tandem {

enum class ProbeResult : std::uint8_t {
  kAnswered,
  kRefused,  // its host is there and says that nobody listens
  kFailed,   // anything else
};

class Liveness {
 public:
  struct Options {
    Duration status_interval = 1s;
    std::uint32_t attempts = 6;
    Duration timeout = 125ms;  // of a verification
  };
  static constexpr int kSilentIntervals = 3;     // of the control connection: silent
  static constexpr int kProbeIntervals = 2;      // a verification starts earlier
  static constexpr unsigned kIllProbes = 3;      // offline: so many unanswered, and it is not back
  static constexpr unsigned kPausesMost = 3;     // offline: the pause doubles so often
  static constexpr Duration kReportGap = 100ms;  // reports verify at most this often

  Liveness() = default;
  explicit Liveness(const Options& options) : options_(options) {}
  // A verification under way begins again if it would take another course.
  void set_options(const Options& options);

  void on_connected(Instant now);            // registered, on a new control connection
  void on_heard(Instant now, bool is_pong);  // a message on the control connection
  void on_lost(Instant now);                 // the control connection is gone: verify at once
  void on_left(Instant now);                 // a normal shutdown
  void on_reported(Instant now);             // somebody met a failure: verify soon
  void on_accused(Instant now);              // a server says that it is dead: the same
  void examine(Instant now);                 // verify now, whatever was before
  // The next of a verification's probes; one that begins, if none is under way.
  void on_probe_started(Instant now);
  void on_probe_result(Instant now, ProbeResult result);
  // A patient probe. It is none of a verification's.
  void on_patient_started(Instant now) { port_.on_started(now); }
  void on_patient_result(Instant now, Instant started, ProbeResult result);
  void forget_patient() { port_.forget_probes(); }  // their results will not be said
  void mark(bool online);                           // what the master decided

  bool connected() const { return connected_; }
  bool left() const { return left_; }
  bool deaf() const { return deaf_; }
  bool failing() const { return connected_ && port_.doubted(); }  // it may be deaf
  bool silent(Instant now) const {
    return now - heard_ >= options_.status_interval * kSilentIntervals;
  }
  Instant heard() const { return heard_; }

  // The last verification failed, and nothing good was seen since.
  bool failed(Instant now) const;
  // ... and its host refused all of it.
  bool refused() const { return !connected_ && fails_ > 0 && refusals_ == fails_; }
  bool verifying() const { return verifying_; }
  // Under way, with an attempt unanswered for a while.
  bool drags() const { return verifying_ && started_ >= refusals_ + 2; }
  // Grows with every verification; and with every good sign.
  std::uint64_t verifications() const { return verifications_; }
  std::uint64_t good_signs() const { return good_signs_; }
  // The last sign was a good one, and not long ago. Of a server that is offline: it is back.
  bool well(Instant now) const;

  // When to start a probe (not while it waits for answers), and how long it may take; 0: as long as
  // any. Who is heard and online needs none; who is held back does.
  Instant next_probe() const;
  Duration probe_timeout(Instant now) const;
  // When to start a patient probe, which takes as long as any.
  Instant next_patient() const;
  // When failed() or well() may change by time alone.
  Instant next_change(Instant now) const;

 private:
  void good();
  void begin(Instant now);
  Instant attempt_due(unsigned number) const {
    return begun_ + options_.timeout * number / options_.attempts;
  }
  Instant ping_until() const { return begun_ + options_.timeout; }

  Options options_;
  bool online_ = false;
  bool connected_ = false;
  bool left_ = false;
  bool deaf_ = false;
  bool accused_ = false;    // since the last good sign
  bool well_ = false;       // the last sign was a good one
  bool verifying_ = false;  // or: an offline server is being probed
  bool again_ = false;      // it began again, since something was heard
  bool lost_ = false;       // the connection, since the last probes began
  unsigned started_ = 0;    // of its attempts
  unsigned fails_ = 0;
  unsigned refusals_ = 0;
  unsigned unanswered_ = 0;  // probes in a row, while it is offline
  unsigned pauses_ = 0;      // the longer, the more often an offline server did not answer
  std::uint64_t verifications_ = 0;
  std::uint64_t good_signs_ = 0;
  Instant heard_{};
  Instant wanted_ = kNever;          // a verification is, since then
  Instant begun_ = Instant{} - 24h;  // the last one; at first, long ago
  PortDoubt port_;                   // while it is online, and connected
};

}  // namespace tandem
