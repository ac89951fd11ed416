#include "lb/io/relay.h"

#include "common/http/method.h"
#include "common/session/group_fields.h"

namespace tandem {

namespace {

constexpr std::string_view kReservedPath = "/.well-known/tandem/";

}  // namespace

// --- from the client ----------------------------------------------------------------------------

std::size_t Relay::begin(ClientConnection& client, http::RequestHead& head,
                         std::string_view behind) {
  client_ = &client;
  began_ = state_.loop.now();
  state_.counts.requests.add();
  state_.budget.on_request();

  head_bytes_.assign(head.buffer());
  head.rebase(head_bytes_.data());
  state_.request_head_of = this;
  state_.current_head = &head;

  method_ = head.method();
  const std::string_view method_name = head.method_name();
  method_at_ = static_cast<std::uint32_t>(method_name.data() - head_bytes_.data());
  method_size_ = static_cast<std::uint32_t>(method_name.size());
  target_at_ = static_cast<std::uint32_t>(head.target().data() - head_bytes_.data());
  target_size_ = static_cast<std::uint32_t>(head.target().size());
  client_minor_ = static_cast<std::uint8_t>(head.version_minor());
  client_persists_ = head.persists();
  upgrade_asked_ = head.upgrades();
  idempotent_ = http::is_idempotent(method_);
  exchange_ = Exchange(idempotent_);

  const http::Framing framing = http::request_framing(head);
  request_body_ = http::BodyReader(framing);
  std::size_t used = 0;
  if (!request_body_.done()) {
    const auto taken = request_body_.relay(behind);
    used = taken.consumed;
    if (bad_body()) return used;
    body_.assign(behind.substr(0, used));
    must_serve_ =
        Exchange::outgrows(std::max<std::uint64_t>(framing.length, body_.size()),
                           framing.kind == http::BodyKind::kChunked && !request_body_.done(),
                           state_.options.upstream.retry_buffer);
  }
  return used;
}

void Relay::go() {
  if (bad_body()) return answer(400, request_body_.error());
  const http::RequestHead& request = head();
  if (refused(request)) return;
  read_claim(request);
  if (validates_ && !(library_ && has_token_)) {
    return answer(400, "a validation is of a session's cache");
  }
  route_first();
}

// What is not for any server. True: answered.
bool Relay::refused(const http::RequestHead& head) {
  if (method_ == http::Method::kConnect) {
    answer(405, "CONNECT is not served here");
    return true;
  }
  if (!head.path().starts_with(kReservedPath)) return false;
  if (!is_validation(head)) {
    answer_reserved(head);
    return true;
  }
  const std::string_view group = *validation_group(head.path());
  if (group.empty() || state_.routes->routed(group)) return false;
  answer(404, "no route leads to such a group");
  return true;
}

// Whose the request is: looked for when it is first asked for. When the routes change under a
// request that is under way, it stays with the group that has it.
PoolNumber Relay::pool_number() {
  if (routes_generation_ == state_.routes_generation) return pool_number_;
  routes_generation_ = state_.routes_generation;
  pool_number_ = 0;
  if (state_.routes->empty()) return pool_number_;
  if (pool_ != nullptr) {
    const std::uint32_t slot = state_.index.slot(pool_->id());
    if (slot != ViewIndex::kNoSlot) return pool_number_ = state_.index.pool(slot);
  }
  const http::RequestHead& request = head();
  pool_number_ = validates_ ? state_.routes->pool_of(*validation_group(request.path()))
                            : state_.routes->pool(request.authority(), request.path());
  return pool_number_;
}

// The one reserved path that goes to servers. It may be sent again as if it were a GET.
bool Relay::is_validation(const http::RequestHead& head) {
  validates_ = method_ == http::Method::kPost && validation_group(head.path()).has_value();
  if (!validates_) return false;
  idempotent_ = Exchange::repeatable(method_, head.path());
  exchange_ = Exchange(idempotent_);
  return true;
}

std::size_t Relay::take_input(std::string_view bytes) {
  if (tunnel_) return bytes.size();
  const auto taken = request_body_.relay(bytes);
  return bad_body() ? bytes.size() : taken.consumed;
}

void Relay::on_input(std::string_view bytes) {
  const iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  if (tunnel_) {
    if (send({&part, 1})) set_deadline(state_.options.limits.body_timeout);
    return;
  }
  if (bad_body()) {
    if (exchange_.responding()) return client_->abort();
    return answer(400, request_body_.error());
  }
  keep_body(bytes);
  if (stage_ == Stage::kConnecting || upstream_ == nullptr || write_broken_) return;
  if (send({&part, 1})) after_sending();
}

// All of the body is kept while it may have to be sent again; before a server is connected it has
// to be kept anyway.
void Relay::keep_body(std::string_view bytes) {
  if (!exchange_.whole()) return;
  if (stage_ != Stage::kConnecting &&
      body_.size() + bytes.size() > state_.options.upstream.retry_buffer) {
    exchange_.on_outgrown();
    std::string().swap(body_);
    return;
  }
  body_.append(bytes);
}

bool Relay::wants_input() const {
  if (!unsent_.empty()) return false;
  if (tunnel_) return true;
  if (request_body_.done()) return false;
  return stage_ != Stage::kConnecting || body_.size() < state_.options.upstream.retry_buffer;
}

bool Relay::on_input_end() {
  if (!tunnel_) return request_body_.done();
  if (std::exchange(input_ended_, true)) return true;
  if (output_ended_) {
    finish();
  } else {
    upstream_->shutdown_write();
  }
  return true;
}

void Relay::on_client_writable() {
  if (impatient_) set_deadline(body_patience());
  if (upstream_ != nullptr && stage_ != Stage::kConnecting) upstream_->resume();
}

void Relay::abandon(bool by_client) {
  if (upstream_ != nullptr) upstream_->abandon();
  upstream_ = nullptr;
  if (by_client) state_.counts.client_gone.add();
  account();
}

void Relay::set_deadline(Duration wait) { client_->set_deadline(state_.loop.now() + wait); }

Duration Relay::body_patience() const {
  return impatient_ ? state_.options.upstream.offline_patience : state_.options.limits.body_timeout;
}

void Relay::on_deadline() {
  if (upstream_ == nullptr) return;
  const Stage stage = stage_;
  const bool server_stalls = !unsent_.empty();
  if (stage == Stage::kResponding) {
    state_.counts.timeouts_body.add();
    client_->abort();
    return;
  }
  upstream_->abandon();
  upstream_ = nullptr;
  if (stage == Stage::kConnecting) {
    on_upstream_failed(UpstreamFault::kConnect);
  } else if (stage == Stage::kSending && !server_stalls) {
    state_.counts.timeouts_body.add();
    answer(408, "the request's body did not come in time");
  } else {
    state_.counts.timeouts_response.add();
    carry_out(exchange_.on_timeout());
  }
}

void Relay::on_sweep(Instant now) {
  if (upstream_ == nullptr || stage_ == Stage::kConnecting || client_->blocked()) return;
  if (now - checked_ < state_.options.upstream.recheck_interval) return;
  checked_ = now;
  // A probe tells a server that answers nobody from one that is slow with this.
  if (stage_ == Stage::kWaiting) state_.suspect(pool_->id());
  upstream_->recheck();
}

void Relay::recycle() {
  if (state_.request_head_of == this) state_.request_head_of = nullptr;
  for (std::string* buffer : {&head_bytes_, &body_, &unsent_}) {
    buffer->clear();
    if (buffer->capacity() > kKeepBytesMax) std::string().swap(*buffer);
  }
  unsent_at_ = 0;
  unchunk_ = nullptr;
  client_ = nullptr;
  pool_ = nullptr;
  stage_ = Stage::kConnecting;
  tunnel_ = must_serve_ = impatient_ = library_ = has_token_ = seal_request_ = referred_ = keep_ =
      false;
  write_broken_ = input_ended_ = output_ended_ = validates_ = false;
  forget_token_ = false;
  routes_generation_ = 0;
  route_ = Route{};
  bytes_out_ = 0;
  status_ = 0;
}

// --- to the server ------------------------------------------------------------------------------

// The request's head, parsed again if another has been parsed since.
const http::RequestHead& Relay::head() {
  if (state_.request_head_of != this) {
    state_.request_parser.reset();
    const auto progress = state_.request_parser.parse(head_bytes_, state_.request_head);
    TANDEM_CHECK(progress == http::Progress::kDone);
    state_.current_head = &state_.request_head;
    state_.request_head_of = this;
  }
  return *state_.current_head;
}

ServerPool::Want Relay::wanted() const {
  return idempotent_ ? ServerPool::Want::kAny : ServerPool::Want::kRecent;
}

void Relay::attempt(ServerPool::Want want) {
  pool_ = state_.pools[route_.slot];
  if (validates_ && !pool_->is_tandem()) return answer(404);
  unsent_.clear();
  unsent_at_ = 0;
  write_broken_ = false;
  stage_ = Stage::kConnecting;
  const auto got = pool_->acquire(*this, want);
  upstream_ = got.upstream;
  // A tandem-server announces its leave, and keeps what is used again here.
  exchange_.on_attempt(pool_->id(), upstream_ != nullptr && upstream_->reused(),
                       pool_->is_tandem());
  if (upstream_ == nullptr) {
    on_upstream_failed(got.fault);
    return;
  }
  upstream_->expect(method_, upgrade_asked_);
  checked_ = state_.loop.now();
  if (upstream_->ready()) {
    send_request();
  } else {
    set_deadline(state_.options.upstream.connect_timeout);
  }
}

void Relay::on_upstream_ready() { send_request(); }

void Relay::send_request() {
  prepare_token();
  const http::RequestHead& request = head();
  const RequestEdits edits{.session_token = session_token(),
                           .to_tandem = pool_->is_tandem(),
                           .affinity = &state_.options.affinity,
                           .routes = state_.routes.get(),
                           .client_host = client_->host(),
                           .tls = client_->tls(),
                           .server_address = pool_->address_text(),
                           .known_only = has_token_ && state_.options.on_lost.rejects()};
  char* out = state_.compose(request_head_bound(request, edits));
  const std::size_t size = write_request_head(request, edits, out);
  stage_ = Stage::kSending;
  const iovec parts[] = {{out, size}, {body_.data(), body_.size()}};
  const bool sent = send({parts, body_.empty() ? std::size_t{1} : std::size_t{2}});
  if (!sent) return;
  if (body_.size() > state_.options.upstream.retry_buffer) {
    exchange_.on_outgrown();
    std::string().swap(body_);
  }
  after_sending();
  if (wants_input()) client_->resume_input();  // it may have been refused until now
}

// False: the connection broke, and what follows from it has been done.
bool Relay::send(std::span<const iovec> parts) {
  IoResult got;
  if (unsent_.empty()) got = upstream_->write(parts);
  if (got.failed()) {
    on_write_broken();
    return false;
  }
  std::size_t taken = got.bytes;
  if (taken > 0) exchange_.on_sent();
  for (const iovec& part : parts) {
    const std::size_t skip = std::min(taken, part.iov_len);
    taken -= skip;
    if (skip < part.iov_len) {
      unsent_.append(static_cast<const char*>(part.iov_base) + skip, part.iov_len - skip);
    }
  }
  return true;
}

// The server takes no more. It may have answered before it closed (RFC 9112, 9.3): what it sent
// comes first, and then its end or the error.
void Relay::on_write_broken() {
  unsent_.clear();
  unsent_at_ = 0;
  if (output_ended_) return finish();
  write_broken_ = true;
  set_deadline(state_.options.limits.body_timeout);
  upstream_->recheck();
}

void Relay::after_sending() {
  if (stage_ == Stage::kResponding) {
    set_deadline(state_.options.limits.body_timeout);
    return;
  }
  const bool whole = request_body_.done() && unsent_.empty();
  if (whole) stage_ = Stage::kWaiting;
  set_deadline(whole ? state_.options.upstream.response_timeout
                     : state_.options.limits.body_timeout);
}

void Relay::on_upstream_writable() {
  if (unsent_.empty()) return;
  const iovec part{unsent_.data() + unsent_at_, unsent_.size() - unsent_at_};
  const IoResult got = upstream_->write({&part, 1});
  if (got.failed()) return on_write_broken();
  if (got.bytes > 0) exchange_.on_sent();
  unsent_at_ += got.bytes;
  if (unsent_at_ == unsent_.size()) {
    unsent_.clear();
    if (unsent_.capacity() > kKeepBytesMax) std::string().swap(unsent_);
    unsent_at_ = 0;
  }
  after_sending();
  if (unsent_.empty()) client_->resume_input();
}

// --- what goes wrong ----------------------------------------------------------------------------

void Relay::on_upstream_failed(UpstreamFault fault) {
  upstream_ = nullptr;
  switch (fault) {
    case UpstreamFault::kConnect:
      state_.counts.server_connect_failures.add();
      return carry_out(exchange_.on_connect_failed());
    case UpstreamFault::kShortage:
      state_.counts.shortages.add();
      return carry_out(exchange_.on_shortage());
    case UpstreamFault::kBroken:
      return carry_out(exchange_.on_broken(state_.budget));
    case UpstreamFault::kBad:
      return carry_out(exchange_.on_bad_response());
  }
}

void Relay::on_server_offline() {
  if (exchange_.responding()) {
    impatient_ = library_ && idempotent_ && !tunnel_;
    if (impatient_ && !client_->blocked()) set_deadline(body_patience());
    return;
  }
  upstream_->abandon();
  upstream_ = nullptr;
  carry_out(exchange_.on_offline());
}

void Relay::carry_out(Verdict verdict) {
  if (verdict.report_failure) state_.report_failure(exchange_.server());
  switch (verdict.step) {
    case Step::kWait:
    case Step::kRelay:
    case Step::kRefer:
      return;
    case Step::kResendFresh:
      state_.counts.retries.add();
      route_.slot = state_.index.slot(exchange_.server());
      if (route_.slot == ViewIndex::kNoSlot) return take_over();
      return attempt(ServerPool::Want::kFresh);
    case Step::kTakeover:
      state_.counts.retries.add();
      return take_over();
    case Step::kAnswer:
      return answer(verdict.status);
    case Step::kAbort:
      state_.counts.aborts.add();
      client_->abort();
      return;
  }
}

}  // namespace tandem
