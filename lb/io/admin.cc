#include "lb/io/admin.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>

#include "common/base/json_writer.h"
#include "common/base/metrics_text.h"
#include "lb/io/admin_cluster.h"
#include "lb/io/admin_groups.h"

namespace tandem {
namespace {

constexpr const char* kText = "text/plain; charset=utf-8";

void write_strings(JsonWriter& json, std::string_view key, const std::vector<std::string>& texts) {
  json.key(key).begin_array();
  for (const std::string& text : texts) json.value(text);
  json.end_array();
}

void write_keys(JsonWriter& json, const std::vector<ClusterKeyName>& keys) {
  json.key("keys").begin_array();
  for (const ClusterKeyName& key : keys) {
    json.begin_object().member("id", key.name).member("seals_from", key.seals_from).end_object();
  }
  json.end_array();
}

std::string_view name_of(const AdminSnapshot& snapshot, ServerId id) {
  for (const auto& server : snapshot.servers) {
    if (server.record.id == id) return server.record.name;
  }
  return "?";
}

// `deaths`: those after which sessions would be over capacity.
void write_n_plus_one(JsonWriter& json, const AdminSnapshot& snapshot) {
  json.key("n_plus_one").begin_object().member("safe", snapshot.n_plus_one.safe());
  json.key("deaths").begin_array();
  for (const NPlusOne::Death& death : snapshot.n_plus_one.deaths) {
    if (death.over == 0) continue;
    json.begin_object().member("server", name_of(snapshot, death.server));
    json.member("sessions_over_capacity", death.over).end_object();
  }
  json.end_array().end_object();
}

void write_n_plus_one(MetricsText& text, const AdminSnapshot& snapshot) {
  text.metric("n_plus_one_safe", "1: the death of any single server leaves all others room")
      .value(snapshot.n_plus_one.safe() ? 1 : 0);
  text.metric("n_plus_one_over", "Sessions that would be over capacity if the server died");
  for (const NPlusOne::Death& death : snapshot.n_plus_one.deaths) {
    text.value("server", name_of(snapshot, death.server), death.over);
  }
}

double seconds(Duration span) { return std::chrono::duration<double>(span).count(); }

void write_directory(JsonWriter& json, const Directory::State& directory) {
  json.key("directory").begin_object().member("available", directory.unavailable == 0s);
  json.member("pending_changes", directory.pending);
  json.member("unavailable_seconds", seconds(directory.unavailable));
  json.member("failure", directory.failure).end_object();
}

void write_verdicts(MetricsText& text, const AdminSnapshot& snapshot) {
  const tandem::Master::Counts& counts = snapshot.verdicts;
  text.metric("failure_reports_total", "By servers: another looks dead").value(counts.reports);
  text.metric("verifications_total", "Of servers that looked dead").value(counts.verifications);
  text.metric("verifications_confirmed_total", "It was dead").value(counts.confirmed);
  text.metric("verifications_refuted_total", "It gave a sign of life").value(counts.refuted);
  text.metric("verifications_contradicted_total", "A witness reached it: it stays online")
      .value(counts.contradicted);
  text.metric("verifications_unjudged_total", "No witness could be had: it stays online")
      .value(counts.unjudged);
  text.metric("false_suspicions_total", "Reported, and alive").value(counts.false_suspicions);
  text.metric("witnesses_asked_total", "Servers that were to look at another").value(counts.looks);
  text.metric("roll_call_pings_total", "To servers online, when another was found dead")
      .value(counts.calls);
  text.metric("held_back_total", "Servers that came back too often").value(counts.held_back);
  text.metric("ring_removals_total", "Transactions that closed the ring")
      .value(counts.transactions);
  text.metric("detection_milliseconds_total", "From the first sign to offline, of all confirmed")
      .value(static_cast<std::uint64_t>(counts.detection_total / 1ms));
  text.metric("servers_held_back", "Servers that are held back now").value(snapshot.held_back);
  text.metric("most_looks_dead", "1: the master believes nobody, and may be cut off itself")
      .value(snapshot.most_looks_dead ? 1 : 0);
}

void write_directory(MetricsText& text, const Directory::State& directory) {
  text.metric("directory_pending_changes", "Changes of membership that are not written yet")
      .value(directory.pending);
  text.metric("directory_unavailable_seconds", "For how long the directory cannot be written")
      .value(static_cast<std::uint64_t>(
          std::chrono::ceil<std::chrono::seconds>(directory.unavailable).count()));
  text.metric("directory_statements_total", "SQL statements run").value(directory.statements);
  text.metric("directory_changes_total", "Changes of membership written").value(directory.written);
  text.metric("directory_changes_coalesced_total", "Changes made one, since too many waited")
      .value(directory.coalesced);
  text.metric("directory_events_dropped_total", "Events not written, since too many waited")
      .value(directory.events_dropped);
}

template <class Get>
void write_servers(MetricsText& text, const AdminSnapshot& snapshot, std::string_view name,
                   std::string_view help, Get get) {
  text.metric(name, help);
  for (const AdminSnapshot::Server& server : snapshot.servers) {
    text.value("server", server.record.name, get(server));
  }
}

AdminResponse not_allowed(const char* allow) {
  return {405, kText, fmt::format("use {}\n", allow), allow};
}

AdminResponse answer_drain(const AdminRequest& request, AdminTarget& target) {
  const std::string name = request.parameter("server"), on = request.parameter("on");
  if (name.empty()) return {400, kText, "which server? /drain?server=NAME&on=true\n", {}};
  if (!on.empty() && on != "true" && on != "false") {
    return {400, kText, "on is true or false\n", {}};
  }
  switch (target.drain(name, on != "false")) {
    case DrainOrder::kUnknown:
      return {404, kText, fmt::format("no server is called {}\n", name), {}};
    case DrainOrder::kElsewhere:
      return {
          409,
          kText,
          fmt::format("{} is not registered at this balancer, which cannot tell it: ask one that "
                      "the server has among its balancers\n",
                      name),
          {}};
    case DrainOrder::kTaken:
      break;
  }
  return {
      200, kText, fmt::format("{} is {}\n", name, on == "false" ? "taken back" : "to drain"), {}};
}

AdminResponse answer_drain_progress(const AdminRequest& request, AdminTarget& target) {
  const std::string name = request.parameter("server");
  const AdminSnapshot snapshot = target.snapshot();
  for (const AdminSnapshot::Server& server : snapshot.servers) {
    if (server.record.name != name) continue;
    const bool drained = server.record.online && server.drained;
    return {200,
            kText,
            fmt::format("{} {}\n", drained ? "drained" : state_name(server),
                        server.record.status.primaries),
            {}};
  }
  return {404, kText, fmt::format("no server is called {}\n", name), {}};
}

AdminResponse answer_reload(AdminTarget& target) {
  std::string complaints = target.reload();
  if (complaints.empty()) return {200, kText, "reloaded\n", {}};
  if (complaints.back() != '\n') complaints += '\n';
  return {422, kText, std::move(complaints), {}};
}

}  // namespace

std::string_view state_name(const AdminSnapshot::Server& server) {
  if (server.left) return "left";
  if (!server.record.online) return "offline";
  return server.record.status.draining ? "draining" : "online";
}

std::string status_json(const AdminSnapshot& snapshot) {
  JsonWriter json;
  json.begin_object().member("program", "tandem-lb").member("version", TANDEM_VERSION);
  json.member("conf", snapshot.conf_file).member("uptime_seconds", snapshot.uptime_seconds);
  json.member("serving", snapshot.serving).member("draining", snapshot.draining);
  json.member("workers", snapshot.workers);
  json.key("listeners").begin_object();
  write_strings(json, "front", snapshot.front);
  write_strings(json, "tls", snapshot.tls);
  json.member("control", snapshot.control).member("admin", snapshot.admin).end_object();
  if (!snapshot.master.address.empty()) {
    json.key("master").begin_object().member("address", snapshot.master.address);
    json.member("connected", snapshot.master.connected);
    json.member("followed", snapshot.master.followed).end_object();
  }
  json.key("view").begin_object().member("version", snapshot.view_version);
  json.member("balancers", snapshot.balancers).member("stand_in", snapshot.stand_in);
  json.key("servers").begin_array();
  for (const auto& server : snapshot.servers) write_server(json, snapshot, server);
  json.end_array().end_object();
  write_keys(json, snapshot.keys);
  write_groups(json, snapshot);
  write_n_plus_one(json, snapshot);
  if (snapshot.directory) write_directory(json, *snapshot.directory);
  json.key("counts").begin_object();
  for (const auto& row : snapshot.counts) json.member(row.name, row.value);
  json.member("probes_total", snapshot.probes);
  json.member("probes_failed_total", snapshot.probes_failed);
  json.member("reloads_total", snapshot.reloads);
  json.member("reloads_refused_total", snapshot.reloads_refused).end_object();
  json.end_object();
  return json.text() + "\n";
}

std::string status_table(const AdminSnapshot& snapshot) {
  std::size_t names = 6, addresses = 7;
  for (const auto& server : snapshot.servers) {
    names = std::max(names, server.record.name.size());
    addresses = std::max(addresses, server.record.data_address.size());
  }
  std::string table = fmt::format("tandem-lb {}, {}, up {:.0f} s, {} worker(s), view {}\n",
                                  TANDEM_VERSION, snapshot.draining ? "draining" : "serving",
                                  snapshot.uptime_seconds, snapshot.workers, snapshot.view_version);
  for (const auto& at : snapshot.front) table += fmt::format("  http     {}\n", at);
  for (const auto& at : snapshot.tls) table += fmt::format("  https    {}\n", at);
  if (!snapshot.control.empty()) table += fmt::format("  control  {}\n", snapshot.control);
  table += fmt::format("\n{:<{}}  {:<6}  {:<8}  {:<{}}  {:>8}  {:>9}  {:>8}  {:>10}\n", "SERVER",
                       names, "KIND", "STATE", "ADDRESS", addresses, "SESSIONS", "THRESHOLD",
                       "CAPACITY", "ALTERNATES");
  for (const auto& server : snapshot.servers) {
    const ServerRecord& record = server.record;
    table +=
        fmt::format("{:<{}}  {:<6}  {:<8}  {:<{}}  {:>8}  {:>9}  {:>8}  {:>10}\n", record.name,
                    names, record.kind == ServerKind::kTandem ? "tandem" : "plain",
                    state_name(server), record.data_address, addresses, record.status.primaries,
                    record.status.threshold, record.status.capacity, record.status.alternates);
  }
  table += groups_table(snapshot);
  if (const NPlusOne::Death* worst = snapshot.n_plus_one.worst()) {
    table += fmt::format("\nnot N+1-safe: if {} died, {} sessions would be over capacity\n",
                         name_of(snapshot, worst->server), worst->over);
  }
  if (snapshot.directory && snapshot.directory->unavailable > 0s) {
    table += fmt::format("\nthe directory is unavailable for {:.0f} s, {} change(s) wait: {}\n",
                         seconds(snapshot.directory->unavailable), snapshot.directory->pending,
                         snapshot.directory->failure);
  }
  return table;
}

std::string metrics_text(const AdminSnapshot& snapshot) {
  MetricsText text;
  text.metric("build_info", "The version of the program that runs");
  text.value("version", TANDEM_VERSION, 1);
  for (const auto& row : snapshot.counts) text.metric(row.name, row.help).value(row.value);
  text.metric("workers", "Threads that serve clients").value(snapshot.workers);
  text.metric("view_version", "Version of the view of the cluster").value(snapshot.view_version);
  text.metric("probes_total", "Probes and health checks started").value(snapshot.probes);
  text.metric("probes_failed_total", "Of them, those that failed").value(snapshot.probes_failed);
  write_verdicts(text, snapshot);
  text.metric("keys", "Keys of the key file in force").value(snapshot.keys.size());
  text.metric("reloads_total", "Conf files taken over").value(snapshot.reloads);
  text.metric("reloads_refused_total", "Conf files refused").value(snapshot.reloads_refused);
  write_servers(text, snapshot, "server_online", "1: the server is online",
                [](const auto& s) { return s.record.online ? 1 : 0; });
  write_servers(text, snapshot, "server_draining", "1: the server gets no new sessions",
                [](const auto& s) { return s.record.status.draining ? 1 : 0; });
  write_servers(text, snapshot, "server_sessions", "Sessions that the server has as primary",
                [](const auto& s) { return s.record.status.primaries; });
  write_servers(text, snapshot, "server_alternate_sessions", "Sessions that it may take over",
                [](const auto& s) { return s.record.status.alternates; });
  write_servers(text, snapshot, "server_capacity", "The most sessions as primary",
                [](const auto& s) { return s.record.status.capacity; });
  write_servers(text, snapshot, "server_threshold", "Over it, new sessions go elsewhere",
                [](const auto& s) { return s.record.status.threshold; });
  write_groups(text, snapshot);
  write_n_plus_one(text, snapshot);
  if (snapshot.directory) write_directory(text, *snapshot.directory);
  return text.text();
}

AdminResponse answer_admin(const AdminRequest& request, AdminTarget& target) {
  if (auto answer = answer_cluster(request, target)) return std::move(*answer);
  const bool post = request.path == "/drain" || request.path == "/reload";
  const bool get =
      request.path == "/healthz" || request.path == "/metrics" || request.path == "/status";
  if (!post && !get) {
    return {404,
            kText,
            "there is /healthz, /metrics, /status, /servers, /ring, /events, /explain, /verify, "
            "/drain and /reload\n",
            {}};
  }
  if (request.path == "/drain" && request.method == "GET") {
    return answer_drain_progress(request, target);
  }
  if (request.path == "/drain" && request.method != "POST") return not_allowed("GET, HEAD, POST");
  if (request.method != (post ? "POST" : "GET")) return not_allowed(post ? "POST" : "GET, HEAD");
  if (request.path == "/drain") return answer_drain(request, target);
  if (request.path == "/reload") return answer_reload(target);
  const AdminSnapshot snapshot = target.snapshot();
  if (request.path == "/metrics") {
    return {200, "text/plain; version=0.0.4; charset=utf-8", metrics_text(snapshot), {}};
  }
  if (request.path == "/status") {
    if (request.parameter("format") == "table") return {200, kText, status_table(snapshot), {}};
    return {200, "application/json", status_json(snapshot), {}};
  }
  if (snapshot.draining) return {503, kText, "draining\n", {}};
  return snapshot.serving ? AdminResponse{200, kText, "ok\n", {}}
                          : AdminResponse{503, kText, "starting\n", {}};
}

}  // namespace tandem
