// One small HTTP request and its whole answer: for health checks, command-line tools, tests.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "common/net/http_client.h"

namespace tandem {

struct HttpReply {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> fields;  // as received
  std::string body;

  // The first field of that name, without regard to case; empty if there is none.
  std::string_view field(std::string_view name) const;
};

// A request head with Host, and Content-Length where there is a body or the method wants one.
HttpRequest make_request(std::string_view method, std::string_view target, const Address& host,
                         const std::vector<std::pair<std::string, std::string>>& fields = {},
                         std::string body = {});

class HttpFetch final : private HttpCallHandler {
 public:
  using Done = std::function<void(Result<HttpReply>)>;

  // Calls `done` once, later; from within it the fetch must not be destroyed, but may start again.
  HttpFetch(HttpClient& client, Done done, std::size_t body_bytes_max = 16 << 20);
  void start(const HttpDestination& to, HttpRequest request);
  void cancel();
  bool busy() const { return call_ != nullptr; }

 private:
  void on_response(const http::ResponseHead& head, const http::Framing& framing) override;
  void on_body(std::string_view bytes) override;
  void on_complete() override;
  void on_failure(const HttpFailure& failure) override;

  HttpClient& client_;
  Done done_;
  std::size_t body_bytes_max_;
  std::string where_;  // for error messages
  HttpReply reply_;
  std::unique_ptr<HttpCall> call_;
};

}  // namespace tandem
