#include "server/core/requests.h"

#include <algorithm>

#include "server/core/account.h"
#include "server/core/admission.h"
#include "server/core/validation.h"

namespace tandem {
namespace {

// The cache of an ordinary client, where those are mirrored: one for each session.
constexpr CacheId kWholeSession{1};

Decision referral(Decision::Kind kind, SessionToken token, UnixSeconds wall) {
  token.issued = wall;
  return {kind, token.session, token};
}

// A session that the balancer has just assigned is nobody's yet; and of a lasting token the
// application behind its own primary knows, though no server may remember it.
bool known_only(const RequestInfo& request, ServerId self) {
  const SessionToken& token = request.token;
  if ((token.flags & kKnownOnly) != 0) return true;
  const bool lasts = (token.flags & kLasting) != 0 && token.primary == self;
  return request.known_only && (token.flags & kNewSession) == 0 && !lasts;
}

}  // namespace

Decision Requests::decide(Instant now, UnixSeconds wall, const RequestInfo& request) {
  Session* session = state_.table.find(request.token.session);
  if (session != nullptr && session->serves() && session->epoch >= request.token.epoch) {
    return serve(now, request, *session);
  }
  if (session == nullptr && (request.token.flags & kNewSession) != 0) {
    return decide_new(now, wall, request);
  }
  return decide_moved(now, wall, request);
}

Decision Requests::serve(Instant now, const RequestInfo& request, Session& session) {
  const SessionToken& token = request.token;
  if (session.role == Role::kProvisional && (token.flags & kNewSession) == 0) {
    state_.make_room(now, Role::kPrimary);
    state_.table.set_role(now, session, Role::kPrimary);
    ++state_.counters.sessions_confirmed;
    alternates_.provide(now, session);
  }
  if (session.swapping && (token.flags & kMustServe) == 0) {
    ++state_.counters.swap_waits;
    return {Decision::Kind::kWait, session.id, {}};
  }
  state_.table.use(now, session);
  give_sign_of_life(now, session);
  const CacheId cache = mirrored_cache(request.cache);
  for (const ItemKey key : request.evicted) {
    if (cache && session.mirror.evict(cache, key)) {
      state_.sender.changed(session, {cache, key, true, Validator{}});
    }
  }
  ++session.requests;
  return {Decision::Kind::kServe, session.id, {}};
}

// That the session is in use its copy knows from batches alone, and there may be none to send.
void Requests::give_sign_of_life(Instant now, Session& session) {
  if (now < session.signed_at + state_.sign_interval()) return;
  session.signed_at = now;
  state_.sender.announce(session);
}

Decision Requests::decide_new(Instant now, UnixSeconds wall, const RequestInfo& request) {
  const SessionToken& token = request.token;
  const bool must_serve = (token.flags & kMustServe) != 0;
  SessionToken hand_on{.session = token.session,
                       .epoch = {},
                       .primary = {},
                       .alternate = {},
                       .issued = 0,
                       .flags = kNewSession | kMustServe};
  const ForwardingNote* note = state_.notes.find(now, token.session);
  if (note != nullptr && note->epoch.counter != 0) return decide_moved(now, wall, request);
  if (note != nullptr && !must_serve) {  // requests that overlap go the same way
    hand_on.primary = note->epoch.server;
    return referral(Decision::Kind::kRefer, hand_on, wall);
  }
  const Admission admission =
      admit(state_.status(), state_.self, state_.cluster.view().servers, must_serve);
  switch (admission.kind) {
    case Admission::Kind::kUnavailable:
      ++state_.counters.unavailable;
      return {Decision::Kind::kUnavailable, token.session, {}};
    case Admission::Kind::kHandOn:
      ++state_.counters.referrals_new;
      state_.notes.put(now, token.session, {Epoch{0, admission.second}, {}});
      hand_on.primary = admission.second;
      return referral(Decision::Kind::kRefer, hand_on, wall);
    case Admission::Kind::kServe:
      break;
  }
  ++state_.counters.sessions_new;
  Session& session = state_.create(now, token.session, Role::kProvisional, Epoch{1, state_.self});
  note_coming(now, session, SessionAccount::Came::kAssigned);
  return serve(now, request, session);
}

Decision Requests::decide_moved(Instant now, UnixSeconds wall, const RequestInfo& request) {
  const SessionToken& token = request.token;
  const Ruling ruling = rule_or_ask(now, request);
  Session* session = state_.table.find(token.session);
  if (session != nullptr && session->epoch < token.epoch) {
    // Whatever is asked now: from here on nobody is served with what is older than this token.
    state_.lose(now, *session, token.epoch);
    state_.notes.put(now, token.session, {token.epoch, token.alternate});
    session = nullptr;
  }
  const bool asks = ruling.kind == Ruling::Kind::kAsk;
  if (session == nullptr) learn(now, token, asks);
  if (asks) return {Decision::Kind::kWait, token.session, {}};
  switch (ruling.kind) {
    case Ruling::Kind::kServe:
      return serve(now, request, *session);
    case Ruling::Kind::kTakeOver:
      return serve(now, request, take_over(now, *session, ruling.epoch));
    case Ruling::Kind::kStartEmpty:
      if (known_only(request, state_.self)) return {Decision::Kind::kGone, token.session, {}};
      if (session != nullptr) state_.lose(now, *session, ruling.epoch);  // a copy that is too old
      return serve(now, request, start_empty(now, token, ruling.epoch));
    case Ruling::Kind::kGuest:
      ++state_.counters.guests;
      return referral(Decision::Kind::kGuest, ruling.refer, wall);
    case Ruling::Kind::kRefer:
    case Ruling::Kind::kAsk:
      break;
  }
  ++state_.counters.referrals_moved;
  return referral(Decision::Kind::kRefer, ruling.refer, wall);
}

// A token may be newer than the note that is here. While its request waits, requests of the same
// session with older tokens may be waiting, too: they learn of it even where nothing was known.
void Requests::learn(Instant now, const SessionToken& token, bool asks) {
  const ForwardingNote* note = state_.notes.find(now, token.session);
  if (note == nullptr ? !asks : note->epoch >= token.epoch) return;
  // A takeover's token names as alternate who sent it here, or us.
  const bool holds = (token.flags & kTakeover) == 0 && token.alternate != state_.self;
  state_.notes.put(now, token.session, {token.epoch, holds ? token.alternate : ServerId{}});
}

// kAsk: a question is under way, or will be when it is known who there is. Where there is nobody to
// ask, that is the answer.
Ruling Requests::rule_or_ask(Instant now, const RequestInfo& request) {
  const SessionToken& token = request.token;
  const Session* session = state_.table.find(token.session);
  const bool orphan = session != nullptr && !session->serves() && !state_.primary_lives(*session);
  const IsOnline online = [&](ServerId server) {
    return state_.cluster.online(server) && !(orphan && server == session->primary) &&
           !gone(request, server);
  };
  Known here = known(now, token.session);
  here.finding = state_.questions.finding(token.session);
  const Ruling ruling = rule(token, here, state_.self, online);
  if (ruling.kind != Ruling::Kind::kAsk || state_.questions.waits(token.session)) return ruling;
  const bool young = now - state_.started < state_.options.link_patience;
  if (young && !state_.cluster.has_view()) {
    if (state_.questions.hold(now, token.session)) return ruling;
  }
  std::vector<ServerId> peers = state_.sender.linked_peers();
  const std::vector<ServerId> not_met = alternates_.not_met(now);
  peers.insert(peers.end(), not_met.begin(), not_met.end());
  if (state_.questions.ask(now, token.session, peers)) return ruling;
  const Finding nobody;
  here.finding = &nobody;
  return rule(token, here, state_.self, online);
}

// A client that goes direct has met the server in vain, and we have no link with it either: the
// view may not say so yet, or there may be no balancer to say it. Taking over needs no
// verification.
bool Requests::gone(const RequestInfo& request, ServerId server) const {
  const auto& met = request.unreachable;
  return std::find(met.begin(), met.end(), server) != met.end() && !state_.sender.linked(server);
}

Known Requests::known(Instant now, SessionId id) const {
  if (const Session* session = state_.table.find(id)) {
    const auto as = session->serves() ? Known::As::kPrimary : Known::As::kAlternate;
    return {.as = as, .epoch = session->epoch, .alternate = {}};
  }
  if (const ForwardingNote* note = state_.notes.find(now, id)) {
    return {.as = Known::As::kNote, .epoch = note->epoch, .alternate = note->alternate};
  }
  return {};
}

WhereAnswer Requests::answer(Instant now, SessionId id) const {
  using As = WhereAnswer::As;
  if (const Session* session = state_.table.find(id)) {
    const bool whole = session->best_stream().complete();
    return {.session = id,
            .as = session->serves() ? As::kPrimary : As::kCopy,
            .epoch = session->epoch,
            .alternate = whole ? session->alternate() : ServerId{},
            .entries = static_cast<std::uint32_t>(session->mirror.size())};
  }
  const ForwardingNote* note = state_.notes.find(now, id);
  if (note == nullptr || note->epoch.counter == 0) {
    WhereAnswer nothing;
    nothing.session = id;
    return nothing;
  }
  return {.session = id, .as = As::kNote, .epoch = note->epoch, .alternate = note->alternate};
}

Session& Requests::take_over(Instant now, Session& session, Epoch epoch) {
  ++state_.counters.takeovers_warm;
  note_coming(now, session, SessionAccount::Came::kTakenOver);
  state_.become_primary(now, session, epoch);
  alternates_.provide(now, session);
  state_.tell_formers(session);
  claims_.on_taken(now, session);
  state_.tell(std::exchange(session.fed_by, ServerId{}), session);
  return session;
}

Session& Requests::start_empty(Instant now, const SessionToken& token, Epoch epoch) {
  ++state_.counters.takeovers_cold;
  Session& session = state_.create(now, token.session, Role::kPrimary, epoch);
  session.formers = {ServerId{}};
  note_coming(now, session, SessionAccount::Came::kFoundLost);
  alternates_.provide(now, session);
  state_.tell_formers(session);
  return session;
}

std::optional<SessionToken> Requests::token_to_set(UnixSeconds wall, const SessionToken& request) {
  const Session* session = state_.table.find(request.session);
  if (session == nullptr || !session->serves() || session->epoch < request.epoch) {
    return std::nullopt;
  }
  const bool renewal = wall - request.issued >= state_.options.token_ttl / 2;
  const bool as_is = !is_for_one_request(request.flags) && request.epoch == session->epoch &&
                     request.primary == state_.self && request.alternate == session->alternate();
  if (as_is && !renewal) return std::nullopt;
  return SessionToken{.session = session->id,
                      .epoch = session->epoch,
                      .primary = state_.self,
                      .alternate = session->alternate(),
                      .issued = wall,
                      .flags = kNoFlags};
}

Comparison Requests::compare_retrieved(Instant now, const Retrieved& item) {
  Session* session = state_.table.find(item.session);
  const CacheId cache = mirrored_cache(item.cache);
  const bool mirrors = session != nullptr && session->role == Role::kPrimary && cache;
  const auto* mirrored = mirrors ? session->mirror.find(cache, item.key) : nullptr;
  const Comparison result =
      compare(*item.content, item.announced, mirrored, state_.options.validator_digest);
  switch (result.answer) {
    case Comparison::Answer::kReuseByMirror:
      ++state_.counters.reused_by_mirror;
      break;
    case Comparison::Answer::kReuseByValidator:
      ++state_.counters.reused_by_validator;
      break;
    case Comparison::Answer::kSend:
      ++(item.announced.empty() ? state_.counters.sent : state_.counters.changed);
      break;
  }
  if (item.promised) {
    const Promised& promised = *item.promised;
    state_.freshness.record(promised.asked, promised.host, {item.key, result.validator},
                            promised.promise, promised.mark);
  }
  if (mirrors) keep(now, *session, cache, item, result.validator);
  return result;
}

void Requests::keep(Instant now, Session& session, CacheId cache, const Retrieved& item,
                    const Validator& validator) {
  if (!item.storable) {
    if (session.mirror.evict(cache, item.key)) {
      state_.sender.changed(session, {cache, item.key, true, Validator{}});
    }
    return;
  }
  const bool changes = session.mirror.set(cache, item.key, validator, item.content);
  state_.pass_on_forgotten();  // room may have been made in vain
  const auto promise = state_.freshness.shared(now, {item.key, validator});
  const bool renews = promise && session.mirror.renew(now, cache, item.key, *promise);
  if (!changes && !renews) return;
  state_.sender.changed(session, {cache, item.key, false, validator});
}

ValidationAnswer Requests::validate_cache(Instant now, const ValidationQuery& query,
                                          const ValidationRequest& request) {
  Session* session = state_.table.find(query.session);
  const CacheId cache = mirrored_cache(query.cache);
  const bool mirrors = session != nullptr && session->role == Role::kPrimary && cache;
  Validation done = validate(request, {.mirror = mirrors ? &session->mirror : nullptr,
                                       .cache = query.cache,
                                       .entries_max = state_.options.mirror.entries_max,
                                       .freshness = state_.freshness,
                                       .host = query.host,
                                       .source_version = query.source_version,
                                       .now = now});
  for (const MirrorChange& change : done.repairs) {
    session->mirror.apply(change);
    state_.pass_on_forgotten();
    state_.sender.changed(*session, change);
  }
  ++state_.counters.validations;
  state_.counters.validation_items += done.items;
  state_.counters.validation_current += done.current;
  state_.counters.validation_repairs += done.repairs.size();
  return std::move(done.answer);
}

CacheId Requests::mirrored_cache(CacheId announced) const {
  switch (state_.options.mirror.clients) {
    case MirrorClients::kOff:
      return {};
    case MirrorClients::kLibrary:
      return announced;
    case MirrorClients::kAll:
      return announced ? announced : kWholeSession;
  }
  return {};
}

}  // namespace tandem
