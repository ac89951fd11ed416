// One connection of an HttpServer, and the exchange that is under way on it. Private to common/net.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>

#include "common/http/body.h"
#include "common/net/http_server.h"

namespace tandem {

class HttpServerConnection final : public Disposable,
                                   public HttpExchange,
                                   private StreamHandler,
                                   private RoundEnd {
 public:
  HttpServerConnection(HttpServer& server, Descriptor socket, const SocketAddress& peer);
  ~HttpServerConnection() override;

  // Its time is up, at `deadline`: closes, with 408 where a head is half there.
  void on_timeout();
  Instant deadline() const { return deadline_; }
  void drain();  // closes if it is idle; else after this response

  void set_handler(HttpExchangeHandler* handler) override { handler_ = handler; }
  void pause_body() override { body_paused_ = true; }
  void resume_body() override;
  void send_interim(int status, std::string_view fields) override;
  void start_response(int status, std::string_view reason, std::string_view fields,
                      std::optional<std::uint64_t> length) override;
  bool send_body(std::string_view bytes) override;
  void end_response() override;
  void respond(int status, std::string_view fields, std::string_view body) override;
  void respond_small(int status, std::string_view detail, std::uint64_t retry_after_s) override;
  void abort() override;
  Tunnel take_tunnel(std::string_view fields) override;
  bool response_started() const override { return response_started_; }
  const SocketAddress& peer() const override { return peer_; }
  bool is_tls() const override { return stream_ != nullptr && stream_->is_tls(); }

 private:
  enum class State : std::uint8_t {
    kHead,      // waits for a request's head, or is within one
    kExchange,  // a request is being answered
    kFlushing,  // the last response has ended; it is being sent
    kLinger,    // ... is sent: reads on until the client has seen it
    kClosed,
  };
  void on_stream(bool readable, bool writable) override;
  void on_round_end() override;
  void go_on_later();
  void read_some();
  bool wants_input() const;
  std::size_t consume(std::string_view input);
  bool take_head(std::string_view input, std::size_t& consumed);
  void take_end();
  void finish_exchange();
  bool write(std::initializer_list<std::string_view> parts);
  void flush();
  void after_flush();
  void close();
  void abort_exchange();
  void touch(Duration timeout);

  EventLoop& loop_;  // outlives the server, while this waits to be disposed of
  HttpServer& server_;
  SocketAddress peer_;
  std::unique_ptr<Stream> stream_;
  State state_ = State::kHead;
  Instant deadline_ = kNever;
  bool later_ = false;
  bool draining_ = false;

  // The request.
  http::HeadParser parser_;
  std::unique_ptr<http::RequestHead>
      half_head_;  // while there is half a head: what it holds so far
  http::BodyReader body_;
  std::string in_;         // of a head, or what nobody wants yet
  std::string_view rest_;  // within on_request(): what came after the head, not yet in in_
  HttpExchangeHandler* handler_ = nullptr;
  bool body_paused_ = true;
  bool request_done_ = false;
  bool ended_ = false;  // the client has ended its side
  bool head_request_ = false;
  int version_minor_ = 1;
  bool persists_ = false;

  // The response.
  bool response_started_ = false;
  bool response_ended_ = false;
  bool bodyless_ = false;
  bool chunked_ = false;
  bool full_ = false;  // send_body() has answered false
  std::string out_;
};

}  // namespace tandem
