// One request that the node has decided to serve: its body on the way to the source, the response
// on the way back, gathered and compared where the plan says so. Belongs to its Front.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/http/forward.h"
#include "common/net/http_server.h"
#include "server/io/fresh_note.h"
#include "server/io/front.h"

namespace tandem::server {

class FrontRequest final : public Disposable, private HttpExchangeHandler, private HttpCallHandler {
 public:
  // Whose request it is.
  struct Session {
    SessionToken token;  // as it came
    SessionId id;
    CacheId cache;
    std::optional<SessionToken> elsewhere;  // of a guest: the token to set
    bool direct = false;                    // it came without a balancer
  };

  FrontRequest(Front& front, HttpExchange& exchange, const RequestConditions& conditions);
  void start(const http::RequestHead& head, const http::Framing& framing, const Session& session);

 private:
  // HttpExchangeHandler: the client's side
  void on_request_body(std::string_view bytes) override;
  void on_request_end() override;
  void on_response_writable() override;
  void on_aborted() override;
  // HttpCallHandler: the source's side
  void on_response(const http::ResponseHead& head, const http::Framing& framing) override;
  void on_interim(const http::ResponseHead& head) override;
  void on_body(std::string_view bytes) override;
  void on_complete() override;
  void on_failure(const HttpFailure& failure) override;
  void on_writable() override;

  http::ForwardResponse passing(bool upgrade) const;
  std::string source_head(const http::RequestHead& head, const http::Framing& framing) const;
  void keep_fields(const http::ResponseHead& head);
  void open_tunnel(const http::ResponseHead& head);
  void send(std::string_view bytes);
  void start_stream(std::optional<std::uint64_t> length);
  void answer_collected();
  std::string fields_to_send(std::string_view kept);
  void finish();

  Front& front_;
  HttpExchange& exchange_;
  RequestConditions conditions_;
  Session session_;
  http::Method method_ = http::Method::kGet;
  ItemKey key_;
  FreshNote fresh_;
  bool upgrade_ = false;
  std::unique_ptr<SourceCall> call_;  // null: over

  // The response.
  ResponsePlan plan_;
  int status_ = 0;
  std::string reason_;
  std::string fields_;                      // those of the source that pass
  std::string fields_of_304_;               // and those of them that a 304 may have
  std::shared_ptr<std::string> collected_;  // null: the body streams
};

}  // namespace tandem::server
