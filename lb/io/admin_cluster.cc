#include "lb/io/admin_cluster.h"

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <functional>
#include <set>

#include "common/base/json_writer.h"

namespace tandem {
namespace {

constexpr const char* kText = "text/plain; charset=utf-8";

// Empty: nobody.
std::string name_of(const AdminSnapshot& snapshot, ServerId id) {
  if (!id) return {};
  for (const auto& server : snapshot.servers) {
    if (server.record.id == id) return server.record.name;
  }
  return "?";
}

// A table for people: columns as wide as they need be.
class Columns {
 public:
  explicit Columns(std::vector<std::string> heads) { add(std::move(heads)); }
  void add(std::vector<std::string> row) {
    widths_.resize(std::max(widths_.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths_[i] = std::max(widths_[i], row[i].size());
    rows_.push_back(std::move(row));
  }
  std::string text() const {
    std::string text;
    for (const auto& row : rows_) {
      std::string line;
      for (std::size_t i = 0; i < row.size(); ++i) {
        line += fmt::format("{:<{}}  ", row[i].empty() ? "-" : row[i], widths_[i]);
      }
      line.erase(line.find_last_not_of(' ') + 1);
      text += line + "\n";
    }
    return text;
  }

 private:
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::size_t> widths_;
};

// The ring in its order, from the first by name on; then those that it does not lead to.
struct RingOrder {
  std::vector<const ServerRecord*> servers;
  bool whole = true;  // one round, and every server that is online is in it
};

RingOrder ring_of(const AdminSnapshot& snapshot) {
  RingOrder ring;
  std::set<ServerId> seen;
  const auto find = [&](ServerId id) -> const ServerRecord* {
    for (const auto& server : snapshot.servers) {
      if (server.record.id == id) return &server.record;
    }
    return nullptr;
  };
  std::size_t online = 0, rounds = 0;
  for (const auto& server : snapshot.servers) {
    const ServerRecord& record = server.record;
    if (record.kind != ServerKind::kTandem) continue;
    if (record.online) ++online;
    if (!record.second_buddy || seen.count(record.id) != 0) continue;
    ++rounds;
    const ServerRecord* at = &record;
    while (at != nullptr && seen.insert(at->id).second) {
      ring.servers.push_back(at);
      const ServerRecord* next = find(at->second_buddy);
      ring.whole = ring.whole && next != nullptr && next->first_buddy == at->id;
      at = next;
    }
    ring.whole = ring.whole && at == &record;
  }
  ring.whole = ring.whole && rounds <= 1 && (ring.servers.size() == online || online == 1);
  return ring;
}

std::string time_text(std::int64_t logged) {
  const std::time_t seconds = logged / 1'000'000;
  return fmt::format("{:%Y-%m-%d %H:%M:%S}.{:03}", fmt::gmtime(seconds), logged % 1'000'000 / 1000);
}

std::string events_text(const std::vector<MembershipEvent>& events, bool cursor,
                        const std::function<std::string(const MembershipEvent&)>& line) {
  std::string text;
  for (const MembershipEvent& event : events) {
    if (cursor) text += fmt::format("{}\t", event.logged);
    text += line(event) + "\n";
  }
  return text;
}

std::string events_document(const std::vector<MembershipEvent>& events) {
  std::string text = "{\"events\":[";
  for (const MembershipEvent& event : events) {
    if (text.back() != '[') text += ',';
    text += event_json(event);
  }
  return text + "]}\n";
}

AdminResponse answer_events(const AdminRequest& request, AdminTarget& target) {
  std::int64_t after = 0;
  if (const std::string digits = request.parameter("after"); !digits.empty()) {
    const char* end = digits.data() + digits.size();
    const auto [stop, failure] = std::from_chars(digits.data(), end, after);
    if (failure != std::errc() || stop != end) {
      return {400, kText, "after is a number: microseconds since 1970\n", {}};
    }
  }
  const auto events = target.events(after);
  const std::string format = request.parameter("format");
  const bool cursor = request.parameter("cursor") == "true";
  if (format == "table") return {200, kText, events_text(events, cursor, event_line), {}};
  if (format == "lines") return {200, kText, events_text(events, cursor, event_json), {}};
  return {200, "application/json", events_document(events), {}};
}

}  // namespace

void write_server(JsonWriter& json, const AdminSnapshot& snapshot,
                  const AdminSnapshot::Server& server) {
  const ServerRecord& record = server.record;
  json.begin_object().member("name", record.name).member("id", record.id.value);
  json.member("kind", record.kind == ServerKind::kTandem ? "tandem" : "plain");
  json.member("state", state_name(server)).member("online", record.online);
  json.member("draining", record.status.draining).member("drained", server.drained);
  json.member("connected", server.connected);
  json.member("address", record.data_address).member("resolved", server.resolved);
  if (!record.tls_address.empty()) json.member("tls_address", record.tls_address);
  json.member("peer_address", record.peer_address);
  json.member("zone", record.zone).member("group", record.group);
  json.member("first_buddy", name_of(snapshot, record.first_buddy));
  json.member("second_buddy", name_of(snapshot, record.second_buddy));
  json.member("incarnation", record.incarnation);
  json.member("primaries", record.status.primaries).member("capacity", record.status.capacity);
  json.member("threshold", record.status.threshold).member("alternates", record.status.alternates);
  json.member("status_sequence", record.status.sequence).end_object();
}

std::string servers_json(const AdminSnapshot& snapshot) {
  JsonWriter json;
  json.begin_object().member("view", snapshot.view_version).key("servers").begin_array();
  for (const auto& server : snapshot.servers) write_server(json, snapshot, server);
  json.end_array().end_object();
  return json.text() + "\n";
}

std::string servers_table(const AdminSnapshot& snapshot) {
  Columns table({"SERVER", "STATE", "ZONE", "GROUP", "ADDRESS", "PEERS AT", "BUDDIES", "SESSIONS",
                 "CAPACITY"});
  for (const auto& server : snapshot.servers) {
    const ServerRecord& record = server.record;
    const std::string buddies = record.second_buddy ? name_of(snapshot, record.first_buddy) + ", " +
                                                          name_of(snapshot, record.second_buddy)
                                                    : std::string();
    table.add({record.name, std::string(state_name(server)), record.zone, record.group,
               record.data_address, record.peer_address, buddies,
               fmt::format("{}", record.status.primaries),
               fmt::format("{}", record.status.capacity)});
  }
  return fmt::format("view {}\n{}", snapshot.view_version, table.text());
}

std::string ring_json(const AdminSnapshot& snapshot) {
  const RingOrder ring = ring_of(snapshot);
  JsonWriter json;
  json.begin_object().member("view", snapshot.view_version).member("whole", ring.whole);
  json.key("ring").begin_array();
  for (const ServerRecord* record : ring.servers) {
    json.begin_object().member("server", record->name).member("zone", record->zone);
    json.member("first", name_of(snapshot, record->first_buddy));
    json.member("second", name_of(snapshot, record->second_buddy)).end_object();
  }
  json.end_array().end_object();
  return json.text() + "\n";
}

std::string ring_table(const AdminSnapshot& snapshot) {
  const RingOrder ring = ring_of(snapshot);
  Columns table({"SERVER", "ZONE", "FIRST BUDDY", "SECOND BUDDY"});
  for (const ServerRecord* record : ring.servers) {
    table.add({record->name, record->zone, name_of(snapshot, record->first_buddy),
               name_of(snapshot, record->second_buddy)});
  }
  return fmt::format("view {}, a {} ring of {}\n{}", snapshot.view_version,
                     ring.whole ? "whole" : "BROKEN", ring.servers.size(), table.text());
}

std::string event_json(const MembershipEvent& event) {
  JsonWriter json;
  json.begin_object().member("at", event.logged).member("time", time_text(event.logged) + "Z");
  json.member("kind", kind_word(event.kind)).member("server", event.name);
  json.member("text", event.text).end_object();
  return json.text();
}

std::string event_line(const MembershipEvent& event) {
  return fmt::format("{}  {:<15}  {}  {}", time_text(event.logged), kind_word(event.kind),
                     event.name.empty() ? "-" : event.name, event.text);
}

AdminResponse verification(const std::string& server, bool answered, const std::string& detail,
                           bool json_wanted) {
  const int status = answered ? 200 : 504;
  if (json_wanted) {
    JsonWriter json;
    json.begin_object().member("server", server).member("answered", answered);
    json.member("detail", detail).end_object();
    return {status, "application/json", json.text() + "\n", {}};
  }
  if (answered) return {status, kText, fmt::format("{} answers\n", server), {}};
  return {status,
          kText,
          fmt::format("{} does not answer: {}; it is reported, and will be offline if that is "
                      "confirmed\n",
                      server, detail),
          {}};
}

std::optional<AdminResponse> answer_cluster(const AdminRequest& request, AdminTarget& target) {
  const bool servers = request.path == "/servers", ring = request.path == "/ring";
  if (!servers && !ring && request.path != "/events") return std::nullopt;
  if (request.method != "GET") return AdminResponse{405, kText, "use GET, HEAD\n", "GET, HEAD"};
  if (!servers && !ring) return answer_events(request, target);
  const AdminSnapshot snapshot = target.snapshot();
  if (request.parameter("format") == "table") {
    return AdminResponse{200, kText, servers ? servers_table(snapshot) : ring_table(snapshot), {}};
  }
  return AdminResponse{
      200, "application/json", servers ? servers_json(snapshot) : ring_json(snapshot), {}};
}

}  // namespace tandem
