// The list of active servers as clients get it: GET /.well-known/tandem/servers at a balancer,
// JSON:
//     {"version":7,"servers":[{"name":"a","address":"10.0.0.1:9101","online":true,
//                              "tls_address":"a.example:9443","group":"default",
//                              "capacity":1000,"left":false}],
//      "routes":[{"host":"","path":"/api","group":"api"}]}
// A server knows no routes. One that shares out the data with its group says, too, by what clients
// can tell who owns an item (ownership.h):
//     {"version":7,"servers":[...],
//      "types":{"group":"default","virtual":256,"rules":[{"prefix":"/a/","owner":"a"}]}}
// Readers skip members that they do not know. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/cluster/ownership.h"
#include "common/cluster/routes.h"
#include "common/cluster/view.h"

namespace tandem {

inline constexpr std::string_view kServerListPath = "/.well-known/tandem/servers";
// POST with ?server=NAME: the client could not reach it. The master looks for itself.
inline constexpr std::string_view kReportPath = "/.well-known/tandem/report";
// ... followed by this: it could, and does so again.
inline constexpr std::string_view kReportAnswers = "&answers=true";
// At a server: 200 while it serves. Who asks is a balancer, or a client whether it is back.
inline constexpr std::string_view kHealthPath = "/.well-known/tandem/health";
inline constexpr std::size_t kListedServersMax = 4096;  // the first by name

struct ListedServer {
  std::string name;
  std::string address;  // where it serves HTTP
  bool online = false;
  std::string group{};  // empty: it is not told, nor are the next two
  std::uint32_t capacity = 0;
  bool left = false;

  std::string tls_address{};  // where it serves HTTPS; empty: nowhere

  bool operator==(const ListedServer&) const = default;
};
// The types of one group.
struct ListedTypes {
  std::string group;
  std::uint32_t virtual_types = Types::kVirtualTypesDefault;
  std::vector<TypeRule> rules;

  bool operator==(const ListedTypes&) const = default;
};
struct ServerListing {
  std::uint64_t version = 0;  // of the view
  std::vector<ListedServer> servers;
  std::optional<ListedTypes> types{};
  std::optional<std::vector<RouteRule>> routes{};  // a balancer's; nothing: it is not told

  bool operator==(const ServerListing&) const = default;
};

// Of the view's tandem-servers; what plain servers there are is nobody's business.
// `types`: null where the data is not shared out, or it is not known how. `routes`: null at who
// knows none.
std::string server_list_json(const View& view, const ListedTypes* types = nullptr,
                             const Routes* routes = nullptr);
// An error of the peer if it is not such a list, has more than kListedServersMax servers, or types
// or routes that cannot be.
Result<ServerListing> parse_server_list(std::string_view json);

}  // namespace tandem
