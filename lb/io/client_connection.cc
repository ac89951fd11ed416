#include "lb/io/client_connection.h"

#include <cstring>
#include <utility>

#include "common/base/log.h"
#include "lb/core/forward.h"
#include "lb/core/proxy_header.h"
#include "lb/io/relay.h"

namespace tandem {

ClientConnection::ClientConnection(FrontState& state, Descriptor socket, const SocketAddress& peer,
                                   bool tls, bool proxied, AddressLimit::Place counted)
    : state_(state),
      stream_(std::make_unique<Stream>(state.loop, std::move(socket),
                                       static_cast<StreamHandler*>(this))),
      counted_(std::move(counted)),
      tls_(tls) {
  set_host(peer.host());
  deadline_ = state_.loop.now() + state_.options.limits.header_timeout;
  place = state_.clients.size();
  state_.clients.push_back(this);
  state_.counts.connections.add();
  state_.counts.connections_total.add();
  if (proxied) {
    phase_ = Phase::kProxyHeader;
  } else if (tls_) {
    stream_->start_tls(*state_.options.tls);
  }
}

void ClientConnection::set_host(std::string_view host) {
  host_size_ = static_cast<std::uint8_t>(std::min(host.size(), sizeof host_));
  std::memcpy(host_, host.data(), host_size_);
}

ClientConnection::~ClientConnection() = default;

// What has come of a head, and what is read behind it, fit into the scratch buffer.
static_assert(kHeadRoom + kHttpHeadBytesMax + kReadAheadMax <= EventLoop::kScratchBytes);

void ClientConnection::on_stream(bool, bool writable) {
  if (phase_ == Phase::kClosed) return;
  if (stream_->failed()) return close();
  if (writable && !out_.empty() && !flush()) return;
  process();
}

void ClientConnection::process() {
  if (processing_) return;
  processing_ = true;
  const StreamTurn turn(state_.loop, *stream_);
  for (bool more = true; more && !turn.over();) {
    switch (phase_) {
      case Phase::kProxyHeader:
        more = read_proxy_header();
        break;
      case Phase::kRequest:
        more = read_request();
        break;
      case Phase::kRelay:
        more = feed_relay();
        break;
      case Phase::kFlush:
        after_output();
        more = phase_ == Phase::kDrop;
        break;
      case Phase::kDrop:
        more = drop_input();
        break;
      case Phase::kClosed:
        more = false;
        break;
    }
  }
  processing_ = false;
}

// --- requests -----------------------------------------------------------------------------------

bool ClientConnection::read_proxy_header() {
  if (!stream_->may_read()) return false;
  const std::span<char> buffer = state_.scratch().first(kProxyHeaderBytesMax);
  const IoResult got = stream_->peek(buffer);
  if (got.would_block()) return false;
  const ProxyHeader header = ProxyHeader::parse({buffer.data(), got.bytes});
  if (got.ok() && header.state == ProxyHeader::State::kNeedMore) {
    if (stream_->hung_up()) close();
    return false;
  }
  if (!got.ok() || header.state == ProxyHeader::State::kBad) {
    // Nobody is answered: the sender would take it for the answer to his client's request.
    if (got.ok()) {
      state_.counts.proxy_headers_bad.add();
      TANDEM_WARN_LIMITED("connection from {} closed: it does not begin with a PROXY header",
                          host());
    }
    close();
    return false;
  }
  stream_->read(buffer.first(header.size));  // all of it is there
  if (header.client && !take_client(*header.client)) return false;
  phase_ = Phase::kRequest;
  if (tls_) stream_->start_tls(*state_.options.tls);
  return true;
}

// The client that the PROXY header names. False: it has its connections already.
bool ClientConnection::take_client(const IpAddress& client) {
  set_host(client.text());
  if (state_.options.address_limit == nullptr) return true;
  counted_ = state_.options.address_limit->take(client);
  if (counted_) return true;
  state_.refuse_address(host());
  close();
  return false;
}

bool ClientConnection::read_request() {
  if (owes()) return false;  // the response before goes out first
  if (!input().empty()) return parse_request(input(), true);
  if (!stream_->may_read()) return nothing_came();
  const std::span<char> buffer = state_.scratch().subspan(kHeadRoom);
  std::size_t kept = 0;
  if (partial_ != nullptr) {
    kept = partial_->bytes.size();
    std::memcpy(buffer.data(), partial_->bytes.data(), kept);
  }
  const IoResult got = stream_->read(buffer.subspan(kept, kReadAheadMax));
  if (got.would_block()) return nothing_came();
  if (!got.ok()) {
    close();
    return false;
  }
  state_.counts.bytes_in.add(got.bytes);
  return parse_request({buffer.data(), kept + got.bytes}, false);
}

// Some clients end a body with an empty line that is no part of it: no head begins with it.
bool ClientConnection::head_begun() const {
  if (partial_ == nullptr) return false;
  const std::string_view bytes = partial_->bytes;
  return bytes != "\r" && bytes != "\r\n";
}

// Idle, or in the middle of a head. Where a drain began while a response was under way whose head
// had promised to keep the connection, this is where it ends. Returns what read_request() does.
bool ClientConnection::nothing_came() {
  new_session_.overlaps = false;
  if (input_.capacity() > sizeof(std::string)) std::string().swap(input_);
  if (!state_.draining || head_begun()) return false;
  phase_ = Phase::kFlush;
  drop_after_ = false;
  deadline_ = state_.loop.now() + state_.options.limits.body_timeout;
  return true;
}

bool ClientConnection::parse_request(std::string_view bytes, bool from_input) {
  http::HeadParser& parser = partial_ != nullptr ? partial_->parser : state_.request_parser;
  http::RequestHead& head = partial_ != nullptr ? partial_->head : state_.request_head;
  if (partial_ == nullptr) {
    parser.reset();
    state_.request_head_of = nullptr;
  }
  bool was_begun = false;
  switch (parser.parse(bytes, head)) {
    case http::Progress::kNeedMore:
      was_begun = head_begun();
      if (partial_ == nullptr) {
        partial_ = std::make_unique<PartialHead<http::RequestHead>>();
        partial_->parser = parser;
        partial_->head = head;
      }
      partial_->bytes.assign(bytes);
      if (!was_begun && head_begun()) {
        deadline_ = state_.loop.now() + state_.options.limits.header_timeout;
      }
      if (from_input) consume_input(bytes.size());
      return true;
    case http::Progress::kError:
      refuse(parser.error());
      return true;
    case http::Progress::kDone:
      break;
  }
  const auto partial = std::exchange(partial_, nullptr);  // keeps `head` alive
  start_relay(head, bytes.substr(head.end()), from_input);
  if (partial != nullptr) state_.request_head_of = nullptr;
  return phase_ != Phase::kClosed;
}

void ClientConnection::start_relay(http::RequestHead& head, std::string_view behind,
                                   bool from_input) {
  if (state_.spare_relays.empty()) {
    relay_ = std::make_unique<Relay>(state_);
  } else {
    relay_ = std::move(state_.spare_relays.back());
    state_.spare_relays.pop_back();
  }
  phase_ = Phase::kRelay;
  const std::size_t head_bytes = head.end();
  const std::size_t used = relay_->begin(*this, head, behind);
  if (from_input) {
    consume_input(head_bytes + used);
  } else if (used < behind.size()) {
    input_.assign(behind.substr(used));
  }
  relay_->go();
}

bool ClientConnection::feed_relay() {
  if (!relay_->wants_input()) return read_ahead();
  if (!input().empty()) {
    const std::size_t used = relay_->take_input(input());
    relay_->on_input(input().substr(0, used));
    consume_input(used);
    return phase_ != Phase::kClosed;
  }
  if (input_ended_) {  // before the tunnel was there
    input_ended();
    return phase_ != Phase::kRelay && phase_ != Phase::kClosed;
  }
  if (!stream_->may_read()) return false;
  const std::span<char> buffer = state_.scratch().subspan(kHeadRoom);
  const IoResult got = stream_->read(buffer);
  if (got.would_block()) return false;
  if (!got.ok()) {
    if (got.end()) {
      input_ended();
    } else {
      close();
    }
    return phase_ != Phase::kClosed;
  }
  state_.counts.bytes_in.add(got.bytes);
  const std::string_view bytes{buffer.data(), got.bytes};
  const std::size_t used = relay_->take_input(bytes);
  if (used < bytes.size()) input_.assign(bytes.substr(used));
  relay_->on_input(bytes.substr(0, used));
  return phase_ != Phase::kClosed;
}

// While the server works: further requests, or the news that the client has left.
bool ClientConnection::read_ahead() {
  if (!relay_->input_whole() || input_ended_ || !stream_->may_read()) return false;
  if (input().size() >= kReadAheadMax) return false;
  const std::span<char> buffer = state_.scratch().subspan(kHeadRoom);
  const IoResult got = stream_->read(buffer.first(kReadAheadMax));
  if (got.would_block()) return false;
  if (got.end()) {
    input_ended();
    return false;
  }
  if (!got.ok()) {
    close();
    return false;
  }
  state_.counts.bytes_in.add(got.bytes);
  // What was answered goes: a client that is always ahead would have all that it ever sent kept.
  input_.erase(0, std::exchange(input_at_, 0));
  input_.append(buffer.data(), got.bytes);
  return true;
}

void ClientConnection::consume_input(std::size_t bytes) {
  input_at_ += bytes;
  if (input_at_ < input_.size()) return;
  input_.clear();
  input_at_ = 0;
}

void ClientConnection::input_ended() {
  input_ended_ = true;
  if (phase_ == Phase::kRelay && !relay_->on_input_end()) close();
}

void ClientConnection::resume_input() { process(); }

void ClientConnection::refuse(http::HeadError error) {
  state_.counts.requests_bad.add();
  state_.counts.answers_own.add();
  partial_ = nullptr;
  OwnResponse own;
  own.status = error.status;
  own.text = error.reason;
  own.persistence = Persistence::kClose;
  char text[kOwnResponseBytesMax];
  phase_ = Phase::kFlush;
  drop_after_ = true;
  deadline_ = state_.loop.now() + kDropTime;
  const std::size_t size = write_own_response(own, text);
  AccessLine line;
  line.wall = state_.loop.unix_now();
  line.client = host();
  line.method = line.target = "-";  // it was not understood, or did not come
  line.status = error.status;
  line.bytes = size;
  state_.log_request(line);
  send({text, size});
}

// --- responses ----------------------------------------------------------------------------------

bool ClientConnection::send(std::string_view bytes) {
  if (phase_ == Phase::kClosed) return false;
  state_.counts.bytes_out.add(bytes.size());
  if (out_.empty()) {
    const IoResult got = stream_->write(bytes);
    if (got.failed()) {
      close();
      return false;
    }
    bytes.remove_prefix(got.bytes);
  }
  if (!bytes.empty()) out_.append(bytes);
  return true;
}

// False: the connection is closed.
bool ClientConnection::flush() {
  const IoResult got = stream_->write(std::string_view(out_).substr(out_at_));
  if (got.failed()) {
    close();
    return false;
  }
  out_at_ += got.bytes;
  if (got.bytes > 0) deadline_ = state_.loop.now() + state_.options.limits.body_timeout;
  if (out_at_ < out_.size()) return true;
  std::string().swap(out_);
  out_at_ = 0;
  if (phase_ == Phase::kRequest) {
    deadline_ = state_.loop.now() + state_.options.limits.keepalive_timeout;
  }
  if (end_output_) stream_->shutdown_write();
  if (relay_ != nullptr) relay_->on_client_writable();
  return phase_ != Phase::kClosed;
}

void ClientConnection::end_output() {
  end_output_ = true;
  if (!blocked()) stream_->shutdown_write();
}

void ClientConnection::response_done(bool keep, bool unread) {
  recycle_relay();
  if (keep && !(input_ended_ && input().empty())) {
    phase_ = Phase::kRequest;
    deadline_ = state_.loop.now() + (owes() ? state_.options.limits.body_timeout
                                            : state_.options.limits.keepalive_timeout);
  } else {
    phase_ = Phase::kFlush;
    drop_after_ = unread || (!input_ended_ && more_came());
    deadline_ = state_.loop.now() + state_.options.limits.body_timeout;
  }
  process();
}

void ClientConnection::recycle_relay() {
  relay_->recycle();
  state_.spare_relays.push_back(std::move(relay_));
}

void ClientConnection::abort() {
  if (phase_ == Phase::kClosed) return;
  stream_->reset_on_close();
  close(false);
}

void ClientConnection::after_output() {
  if (owes()) return;
  if (!drop_after_) {
    if (stream_->is_tls()) stream_->shutdown_write();
    return close();
  }
  stream_->shutdown_write();
  phase_ = Phase::kDrop;
  deadline_ = state_.loop.now() + kDropTime;
}

bool ClientConnection::drop_input() {
  if (!stream_->may_read()) return false;
  const IoResult got = stream_->read(state_.scratch());
  if (got.would_block()) return false;
  if (!got.ok()) close();
  return phase_ != Phase::kClosed;
}

// --- the end ------------------------------------------------------------------------------------

void ClientConnection::close(bool by_client) {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kClosed;
  if (relay_ != nullptr) {
    relay_->abandon(by_client);
    recycle_relay();
  }
  state_.clients[place] = state_.clients.back();
  state_.clients[place]->place = place;
  state_.clients.pop_back();
  state_.counts.connections.sub();
  counted_ =
      {};  // not when this is destroyed: the front, and the limit with it, may be gone by then
  state_.loop.dispose(std::unique_ptr<Disposable>(this));
}

void ClientConnection::sweep(Instant now) {
  if (phase_ == Phase::kFlush) {
    process();
    if (phase_ == Phase::kClosed) return;
  }
  if (now < deadline_) {
    if (phase_ == Phase::kRelay) relay_->on_sweep(now);
    return;
  }
  if (takes_sealed(now)) return;
  switch (phase_) {
    case Phase::kProxyHeader:
      state_.counts.timeouts_header.add();
      close();
      return;
    case Phase::kRequest:
      if (head_begun()) {
        state_.counts.timeouts_header.add();
        refuse(http::HeadError{408, "the request's head did not come in time"});
        process();
      } else {
        state_.counts.timeouts_idle.add();
        close();
      }
      return;
    case Phase::kRelay:
      if (!blocked()) return relay_->on_deadline();
      state_.counts.timeouts_body.add();
      abort();
      return;
    case Phase::kFlush:
    case Phase::kDrop:
      close();
      return;
    case Phase::kClosed:
      return;
  }
}

// Sealed bytes leave unnoticed: whoever has taken some since the last deadline gets another one.
bool ClientConnection::takes_sealed(Instant now) {
  const bool waits = phase_ != Phase::kRelay || blocked();
  if (phase_ == Phase::kClosed || !waits || !stream_->has_unsent()) return false;
  const std::uint64_t sent = stream_->bytes_sent();
  if (std::exchange(sent_at_deadline_, sent) == sent) return false;
  deadline_ = now + state_.options.limits.body_timeout;
  return true;
}

void ClientConnection::drain() {
  if (phase_ == Phase::kProxyHeader) return close();
  if (phase_ == Phase::kRequest && !head_begun() && input().empty() && !owes()) close();
}

}  // namespace tandem
