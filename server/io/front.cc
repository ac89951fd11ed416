#include "server/io/front.h"

#include <optional>
#include <utility>

#include "common/cluster/server_list.h"
#include "common/net/entropy.h"
#include "common/session/group_fields.h"
#include "server/core/cache_field.h"
#include "server/io/front_request.h"
#include "server/io/validation_call.h"

namespace tandem::server {
namespace {

constexpr std::string_view kOwnPaths = "/.well-known/tandem/";
constexpr std::uint64_t kRetryAfterSeconds = 1;

}  // namespace

Front::Front(EventLoop& loop, NodeDriver& driver, Source& source, FrontOptions options,
             const ClusterKeys& keys)
    : loop_(loop),
      driver_(driver),
      source_(source),
      options_(std::move(options)),
      own_fields_("Tandem-Server: " + options_.name + "\r\n"),
      codec_(keys),
      tokens_(codec_, {.ttl = options_.token_ttl}),
      waiting_(options_.waiting_max),
      server_(loop, options_.http, static_cast<HttpServerHandler&>(*this)),
      tls_server_(loop, options_.http, static_cast<HttpServerHandler&>(*this)) {
  driver_.set_on_settled([this](SessionId session) { on_settled(session); });
}

Front::~Front() { driver_.set_on_settled(nullptr); }

Result<void> Front::listen(const SocketAddress& at) {
  auto bound = server_.listen(at);
  if (!bound) return fail(std::move(bound.error()));
  address_ = *bound;
  return {};
}

Result<void> Front::listen_tls(const SocketAddress& at, std::shared_ptr<const TlsContext> context) {
  auto bound = tls_server_.listen(at, std::move(context));
  if (!bound) return fail(std::move(bound.error()));
  tls_address_ = *bound;
  return {};
}

// A request without a token that opens begins a session: a client that came here without a
// balancer, or whose token is forged or expired, has no other.
SessionToken Front::token_of(const http::RequestHead& head) {
  const std::string_view text = head.value(http::FieldId::kTandemSession);
  const UnixSeconds wall = loop_.unix_now();
  if (!text.empty()) {
    const auto opened = tokens_.open(text, wall);
    if (opened) return opened.token;
    ++counts_.tokens_refused;
  }
  SessionToken fresh;
  fresh.session = random_session_id();
  fresh.primary = driver_.node().self();
  fresh.issued = wall;
  fresh.flags = kNewSession;
  return fresh;
}

bool Front::is_direct(const http::RequestHead& head) const {
  return options_.direct && head.has(http::FieldId::kTandemOther) &&
         head.find(kDirectField) != nullptr;
}

std::string Front::where(const SessionToken& token) {
  guide_.use(driver_.current_view());
  return guide_.where(token);
}

void Front::refer(HttpExchange& exchange, const SessionToken& token, bool direct) {
  std::string fields = own_fields_ + "Tandem-Refer: ";
  fields += codec_.seal(token, loop_.unix_now()).view();
  fields += "\r\n";
  if (direct) fields += where(token);
  exchange.respond(421, fields, "the session is served elsewhere\n");
}

void Front::on_request(HttpExchange& exchange, const http::RequestHead& head,
                       const http::Framing& framing) {
  const bool validates = validation_group(head.path()).has_value();
  if (validates && !ValidationCall::accepts(exchange, head, framing)) return;
  if (!validates && head.path().starts_with(kOwnPaths)) {
    return answer_own(exchange, head);
  }
  ++counts_.requests;
  if (is_direct(head)) ++counts_.direct;
  decide(exchange, head, framing, token_of(head));
}

void Front::answer_own(HttpExchange& exchange, const http::RequestHead& head) {
  if (head.path() == kHealthPath) return exchange.respond(200, own_fields_, "ok\n");
  if (!options_.direct || head.path() != kServerListPath) {
    return exchange.respond_small(404, "no such endpoint");
  }
  if (head.method() != http::Method::kGet) {
    return exchange.respond(405, "Allow: GET\r\n", "the list is for reading\n");
  }
  guide_.use(driver_.current_view());
  exchange.respond(200,
                   own_fields_ + "Content-Type: application/json\r\nCache-Control: no-store\r\n",
                   guide_.server_list());
}

// What the peers said is known now: who waited is decided, none twice.
void Front::on_settled(SessionId session) {
  for (const auto& waiting : waiting_.take(session)) {
    decide(waiting->exchange, waiting->head, waiting->framing, waiting->token);
  }
}

void Front::decide(HttpExchange& exchange, const http::RequestHead& head,
                   const http::Framing& framing, const SessionToken& token) {
  const auto cache = CacheField::parse(head.value(http::FieldId::kTandemCache));
  RequestInfo info;
  info.token = token;
  if (cache) {
    info.cache = cache->cache;
    info.evicted = cache->evicted;
  }
  const auto direct = options_.direct ? DirectClient::of(head) : std::nullopt;
  if (direct) info.unreachable = direct->unreachable;
  if (head.has(http::FieldId::kTandemOther)) {
    const http::Field* lost = head.find(kLostField);
    info.known_only = lost != nullptr && head.value(*lost) == kLostReject;
  }
  // Who comes for an item's type has no session here, and is served as a guest is.
  const bool sessionless = direct && direct->by_type && !head.has(http::FieldId::kTandemSession);
  counts_.by_type += sessionless;
  const Decision decision = sessionless
                                ? Decision{Decision::Kind::kServe, token.session, {}}
                                : driver_.node().on_request(loop_.now(), loop_.unix_now(), info);
  driver_.touched();
  switch (decision.kind) {
    case Decision::Kind::kRefer:
      return refer(exchange, decision.refer, direct.has_value());
    case Decision::Kind::kGone:
      return exchange.respond(421, own_fields_ + "Tandem-Refer: " + std::string(kNoToken) + "\r\n",
                              "nobody knows the session\n");
    case Decision::Kind::kUnavailable:
      return exchange.respond_small(503, "every server is at capacity", kRetryAfterSeconds);
    case Decision::Kind::kWait:
      if (waiting_.add(exchange, head, framing, token)) {
        ++counts_.waited;
        return;
      }
      ++counts_.waiting_refused;
      return exchange.respond_small(503, "too many requests wait", kRetryAfterSeconds);
    case Decision::Kind::kServe:
    case Decision::Kind::kGuest:
      break;
  }
  if (validation_group(head.path())) {
    driver_.node().on_request_end(decision.session);  // it changes no mirror: nobody waits for it
    auto call = std::make_unique<ValidationCall>(*this, exchange, token, decision, info.cache);
    ValidationCall& started = *call;
    validations_.emplace(&started, std::move(call));
    return started.start(head);
  }
  const RequestConditions conditions =
      request_conditions(options_.etag, head, source_.knows_our_tags());
  if (conditions.precondition_failed) {
    driver_.node().on_request_end(decision.session);
    return exchange.respond_small(412, "the entity tag is this server's own");
  }
  auto request = std::make_unique<FrontRequest>(*this, exchange, conditions);
  FrontRequest& started = *request;
  requests_.emplace(&started, std::move(request));
  FrontRequest::Session session{token, decision.session, info.cache, {}, direct.has_value()};
  if (decision.kind == Decision::Kind::kGuest) session.elsewhere = decision.refer;
  started.start(head, framing, session);
}

void Front::add_tunnel(Tunnel::End client, Tunnel::End origin) {
  const std::uint64_t id = ++counts_.tunnels;
  tunnels_.emplace(id, std::make_unique<Tunnel>(loop_, std::move(client), std::move(origin),
                                                options_.tunnel_idle_timeout,
                                                [this, id] { tunnels_.erase(id); }));
}

// The token is asked for when the head is written: it may have changed while the source worked.
std::string Front::session_fields(const SessionToken& request,
                                  const std::optional<SessionToken>& elsewhere, bool direct) {
  std::string fields = own_fields_;
  const UnixSeconds wall = loop_.unix_now();
  const auto token = elsewhere ? elsewhere : driver_.node().token_to_set(wall, request);
  if (token) {
    fields += "Tandem-Session: ";
    fields += codec_.seal(*token, wall).view();
    fields += "\r\n";
  }
  if (direct) fields += where(token ? *token : request);
  return fields;
}

void Front::remove(ValidationCall& call) {
  const auto at = validations_.find(&call);
  if (at == validations_.end()) return;
  loop_.dispose(std::move(at->second));
  validations_.erase(at);
}

void Front::remove(FrontRequest& request) {
  const auto at = requests_.find(&request);
  if (at == requests_.end()) return;
  loop_.dispose(std::move(at->second));
  requests_.erase(at);
}

std::vector<AdminSnapshot::Count> Front::counts() const {
  return {
      {"requests_total", "Requests of clients.", counts_.requests},
      {"tokens_refused_total", "Session tokens that were forged, cut, or expired.",
       counts_.tokens_refused},
      {"source_failures_total", "Requests that the source did not answer.",
       counts_.source_failures},
      {"bodies_collected_total", "Bodies gathered and compared.", counts_.collected},
      {"bodies_streamed_total", "Bodies passed on as they came.", counts_.streamed},
      {"requests_waited_total",
       "Requests that waited: for what peers know, or for the end of a swap.", counts_.waited},
      {"requests_waiting_refused_total", "Requests refused since too many waited.",
       counts_.waiting_refused},
      {"requests_direct_total", "Requests of clients that came without a balancer.",
       counts_.direct},
      {"requests_by_type_total", "Requests of direct clients for an item's type, with no session.",
       counts_.by_type},
      {"tunnels_total", "Connections upgraded.", counts_.tunnels},
      {"connections_refused_total", "Connections over limits.connections_max.",
       server_.refused() + tls_server_.refused()},
  };
}

}  // namespace tandem::server
