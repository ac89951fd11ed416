// One connection to the balancer, kept between calls, with calls that block.
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
#include "common/http/body.h"
#include "common/http/head_parser.h"
#include "common/net/connector.h"
#include "common/net/event_loop.h"
#include "common/net/stream.h"
#include "common/net/tls.h"

namespace tandem {

class Transport final : private ConnectHandler, private StreamHandler {
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

  // Sends a request and waits for the whole response. Connects if there is no connection that is
  // still good.
  Outcome exchange(std::string_view head, std::string_view body, http::Method method,
                   Instant deadline);
  // Blocks until then.
  void wait_until(Instant instant);

 private:
  // What a response consists of so far.
  struct Incoming {
    std::string bytes;  // of the head, until it is whole
    http::HeadParser parser;
    http::ResponseHead head;
    bool head_done = false;
    http::Framing framing;
    http::BodyReader reader;
    Response response;
  };

  void on_connected(std::unique_ptr<Stream> stream) override;
  void on_connect_failed(Error error) override;
  void on_stream(bool readable, bool writable) override;
  void on_deadline();

  bool keepable();
  void send();
  void receive();
  void take(std::string_view bytes);
  void take_head(std::string_view bytes);
  void take_body(std::string_view bytes);
  void take_end();
  void complete(bool more_follows);
  void fail(ClientFailure failure, std::string message);
  void run();
  void stop();

  const Url balancer_;
  const Options options_;
  EventLoop loop_;
  Resolver resolver_;
  Connector connector_;
  Timer timer_;
  std::unique_ptr<Stream> stream_;

  // Of the exchange under way.
  bool done_ = false;
  bool reused_ = false;
  Instant deadline_{};
  std::string_view head_;
  std::string_view body_;
  std::size_t sent_ = 0;  // of head and body together
  bool send_failed_ = false;
  http::Method method_ = http::Method::kGet;
  std::unique_ptr<Incoming> incoming_;  // null: no exchange
  Outcome outcome_;
};

}  // namespace tandem
