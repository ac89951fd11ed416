#include "client/include/tandem/client.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "client/io/engine.h"
#include "common/cluster/server_list.h"
#include "common/net/clock.h"

namespace tandem {

// An engine whose loop runs while a call is under way, on the caller's thread.
class [[gnu::visibility("hidden")]] Client::Body {
 public:
  explicit Body(const ClientOptions& options) : engine_(loop_, options) {}
  ~Body();

  Reply request(Engine::Request request);
  const Engine& engine() const { return engine_; }

 private:
  static constexpr Duration kNoticePatience = 200ms;

  EventLoop loop_;
  Engine engine_;
  Engine::CallId last_id_ = 0;
};

// What the master has not been told yet it is told now, as far as that takes no time.
Client::Body::~Body() {
  const Instant until = monotonic_now() + kNoticePatience;
  Timer timer(loop_, [this] { loop_.stop(); });
  while (engine_.owes_notices() && monotonic_now() < until) {
    timer.set_after(10ms);
    loop_.run();
  }
}

Reply Client::Body::request(Engine::Request request) {
  std::optional<Reply> reply;
  engine_.start(++last_id_, std::move(request), [&](Reply got) {
    reply = std::move(got);
    loop_.stop();
  });
  // Also when nobody has to be asked: a round's end deletes what is over.
  do {
    loop_.run();
  } while (!reply);
  return std::move(*reply);
}

Client::Client(ClientOptions options) : body_(std::make_unique<Body>(options)) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

Reply Client::request(std::string_view method, std::string_view target, std::string body,
                      const HeaderFields& headers) {
  return body_->request({std::string(method), std::string(target), std::move(body), headers});
}

Reply Client::get(std::string_view target, const HeaderFields& headers) {
  return request("GET", target, {}, headers);
}

Reply Client::put(std::string_view target, std::string body, const HeaderFields& headers) {
  return request("PUT", target, std::move(body), headers);
}

Reply Client::post(std::string_view target, std::string body, const HeaderFields& headers) {
  return request("POST", target, std::move(body), headers);
}

Reply Client::remove(std::string_view target, const HeaderFields& headers) {
  return request("DELETE", target, {}, headers);
}

ActiveServers Client::servers() {
  ActiveServers active;
  const Reply reply = body_->request({"GET", std::string(kServerListPath), {}, {}, true});
  active.failure = reply.failure;
  active.message = reply.message;
  if (!reply) return active;
  auto listing = reply.status == 200
                     ? parse_server_list(reply.body())
                     : Result<ServerListing>(fail(Error::peer(fmt::format(
                           "the balancer does not tell its servers: status {}", reply.status))));
  if (!listing) {
    active.failure = ClientFailure::kProtocol;
    active.message = listing.error().message;
    return active;
  }
  active.version = listing->version;
  for (ListedServer& one : listing->servers) {
    active.servers.push_back({std::move(one.name), std::move(one.address), one.online});
  }
  return active;
}

Reply Client::report(std::string_view server) {
  return body_->request({"POST", fmt::format("{}?server={}", kReportPath, server), {}, {}, true});
}

ClientStats Client::stats() const { return body_->engine().stats(); }

std::string Client::session_token() const {
  return session_token(body_->engine().state().groups.latest());
}

std::string Client::session_token(std::string_view group) const {
  return std::string(body_->engine().state().groups.token(group));
}

std::string Client::cache_id() const {
  return fmt::format("{:016x}", body_->engine().state().cache_id.value);
}

std::size_t Client::cached_items() const { return body_->engine().state().cache.items(); }
std::size_t Client::cached_bytes() const { return body_->engine().state().cache.bytes(); }

}  // namespace tandem
