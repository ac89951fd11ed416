#include "lb/ctl/commands.h"

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <ctime>
#include <ostream>

#include "common/net/key_file.h"
#include "lb/ctl/admin_client.h"

namespace tandem {
namespace {

int complain(CtlStreams streams, const std::string& message) {
  streams.err << "tandemctl: " << message << "\n";
  return 1;
}

// Prints what the balancer answers; a refusal goes to `err`.
int relay(const std::string& admin_url, const char* method, const std::string& target,
          CtlStreams streams) {
  const auto admin = parse_admin_url(admin_url);
  if (!admin) return complain(streams, admin.error().message);
  const auto answer = ask_admin(*admin, method, target);
  if (!answer) return complain(streams, answer.error().message);
  if (answer->status == 200) {
    streams.out << answer->body;
    return 0;
  }
  streams.err << "tandemctl: the balancer refuses:\n" << answer->body;
  return 1;
}

}  // namespace

int run_keygen(const std::string& file, CtlStreams streams) {
  const auto key = create_key_file(file);
  if (!key) return complain(streams, key.error().message);
  streams.out << fmt::format(
      "{}: a new cluster key, for all balancers and servers; keep it secret\n", file);
  return 0;
}

int run_rotate(const std::string& file, UnixSeconds now, const RotateOptions& options,
               CtlStreams streams) {
  const auto done = rotate_key_file(file, now, options.delay, options.keep);
  if (!done) return complain(streams, done.error().message);
  const std::time_t from = done->added.seals_from;
  streams.out << fmt::format(
      "{}: a new key, which seals from {:%Y-%m-%d %H:%M:%S} UTC; {} dropped, {} listed\n"
      "Copy the file to all balancers and servers before then.\n",
      file, fmt::gmtime(from), done->dropped, done->listed);
  return 0;
}

int run_status(const std::string& admin_url, bool json, CtlStreams streams) {
  return relay(admin_url, "GET", json ? "/status" : "/status?format=table", streams);
}

int run_drain(const std::string& admin_url, const std::string& server, bool off,
              CtlStreams streams) {
  return relay(admin_url, "POST",
               fmt::format("/drain?server={}&on={}", percent_encoded(server), !off), streams);
}

namespace {

int relay_explanation(const std::string& admin_url, const char* parameter, const std::string& value,
                      bool json, CtlStreams streams) {
  const std::string target = fmt::format("/explain?{}={}{}", parameter, percent_encoded(value),
                                         json ? "" : "&format=table");
  return relay(admin_url, "GET", target, streams);
}

}  // namespace

int run_explain(const std::string& admin_url, const std::string& what, bool json,
                CtlStreams streams) {
  const bool session = what.size() == 32;  // hexadecimal digits; tokens are longer
  return relay_explanation(admin_url, session ? "session" : "token", what, json, streams);
}

int run_explain_death(const std::string& admin_url, const std::string& server, bool json,
                      CtlStreams streams) {
  return relay_explanation(admin_url, "if_dies", server, json, streams);
}

int run_reload(const std::string& admin_url, CtlStreams streams) {
  return relay(admin_url, "POST", "/reload", streams);
}

}  // namespace tandem
