// The relay's second part: the client's session, the route, and tokens.
#include "common/net/entropy.h"
#include "lb/io/relay.h"

namespace tandem {

// The token is looked for in three places, the nearest first: what this connection sent last, the
// table of opened tokens, the seal itself.
void Relay::read_claim(const http::RequestHead& head) {
  const ClientClaim claim = client_claim(head, affinity(), group());
  library_ = claim.with_library;
  if (claim.token.empty()) return;
  const UnixSeconds wall = state_.loop.unix_now();
  auto& last = client_->last_token();
  const bool same =
      last.generation == state_.codec.generation() && claim.token == last.text.view() &&
      token_is_young(last.token.issued, last.token.flags, wall, state_.options.token_ttl);
  if (!same) {
    const auto opened = state_.tokens.open_from_client(claim.token, wall);
    if (!opened) {
      state_.counts.tokens_bad.add();
      return;
    }
    std::copy(claim.token.begin(), claim.token.end(), last.text.text.begin());
    last.token = opened.token;
    last.generation = state_.codec.generation();
  }
  if (!is_of_pool(last.token, state_.index, pool_number())) {
    state_.counts.tokens_foreign.add();
    return;
  }
  has_token_ = true;
  client_token_ = newest_token_ = last.token;
  client_text_ = last.text;
}

void Relay::route_first() {
  route_ = Route{};
  auto& made = client_->new_session();
  if (!has_token_) {
    const auto slot = made.overlaps ? state_.index.online_slot(made.server) : ViewIndex::kNoSlot;
    if (slot != ViewIndex::kNoSlot && state_.index.pool(slot) == pool_number()) {
      fresh_ = made.id;
      route_ = Route{RouteKind::kNew, slot, kNewSession};
      return attempt(wanted());
    }
    fresh_ = SessionId{pooled_random_u64(), pooled_random_u64()};
    state_.counts.sessions_new.add();
  }
  take_over();
}

// Routes by what is known of the session and what has failed so far; at first nothing has.
void Relay::take_over() {
  route_ = route(newest_token(), state_.index, assignment(), exchange_.failed(),
                 state_.options.on_lost, pool_number());
  switch (route_.kind) {
    case RouteKind::kUnavailable:
      state_.counts.no_server.add();
      return carry_out(exchange_.on_no_route());
    case RouteKind::kTakeover:
      state_.counts.takeovers.add();
      break;
    case RouteKind::kLost:
      state_.counts.lost.add();
      break;
    case RouteKind::kRejected:
      state_.counts.lost.add();
      return reject_lost();
    case RouteKind::kNew:
      client_->new_session() = {fresh_, state_.index.at(route_.slot).id, false};
      break;
    case RouteKind::kWarm:
      break;
  }
  referred_ = false;
  attempt(wanted());
}

// No server is left that knows the session, and on_lost says what is answered then.
void Relay::reject_lost() {
  state_.counts.lost_rejected.add();
  const LossPolicy& policy = state_.options.on_lost;
  forget_token_ = policy.ends_session();
  answer(policy.reject_status, "the servers of the session are gone");
}

void Relay::prepare_token() {
  if (referred_) return;
  const std::uint8_t flags = must_serve_ ? route_.flags | kMustServe : route_.flags;
  seal_request_ = pool_->is_tandem() && flags != kNoFlags;
  if (!seal_request_) return;
  const UnixSeconds wall = state_.loop.unix_now();
  SessionToken token;
  if (has_token_) token = newest_token_;
  if (!has_token_) token.session = fresh_;
  if (!has_token_) token.primary = pool_->id();
  token.flags = flags;
  request_token_ = state_.codec.seal(token, wall);
  state_.counts.tokens_sealed.add();
}

std::string_view Relay::session_token() const {
  if (!pool_->is_tandem()) return {};
  return seal_request_ ? request_token_.view() : client_text_.view();
}

// The token that the response sets: a tandem-server's own, a plain server's sealed here.
std::string_view Relay::token_for_client(const http::ResponseHead& head) {
  const std::string& header = state_.options.affinity.header;
  if (!header.empty() && !library_) {
    return head.find(header) == nullptr ? std::string_view{} : lasting_token(head);
  }
  if (!pool_->is_tandem()) return seal_plain_token(false);
  return head.value(http::FieldId::kTandemSession);
}

// For the application's header. Each response that has the header must carry a token in it, since
// clients take the last value for theirs: a new one, or the client's own again.
std::string_view Relay::lasting_token(const http::ResponseHead& head) {
  std::string_view fresh;
  if (pool_->is_tandem()) {
    fresh = seal_lasting(head.value(http::FieldId::kTandemSession));
  } else {
    fresh = seal_plain_token(true);
  }
  if (!fresh.empty() || !has_token_) return fresh;
  return client_text_.view();
}

// A tandem-server seals for its ttl; what is in an application's header has to last.
std::string_view Relay::seal_lasting(std::string_view text) {
  if (text.empty()) return {};
  const UnixSeconds wall = state_.loop.unix_now();
  auto opened = state_.codec.open(text, wall, state_.options.token_ttl);
  if (!opened || is_for_one_request(opened.token.flags)) return {};
  opened.token.flags = kLasting;
  response_token_ = state_.codec.seal(opened.token, wall);
  state_.counts.tokens_sealed.add();
  return response_token_.view();
}

std::string_view Relay::seal_plain_token(bool lasting) {
  route_.slot = state_.index.slot(pool_->id());
  if (route_.slot == ViewIndex::kNoSlot) return {};
  const UnixSeconds wall = state_.loop.unix_now();
  const UnixSeconds ttl = state_.options.token_ttl;
  const PlainToken plain =
      plain_token(route_, client_token(), state_.index, assignment(), fresh_, wall, ttl, lasting);
  SessionToken replaced;
  replaced.session = plain.token.session;
  if (has_token_) replaced = client_token_;
  if (plain.counted && state_.replaced_tokens.first(replaced)) {
    const SessionToken& token = plain.token;
    state_.plain_sessions.issued(token.primary, token.alternate, wall);
    if (has_token_ && client_token_.epoch.counter > 1) {
      state_.plain_sessions.replaced(client_token_.primary, client_token_.alternate,
                                     client_token_.issued, wall);
    }
  }
  if (!plain.set) return {};
  response_token_ = state_.codec.seal(plain.token, wall);
  state_.counts.tokens_sealed.add();
  return response_token_.view();
}

}  // namespace tandem
