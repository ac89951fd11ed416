#include "lb/ctl/commands.h"

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <chrono>
#include <ctime>
#include <optional>
#include <ostream>
#include <sstream>
#include <thread>
#include <utility>

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

namespace {

// What GET /drain says: "draining 81".
struct DrainProgress {
  std::string state;
  std::uint64_t left = 0;
};

std::optional<DrainProgress> read_progress(const std::string& text) {
  DrainProgress progress;
  std::istringstream words(text);
  if (!(words >> progress.state >> progress.left)) return std::nullopt;
  return progress;
}

int await_drain(const Address& admin, const std::string& server, const DrainOptions& options,
                CtlStreams streams) {
  const auto began = std::chrono::steady_clock::now();
  const std::string target = "/drain?server=" + percent_encoded(server);
  const char* before = options.redraw ? "\r" : "";
  const char* after = options.redraw ? "\x1b[K" : "\n";
  std::uint64_t shown = 0;
  for (;;) {
    const auto answer = ask_admin(admin, "GET", target);
    if (!answer) return complain(streams, answer.error().message);
    const auto progress = read_progress(answer->body);
    if (answer->status != 200 || !progress) return complain(streams, answer->body);
    const bool ends = progress->state != "draining";
    if (progress->left != shown && (!ends || progress->state == "drained")) {
      streams.out << before << fmt::format("{}: {} sessions left", server, progress->left) << after
                  << std::flush;
      shown = progress->left;
    }
    if (ends && options.redraw) streams.out << "\n";
    if (progress->state == "drained" || progress->state == "left") {
      streams.out << fmt::format("{} is drained\n", server);
      return 0;
    }
    if (progress->state == "offline") return complain(streams, server + " is offline");
    if (ends) return complain(streams, server + " was taken back");
    const bool late = options.deadline > Duration{} &&
                      std::chrono::steady_clock::now() - began >= options.deadline;
    if (late) {
      if (options.redraw) streams.out << "\n";
      return complain(streams, fmt::format("the deadline has passed: {} sessions are left on {}, "
                                           "which goes on draining",
                                           progress->left, server));
    }
    std::this_thread::sleep_for(options.interval);
  }
}

}  // namespace

int run_drain(const std::string& admin_url, const std::string& server, const DrainOptions& options,
              CtlStreams streams) {
  const int told =
      relay(admin_url, "POST",
            fmt::format("/drain?server={}&on={}", percent_encoded(server), !options.off), streams);
  if (told != 0 || options.off || !options.wait) return told;
  return await_drain(*parse_admin_url(admin_url), server, options, streams);
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

int run_servers(const std::string& admin_url, bool json, CtlStreams streams) {
  return relay(admin_url, "GET", json ? "/servers" : "/servers?format=table", streams);
}

int run_ring(const std::string& admin_url, bool json, CtlStreams streams) {
  return relay(admin_url, "GET", json ? "/ring" : "/ring?format=table", streams);
}

namespace {

// Prints lines without their cursors; keeps the last one.
void print_events(const std::string& text, std::string& after, std::ostream& out) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto tab = line.find('\t');
    if (tab == std::string::npos) continue;
    after = line.substr(0, tab);
    out << line.substr(tab + 1) << "\n";
  }
  out.flush();
}

// A balancer that does not answer is being restarted, maybe: it has its events again then.
int follow_events(const Address& admin, const EventOptions& options, CtlStreams streams) {
  std::string after = "0";
  bool silent = false;
  for (std::uint64_t poll = 0; options.polls_max == 0 || poll < options.polls_max; ++poll) {
    if (poll > 0) std::this_thread::sleep_for(options.interval);
    const auto answer = ask_admin(admin, "GET",
                                  fmt::format("/events?format={}&cursor=true&after={}",
                                              options.json ? "lines" : "table", after));
    if (answer && answer->status == 200) {
      print_events(answer->body, after, streams.out);
      silent = false;
      continue;
    }
    const std::string why = answer ? answer->body : answer.error().message;
    if (poll == 0) return complain(streams, why);
    if (!std::exchange(silent, true)) streams.err << "tandemctl: " << why << "; trying again\n";
  }
  return 0;
}

}  // namespace

int run_events(const std::string& admin_url, const EventOptions& options, CtlStreams streams) {
  if (!options.follow) {
    return relay(admin_url, "GET", options.json ? "/events" : "/events?format=table", streams);
  }
  const auto admin = parse_admin_url(admin_url);
  if (!admin) return complain(streams, admin.error().message);
  return follow_events(*admin, options, streams);
}

int run_verify(const std::string& admin_url, const std::string& server, bool json,
               CtlStreams streams) {
  const auto admin = parse_admin_url(admin_url);
  if (!admin) return complain(streams, admin.error().message);
  const auto answer = ask_admin(
      *admin, "POST",
      fmt::format("/verify?server={}{}", percent_encoded(server), json ? "&format=json" : ""));
  if (!answer) return complain(streams, answer.error().message);
  constexpr int kNoAnswer = 504;
  if (answer->status != 200 && answer->status != kNoAnswer) {
    return complain(streams, answer->body);
  }
  streams.out << answer->body;
  return answer->status == 200 ? 0 : 1;
}

int run_reload(const std::string& admin_url, CtlStreams streams) {
  return relay(admin_url, "POST", "/reload", streams);
}

}  // namespace tandem
