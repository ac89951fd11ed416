// How requests of a client get out: common/net's HTTP client, whole responses, a deadline for each.
// To the balancer, or to a server directly. One loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "client/core/call.h"
#include "client/core/url.h"
#include "common/net/event_loop.h"
#include "common/net/http_client.h"
#include "common/net/resolver.h"
#include "common/net/tls.h"

namespace tandem {

// What came of a request.
struct Outcome {
  std::optional<Response> response{};
  AttemptFailure failure{};  // if there is no response
  std::uint64_t bytes_received = 0;
};

class Transport;

// One request under way. Destroying it cancels: nothing is called.
class Exchange final : public Disposable, private HttpCallHandler {
 public:
  using Done = std::function<void(Outcome)>;

  ~Exchange() override;
  // Nothing is called any more.
  void cancel();
  // When the last byte of the response came; before the exchange's begin: none has.
  Instant heard() const { return heard_; }

 private:
  friend class Transport;
  Exchange(Transport& transport, Done done);

  void on_response(const http::ResponseHead& head, const http::Framing& framing) override;
  void on_body(std::string_view bytes) override;
  void on_complete() override;
  void on_failure(const HttpFailure& failure) override;
  void on_deadline();
  void fail(AttemptFailure failure);

  Transport& transport_;
  Done done_;
  Timer timer_;
  std::unique_ptr<HttpCall> call_;
  Response response_;
  Instant heard_{};
  Outcome outcome_;
};

class Transport {
 public:
  struct Options {
    Duration connect_timeout = 5s;
    std::size_t body_bytes_max = std::size_t{1} << 30;
    std::size_t connections_max = 4096;       // in all
    std::size_t idle_connections_max = 1;     // kept for each destination
    std::shared_ptr<const TlsContext> tls{};  // for https
  };

  // The loop must outlive it; and it the exchanges.
  Transport(EventLoop& loop, const Url& balancer, const Options& options);

  // Sends a request and gathers the whole response; the connection is kept. `done` is called once,
  // never before this returns, and is not to destroy the exchange but to dispose() of it.
  std::unique_ptr<Exchange> start(const Destination& to, std::string_view head,
                                  std::string_view body, http::Method method, Instant deadline,
                                  Exchange::Done done);

  std::size_t connections() const { return http_.connections(); }

 private:
  friend class Exchange;
  EventLoop& loop_;
  const HttpDestination balancer_;
  const Options options_;
  Resolver resolver_;
  HttpClient http_;
};

}  // namespace tandem
