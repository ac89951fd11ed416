#include "client/io/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "client/io/engine_call.h"
#include "common/net/clock.h"
#include "common/net/entropy.h"

namespace tandem {
namespace {

// Connections beyond those of calls: for errands.
constexpr std::size_t kSpareConnections = 32;
constexpr std::uint32_t kRetryReserve = 100;

Duration duration_of(std::chrono::milliseconds time) {
  // So far away that adding it to the present overflows nothing.
  constexpr std::chrono::milliseconds kLongest = std::chrono::hours(24 * 365);
  return std::clamp(time, std::chrono::milliseconds(0), kLongest);
}

}  // namespace

Engine::Engine(EventLoop& loop, const ClientOptions& options)
    : loop_(loop),
      state_(options.cache_bytes, options.direct || options.by_type, random_u64(), options.by_type),
      under_way_max_(std::max(options.connections_max, 1u)),
      waiting_max_(options.queue_max) {
  state_.cache_id = random_cache_id();
  state_.user_agent = options.user_agent.empty() ? "libtandem/" TANDEM_VERSION : options.user_agent;
  state_.retry.attempts_max = std::max(options.attempts_max, 1u);
  state_.budget = RetryBudget({kRetryReserve, options.retry_budget});
  state_.timeout = duration_of(options.timeout);
  state_.attempt_timeout = duration_of(options.attempt_timeout);
  state_.reuse_fresh = options.reuse_fresh;
  state_.groups.set_validation(ValidationPolicy(duration_of(options.validate_after)));
  begin(options);
}

void Engine::begin(const ClientOptions& options) {
  const auto url = Url::parse(options.balancer);
  if (!url) {
    problem_ = fmt::format("\"{}\" is not a URL of http or https", options.balancer);
    return;
  }
  state_.authority = url->authority();
  Transport::Options how;
  how.connect_timeout = duration_of(options.connect_timeout);
  how.body_bytes_max = options.body_bytes_max;
  how.connections_max = under_way_max_ + kSpareConnections;
  how.idle_connections_max = under_way_max_;
  if (url->tls) {
    auto tls = TlsContext::client({.verify = options.verify_peer, .ca_file = options.ca_file});
    if (!tls) {
      problem_ = tls.error().message;
      return;
    }
    how.tls = std::move(*tls);
    state_.locator.use_tls();
  }
  if (!options.cache_file.empty()) keep_on_disk(options.cache_file, url->origin());
  transport_ = std::make_unique<Transport>(loop_, *url, how);
  book_ = FailoverBook::of(url->origin(), {.retries = std::max(options.retries, 1u),
                                           .retry_after = duration_of(options.retry_after)});
  errands_ = std::make_unique<Errands>(
      loop_, *transport_, state_, book_,
      Errands::Told{[this] { on_map(); },
                    [this](std::string_view server, bool answers) { on_look(server, answers); }});
}

void Engine::keep_on_disk(const std::string& file, const std::string& origin) {
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
  if (last > 0) state_.groups.absent(std::chrono::seconds(unix_clock() - last));
}

Engine::~Engine() {
  close();
  if (disk_) (void)disk_->save_order(state_);
}

void Engine::start(CallId id, Request request, Done done) {
  Reply refused;
  if (!problem_.empty()) {
    refused.failure = ClientFailure::kOptions;
    refused.message = problem_;
  } else if (closing_) {
    refused.failure = ClientFailure::kCancelled;
    refused.message = "the client is closed";
  } else if (waiting_count_ >= waiting_max_ + (under_way_ < under_way_max_ ? 1 : 0)) {
    refused.failure = ClientFailure::kQueueFull;
    refused.message = fmt::format("{} calls wait already", waiting_count_);
  }
  if (!refused) {
    count(refused);
    return done(std::move(refused));
  }
  auto made = std::make_unique<EngineCall>(*this, id, std::move(request), std::move(done));
  EngineCall& call = *made;
  calls_.emplace(id, std::move(made));
  ++waiting_count_;
  call.wait();
  if (call.finished()) {
    return over(call);
  }
  if (state_.locator.direct()) errands_->watch();
  waiting_.push_back(id);
  go_on();
}

void Engine::go_on() {
  if (std::exchange(going_on_, true)) return;
  while (!waiting_.empty() && under_way_ < under_way_max_ && opening_ == 0) {
    const auto found = calls_.find(waiting_.front());
    waiting_.pop_front();
    if (found == calls_.end()) continue;  // over already
    EngineCall& call = *found->second;
    --waiting_count_;
    ++under_way_;
    if (call.opens_session()) opening_ = call.id();
    call.begin();
  }
  going_on_ = false;
}

void Engine::over(EngineCall& call) {
  const auto found = calls_.find(call.id());
  --(call.waits() ? waiting_count_ : under_way_);
  Reply reply = call.take_reply();
  if (opening_ == call.id()) {
    opening_ = 0;
    if (reply && state_.groups.token(reply.group).empty()) {
      state_.groups.of(reply.group).sessionless = true;
    }
  }
  const Done done = call.take_done();
  loop_.dispose(std::move(found->second));
  calls_.erase(found);
  // A disk that is full or gone costs the copies on it, not the call.
  if (disk_ && !disk_->save(state_)) disk_.reset();
  count(reply);
  done(std::move(reply));
  go_on();
}

// In the order in which they came. Each may be over before its turn, by what another's end began.
std::vector<Engine::CallId> Engine::ids_of(const std::function<bool(const EngineCall&)>& which) {
  std::vector<CallId> ids;
  for (const auto& [id, call] : calls_) {
    if (which(*call)) ids.push_back(id);
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

void Engine::on_map() {
  const auto wants = [](const EngineCall& call) { return call.wants_map(); };
  for (const CallId id : ids_of(wants)) {
    const auto found = calls_.find(id);
    if (found != calls_.end() && wants(*found->second)) found->second->go_on();
  }
}

void Engine::on_look(std::string_view server, bool answers) {
  const auto looks = [server](const EngineCall& call) { return call.looks_at(server); };
  for (const CallId id : ids_of(looks)) {
    const auto found = calls_.find(id);
    if (found != calls_.end() && looks(*found->second)) found->second->on_look(answers);
  }
}

void Engine::cancel(CallId id) {
  const auto found = calls_.find(id);
  if (found != calls_.end()) found->second->give_up(ClientFailure::kCancelled, "cancelled");
}

void Engine::close() {
  closing_ = going_on_ = true;  // nothing begins any more
  while (!calls_.empty()) cancel(calls_.begin()->first);
  waiting_.clear();
}

void Engine::count(const Reply& reply) {
  ++stats_.calls;
  stats_.failed += !reply;
  stats_.attempts += reply.attempts;
  stats_.bytes_received += reply.bytes_received;
  stats_.referrals += reply.referrals;
  if (!reply) return;
  stats_.direct += reply.direct;
  switch (reply.source) {
    case ReplySource::kFetched:
      ++stats_.fetched;
      break;
    case ReplySource::kByMirror:
      ++stats_.by_mirror;
      break;
    case ReplySource::kByValidator:
      ++stats_.by_validator;
      break;
    case ReplySource::kLocal:
      ++stats_.local;
      break;
  }
}

ClientStats Engine::stats() const {
  ClientStats stats = stats_;
  stats.under_way = under_way_;
  stats.waiting = waiting_count_;
  stats.map_version = state_.locator.map_version();
  stats.servers = state_.locator.servers();
  stats.primary = state_.locator.primary(state_.groups.latest());
  stats.alternate = state_.locator.alternate(state_.groups.latest());
  if (transport_ == nullptr) return stats;
  stats.connections = transport_->connections();
  const ErrandCounts& errands = errands_->counts();
  stats.maps_fetched = errands.maps_fetched;
  stats.notices_sent = errands.notices_sent;
  stats.notices_failed = errands.notices_failed;
  stats.failovers_entered = book_->entered();
  stats.failovers_left = book_->left();
  return stats;
}

}  // namespace tandem
