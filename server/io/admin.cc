#include "server/io/admin.h"

#include "common/base/json_writer.h"
#include "common/base/metrics_text.h"

namespace tandem::server {
namespace {

constexpr const char* kText = "text/plain; charset=utf-8";

struct CounterText {
  const char* name;
  std::uint64_t NodeCounters::*value;
  const char* help;
};
constexpr CounterText kCounters[] = {
    {"sessions_new_total", &NodeCounters::sessions_new, "Sessions made."},
    {"sessions_confirmed_total", &NodeCounters::sessions_confirmed,
     "Sessions whose token came back."},
    {"sessions_expired_total", &NodeCounters::sessions_expired, "Sessions dropped as idle."},
    {"provisional_expired_total", &NodeCounters::provisional_expired,
     "Sessions whose token never came back."},
    {"sessions_displaced_total", &NodeCounters::sessions_displaced,
     "Sessions dropped for want of room."},
    {"sessions_lost_total", &NodeCounters::sessions_lost,
     "Sessions removed since another server has a newer epoch."},
    {"takeovers_warm_total", &NodeCounters::takeovers_warm, "Takeovers with the mirror at hand."},
    {"takeovers_cold_total", &NodeCounters::takeovers_cold,
     "Takeovers of sessions that were not known here."},
    {"referrals_new_total", &NodeCounters::referrals_new,
     "New sessions handed on, over the threshold."},
    {"referrals_moved_total", &NodeCounters::referrals_moved,
     "Requests referred to where their session is."},
    {"unavailable_total", &NodeCounters::unavailable, "New sessions refused: all at capacity."},
    {"alternates_chosen_total", &NodeCounters::alternates_chosen, "Alternates chosen."},
    {"alternates_relieved_total", &NodeCounters::alternates_relieved,
     "Of them, in place of one that would pass its capacity if this server died."},
    {"thirds_chosen_total", &NodeCounters::thirds_chosen,
     "Third servers chosen while a primary was offline."},
    {"reused_by_mirror_total", &NodeCounters::reused_by_mirror,
     "Items answered 304 by comparison with the mirrored copy."},
    {"reused_by_validator_total", &NodeCounters::reused_by_validator,
     "Items answered 304 by comparison with the validator."},
    {"items_changed_total", &NodeCounters::changed, "Items announced whose content is another."},
    {"items_sent_total", &NodeCounters::sent, "Items sent of which nothing was announced."},
    {"validations_total", &NodeCounters::validations, "Validations of whole caches."},
    {"validation_items_total", &NodeCounters::validation_items,
     "Items announced by validations of whole caches."},
    {"validation_current_total", &NodeCounters::validation_current,
     "Items that these called current."},
    {"validation_repairs_total", &NodeCounters::validation_repairs,
     "Changes of mirrors that these brought."},
    {"mirror_batches_sent_total", &NodeCounters::mirror_batches_sent, "Mirror batches sent."},
    {"mirror_items_sent_total", &NodeCounters::mirror_items_sent, "Changes of mirrors sent."},
    {"mirror_snapshots_sent_total", &NodeCounters::mirror_snapshots_sent, "Snapshots sent."},
    {"mirror_contents_sent_total", &NodeCounters::mirror_contents_sent, "Contents sent to peers."},
    {"mirror_content_bytes_sent_total", &NodeCounters::mirror_content_bytes_sent,
     "Bytes of contents sent to peers."},
    {"mirror_contents_received_total", &NodeCounters::mirror_contents_received,
     "Contents received from peers."},
    {"mirror_contents_wrong_total", &NodeCounters::mirror_contents_wrong,
     "Contents received that are not what was asked for."},
    {"mirror_contents_given_up_total", &NodeCounters::mirror_contents_given_up,
     "Contents of mirrors that are not had from peers: no answer, or too many asked for."},
    {"mirror_batches_applied_total", &NodeCounters::mirror_batches_applied,
     "Mirror batches received and applied."},
    {"promises_told_total", &NodeCounters::promises_told,
     "Items in mirror batches of which the alternate was told for how long they are current."},
    {"promises_learned_total", &NodeCounters::promises_learned,
     "Items of which another server told for how long they are current."},
    {"promises_ended_total", &NodeCounters::promises_ended,
     "Items that another server called no longer current before their time."},
    {"mirror_gaps_total", &NodeCounters::mirror_gaps, "Batches received out of order."},
    {"mirror_stale_total", &NodeCounters::mirror_stale, "Batches received of an older epoch."},
    {"mirror_refused_total", &NodeCounters::mirror_refused, "Mirrors refused for want of room."},
    {"batches_unanswered_total", &NodeCounters::batches_unanswered,
     "Mirror batches that a peer did not answer in time."},
    {"letters_resent_total", &NodeCounters::letters_resent,
     "Releases and exchanges that were sent again for want of an answer."},
    {"swaps_begun_total", &NodeCounters::swaps_begun,
     "Commands to an alternate to take a session over."},
    {"swaps_done_total", &NodeCounters::swaps_done, "Sessions handed to their alternates."},
    {"swaps_refused_total", &NodeCounters::swaps_refused, "Commands that the alternate refused."},
    {"swaps_timed_out_total", &NodeCounters::swaps_timed_out,
     "Commands that were not answered in time."},
    {"swaps_taken_total", &NodeCounters::swaps_taken, "Sessions taken over at another's command."},
    {"swaps_refused_here_total", &NodeCounters::swaps_refused_here,
     "Commands of others that were refused here."},
    {"swap_waits_total", &NodeCounters::swap_waits, "Requests that waited for the end of a swap."},
    {"rebalance_moves_total", &NodeCounters::rebalance_moves,
     "Sessions handed over to servers that had fewer."},
    {"exchange_entries_sent_total", &NodeCounters::exchange_entries_sent,
     "Entries of session exchanges sent."},
    {"questions_asked_total", &NodeCounters::questions_asked,
     "Times that all peers were asked where a session is."},
    {"questions_found_total", &NodeCounters::questions_found, "Questions to which a peer knew."},
    {"questions_timed_out_total", &NodeCounters::questions_timed_out,
     "Questions that a peer did not answer in time."},
    {"questions_refused_total", &NodeCounters::questions_refused,
     "Questions not asked since too many were open."},
    {"questions_answered_total", &NodeCounters::questions_answered, "Questions of peers."},
    {"guests_total", &NodeCounters::guests,
     "Requests served without their session, which is elsewhere."},
};

template <class T>
void gauge(MetricsText& text, const char* name, const char* help, T value) {
  text.metric(name, help).value(static_cast<std::uint64_t>(value));
}

template <class Get>
void write_balancers(MetricsText& text, const AdminSnapshot& snapshot, const char* name,
                     const char* help, Get get) {
  text.metric(name, help);
  for (const auto& one : snapshot.balancers) {
    text.value("balancer", one.address, static_cast<std::uint64_t>(get(one)));
  }
}

void write_balancers(MetricsText& text, const AdminSnapshot& snapshot) {
  using Line = AdminSnapshot::BalancerLine;
  write_balancers(text, snapshot, "balancer_connected", "1: registered with the balancer.",
                  [](const Line& one) { return one.connected; });
  write_balancers(text, snapshot, "balancer_followed", "1: the view in use is the balancer's.",
                  [](const Line& one) { return one.facts.followed; });
  write_balancers(text, snapshot, "balancer_stand_in",
                  "1: it follows a master that it cannot reach.",
                  [](const Line& one) { return one.facts.stand_in; });
  write_balancers(text, snapshot, "balancer_view_version", "Version of the view that it told last.",
                  [](const Line& one) { return one.facts.view.version; });
  write_balancers(text, snapshot, "balancer_view_age_milliseconds",
                  "Since it was heard last: the view that it told is no older.",
                  [](const Line& one) { return one.age_ms; });
  write_balancers(text, snapshot, "balancer_views_total", "Whole views received of it.",
                  [](const Line& one) { return one.facts.snapshots; });
  write_balancers(text, snapshot, "balancer_view_changes_total", "Changes of views received of it.",
                  [](const Line& one) { return one.facts.deltas; });
  write_balancers(text, snapshot, "balancer_view_gaps_total",
                  "Changes that did not fit, so that the whole view was asked for.",
                  [](const Line& one) { return one.facts.gaps; });
}

void write_buddies(MetricsText& text, const std::vector<Buddies::Heard>& buddies) {
  if (buddies.empty()) return;
  text.metric("buddy_heard_milliseconds", "Since something was heard from it.");
  for (const Buddies::Heard& one : buddies) {
    text.value("buddy", one.buddy, one.milliseconds_ago);
  }
}

std::string metrics_text(const AdminSnapshot& snapshot) {
  MetricsText text;
  for (const CounterText& counter : kCounters) {
    text.metric(counter.name, counter.help).value(snapshot.counters.*counter.value);
  }
  for (const AdminSnapshot::Count& count : snapshot.counts) {
    text.metric(count.name, count.help).value(count.value);
  }
  const NodeGauges& now = snapshot.gauges;
  gauge(text, "sessions_primary", "Sessions served as primary.", now.sessions_primary);
  gauge(text, "sessions_alternate", "Sessions mirrored as alternate.", now.sessions_alternate);
  gauge(text, "sessions_provisional", "Sessions whose token is not back.",
        now.sessions_provisional);
  gauge(text, "sessions_alone", "Sessions without an alternate.", now.sessions_alone);
  gauge(text, "copies_retiring",
        "Sessions whose former alternate is kept until the new copy is whole.",
        now.copies_retiring);
  gauge(text, "copies_unfed", "Copies here that are perhaps the only ones: nobody feeds them now.",
        now.copies_unfed);
  gauge(text, "swaps_in_flight", "Sessions that are being moved.", now.swaps_in_flight);
  gauge(text, "rebalancing", "1: sessions are being evened out.", now.rebalancing);
  gauge(text, "session_capacity", "The most sessions taken as primary.", snapshot.status.capacity);
  gauge(text, "session_threshold", "Over this number new sessions are handed on.",
        snapshot.status.threshold);
  gauge(text, "draining", "1: takes no new sessions.", snapshot.status.draining);
  gauge(text, "forwarding_notes", "Sessions known to be elsewhere.", now.notes);
  gauge(text, "questions_open", "Sessions that peers are being asked about.", now.questions);
  gauge(text, "peer_links", "Servers of the group linked with.", now.links);
  gauge(text, "balancers_connected", "Balancers registered with.", snapshot.balancers_connected);
  gauge(text, "mirror_entries", "Items in all mirrors.", now.mirror_entries);
  gauge(text, "mirror_bytes", "Bytes of all mirrors, without contents.", now.mirror_bytes);
  text.metric("mirror_dropped_total", "Items forgotten by mirrors for want of room.")
      .value(now.mirror_dropped);
  gauge(text, "contents", "Contents in the store.", now.contents);
  gauge(text, "content_bytes", "Bytes of the contents in the store.", now.content_bytes);
  gauge(text, "fresh_items", "Items whose content is known to be current.", now.fresh_items);
  gauge(text, "mirror_lag_sessions", "Sessions whose copy elsewhere is incomplete.",
        now.lag_sessions);
  gauge(text, "mirror_lag_batches", "Mirror batches not yet acknowledged.", now.lag_batches);
  gauge(text, "mirror_lag_items", "Changes of mirrors not yet acknowledged.", now.lag_items);
  gauge(text, "mirror_lag_bytes", "Bytes of these changes.", now.lag_bytes);
  gauge(text, "mirror_lag_milliseconds", "Age of the oldest of these changes.",
        snapshot.mirror_lag_ms);
  gauge(text, "mirror_contents_owed", "Contents that peers ask for.", now.contents_owed);
  gauge(text, "mirror_contents_awaited", "Contents asked of peers, or to be asked for.",
        now.contents_awaited);
  gauge(text, "mirror_sessions_lacking", "Copies here whose contents are awaited.",
        now.sessions_lacking);
  write_buddies(text, snapshot.buddies);
  gauge(text, "view_version", "Version of the view in use.", snapshot.view_version);
  write_balancers(text, snapshot);
  return text.text();
}

void write_keys(JsonWriter& json, const std::vector<ClusterKeyName>& keys) {
  json.key("keys").begin_array();
  for (const ClusterKeyName& key : keys) {
    json.begin_object().member("id", key.name).member("seals_from", key.seals_from).end_object();
  }
  json.end_array();
}

std::string status_json(const AdminSnapshot& snapshot) {
  const NodeGauges& now = snapshot.gauges;
  JsonWriter json;
  json.begin_object().member("program", "tandem-server").member("version", TANDEM_VERSION);
  json.member("name", snapshot.name).member("uptime_seconds", snapshot.uptime_seconds);
  json.member("serving", snapshot.serving).member("draining", snapshot.status.draining);
  json.member("source_down", snapshot.source_down);
  json.key("listeners").begin_object().member("data", snapshot.listen);
  if (!snapshot.tls_listen.empty()) json.member("tls", snapshot.tls_listen);
  json.member("peer", snapshot.peer_listen).member("admin", snapshot.admin).end_object();
  write_keys(json, snapshot.keys);
  json.key("sessions").begin_object().member("primary", now.sessions_primary);
  json.member("alternate", now.sessions_alternate).member("provisional", now.sessions_provisional);
  json.member("alone", now.sessions_alone).member("unfed", now.copies_unfed).end_object();
  json.member("swaps_in_flight", now.swaps_in_flight).member("rebalancing", now.rebalancing);
  json.member("capacity", snapshot.status.capacity);
  json.member("threshold", snapshot.status.threshold);
  json.member("view_version", snapshot.view_version);
  json.member("balancers_connected", snapshot.balancers_connected);
  json.key("balancers").begin_array();
  for (const auto& one : snapshot.balancers) {
    json.begin_object().member("address", one.address).member("connected", one.connected);
    json.member("followed", one.facts.followed).member("stand_in", one.facts.stand_in);
    json.member("view_version", one.facts.view.version);
    json.member("view_age_ms", one.age_ms).end_object();
  }
  json.end_array();
  json.member("peer_links", now.links);
  json.key("buddies").begin_array();
  for (const Buddies::Heard& one : snapshot.buddies) {
    const bool suspected = one.state == BuddyWatch::LinkState::kSuspected;
    json.begin_object().member("name", one.buddy).member("suspected", suspected);
    json.member("heard_ms_ago", one.milliseconds_ago).end_object();
  }
  json.end_array();
  json.key("mirror").begin_object().member("entries", now.mirror_entries);
  json.member("bytes", now.mirror_bytes);
  json.member("contents", now.contents).member("content_bytes", now.content_bytes);
  json.key("lag").begin_object().member("sessions", now.lag_sessions);
  json.member("batches", now.lag_batches).member("items", now.lag_items);
  json.member("bytes", now.lag_bytes).member("milliseconds", snapshot.mirror_lag_ms);
  json.member("contents_owed", now.contents_owed);
  json.member("contents_awaited", now.contents_awaited).end_object();
  json.end_object().end_object();
  return json.text() + "\n";
}

}  // namespace

AdminResponse answer_admin(const AdminRequest& request, AdminTarget& target) {
  if (request.path != "/healthz" && request.path != "/metrics" && request.path != "/status") {
    return {404, kText, "there are /healthz, /metrics and /status\n", {}};
  }
  if (request.method != "GET") return {405, kText, "use GET\n", "GET, HEAD"};
  const AdminSnapshot snapshot = target.snapshot();
  if (request.path == "/metrics") {
    return {200, "text/plain; version=0.0.4; charset=utf-8", metrics_text(snapshot), {}};
  }
  if (request.path == "/status") return {200, "application/json", status_json(snapshot), {}};
  if (!snapshot.serving) return {503, kText, "not serving\n", {}};
  return {200, kText, "ok\n", {}};
}

}  // namespace tandem::server
