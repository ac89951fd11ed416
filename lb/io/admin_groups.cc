#include "lb/io/admin_groups.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdint>
#include <map>

namespace tandem {
namespace {

struct Group {
  bool routed = false;
  std::uint64_t servers = 0;
  std::uint64_t online = 0;
  std::uint64_t over = 0;  // the most sessions that a single death would leave over capacity
};

// By name.
std::map<std::string, Group> groups_of(const AdminSnapshot& snapshot) {
  std::map<std::string, Group> groups;
  for (const RouteRule& route : snapshot.routes) groups[route.group].routed = true;
  for (const AdminSnapshot::Server& server : snapshot.servers) {
    Group& group = groups[server.record.group];
    ++group.servers;
    group.online += server.record.online;
    for (const NPlusOne::Death& death : snapshot.n_plus_one.deaths) {
      if (death.server == server.record.id) group.over = std::max(group.over, death.over);
    }
  }
  return groups;
}

template <class Get>
void write_each(MetricsText& text, const std::map<std::string, Group>& groups,
                std::string_view name, std::string_view help, Get get) {
  text.metric(name, help);
  for (const auto& [group, facts] : groups) text.value("group", group, get(facts));
}

}  // namespace

void write_groups(JsonWriter& json, const AdminSnapshot& snapshot) {
  json.key("routes").begin_array();
  for (const RouteRule& route : snapshot.routes) {
    json.begin_object().member("host", route.host).member("path", route.path);
    json.member("group", route.group).end_object();
  }
  json.end_array().key("groups").begin_array();
  for (const auto& [name, group] : groups_of(snapshot)) {
    json.begin_object().member("name", name).member("routed", group.routed);
    json.member("servers", group.servers).member("online", group.online);
    json.member("n_plus_one_safe", group.over == 0).end_object();
  }
  json.end_array();
}

void write_groups(MetricsText& text, const AdminSnapshot& snapshot) {
  const auto groups = groups_of(snapshot);
  text.metric("routes", "Routes of the conf file in force").value(snapshot.routes.size());
  write_each(text, groups, "group_servers", "Servers of the group",
             [](const Group& group) { return group.servers; });
  write_each(text, groups, "group_servers_online", "Of them, those that are online; 0: 503",
             [](const Group& group) { return group.online; });
  write_each(text, groups, "group_n_plus_one_safe",
             "1: the death of any single server leaves all others of the group room",
             [](const Group& group) -> std::uint64_t { return group.over == 0 ? 1 : 0; });
}

std::string groups_table(const AdminSnapshot& snapshot) {
  const auto groups = groups_of(snapshot);
  if (snapshot.routes.empty() && groups.size() < 2) return {};
  std::size_t names = 5;
  for (const auto& [name, group] : groups) names = std::max(names, name.size());
  std::string table =
      fmt::format("\n{:<{}}  {:>7}  {:>6}  {}\n", "GROUP", names, "SERVERS", "ONLINE", "SERVES");
  for (const auto& [name, group] : groups) {
    std::string serves;
    for (const RouteRule& route : snapshot.routes) {
      if (route.group != name) continue;
      serves += (serves.empty() ? "" : ", ") + (route.host.empty() ? "*" : route.host) +
                (route.path.empty() ? "/" : route.path);
    }
    if (serves.empty()) serves = snapshot.routes.empty() ? "everything" : "all other requests";
    table += fmt::format("{:<{}}  {:>7}  {:>6}  {}\n", name.empty() ? "-" : name, names,
                         group.servers, group.online, serves);
  }
  return table;
}

}  // namespace tandem
