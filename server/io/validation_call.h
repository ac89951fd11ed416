// One whole-cache validation on the data wire: gathers the request's body, asks the node, answers.
// Belongs to its Front.
#pragma once

#include <optional>
#include <string>

#include "common/net/http_server.h"
#include "common/session/token.h"
#include "server/core/node.h"

namespace tandem::server {

class Front;

class ValidationCall final : public Disposable, private HttpExchangeHandler {
 public:
  // Is it one that can be answered at all? If not, it is answered here: 405, 413, 400.
  static bool accepts(HttpExchange& exchange, const http::RequestHead& head,
                      const http::Framing& framing);

  // `decision` is to serve it.
  ValidationCall(Front& front, HttpExchange& exchange, const SessionToken& token,
                 const Decision& decision, CacheId cache);
  void start(const http::RequestHead& head);

 private:
  void on_request_body(std::string_view bytes) override;
  void on_request_end() override;
  void on_aborted() override;

  Front& front_;
  HttpExchange& exchange_;
  const SessionToken token_;               // as it came
  std::optional<SessionToken> elsewhere_;  // the token to keep, if the session is not served here
  bool direct_ = false;                    // it came without a balancer
  ValidationQuery query_;
  std::string body_;  // at most ValidationRequest::kBytesMax: its length was told
};

}  // namespace tandem::server
