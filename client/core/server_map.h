// What a direct client knows of the servers, by the list of them (common/cluster/server_list.h):
// where they are, to which failover group each request goes, and who owns the types of data. And
// when, and of whom, the list is fetched. Pure; part of the Locator.
//
// The first list is the balancer's. Later any server's will do, so that a running client needs no
// balancer; but servers know no routes. Where the balancer routes to several groups it is therefore
// asked first, and also when nothing is known to have changed, every kRoutesLife; where it does
// not, only if it was not asked for so long. Routes stay known until a list has others.
//
// Groups are known by the name of their pool (common/cluster/routes.h): empty for those that no
// route names, and for all where nobody has told any routes.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/random.h"
#include "common/base/time.h"
#include "common/cluster/ownership.h"
#include "common/cluster/routes.h"
#include "common/cluster/server_list.h"

namespace tandem {

// Where a request goes. No server: to the balancer.
struct Destination {
  std::string server;    // its name
  std::string address;   // "HOST:PORT"
  bool by_type = false;  // it owns the item's type, or stands in: there is no session
  std::string group{};   // of the server

  bool direct() const { return !server.empty(); }
  bool operator==(const Destination&) const = default;
};

// Is this server ("": the balancer) to be left alone? By the failover mode, or the call's own
// experience.
using Avoids = std::function<bool(std::string_view server)>;

class ServerMap {
 public:
  static constexpr Duration kPause = 1s;        // between two fetches
  static constexpr Duration kRoutesLife = 60s;  // then the balancer is asked for them again
  static constexpr unsigned kTriesMax = 3;      // of a fetch; and one for each group's types

  // `by_type`: servers are asked who owns what.
  explicit ServerMap(bool by_type) : by_type_(by_type) {}
  // Servers are reached over TLS. Before there is a list.
  void use_tls() { tls_ = true; }

  // --- fetching ---
  // A list may be old: it is to be fetched.
  void mark_stale() { stale_ = true; }
  // ... by routes, which the balancer knows.
  void doubt_routes() { stale_ = doubts_routes_ = true; }
  // Is it to be fetched now? Not while a fetch is under way, and not again at once.
  bool wanted(Instant now) const;
  void begin(Instant now);
  bool fetching() const { return fetching_; }
  // Whom to ask next; first those of `preferred`, which are likely to know what is new.
  Destination next_source(const std::vector<std::string>& preferred, const Avoids& avoids);
  void take(const ServerListing& listing, const Destination& from);
  // Is there no list yet in this fetch, or somebody worth asking besides? False: enough were asked.
  bool wants_more() const;
  void end() { fetching_ = false; }
  // By type: is there a group of which nobody has told how its data is shared out?
  bool wants_types() const { return untold_pool().has_value(); }

  // --- what it says ---
  bool empty() const { return servers_.empty(); }
  std::size_t size() const { return servers_.size(); }
  std::uint64_t version() const { return version_; }
  bool has(std::string_view server) const { return servers_.count(server) > 0; }
  bool online(std::string_view server) const;
  // Where it is; nothing: it is not in the map, or is reached through the balancer.
  std::optional<Destination> find(std::string_view server) const;
  // Whose a request is; nothing: nobody has told any routes.
  std::optional<std::string_view> group_of(std::string_view host, std::string_view target) const;
  bool knows_routes() const { return routes_.has_value(); }
  // The owner of the item's type in the group, or who stands in.
  std::optional<Destination> owner(std::string_view group, std::string_view target,
                                   const Avoids& avoids) const;
  // Any server of the group that is not avoided; `online`: by the list.
  std::optional<Destination> anyone(std::string_view group, const Avoids& avoids, bool online,
                                    Random& dice) const;
  // It is reached through the balancer, until there is another list.
  void distrust(std::string_view server);

 private:
  struct Server {
    std::string address;  // empty: through the balancer
    bool online = false;
    std::string own_group{};  // empty: not told
    std::string group{};      // its pool's

    bool direct() const { return online && !address.empty(); }
  };
  using Servers = std::map<std::string, Server, std::less<>>;
  // Of a group whose servers share out their data.
  struct Shared {
    ListedTypes types;
    Ownership owners;
  };

  static Destination to(const Servers::value_type& server, bool by_type = false);
  bool routed() const { return routes_ && !routes_->empty(); }
  std::string_view pool_of(std::string_view own_group) const;
  std::vector<Destination> sources(const std::vector<std::string>& preferred,
                                   const Avoids& avoids) const;
  void take_servers(const ServerListing& listing);
  void take_types(const ServerListing& listing, const Destination& from);
  std::optional<std::string_view> untold_pool() const;

  const bool by_type_;
  bool tls_ = false;
  Servers servers_;
  std::optional<Routes> routes_;                       // nothing: nobody has told any
  std::map<std::string, Shared, std::less<>> shared_;  // by group
  std::map<ServerId, std::string> members_;            // the names of servers that shared_ knows
  std::uint64_t version_ = 0;

  bool stale_ = true;
  bool doubts_routes_ = false;
  Instant next_fetch_{};
  Instant routes_asked_{};
  // Of this fetch:
  bool fetching_ = false;
  bool balancer_first_ = false;
  bool found_ = false;  // there is a list
  unsigned tries_ = 0;
  std::set<std::string, std::less<>> asked_;  // the balancer is ""
  std::set<std::string, std::less<>> told_;   // groups that have told of their types
};

}  // namespace tandem
