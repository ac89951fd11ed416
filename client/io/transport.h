// The client's way to the balancer: common/net's HTTP client, with calls that block.
//
// It runs an event loop of its own for the time of a call. Not for several threads at once; it may
// be used by one after another.
#pragma once

#include <cstdint>
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

class Transport final : private HttpCallHandler {
 public:
  struct Options {
    Duration connect_timeout = 5s;
    std::size_t body_bytes_max = std::size_t{1} << 30;
    std::shared_ptr<const TlsContext> tls{};  // for https
  };
  struct Outcome {
    std::optional<Response> response{};
    AttemptFailure failure{};  // if there is no response
    std::uint64_t bytes_received = 0;
  };

  Transport(const Url& balancer, const Options& options);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // Sends a request and waits for the whole response. The connection is kept for the next one.
  Outcome exchange(std::string_view head, std::string_view body, http::Method method,
                   Instant deadline);
  // Blocks until then.
  void wait_until(Instant instant);

 private:
  void on_response(const http::ResponseHead& head, const http::Framing& framing) override;
  void on_body(std::string_view bytes) override;
  void on_complete() override;
  void on_failure(const HttpFailure& failure) override;
  void on_deadline();

  void fail(ClientFailure failure, std::string message, bool sent);
  void run_until(Instant instant);
  void stop();

  const HttpDestination to_;
  const Options options_;
  EventLoop loop_;
  Resolver resolver_;
  HttpClient http_;
  Timer timer_;

  bool done_ = false;
  std::unique_ptr<HttpCall> call_;  // null: none under way
  Response response_;
  Outcome outcome_;
};

}  // namespace tandem
