// One connection of an HttpClient. Private to common/net.
#pragma once

#include <memory>
#include <string>

#include "common/http/body.h"
#include "common/http/framing.h"
#include "common/http/head_parser.h"
#include "common/net/connector.h"
#include "common/net/http_client.h"

namespace tandem {

class HttpConnection final : public Disposable,
                             private ConnectHandler,
                             private StreamHandler,
                             private RoundEnd {
 public:
  HttpConnection(HttpClient& client, const HttpDestination& to);
  ~HttpConnection() override;

  // Carries this call; connects first if it is new.
  void carry(HttpCall& call);
  void refuse(HttpCall& call);  // fails, later: there are too many connections
  // The call is gone: so is the connection.
  void abandon();
  void send_more();  // the call has more body
  void resume();
  HttpCall::Tunnel take_tunnel();

  bool reusable() const { return stream_ != nullptr && !stream_->hung_up() && !stream_->failed(); }
  // Asks the socket: its end may have come without an event yet. For an idle connection.
  bool still_open();
  Instant idle_since() const { return idle_since_; }
  const std::string& key() const { return key_; }
  static std::string key_of(const HttpDestination& to);

  // What the call has handed over and the socket has not taken. Chunked by the call.
  std::string out;

 private:
  void on_connected(std::unique_ptr<Stream> stream) override;
  void on_connect_failed(Error error) override;
  void on_stream(bool readable, bool writable) override;
  void on_round_end() override;
  void touch();  // something has moved: the response timeout begins anew
  void on_timeout();
  void send_request();
  void flush();
  void read_some();
  std::size_t consume(std::string_view input);
  bool take_head(std::string_view input, std::size_t& consumed);
  void on_end(const Error* error);
  void fail(HttpFailure::Kind kind, Error error);
  void finish();
  HttpCall* let_go();

  EventLoop& loop_;  // outlives the client, while this waits to be disposed of
  HttpClient& client_;
  HttpDestination to_;
  std::string key_;
  HttpCall* call_ = nullptr;
  Connector connector_;
  std::unique_ptr<Stream> stream_;
  bool reused_ = false;
  bool refused_ = false;
  bool wrote_ = false;         // a byte of this call's request has left
  bool write_failed_ = false;  // but its response may be there
  bool got_byte_ = false;      // of this call's response
  bool head_done_ = false;
  bool tunnel_ = false;
  bool persists_ = false;
  bool resuming_ = false;
  std::string in_;  // the head's bytes so far, or what a pause has left over
  http::HeadParser parser_;
  http::ResponseHead head_;
  http::BodyReader body_;
  Instant idle_since_ = kNever;
  Instant deadline_ = kNever;
  Timer timer_;
};

}  // namespace tandem
