#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "common/wire/codec.h"
#include "common/wire/proto_map.h"
#include "common/wire/tandem.pb.h"

namespace tandem::proto_map {
namespace {

bool take(std::string& from, std::string& to) {
  to = std::move(from);
  return to.size() <= kWireTextBytesMax;
}

// A session that a message is about: never none.
bool get(const wire::SessionId& from, SessionId& to) {
  to = SessionId{from.high(), from.low()};
  return static_cast<bool>(to);
}

bool get(const wire::Epoch& from, Epoch& to) {
  to = Epoch{from.counter(), ServerId{from.server()}};
  return true;
}

bool get(const wire::Status& from, Status& to) {
  to = Status{.sequence = from.sequence(),
              .primaries = from.primaries(),
              .capacity = from.capacity(),
              .threshold = from.threshold(),
              .alternates = from.alternates(),
              .draining = from.draining(),
              .orphans = from.orphans(),
              .reserve = from.reserve()};
  return true;
}

bool get(const wire::Validator& from, Validator& to) {
  to.crc = from.crc();
  to.length = from.length();
  to.has_digest = !from.digest().empty();
  if (!to.has_digest) return true;
  if (from.digest().size() != to.digest.size()) return false;
  std::copy(from.digest().begin(), from.digest().end(), to.digest.begin());
  return true;
}

bool get(wire::ServerRecord& from, ServerRecord& to) {
  if (!take(*from.mutable_name(), to.name) || to.name.empty()) return false;
  to.id = ServerId::of(to.name);
  if (from.kind() != wire::ServerRecord::TANDEM && from.kind() != wire::ServerRecord::PLAIN) {
    return false;
  }
  to.kind = from.kind() == wire::ServerRecord::PLAIN ? ServerKind::kPlain : ServerKind::kTandem;
  to.incarnation = from.incarnation();
  to.online = from.online();
  to.left = from.left();
  to.first_buddy = ServerId{from.first_buddy()};
  to.second_buddy = ServerId{from.second_buddy()};
  return take(*from.mutable_data_address(), to.data_address) &&
         take(*from.mutable_tls_address(), to.tls_address) &&
         take(*from.mutable_peer_address(), to.peer_address) &&
         take(*from.mutable_zone(), to.zone) && take(*from.mutable_group(), to.group) &&
         get(from.status(), to.status);
}

bool get(wire::Content& from, Content& to) {
  if (!get(from.validator(), to.validator)) return false;
  if (!from.has_bytes()) return true;
  to.bytes = std::make_shared<const std::string>(std::move(*from.mutable_bytes()));
  return to.bytes->size() == to.validator.length;
}

bool get(const wire::MirrorChange& from, MirrorChange& to) {
  to.cache = CacheId{from.cache()};
  to.key = ItemKey{from.key()};
  to.evicted = !from.has_validator();
  // What means nothing is not kept: the packed form has no room for it.
  to.fresh_s = to.evicted ? 0 : from.fresh_s();
  to.host = to.fresh_s > 0 ? from.host() : 0;
  return to.cache && get(from.validator(), to.validator);
}

bool get(const wire::StatusUpdate::Entry& from, StatusUpdate::Entry& to) {
  to.server = ServerId{from.server()};
  return to.server && get(from.status(), to.status);
}

bool get(const wire::SessionExchange::Entry& from, SessionExchange::Entry& to) {
  to.primary = from.primary();
  return get(from.session(), to.session) && get(from.epoch(), to.epoch);
}

bool get(const wire::SessionDigest::Range& from, SessionDigest::Range& to) {
  to.depth = from.depth();
  to.index = from.index();
  to.digest = from.digest();
  to.tell = from.tell();
  return to.depth <= SessionDigest::kDepthMax && to.index < 1U << (4 * to.depth);
}

// A repeated field, element by element, at most `count_max` of them.
template <class Repeated, class T>
bool get_all(Repeated& from, std::vector<T>& to, std::size_t count_max) {
  if (static_cast<std::size_t>(from.size()) > count_max) return false;
  to.reserve(static_cast<std::size_t>(from.size()));
  for (auto& element : from) {
    if (!get(element, to.emplace_back())) return false;
  }
  return true;
}

bool get(wire::Hello& from, Hello& to) {
  to.protocol = from.protocol();
  to.balancer = from.balancer();
  to.incarnation = from.incarnation();
  to.packing = from.packing();
  to.types = from.types();
  return to.protocol > 0 && take(*from.mutable_name(), to.name) && !to.name.empty();
}

bool get(wire::Register& from, Register& to) {
  return take(*from.mutable_data_address(), to.data_address) &&
         take(*from.mutable_tls_address(), to.tls_address) &&
         take(*from.mutable_peer_address(), to.peer_address) &&
         take(*from.mutable_zone(), to.zone) && take(*from.mutable_group(), to.group) &&
         get(from.status(), to.status);
}

bool get(wire::Refused& from, Refused& to) { return take(*from.mutable_reason(), to.reason); }

bool get(wire::StatusReport& from, StatusReport& to) { return get(from.status(), to.status); }

bool get(wire::ViewUpdate& from, ViewUpdate& to) {
  to.view.version = from.version();
  to.view.balancers = from.balancers();
  to.view.maker = from.maker();
  to.view.stand_in = from.stand_in();
  return to.view.balancers > 0 &&
         get_all(*from.mutable_servers(), to.view.servers, kWireServersMax);
}

ViewId view_id(const wire::ViewId& from) { return {from.maker(), from.version()}; }

bool get(wire::ViewDelta& from, ViewDelta& to) {
  if (static_cast<std::size_t>(from.gone_size()) > kWireServersMax) return false;
  to.from = view_id(from.from());
  to.to = view_id(from.to());
  to.balancers = from.balancers();
  to.stand_in = from.stand_in();
  for (const std::uint32_t server : from.gone()) to.gone.push_back(ServerId{server});
  return to.balancers > 0 && get_all(*from.mutable_changed(), to.changed, kWireServersMax);
}

bool get(wire::ViewRequest&, ViewRequest&) { return true; }

bool get(const wire::Follow& from, Follow& to) {
  to.view = view_id(from.view());
  return true;
}

bool get(const wire::FollowAck& from, FollowAck& to) {
  to.view = view_id(from.view());
  return true;
}

bool get(wire::StatusUpdate& from, StatusUpdate& to) {
  return get_all(*from.mutable_entries(), to.entries, kWireServersMax);
}

// What a newer process has seen and is not known here is no fault.
Seen seen_of(int from) {
  const bool known = from >= wire::CLOSED && from <= wire::HOST_ANSWERS;
  return known ? static_cast<Seen>(from) : Seen::kUnknown;
}

bool get(const wire::FailureReport& from, FailureReport& to) {
  to = {ServerId{from.suspect()}, from.incarnation(), seen_of(from.seen())};
  return static_cast<bool>(to.suspect);
}

bool get(const wire::Suspect& from, Suspect& to) {
  to = {ServerId{from.suspect()}, from.incarnation(), seen_of(from.seen())};
  return static_cast<bool>(to.suspect);
}

bool get(wire::Look& from, Look& to) {
  to.number = from.number();
  to.server = ServerId{from.server()};
  return to.server && take(*from.mutable_peer_address(), to.peer_address);
}

bool get(const wire::Looked& from, Looked& to) {
  to = {from.number(), ServerId{from.server()}, from.reached()};
  return static_cast<bool>(to.server);
}

bool get(const wire::Ping& from, Ping& to) {
  to.number = from.number();
  return true;
}

bool get(const wire::Pong& from, Pong& to) {
  to.number = from.number();
  to.next_us = from.next_us();
  return true;
}

bool get(wire::Drain& from, Drain& to) {
  to.draining = from.draining();
  return true;
}

bool get(wire::Leave&, Leave&) { return true; }

bool get(wire::MirrorBatch& from, MirrorBatch& to) {
  if (static_cast<std::size_t>(from.formers_size()) > MirrorBatch::kFormersMax) return false;
  to.primary = ServerId{from.primary()};
  for (const std::uint32_t former : from.formers()) to.formers.push_back(ServerId{former});
  to.sequence = from.sequence();
  to.snapshot = from.snapshot();
  to.urgent = from.urgent();
  to.ends = from.ends();
  if (!get_all(*from.mutable_changes(), to.changes, kFrameChangesMax)) return false;
  const bool fresh = std::any_of(to.changes.begin(), to.changes.end(),
                                 [](const MirrorChange& change) { return change.fresh_s > 0; });
  if (fresh) to.as_of_ms = from.as_of_ms();
  return get(from.session(), to.session) && get(from.epoch(), to.epoch) && to.primary &&
         to.sequence > 0;
}

bool get(wire::PromiseNews& from, PromiseNews& to) {
  to.clock_ms = from.clock_ms();
  to.all_ended = from.all_ended();
  for (const std::uint64_t key : from.ended()) to.ended.push_back(ItemKey{key});
  return to.ended.size() <= PromiseNews::kEndedMax;
}

bool get(wire::Invalidate& from, Invalidate& to) {
  to.number = from.number();
  to.type = from.type();
  for (const std::uint64_t key : from.keys()) to.keys.push_back(ItemKey{key});
  return to.keys.size() <= Invalidate::kKeysMax;
}

bool get(wire::Invalidated& from, Invalidated& to) {
  to.number = from.number();
  return true;
}

bool get(wire::LeaseAsk& from, LeaseAsk& to) {
  to.number = from.number();
  to.type = from.type();
  return true;
}

bool get(wire::LeaseGrant& from, LeaseGrant& to) {
  to.number = from.number();
  to.type = from.type();
  to.left_ms = from.left_ms();
  to.version = from.version();
  return true;
}

bool get(wire::MirrorAck& from, MirrorAck& to) {
  if (from.answer() < wire::MirrorAck::APPLIED || from.answer() > wire::MirrorAck::REFUSED) {
    return false;
  }
  to.answer = static_cast<MirrorAck::Answer>(from.answer());
  to.sequence = from.sequence();
  return get(from.session(), to.session) && get(from.epoch(), to.epoch);
}

bool get(wire::MirrorWant& from, MirrorWant& to) {
  to.number = from.number();
  return get_all(*from.mutable_validators(), to.validators, MirrorWant::kValidatorsMax);
}

bool get(wire::MirrorContents& from, MirrorContents& to) {
  to.number = from.number();
  to.last = from.last();
  return get_all(*from.mutable_contents(), to.contents, MirrorWant::kValidatorsMax);
}

bool get(wire::MirrorRelease& from, MirrorRelease& to) {
  to.alternate = ServerId{from.alternate()};
  to.sequence = from.sequence();
  to.number = from.number();
  return get(from.session(), to.session) && get(from.epoch(), to.epoch);
}

bool get(wire::SessionDigest& from, SessionDigest& to) {
  to.first = from.first();
  to.fresh = from.fresh();
  to.number = from.number();
  return get_all(*from.mutable_ranges(), to.ranges, SessionDigest::kRangesMax);
}

bool get(wire::ItemRequest& from, ItemRequest& to) {
  to.number = from.number();
  to.hops = from.hops();
  to.head = std::move(*from.mutable_head());
  to.streams = from.streams();
  to.chunked = from.chunked();
  to.since = from.since();
  return to.number != 0 && to.head.size() <= kItemHeadBytesMax &&
         get_all(*from.mutable_held(), to.held, ItemRequest::kHeldMax);
}

bool get(wire::ItemResponse& from, ItemResponse& to) {
  to.number = from.number();
  to.head = std::move(*from.mutable_head());
  to.held = from.has_held();
  return to.number != 0 && to.head.size() <= kItemHeadBytesMax &&
         (!to.held || get(from.held(), to.validator));
}

bool get(wire::ItemBody& from, ItemBody& to) {
  to.number = from.number();
  to.by_asker = from.by_asker();
  to.bytes = std::move(*from.mutable_bytes());
  to.last = from.last();
  return to.number != 0 && to.bytes.size() <= kItemBodyBytesMax;
}

bool get(const wire::ItemCredit& from, ItemCredit& to) {
  to.number = from.number();
  to.by_asker = from.by_asker();
  to.bytes = from.bytes();
  return true;
}

bool get(wire::ItemEnd& from, ItemEnd& to) {
  if (from.why() < wire::ItemEnd::CANCELLED || from.why() > wire::ItemEnd::FAILED) return false;
  to.number = from.number();
  to.by_asker = from.by_asker();
  to.why = static_cast<ItemEnd::Why>(from.why());
  to.failure = from.failure();
  to.sent = from.sent();
  to.since = from.since();
  return to.number != 0 && to.failure < ItemEnd::kFailuresMax &&
         take(*from.mutable_text(), to.text);
}

bool get(const wire::WhereIs& from, WhereIs& to) { return get(from.session(), to.session); }

bool get(const wire::WhereAnswer& from, WhereAnswer& to) {
  if (from.as() < wire::WhereAnswer::NOTHING || from.as() > wire::WhereAnswer::NOTE) return false;
  to.as = static_cast<WhereAnswer::As>(from.as());
  to.alternate = ServerId{from.alternate()};
  to.entries = from.entries();
  return get(from.session(), to.session) && get(from.epoch(), to.epoch);
}

bool get(wire::SessionExchange& from, SessionExchange& to) {
  to.last = from.last();
  to.number = from.number();
  return get_all(*from.mutable_entries(), to.entries, SessionExchange::kEntriesMax);
}

bool get(wire::MailAck& from, MailAck& to) {
  to.number = from.number();
  return to.number > 0;
}

bool get(const wire::Backing& from, Backing& to) {
  const int count = from.servers_size();
  if (count != from.sessions_size()) return false;
  if (static_cast<std::size_t>(count) > Backing::kEntriesMax) return false;
  for (int i = 0; i < count; ++i) {
    to.entries.push_back({ServerId{from.servers(i)}, from.sessions(i)});
  }
  return true;
}

bool get(wire::SwapCommand& from, SwapCommand& to) {
  to.sequence = from.sequence();
  to.drains = from.drains();
  return get(from.session(), to.session) && get(from.epoch(), to.epoch);
}

bool get(wire::SwapAnswer& from, SwapAnswer& to) {
  if (from.answer() < wire::SwapAnswer::TAKEN || from.answer() > wire::SwapAnswer::STALE) {
    return false;
  }
  to.answer = static_cast<SwapAnswer::Answer>(from.answer());
  to.next = from.next();
  return get(from.session(), to.session) && get(from.epoch(), to.epoch);
}

bool get(const wire::SessionQuery& from, SessionQuery& to) {
  to.number = from.number();
  return get(from.session(), to.session);
}

bool get(const wire::SessionAccount& from, SessionAccount& to) {
  using wire::SessionAccount;
  if (from.as() < SessionAccount::NOTHING || from.as() > SessionAccount::NOTE) return false;
  // A way of coming that is not known here is no fault.
  const bool known =
      from.came() >= SessionAccount::UNKNOWN && from.came() <= SessionAccount::SWAPPED;
  to.number = from.number();
  to.as = static_cast<tandem::SessionAccount::As>(from.as());
  to.primary = ServerId{from.primary()};
  to.alternate = ServerId{from.alternate()};
  if (known) to.came = static_cast<tandem::SessionAccount::Came>(from.came());
  to.since_ms = from.since_ms();
  to.idle_ms = from.idle_ms();
  to.items = from.items();
  to.digest_high = from.digest_high();
  to.digest_low = from.digest_low();
  to.complete = from.complete();
  to.behind = from.behind();
  return get(from.session(), to.session) && get(from.epoch(), to.epoch);
}

template <class Plain, class Proto>
bool get_as(Proto& from, Message& to) {
  return get(from, to.emplace<Plain>());
}

}  // namespace

bool read(wire::Envelope& envelope, Message& message) {
  switch (envelope.body_case()) {
    case wire::Envelope::kHello:
      return get_as<Hello>(*envelope.mutable_hello(), message);
    case wire::Envelope::kRegister:
      return get_as<Register>(*envelope.mutable_register_(), message);
    case wire::Envelope::kRefused:
      return get_as<Refused>(*envelope.mutable_refused(), message);
    case wire::Envelope::kStatusReport:
      return get_as<StatusReport>(*envelope.mutable_status_report(), message);
    case wire::Envelope::kViewUpdate:
      return get_as<ViewUpdate>(*envelope.mutable_view_update(), message);
    case wire::Envelope::kStatusUpdate:
      return get_as<StatusUpdate>(*envelope.mutable_status_update(), message);
    case wire::Envelope::kDrain:
      return get_as<Drain>(*envelope.mutable_drain(), message);
    case wire::Envelope::kLeave:
      return get_as<Leave>(*envelope.mutable_leave(), message);
    case wire::Envelope::kMirrorBatch:
      return get_as<MirrorBatch>(*envelope.mutable_mirror_batch(), message);
    case wire::Envelope::kPromiseNews:
      return get_as<PromiseNews>(*envelope.mutable_promise_news(), message);
    case wire::Envelope::kInvalidate:
      return get_as<Invalidate>(*envelope.mutable_invalidate(), message);
    case wire::Envelope::kInvalidated:
      return get_as<Invalidated>(*envelope.mutable_invalidated(), message);
    case wire::Envelope::kLeaseAsk:
      return get_as<LeaseAsk>(*envelope.mutable_lease_ask(), message);
    case wire::Envelope::kLeaseGrant:
      return get_as<LeaseGrant>(*envelope.mutable_lease_grant(), message);
    case wire::Envelope::kMirrorAck:
      return get_as<MirrorAck>(*envelope.mutable_mirror_ack(), message);
    case wire::Envelope::kMirrorRelease:
      return get_as<MirrorRelease>(*envelope.mutable_mirror_release(), message);
    case wire::Envelope::kSessionExchange:
      return get_as<SessionExchange>(*envelope.mutable_session_exchange(), message);
    case wire::Envelope::kWhereIs:
      return get_as<WhereIs>(*envelope.mutable_where_is(), message);
    case wire::Envelope::kWhereAnswer:
      return get_as<WhereAnswer>(*envelope.mutable_where_answer(), message);
    case wire::Envelope::kSessionDigest:
      return get_as<SessionDigest>(*envelope.mutable_session_digest(), message);
    case wire::Envelope::kSwapCommand:
      return get_as<SwapCommand>(*envelope.mutable_swap_command(), message);
    case wire::Envelope::kSwapAnswer:
      return get_as<SwapAnswer>(*envelope.mutable_swap_answer(), message);
    case wire::Envelope::kBacking:
      return get_as<Backing>(*envelope.mutable_backing(), message);
    case wire::Envelope::kSessionQuery:
      return get_as<SessionQuery>(*envelope.mutable_session_query(), message);
    case wire::Envelope::kSessionAccount:
      return get_as<SessionAccount>(*envelope.mutable_session_account(), message);
    case wire::Envelope::kMailAck:
      return get_as<MailAck>(*envelope.mutable_mail_ack(), message);
    case wire::Envelope::kPing:
      return get_as<Ping>(*envelope.mutable_ping(), message);
    case wire::Envelope::kPong:
      return get_as<Pong>(*envelope.mutable_pong(), message);
    case wire::Envelope::kSuspect:
      return get_as<Suspect>(*envelope.mutable_suspect(), message);
    case wire::Envelope::kFailureReport:
      return get_as<FailureReport>(*envelope.mutable_failure_report(), message);
    case wire::Envelope::kLook:
      return get_as<Look>(*envelope.mutable_look(), message);
    case wire::Envelope::kLooked:
      return get_as<Looked>(*envelope.mutable_looked(), message);
    case wire::Envelope::kMirrorWant:
      return get_as<MirrorWant>(*envelope.mutable_mirror_want(), message);
    case wire::Envelope::kMirrorContents:
      return get_as<MirrorContents>(*envelope.mutable_mirror_contents(), message);
    case wire::Envelope::kViewDelta:
      return get_as<ViewDelta>(*envelope.mutable_view_delta(), message);
    case wire::Envelope::kViewRequest:
      return get_as<ViewRequest>(*envelope.mutable_view_request(), message);
    case wire::Envelope::kFollow:
      return get_as<Follow>(*envelope.mutable_follow(), message);
    case wire::Envelope::kFollowAck:
      return get_as<FollowAck>(*envelope.mutable_follow_ack(), message);
    case wire::Envelope::kItemRequest:
      return get_as<ItemRequest>(*envelope.mutable_item_request(), message);
    case wire::Envelope::kItemResponse:
      return get_as<ItemResponse>(*envelope.mutable_item_response(), message);
    case wire::Envelope::kItemBody:
      return get_as<ItemBody>(*envelope.mutable_item_body(), message);
    case wire::Envelope::kItemCredit:
      return get_as<ItemCredit>(*envelope.mutable_item_credit(), message);
    case wire::Envelope::kItemEnd:
      return get_as<ItemEnd>(*envelope.mutable_item_end(), message);
    case wire::Envelope::kPacked:  // the codec's
    case wire::Envelope::BODY_NOT_SET:
      return false;
  }
  return false;
}

}  // namespace tandem::proto_map
