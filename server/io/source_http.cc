#include "server/io/source_http.h"

#include <utility>

namespace tandem::server {
namespace {

class OriginCall final : public SourceCall {
 public:
  explicit OriginCall(std::unique_ptr<HttpCall> call) : call_(std::move(call)) {}

  bool send_body(std::string_view bytes) override { return call_->send_body(bytes); }
  void end_body() override { call_->end_body(); }
  void pause() override { call_->pause(); }
  void resume() override { call_->resume(); }
  HttpCall::Tunnel take_tunnel() override { return call_->take_tunnel(); }

 private:
  std::unique_ptr<HttpCall> call_;
};

}  // namespace

HttpSource::HttpSource(EventLoop& loop, Resolver& resolver, HttpDestination origin,
                       HttpClientOptions options)
    : origin_(std::move(origin)), client_(loop, resolver, options) {}

std::unique_ptr<SourceCall> HttpSource::start(HttpRequest request, HttpCallHandler& handler) {
  return std::make_unique<OriginCall>(client_.start(origin_, std::move(request), handler));
}

}  // namespace tandem::server
