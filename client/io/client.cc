#include "client/include/tandem/client.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "client/core/cache_validation.h"
#include "client/core/call.h"
#include "client/core/url.h"
#include "client/io/disk_cache.h"
#include "client/io/transport.h"
#include "common/cluster/server_list.h"
#include "common/net/clock.h"
#include "common/net/entropy.h"

namespace tandem {
namespace {

Duration duration_of(std::chrono::milliseconds time) {
  // So far away that adding it to the present overflows nothing.
  constexpr std::chrono::milliseconds kLongest = std::chrono::hours(24 * 365);
  return std::clamp(time, std::chrono::milliseconds(0), kLongest);
}

}  // namespace

class Client::Body {
 public:
  explicit Body(ClientOptions options);
  ~Body();

  Reply request(const CallRequest& request);
  const ClientState& state() const { return state_; }

 private:
  void begin(const ClientOptions& options);
  void keep_on_disk(const std::string& file, const std::string& origin);
  void validate(Call& call, std::uint64_t& bytes_received);
  void carry_out(Call& call, std::uint64_t& bytes_received);

  ClientState state_;
  std::string problem_;  // why no call can succeed; empty: none
  std::unique_ptr<Transport> transport_;
  std::optional<DiskCache> disk_;
};

Client::Body::Body(ClientOptions options) : state_(options.cache_bytes) {
  state_.cache_id = random_cache_id();
  state_.user_agent = options.user_agent.empty() ? "libtandem/" TANDEM_VERSION : options.user_agent;
  state_.retry.attempts_max = std::max(options.attempts_max, 1u);
  state_.timeout = duration_of(options.timeout);
  state_.reuse_fresh = options.reuse_fresh;
  state_.validation = ValidationPolicy(duration_of(options.validate_after));
  begin(options);
}

void Client::Body::begin(const ClientOptions& options) {
  const auto url = Url::parse(options.balancer);
  if (!url) {
    problem_ = fmt::format("\"{}\" is not a URL of http or https", options.balancer);
    return;
  }
  state_.authority = url->authority();
  Transport::Options how{.connect_timeout = duration_of(options.connect_timeout),
                         .body_bytes_max = options.body_bytes_max};
  if (url->tls) {
    auto tls = TlsContext::client({.verify = options.verify_peer, .ca_file = options.ca_file});
    if (!tls) {
      problem_ = tls.error().message;
      return;
    }
    how.tls = std::move(*tls);
  }
  if (!options.cache_file.empty()) keep_on_disk(options.cache_file, url->origin());
  transport_ = std::make_unique<Transport>(*url, how);
}

void Client::Body::keep_on_disk(const std::string& file, const std::string& origin) {
  auto disk = DiskCache::open(file, origin, state_.cache_id);
  if (!disk) {
    problem_ = disk.error().message;
    return;
  }
  if (auto done = disk->load(state_); !done) {
    problem_ = fmt::format("{}: {}", file, done.error().message);
    return;
  }
  disk_.emplace(std::move(*disk));
  const UnixSeconds last = state_.cache.last_validated();
  if (last > 0) state_.validation.absent(std::chrono::seconds(unix_clock() - last));
}

Client::Body::~Body() {
  if (disk_) (void)disk_->save_order(state_);
}

Reply Client::Body::request(const CallRequest& request) {
  const Instant begun = monotonic_now();
  Reply reply;
  if (!problem_.empty()) {
    reply.failure = ClientFailure::kOptions;
    reply.message = problem_;
    return reply;
  }
  Call call(state_, request, begun, unix_clock());
  std::uint64_t bytes_received = 0;
  if (call.wants_validation(begun)) validate(call, bytes_received);
  carry_out(call, bytes_received);
  reply = call.take_reply();
  reply.bytes_received = bytes_received;
  // A disk that is full or gone costs the copies on it, not the call.
  if (disk_ && !disk_->save(state_)) disk_.reset();
  reply.elapsed = monotonic_now() - begun;
  return reply;
}

// Takes at most a quarter of the call's time: the call can do without.
void Client::Body::validate(Call& call, std::uint64_t& bytes_received) {
  const Instant deadline = std::min(call.deadline(), monotonic_now() + state_.timeout / 4);
  CacheValidation validation(state_);
  while (!validation.finished()) {
    const auto head = validation.head();
    auto outcome = transport_->exchange(head, validation.body(), http::Method::kPost, deadline);
    bytes_received += outcome.bytes_received;
    if (outcome.response) {
      validation.on_response(*outcome.response, monotonic_now(), unix_clock());
    } else {
      validation.on_failure(monotonic_now());
    }
  }
  call.on_validated(validation.report(), unix_clock());
}

void Client::Body::carry_out(Call& call, std::uint64_t& bytes_received) {
  while (!call.finished()) {
    if (call.next_attempt() > monotonic_now()) transport_->wait_until(call.next_attempt());
    call.begin_attempt();
    auto outcome = transport_->exchange(call.head(), call.body(), call.method(), call.deadline());
    bytes_received += outcome.bytes_received;
    if (outcome.response) {
      call.on_response(std::move(*outcome.response), monotonic_now(), unix_clock());
    } else {
      call.on_failure(std::move(outcome.failure), monotonic_now());
    }
  }
}

Client::Client(ClientOptions options) : body_(std::make_unique<Body>(std::move(options))) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

Reply Client::request(std::string_view method, std::string_view target, std::string body,
                      const HeaderFields& headers) {
  return body_->request({method, target, body, headers});
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
  const Reply reply = get(kServerListPath);
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
  return post(fmt::format("{}?server={}", kReportPath, server), {});
}

const std::string& Client::session_token() const { return body_->state().token; }

std::string Client::cache_id() const {
  return fmt::format("{:016x}", body_->state().cache_id.value);
}

std::size_t Client::cached_items() const { return body_->state().cache.items(); }
std::size_t Client::cached_bytes() const { return body_->state().cache.bytes(); }

}  // namespace tandem
