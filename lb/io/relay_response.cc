// The relay's third part: the way back.
#include <cstring>

#include "lb/io/relay.h"

namespace tandem {

void Relay::on_response_head(const http::ResponseHead& head, http::Framing framing,
                             std::span<char> body, bool complete) {
  if (head.interim()) return pass_interim(head);
  if (head.status() == 421 && pool_->is_tandem() && head.has(http::FieldId::kTandemRefer)) {
    return refer(head.value(http::FieldId::kTandemRefer), complete);
  }
  exchange_.on_response();
  pass_head(head, framing, body, complete);
}

void Relay::pass_interim(const http::ResponseHead& head) {
  if (client_minor_ == 0) return;
  ResponseEdits edits;
  edits.from_tandem = pool_->is_tandem();
  char* out = state_.compose(response_head_bound(head, edits));
  if (client_->send({out, write_response_head(head, edits, out)}) && client_->blocked()) {
    upstream_->pause();  // or a server that never comes to the point would fill the memory
  }
}

void Relay::pass_head(const http::ResponseHead& head, http::Framing framing, std::span<char> body,
                      bool complete) {
  stage_ = Stage::kResponding;
  status_ = head.status();
  tunnel_ = framing.kind == http::BodyKind::kTunnel;
  const bool unchunk = framing.kind == http::BodyKind::kChunked && client_minor_ == 0;
  keep_ = client_persists_ && !state_.draining && !tunnel_ && !unchunk && request_sent() &&
          framing.kind != http::BodyKind::kUntilClose;

  ResponseEdits edits;
  edits.token = token_for_client(head);
  edits.with_library = library_;
  edits.client_tls = client_->tls();
  edits.affinity = &affinity();
  edits.group = group();
  edits.from_tandem = pool_->is_tandem();
  edits.unchunk = client_minor_ == 0;  // of HEAD and 304, too
  edits.upgrade = tunnel_;
  if (!keep_ && !tunnel_) {
    edits.persistence = Persistence::kClose;
  } else if (client_minor_ == 0) {
    edits.persistence = Persistence::kKeepAlive;
  }
  if (!edits.token.empty() && !has_token_) client_->new_session().overlaps = client_->more_came();

  char* out = state_.compose(response_head_bound(head, edits));
  const std::size_t size = write_response_head(head, edits, out);
  bytes_out_ = size + body.size();
  set_deadline(state_.options.limits.body_timeout);
  if (tunnel_) state_.counts.tunnels.add();
  if (unchunk) {
    unchunk_ = std::make_unique<http::BodyReader>(framing);
    if (!client_->send({out, size}) || !pass_payload({body.data(), body.size()})) return;
  } else if (body.empty() ||
             size > static_cast<std::size_t>(body.data() - state_.scratch().data())) {
    if (!client_->send({out, size})) return;
    if (!body.empty() && !client_->send({body.data(), body.size()})) return;
  } else {  // right before the body, where the head has been and more: one send, one TLS record
    char* at = body.data() - size;
    std::memcpy(at, out, size);
    if (!client_->send({at, size + body.size()})) return;
  }
  if (complete) return finish();
  if (client_->blocked()) upstream_->pause();
  if (tunnel_) client_->resume_input();
}

void Relay::on_response_body(std::string_view bytes, bool complete) {
  if (!bytes.empty()) {
    bytes_out_ += bytes.size();
    set_deadline(body_patience());
    if (unchunk_ != nullptr ? !pass_payload(bytes) : !client_->send(bytes)) return;
  }
  if (complete) return tunnel_ ? on_output_end() : finish();
  if (client_->blocked()) upstream_->pause();
}

// The server has ended its side of a tunnel; the client's goes on until it ends, too.
void Relay::on_output_end() {
  output_ended_ = true;
  if (input_ended_) return finish();
  client_->end_output();
}

// The payload without its chunks. False: the client is gone.
bool Relay::pass_payload(std::string_view chunks) {
  while (!chunks.empty()) {
    const auto taken = unchunk_->read(chunks);
    chunks.remove_prefix(taken.consumed);
    if (!taken.payload.empty() && !client_->send(taken.payload)) return false;
    if (taken.progress != http::Progress::kNeedMore) break;
  }
  return true;
}

// The server names another for the session. Nothing was executed; the same request goes there.
void Relay::refer(std::string_view token, bool complete) {
  SealedToken text;
  const auto opened = state_.codec.open(token, state_.loop.unix_now(), state_.options.token_ttl);
  // It answers what was asked a moment ago: too old for us means that the clocks differ, and the
  // request can still be served where it is sent.
  const bool genuine = opened || opened.fault == TokenFault::kExpired;
  if (genuine) std::copy(token.begin(), token.end(), text.text.begin());
  Upstream* upstream = std::exchange(upstream_, nullptr);
  if (complete && request_sent()) {
    upstream->finish();
  } else {
    upstream->abandon();
  }
  if (token == kNoToken && has_token_ && state_.options.on_lost.rejects()) {
    if (route_.kind != RouteKind::kLost) state_.counts.lost.add();
    return reject_lost();
  }
  const Verdict verdict = exchange_.on_referral();
  if (verdict.step != Step::kRefer) return carry_out(verdict);
  const std::uint32_t slot = genuine ? state_.index.slot(opened.token.primary) : ViewIndex::kNoSlot;
  if (slot == ViewIndex::kNoSlot) return carry_out(exchange_.on_bad_response());
  state_.counts.referrals.add();
  if (supersedes(opened.token, newest_token())) newest_token_ = opened.token;
  request_token_ = text;
  seal_request_ = referred_ = true;
  route_.slot = slot;
  if (!has_token_) client_->new_session().server = opened.token.primary;
  attempt(wanted());
}

// A response of our own instead of a server's.
void Relay::answer(int status, std::string_view text, std::string_view allow) {
  if (upstream_ != nullptr) upstream_->abandon();
  upstream_ = nullptr;
  unsent_.clear();  // nobody is owed the rest: what is promised here depends on the client alone
  unsent_at_ = 0;
  write_broken_ = false;
  state_.counts.answers_own.add();
  status_ = status;
  keep_ = client_persists_ && !state_.draining && request_body_.done();
  OwnResponse own;
  own.status = status;
  own.text = text;
  own.allow = allow;
  own.head_only = method_ == http::Method::kHead;
  own.with_library = library_;
  own.client_tls = client_->tls();
  if (forget_token_) own.forget = &affinity();
  if (library_) own.group = group();
  if (!keep_) own.persistence = Persistence::kClose;
  if (keep_ && client_minor_ == 0) own.persistence = Persistence::kKeepAlive;
  char out[kOwnResponseBytesMax];
  bytes_out_ = write_own_response(own, out);
  if (client_->send({out, bytes_out_})) finish();
}

// The response is whole and handed to the client's connection.
void Relay::finish() {
  const bool sent = tunnel_ ? input_ended_ : request_sent();
  if (Upstream* upstream = std::exchange(upstream_, nullptr); upstream != nullptr) {
    if (sent && !tunnel_) {
      upstream->finish();
    } else {
      upstream->abandon();
    }
  }
  account();
  client_->response_done(keep_ && sent, !sent);
}

void Relay::account() {
  if (tunnel_) state_.counts.tunnels.sub();
  AccessLine line;
  line.status = status_;
  if (!state_.log.enabled()) return state_.log_request(line);
  const std::string_view head_text = head_bytes_;
  line.client = client_->host();
  line.method = head_text.substr(method_at_, method_size_);
  line.target = head_text.substr(target_at_, target_size_);
  line.bytes = bytes_out_;
  line.duration = state_.loop.now() - began_;
  line.wall = state_.loop.unix_now();
  if (pool_ != nullptr) line.server = pool_->name();
  line.takeover = route_.kind == RouteKind::kTakeover || route_.kind == RouteKind::kLost;
  line.retries = exchange_.retries();
  line.referrals = exchange_.referrals();
  line.sendings = exchange_.sendings();
  state_.log_request(line);
}

}  // namespace tandem
