// Carries out probes and health checks: contacts a server's data port and says whether it answered.
//
// A tandem-server must answer 200 to GET /.well-known/tandem/health: an answer of the application,
// which a frozen process cannot give, though its kernel accepts connections. It says by its name
// who it is: where another one answers, nobody listens who was meant (kRefused). A plain server
// must answer 2xx or 3xx to GET of the configured path, or, with none, accept a connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/time.h"
#include "common/net/event_loop.h"
#include "common/net/resolver.h"
#include "lb/core/membership.h"

namespace tandem {

// Belongs to the loop's thread.
class Checker {
 public:
  struct Options {
    Duration timeout = 1s;         // of the whole: connect, request, the answer's head
    std::string plain_path;        // empty: a TCP connect is enough
    Duration shortage_most = 10s;  // a shortage here that lasts so long is a failure after all
  };
  // `detail` says what failed.
  using OnResult = std::function<void(ServerId server, std::uint64_t serial, ProbeResult result,
                                      const std::string& detail)>;

  static constexpr std::size_t kUnderWayMax = 128;   // more wait for their turn
  static constexpr std::size_t kPatientMax = 64;     // of these, without a timeout of their own
  static constexpr Duration kShortagePause = 100ms;  // when descriptors have run out here
  static constexpr std::string_view kHealthPath = "/.well-known/tandem/health";

  Checker(EventLoop& loop, Resolver& resolver, Options options, OnResult on_result);
  ~Checker();

  // Calls on_result later, once. Verifications, which have a timeout of their own, go first.
  void start(const StartProbe& probe);
  // For probes that start from now on.
  void set_options(Options options) { options_ = std::move(options); }

  std::uint64_t started() const { return started_; }
  std::uint64_t failed() const { return failed_; }

 private:
  class Contact;
  void begin(const StartProbe& probe);
  void begin_waiting();
  void finish(std::uint64_t serial, ProbeResult result, const std::string& detail);

  EventLoop& loop_;
  Resolver& resolver_;
  Options options_;
  OnResult on_result_;
  std::map<std::uint64_t, std::unique_ptr<Contact>> under_way_;  // by serial
  std::size_t patient_ = 0;                                      // of these
  std::deque<StartProbe> urgent_, waiting_;
  std::uint64_t started_ = 0;
  std::uint64_t failed_ = 0;
};

}  // namespace tandem
