// Whom a direct client sends a request to: it knows the servers by their list (the map,
// server_map.h), and by the answers who serves its sessions. Pure; one for each client, not for
// several threads at once.
//
// The map is fetched once from the balancer. Every answer names the view that its server works
// from; if that is newer than the map, or a server is named that the map does not have, it is
// fetched anew, from the server that answered: a running direct client needs no balancer.
//
// By type: an item is asked of the server that owns its type, without any session; and of the next
// one in the type's order if that is offline or to be left alone: the one that stands in for it.
// Which types there are a server tells with the map. Until one does, and where the data is not
// shared out, the session decides, as ever.
//
// A client has a session in each failover group that it uses, and so a primary and an alternate;
// groups are known as to the map. Where that knows the balancer's routes, whoever is chosen is of
// the group to which the request goes.
//
// A client that speaks TLS with the balancer does so with servers: those that do not are reached
// through the balancer.
//
// A session begins through the balancer, which assigns it; if there is none, on a server of the
// map, whose own admission has the last word. A client without a map goes through the balancer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/core/server_map.h"
#include "common/base/random.h"
#include "common/base/time.h"
#include "common/cluster/direct_fields.h"

namespace tandem {

class Locator {
 public:
  static constexpr Duration kMapPause = ServerMap::kPause;
  static constexpr std::size_t kGroupsMax = Routes::kGroupsMax + 1;  // whose sessions it knows

  explicit Locator(bool direct = false, std::uint64_t seed = 0, bool by_type = false)
      : direct_(direct), map_(by_type), dice_(seed) {}

  bool direct() const { return direct_; }
  void use_tls() { map_.use_tls(); }  // before there is a map

  // --- the map ---
  bool has_map() const { return !map_.empty(); }
  std::uint64_t map_version() const { return map_.version(); }
  std::size_t servers() const { return map_.size(); }
  // A fetch: begun if it is wanted, then asks each source in turn while more is wanted, and ends.
  bool wants_map(Instant now) const { return direct_ && map_.wanted(now); }
  void on_map_begin(Instant now) { map_.begin(now); }
  // The next one in line: whoever serves a session, the balancer, the rest. The balancer is first
  // where it has to be asked for the routes, and last where servers are by type.
  Destination map_source(const Avoids& avoids);
  void on_map(const ServerListing& listing, const Destination& from = {}) {
    map_.take(listing, from);
  }
  bool wants_more() const { return map_.wants_more(); }
  void on_map_end() { map_.end(); }
  bool fetching() const { return map_.fetching(); }
  bool wants_types() const { return map_.wants_types(); }
  // Where the server is; nothing: it is not in the map, or is reached through the balancer.
  std::optional<Destination> find(std::string_view server) const { return map_.find(server); }
  // Whose a request is; nothing: nobody has told any routes.
  std::optional<std::string_view> group_of(std::string_view host, std::string_view target) const {
    return map_.group_of(host, target);
  }

  // --- the sessions ---
  // `has_token`: there is a session in the group. Whoever is avoided is chosen only if nobody else
  // is left. `target`: of the item that is wanted; empty: it is about the session.
  Destination choose(std::string_view group, bool has_token, const Avoids& avoids,
                     std::string_view target = {});
  // An answer of the group has come from there; `where` if the server said it, `server` by
  // Tandem-Server.
  void on_answer(const Destination& from, std::string_view group, std::string_view server,
                 const std::optional<Whereabouts>& where);
  // The balancer has another group serve a request than the map's routes say.
  void on_other_group() {
    if (map_.knows_routes()) map_.doubt_routes();
  }
  // A server did not answer: the map may be old.
  void on_failure(const Destination& at);
  // It answered, but its certificate is not trusted: it is reached through the balancer, until
  // there is another map.
  void on_untrusted(const Destination& at) { map_.distrust(at.server); }
  // Empty: not known, or none.
  const std::string& primary(std::string_view group) const { return place(group).primary; }
  const std::string& alternate(std::string_view group) const { return place(group).alternate; }

 private:
  struct Place {
    std::string primary;
    std::string alternate;
  };
  const Place& place(std::string_view group) const;
  void take_place(std::string_view group, std::string_view server,
                  const std::optional<Whereabouts>& where);

  const bool direct_;
  ServerMap map_;
  Random dice_;
  std::map<std::string, Place, std::less<>> places_;  // by group
};

}  // namespace tandem
