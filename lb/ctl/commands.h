// What tandemctl does. Each command prints to `out` or complains to `err`, and returns the exit
// status: 0 done, 1 it could not be done. (2, a wrong command line, is main's.)
#pragma once

#include <iosfwd>
#include <string>

#include "common/base/time.h"

namespace tandem {

inline constexpr const char* kAdminUrlDefault = "http://127.0.0.1:7480";

struct CtlStreams {
  std::ostream& out;
  std::ostream& err;
};

// Makes a cluster key in `file`, which must not exist; mode 0600.
int run_keygen(const std::string& file, CtlStreams streams);
struct RotateOptions {
  Duration delay = 10min;   // from now until the new key seals
  Duration keep = 7 * 24h;  // for so long after it stopped to seal a key still opens
};
// Adds a key to the file, and drops those that are too old.
int run_rotate(const std::string& file, UnixSeconds now, const RotateOptions& options,
               CtlStreams streams);
// What a balancer says of itself and its servers: a table, or its JSON.
int run_status(const std::string& admin_url, bool json, CtlStreams streams);
// Why a client is where it is: `what` is its token, or its session's id.
int run_explain(const std::string& admin_url, const std::string& what, bool json,
                CtlStreams streams);
// Where the server's sessions and load would go.
int run_explain_death(const std::string& admin_url, const std::string& server, bool json,
                      CtlStreams streams);
struct DrainOptions {
  bool off = false;     // takes it back
  bool wait = true;     // until no session is left, showing how many are
  bool redraw = false;  // one line, drawn again and again: for a terminal
  Duration deadline{};  // waits no longer; 0: for ever
  Duration interval = 500ms;
};
// Drains the server, or takes it back. 1 if sessions are left at the deadline, or if the server is
// offline or was taken back meanwhile; it goes on draining.
int run_drain(const std::string& admin_url, const std::string& server, const DrainOptions& options,
              CtlStreams streams);
// The servers that the balancer knows, and their buddy ring.
int run_servers(const std::string& admin_url, bool json, CtlStreams streams);
int run_ring(const std::string& admin_url, bool json, CtlStreams streams);
struct EventOptions {
  bool json = false;
  bool follow = false;  // goes on with those that come, until `polls_max`
  Duration interval = 500ms;
  std::uint64_t polls_max = 0;  // 0: for ever
};
// What happened to servers, oldest first.
int run_events(const std::string& admin_url, const EventOptions& options, CtlStreams streams);
// Has the balancer contact the server. 1 if it does not answer.
int run_verify(const std::string& admin_url, const std::string& server, bool json,
               CtlStreams streams);
// Has the balancer read its conf file again.
int run_reload(const std::string& admin_url, CtlStreams streams);

}  // namespace tandem
