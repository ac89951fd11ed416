// Is a registered server alive? One value for each server, virtual time in, two questions out.
//
// Offline means: its control connection is gone, or silent for three status intervals, AND a probe
// of our own failed. A probe wants an answer of the application, so a frozen process fails it.
// Either alone is not enough: a server may have lost its control connection, or its data port may
// refuse a connection under load, and yet serve. But a server whose data port has failed three
// probes in a row is *deaf*, and offline too, however much it says on its control connection.
// A server that announced its leave is offline at once.
//
// Online again: it is heard on its control connection (a deaf one not), or a probe is answered.
// Probes of an offline server come ever more rarely, up to eight intervals apart.
#pragma once

#include "common/base/time.h"

namespace tandem {

class Liveness {
 public:
  static constexpr int kSilentIntervals = 3;  // of the control connection: silent
  static constexpr int kProbeIntervals =
      2;  // the probe starts earlier, so as to be decided by then
  static constexpr unsigned kDeafProbes = 3;     // so many failed probes in a row: deaf
  static constexpr unsigned kPauseMost = 8;      // intervals between two probes when offline
  static constexpr Duration kReportGap = 100ms;  // reports of failures probe at most this often

  explicit Liveness(Duration status_interval = 1s) : interval_(status_interval) {}

  void on_connected(Instant now);  // registered, on a new control connection
  void on_adopted(Instant now);    // somebody else says that it is online: so until a probe fails
  void on_heard(Instant now);      // a message on the control connection
  void on_lost(Instant now);       // the control connection is gone: probe at once
  void on_left(Instant now);       // a normal shutdown
  void on_reported(Instant now);   // somebody met a failure, or waits long: probe at once
  void on_probe_started(Instant now);
  void on_probe_result(Instant now, bool answered);
  // Time alone may decide. Harmless whenever called.
  void on_time(Instant now);

  void set_status_interval(Duration interval) { interval_ = interval; }

  bool online() const { return online_; }
  bool connected() const { return connected_; }
  bool left() const { return left_; }
  bool deaf() const { return failed_probes_ >= kDeafProbes; }
  bool silent(Instant now) const { return now - heard_ >= interval_ * kSilentIntervals; }

  // When to start a probe; kNever while one is under way or none is wanted.
  Instant next_probe() const;
  // When on_time() may change online(); kNever if it cannot.
  Instant next_change() const;

 private:
  Duration pause() const;

  Duration interval_;
  bool online_ = false;
  bool connected_ = false;
  bool left_ = false;
  bool probing_ = false;
  bool probe_failed_ = false;   // the last one, and nothing was heard since
  unsigned failed_probes_ = 0;  // in a row, whatever was heard
  Instant heard_{};
  Instant wanted_ = kNever;           // a probe is wanted at once, since then
  Instant probed_ = Instant{} - 24h;  // start of the last one; at first, long ago
};

}  // namespace tandem
