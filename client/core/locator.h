// Whom a direct client sends a request to: it knows the servers by their list (the map), and by the
// answers who serves its session. Pure; one for each client, not for several threads at once.
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
// A client that speaks TLS with the balancer does so with servers: those that do not are reached
// through the balancer.
//
// A session begins through the balancer, which assigns it; if there is none, on a server of the
// map, whose own admission has the last word. A client without a map goes through the balancer.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/random.h"
#include "common/base/time.h"
#include "common/cluster/direct_fields.h"
#include "common/cluster/ownership.h"
#include "common/cluster/server_list.h"

namespace tandem {

// Where a request goes. No server: to the balancer.
struct Destination {
  std::string server;    // its name
  std::string address;   // "HOST:PORT"
  bool by_type = false;  // it owns the item's type, or stands in: there is no session

  bool direct() const { return !server.empty(); }
  bool operator==(const Destination&) const = default;
};

// Is this server ("": the balancer) to be left alone? By the failover mode, or the call's own
// experience.
using Avoids = std::function<bool(std::string_view server)>;

class Locator {
 public:
  static constexpr Duration kMapPause = 1s;  // between two attempts to fetch the map

  explicit Locator(bool direct = false, std::uint64_t seed = 0, bool by_type = false)
      : direct_(direct), by_type_(by_type), dice_(seed) {}

  bool direct() const { return direct_; }
  void use_tls() { tls_ = true; }  // before there is a map

  // --- the map ---
  bool has_map() const { return !servers_.empty(); }
  std::uint64_t map_version() const { return version_; }
  std::size_t servers() const { return servers_.size(); }
  // Is it to be fetched now? Not while a fetch is under way, and not again at once.
  bool wants_map(Instant now) const;
  // A fetch begins: from this server, the next one in line with each further try; `tries` from 0.
  Destination map_source(unsigned tries, const Avoids& avoids) const;
  void on_map_begin(Instant now);
  void on_map(const ServerListing& listing);
  void on_no_map();  // nobody gave it
  // Has nobody told yet how the data is shared out? Then servers are worth asking, too.
  bool wants_types() const { return by_type_ && !owners_; }
  bool fetching() const { return fetching_; }
  // Where the server is; nothing: it is not in the map, or is reached through the balancer.
  std::optional<Destination> find(std::string_view server) const;

  // --- the session ---
  // `has_token`: there is a session. Whoever is avoided is chosen only if nobody else is left.
  // `target`: of the item that is wanted; empty: it is about the session.
  Destination choose(bool has_token, const Avoids& avoids, std::string_view target = {});
  // An answer has come from there; `where` if the server said it, `server` by Tandem-Server.
  void on_answer(const Destination& from, std::string_view server,
                 const std::optional<Whereabouts>& where);
  // A server did not answer: the map may be old.
  void on_failure(const Destination& at);
  // It answered, but its certificate is not trusted: it is reached through the balancer, until
  // there is another map.
  void on_untrusted(const Destination& at);
  const std::string& primary() const { return primary_; }
  const std::string& alternate() const { return alternate_; }

 private:
  struct Server {
    std::string address;  // empty: through the balancer
    bool online = false;

    bool direct() const { return online && !address.empty(); }
  };
  std::optional<Destination> anyone(const Avoids& avoids, bool online);

  std::optional<Destination> by_type(std::string_view target, const Avoids& avoids) const;
  void share_out(const ServerListing& listing);

  const bool direct_;
  const bool by_type_;
  bool tls_ = false;
  Random dice_;
  std::map<std::string, Server, std::less<>> servers_;
  std::optional<ListedTypes> types_;
  std::optional<Ownership> owners_;          // by types_ and the map
  std::map<ServerId, std::string> members_;  // their names
  std::uint64_t version_ = 0;
  bool stale_ = true;
  bool fetching_ = false;
  Instant next_fetch_{};
  std::string primary_;    // empty: not known
  std::string alternate_;  // empty: not known, or none
};

}  // namespace tandem
