#include "common/wire/proto_map.h"
#include "common/wire/tandem.pb.h"

namespace tandem::proto_map {
namespace {

void put(SessionId from, wire::SessionId& to) {
  to.set_high(from.high);
  to.set_low(from.low);
}

void put(Epoch from, wire::Epoch& to) {
  to.set_counter(from.counter);
  to.set_server(from.server.value);
}

void put(const Status& from, wire::Status& to) {
  to.set_sequence(from.sequence);
  to.set_primaries(from.primaries);
  to.set_capacity(from.capacity);
  to.set_threshold(from.threshold);
  to.set_alternates(from.alternates);
  to.set_draining(from.draining);
  to.set_orphans(from.orphans);
  to.set_reserve(from.reserve);
}

void put(const Validator& from, wire::Validator& to) {
  to.set_crc(from.crc);
  to.set_length(from.length);
  if (from.has_digest) to.set_digest(from.digest.data(), from.digest.size());
}

void put(const ServerRecord& from, wire::ServerRecord& to) {
  to.set_name(from.name);
  to.set_kind(from.kind == ServerKind::kPlain ? wire::ServerRecord::PLAIN
                                              : wire::ServerRecord::TANDEM);
  to.set_data_address(from.data_address);
  if (!from.tls_address.empty()) to.set_tls_address(from.tls_address);
  to.set_peer_address(from.peer_address);
  to.set_zone(from.zone);
  to.set_group(from.group);
  to.set_incarnation(from.incarnation);
  to.set_online(from.online);
  to.set_left(from.left);
  to.set_first_buddy(from.first_buddy.value);
  to.set_second_buddy(from.second_buddy.value);
  put(from.status, *to.mutable_status());
}

void put(const ViewId& from, wire::ViewId& to) {
  to.set_maker(from.maker);
  to.set_version(from.version);
}

struct Writer {
  wire::Envelope& envelope;

  void operator()(const Hello& from) const {
    wire::Hello& to = *envelope.mutable_hello();
    to.set_protocol(from.protocol);
    to.set_name(from.name);
    to.set_balancer(from.balancer);
    to.set_incarnation(from.incarnation);
    to.set_packing(from.packing);
    to.set_types(from.types);
  }

  void operator()(const Register& from) const {
    wire::Register& to = *envelope.mutable_register_();
    to.set_data_address(from.data_address);
    if (!from.tls_address.empty()) to.set_tls_address(from.tls_address);
    to.set_peer_address(from.peer_address);
    to.set_zone(from.zone);
    to.set_group(from.group);
    put(from.status, *to.mutable_status());
  }

  void operator()(const Refused& from) const {
    envelope.mutable_refused()->set_reason(from.reason);
  }

  void operator()(const StatusReport& from) const {
    put(from.status, *envelope.mutable_status_report()->mutable_status());
  }

  void operator()(const ViewUpdate& from) const {
    wire::ViewUpdate& to = *envelope.mutable_view_update();
    to.set_version(from.view.version);
    to.set_balancers(from.view.balancers);
    for (const ServerRecord& server : from.view.servers) put(server, *to.add_servers());
    to.set_maker(from.view.maker);
    to.set_stand_in(from.view.stand_in);
  }

  void operator()(const ViewDelta& from) const {
    wire::ViewDelta& to = *envelope.mutable_view_delta();
    put(from.from, *to.mutable_from());
    put(from.to, *to.mutable_to());
    to.set_balancers(from.balancers);
    to.set_stand_in(from.stand_in);
    for (const ServerRecord& server : from.changed) put(server, *to.add_changed());
    for (const ServerId server : from.gone) to.add_gone(server.value);
  }

  void operator()(const ViewRequest&) const { envelope.mutable_view_request(); }

  void operator()(const Follow& from) const {
    put(from.view, *envelope.mutable_follow()->mutable_view());
  }

  void operator()(const FollowAck& from) const {
    put(from.view, *envelope.mutable_follow_ack()->mutable_view());
  }

  void operator()(const StatusUpdate& from) const {
    wire::StatusUpdate& to = *envelope.mutable_status_update();
    for (const StatusUpdate::Entry& entry : from.entries) {
      wire::StatusUpdate::Entry& added = *to.add_entries();
      added.set_server(entry.server.value);
      put(entry.status, *added.mutable_status());
    }
  }

  void operator()(const Drain& from) const {
    envelope.mutable_drain()->set_draining(from.draining);
  }

  void operator()(const Leave&) const { envelope.mutable_leave(); }

  void operator()(const MirrorBatch& from) const {
    wire::MirrorBatch& to = *envelope.mutable_mirror_batch();
    put(from.session, *to.mutable_session());
    put(from.epoch, *to.mutable_epoch());
    to.set_primary(from.primary.value);
    for (const ServerId former : from.formers) to.add_formers(former.value);
    to.set_sequence(from.sequence);
    to.set_snapshot(from.snapshot);
    for (const MirrorChange& change : from.changes) {
      wire::MirrorChange& added = *to.add_changes();
      added.set_cache(change.cache.value);
      added.set_key(change.key.value);
      if (!change.evicted) put(change.validator, *added.mutable_validator());
      added.set_fresh_s(change.fresh_s);
      added.set_host(change.host);
    }
    to.set_urgent(from.urgent);
    to.set_ends(from.ends);
    to.set_as_of_ms(from.as_of_ms);
  }

  void operator()(const PromiseNews& from) const {
    wire::PromiseNews& to = *envelope.mutable_promise_news();
    to.set_clock_ms(from.clock_ms);
    for (const ItemKey key : from.ended) to.add_ended(key.value);
    to.set_all_ended(from.all_ended);
  }

  void operator()(const Invalidate& from) const {
    wire::Invalidate& to = *envelope.mutable_invalidate();
    to.set_number(from.number);
    to.set_type(from.type);
    for (const ItemKey key : from.keys) to.add_keys(key.value);
  }

  void operator()(const Invalidated& from) const {
    envelope.mutable_invalidated()->set_number(from.number);
  }

  void operator()(const LeaseAsk& from) const {
    wire::LeaseAsk& to = *envelope.mutable_lease_ask();
    to.set_number(from.number);
    to.set_type(from.type);
  }

  void operator()(const LeaseGrant& from) const {
    wire::LeaseGrant& to = *envelope.mutable_lease_grant();
    to.set_number(from.number);
    to.set_type(from.type);
    to.set_left_ms(from.left_ms);
    to.set_version(from.version);
  }

  void operator()(const MirrorAck& from) const {
    wire::MirrorAck& to = *envelope.mutable_mirror_ack();
    put(from.session, *to.mutable_session());
    put(from.epoch, *to.mutable_epoch());
    to.set_sequence(from.sequence);
    to.set_answer(static_cast<wire::MirrorAck::Answer>(from.answer));
  }

  void operator()(const MirrorWant& from) const {
    wire::MirrorWant& to = *envelope.mutable_mirror_want();
    to.set_number(from.number);
    for (const Validator& validator : from.validators) put(validator, *to.add_validators());
  }

  void operator()(const MirrorContents& from) const {
    wire::MirrorContents& to = *envelope.mutable_mirror_contents();
    to.set_number(from.number);
    for (const Content& content : from.contents) {
      wire::Content& added = *to.add_contents();
      put(content.validator, *added.mutable_validator());
      if (content.bytes) added.set_bytes(*content.bytes);
    }
    to.set_last(from.last);
  }

  void operator()(const MirrorRelease& from) const {
    wire::MirrorRelease& to = *envelope.mutable_mirror_release();
    put(from.session, *to.mutable_session());
    put(from.epoch, *to.mutable_epoch());
    to.set_alternate(from.alternate.value);
    to.set_sequence(from.sequence);
    to.set_number(from.number);
  }

  void operator()(const SessionExchange& from) const {
    wire::SessionExchange& to = *envelope.mutable_session_exchange();
    for (const SessionExchange::Entry& entry : from.entries) {
      wire::SessionExchange::Entry& added = *to.add_entries();
      put(entry.session, *added.mutable_session());
      put(entry.epoch, *added.mutable_epoch());
      added.set_primary(entry.primary);
    }
    to.set_last(from.last);
    to.set_number(from.number);
  }

  void operator()(const MailAck& from) const {
    envelope.mutable_mail_ack()->set_number(from.number);
  }

  void operator()(const SessionDigest& from) const {
    wire::SessionDigest& to = *envelope.mutable_session_digest();
    for (const SessionDigest::Range& range : from.ranges) {
      wire::SessionDigest::Range& added = *to.add_ranges();
      added.set_depth(range.depth);
      added.set_index(range.index);
      added.set_digest(range.digest);
      added.set_tell(range.tell);
    }
    to.set_first(from.first);
    to.set_fresh(from.fresh);
    to.set_number(from.number);
  }

  void operator()(const Backing& from) const {
    wire::Backing& to = *envelope.mutable_backing();
    for (const Backing::Entry& entry : from.entries) {
      to.add_servers(entry.server.value);
      to.add_sessions(entry.sessions);
    }
  }

  void operator()(const SessionQuery& from) const {
    wire::SessionQuery& to = *envelope.mutable_session_query();
    to.set_number(from.number);
    put(from.session, *to.mutable_session());
  }

  void operator()(const SessionAccount& from) const {
    wire::SessionAccount& to = *envelope.mutable_session_account();
    to.set_number(from.number);
    put(from.session, *to.mutable_session());
    to.set_as(static_cast<wire::SessionAccount::As>(from.as));
    put(from.epoch, *to.mutable_epoch());
    to.set_primary(from.primary.value);
    to.set_alternate(from.alternate.value);
    to.set_came(static_cast<wire::SessionAccount::Came>(from.came));
    to.set_since_ms(from.since_ms);
    to.set_idle_ms(from.idle_ms);
    to.set_items(from.items);
    to.set_digest_high(from.digest_high);
    to.set_digest_low(from.digest_low);
    to.set_complete(from.complete);
    to.set_behind(from.behind);
  }

  void operator()(const FailureReport& from) const {
    wire::FailureReport& to = *envelope.mutable_failure_report();
    to.set_suspect(from.suspect.value);
    to.set_incarnation(from.incarnation);
    to.set_seen(static_cast<wire::Seen>(from.seen));
  }

  void operator()(const Look& from) const {
    wire::Look& to = *envelope.mutable_look();
    to.set_number(from.number);
    to.set_server(from.server.value);
    to.set_peer_address(from.peer_address);
  }

  void operator()(const Looked& from) const {
    wire::Looked& to = *envelope.mutable_looked();
    to.set_number(from.number);
    to.set_server(from.server.value);
    to.set_reached(from.reached);
  }

  void operator()(const Ping& from) const { envelope.mutable_ping()->set_number(from.number); }

  void operator()(const Pong& from) const {
    wire::Pong& to = *envelope.mutable_pong();
    to.set_number(from.number);
    to.set_next_us(from.next_us);
  }

  void operator()(const Suspect& from) const {
    wire::Suspect& to = *envelope.mutable_suspect();
    to.set_suspect(from.suspect.value);
    to.set_incarnation(from.incarnation);
    to.set_seen(static_cast<wire::Seen>(from.seen));
  }

  void operator()(const WhereIs& from) const {
    put(from.session, *envelope.mutable_where_is()->mutable_session());
  }

  void operator()(const WhereAnswer& from) const {
    wire::WhereAnswer& to = *envelope.mutable_where_answer();
    put(from.session, *to.mutable_session());
    to.set_as(static_cast<wire::WhereAnswer::As>(from.as));
    put(from.epoch, *to.mutable_epoch());
    to.set_alternate(from.alternate.value);
    to.set_entries(from.entries);
  }

  void operator()(const SwapCommand& from) const {
    wire::SwapCommand& to = *envelope.mutable_swap_command();
    put(from.session, *to.mutable_session());
    put(from.epoch, *to.mutable_epoch());
    to.set_sequence(from.sequence);
    to.set_drains(from.drains);
  }

  void operator()(const SwapAnswer& from) const {
    wire::SwapAnswer& to = *envelope.mutable_swap_answer();
    put(from.session, *to.mutable_session());
    put(from.epoch, *to.mutable_epoch());
    to.set_answer(static_cast<wire::SwapAnswer::Answer>(from.answer));
    to.set_next(from.next);
  }

  void operator()(const ItemRequest& from) const {
    wire::ItemRequest& to = *envelope.mutable_item_request();
    to.set_number(from.number);
    to.set_hops(from.hops);
    to.set_head(from.head);
    to.set_streams(from.streams);
    to.set_chunked(from.chunked);
    for (const Validator& validator : from.held) put(validator, *to.add_held());
    to.set_since(from.since);
  }

  void operator()(const ItemResponse& from) const {
    wire::ItemResponse& to = *envelope.mutable_item_response();
    to.set_number(from.number);
    to.set_head(from.head);
    if (from.held) put(from.validator, *to.mutable_held());
  }

  void operator()(const ItemBody& from) const {
    wire::ItemBody& to = *envelope.mutable_item_body();
    to.set_number(from.number);
    to.set_by_asker(from.by_asker);
    to.set_bytes(from.bytes);
    to.set_last(from.last);
  }

  void operator()(const ItemCredit& from) const {
    wire::ItemCredit& to = *envelope.mutable_item_credit();
    to.set_number(from.number);
    to.set_by_asker(from.by_asker);
    to.set_bytes(from.bytes);
  }

  void operator()(const ItemEnd& from) const {
    wire::ItemEnd& to = *envelope.mutable_item_end();
    to.set_number(from.number);
    to.set_by_asker(from.by_asker);
    to.set_why(static_cast<wire::ItemEnd::Why>(from.why));
    to.set_failure(from.failure);
    to.set_sent(from.sent);
    to.set_text(from.text);
    to.set_since(from.since);
  }
};

// Answers cross the wire by their numbers.
static_assert(static_cast<int>(MirrorAck::Answer::kApplied) == wire::MirrorAck::APPLIED &&
              static_cast<int>(MirrorAck::Answer::kWantSnapshot) ==
                  wire::MirrorAck::WANT_SNAPSHOT &&
              static_cast<int>(MirrorAck::Answer::kStale) == wire::MirrorAck::STALE &&
              static_cast<int>(MirrorAck::Answer::kRefused) == wire::MirrorAck::REFUSED);
static_assert(static_cast<int>(SwapAnswer::Answer::kTaken) == wire::SwapAnswer::TAKEN &&
              static_cast<int>(SwapAnswer::Answer::kRefused) == wire::SwapAnswer::REFUSED &&
              static_cast<int>(SwapAnswer::Answer::kStale) == wire::SwapAnswer::STALE);
static_assert(static_cast<int>(ItemEnd::Why::kCancelled) == wire::ItemEnd::CANCELLED &&
              static_cast<int>(ItemEnd::Why::kRefused) == wire::ItemEnd::REFUSED &&
              static_cast<int>(ItemEnd::Why::kFailed) == wire::ItemEnd::FAILED);
static_assert(static_cast<int>(Seen::kUnknown) == wire::UNKNOWN &&
              static_cast<int>(Seen::kClosed) == wire::CLOSED &&
              static_cast<int>(Seen::kSilent) == wire::SILENT &&
              static_cast<int>(Seen::kUnreachable) == wire::UNREACHABLE &&
              static_cast<int>(Seen::kHostSilent) == wire::HOST_SILENT &&
              static_cast<int>(Seen::kHostAnswers) == wire::HOST_ANSWERS);
static_assert(static_cast<int>(WhereAnswer::As::kNothing) == wire::WhereAnswer::NOTHING &&
              static_cast<int>(WhereAnswer::As::kPrimary) == wire::WhereAnswer::PRIMARY &&
              static_cast<int>(WhereAnswer::As::kCopy) == wire::WhereAnswer::COPY &&
              static_cast<int>(WhereAnswer::As::kNote) == wire::WhereAnswer::NOTE);

}  // namespace

void write(const Message& message, wire::Envelope& envelope) {
  std::visit(Writer{envelope}, message);
}

}  // namespace tandem::proto_map
