// The data wire of tandem-server: HTTP requests from balancers (or from clients directly) to the
// node's decision, the source, and the answer. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/crypto/cluster_key.h"
#include "common/net/http_server.h"
#include "common/net/tunnel.h"
#include "common/session/token_cache.h"
#include "common/session/token_codec.h"
#include "server/core/conditional.h"
#include "server/io/admin.h"
#include "server/io/direct_guide.h"
#include "server/io/node_driver.h"
#include "server/io/source.h"
#include "server/io/waiting_room.h"

namespace tandem::server {

struct FrontOptions {
  std::string name;  // of this server: Tandem-Server, Via
  EtagRule etag = EtagRule::kOrigin;
  std::uint64_t validate_body_max = 1024 * 1024;
  UnixSeconds token_ttl = 1800;
  Duration tunnel_idle_timeout = 60s;
  bool direct = false;  // clients may come without a balancer, and are told who serves
  std::optional<ListedTypes> types{};  // how the data is shared out, for direct clients
  std::size_t waiting_max = 4096;      // requests that wait while peers are asked; over it: 503
  HttpServerOptions http;
};

struct FrontCounts {
  std::uint64_t requests = 0;
  std::uint64_t tokens_refused = 0;  // taken for no token
  std::uint64_t source_failures = 0;
  std::uint64_t collected = 0;  // bodies gathered and compared
  std::uint64_t streamed = 0;
  std::uint64_t tunnels = 0;
  std::uint64_t waited = 0;           // for peers to say where the session is
  std::uint64_t waiting_refused = 0;  // over waiting_max
  std::uint64_t direct = 0;           // came from their clients without a balancer
  std::uint64_t by_type = 0;          // of these, for an item's type and without any session
};

class FrontRequest;
class ValidationCall;

class Front final : private HttpServerHandler {
 public:
  // All references must outlive the front.
  Front(EventLoop& loop, NodeDriver& driver, Source& source, FrontOptions options,
        const ClusterKeys& keys);
  ~Front();

  void set_keys(const ClusterKeys& keys) { codec_.replace_keys(keys); }

  Result<void> listen(const SocketAddress& at);
  // For direct clients, as well; the balancers come in plain.
  Result<void> listen_tls(const SocketAddress& at, std::shared_ptr<const TlsContext> context);
  const SocketAddress& address() const { return address_; }  // as bound
  const SocketAddress& tls_address() const {
    return tls_address_;
  }  // the same; none: not listening

  // Accepts no more, closes what is idle; requests under way finish.
  void drain() {
    server_.drain([] {});
    tls_server_.drain([] {});
  }
  std::size_t requests_in_flight() const {
    return requests_.size() + validations_.size() + waiting_.size();
  }
  std::size_t connections() const { return server_.connections() + tls_server_.connections(); }
  std::vector<AdminSnapshot::Count> counts() const;

 private:
  friend class FrontRequest;
  friend class ValidationCall;
  void on_request(HttpExchange& exchange, const http::RequestHead& head,
                  const http::Framing& framing) override;
  void decide(HttpExchange& exchange, const http::RequestHead& head, const http::Framing& framing,
              const SessionToken& token);
  void on_settled(SessionId session);
  SessionToken token_of(const http::RequestHead& head);
  void answer_own(HttpExchange& exchange, const http::RequestHead& head);
  bool is_direct(const http::RequestHead& head) const;
  void refer(HttpExchange& exchange, const SessionToken& token, bool direct);
  std::string where(const SessionToken& token);
  void add_tunnel(Tunnel::End client, Tunnel::End origin);
  // Fields of every response to a request with this token, with the one to keep from now on:
  // `elsewhere` if it is set. A direct client is told who serves the session, too.
  std::string session_fields(const SessionToken& request,
                             const std::optional<SessionToken>& elsewhere, bool direct);
  void remove(FrontRequest& request);
  void remove(ValidationCall& call);

  EventLoop& loop_;
  NodeDriver& driver_;
  Source& source_;
  FrontOptions options_;
  std::string own_fields_;  // of every response
  TokenCodec codec_;
  TokenCache tokens_;
  FrontCounts counts_;
  WaitingRoom waiting_;
  DirectGuide guide_{options_.types};
  std::unordered_map<FrontRequest*, std::unique_ptr<FrontRequest>> requests_;
  std::unordered_map<ValidationCall*, std::unique_ptr<ValidationCall>> validations_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Tunnel>> tunnels_;
  HttpServer server_, tls_server_;  // after what their callbacks use
  SocketAddress address_, tls_address_;
};

}  // namespace tandem::server
