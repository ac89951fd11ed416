// The view: an immutable snapshot of the cluster that a process works from.
//
// The balancer makes it and sends it to the servers; every process holds it behind a
// std::shared_ptr<const View> and swaps the pointer when a newer version arrives.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/ids.h"

namespace tandem {

// What a server tells of itself. Pushed whole, so that a lost one does no harm.
struct Status {
  std::uint64_t sequence = 0;    // the sender's own count; an older one never replaces a newer
  std::uint32_t primaries = 0;   // confirmed sessions that it serves as primary
  std::uint32_t capacity = 0;    // the most sessions that it takes as primary
  std::uint32_t threshold = 0;   // over this number new sessions are given to another
  std::uint32_t alternates = 0;  // sessions that it stands ready to take over
  bool draining = false;         // takes no new sessions, as primary or as alternate
  // Sessions whose primary is offline and that are its to take over: as good as its own.
  std::uint32_t orphans = 0;
  std::uint32_t reserve = 0;  // the most sessions that the death of one more server would bring it

  bool operator==(const Status&) const = default;
};

// The sessions that are a server's to serve, at once or when their clients come back.
inline std::uint64_t answers_for(const Status& status) {
  return std::uint64_t{status.primaries} + status.orphans;
}
// For how many more it has capacity.
inline std::uint64_t room_of(const Status& status) {
  const std::uint64_t has = answers_for(status);
  return status.capacity > has ? status.capacity - has : 0;
}

enum class ServerKind : std::uint8_t {
  kTandem,  // tandem-server: sessions, mirrors, referral
  kPlain,   // any HTTP server named in the balancer's conf
};

struct ServerRecord {
  ServerId id;  // ServerId::of(name)
  std::string name;
  ServerKind kind = ServerKind::kTandem;
  std::string data_address;   // host:port as seen by the other processes
  std::string tls_address{};  // the same over TLS, for direct clients; empty: there is none
  std::string peer_address;   // empty for plain servers
  std::string zone;           // empty: not named
  std::string group;
  std::uint64_t incarnation = 0;  // grows with every start of the server's process
  bool online = false;
  bool left = false;  // offline because it announced its shutdown: it ends what it has begun
  Status status;
  // Its neighbours on the buddy ring: the one before it and the one after it. The same one twice
  // if there are two; nobody if it is offline or alone.
  ServerId first_buddy;
  ServerId second_buddy;

  // Chosen for new sessions, as primary or alternate?
  bool takes_sessions() const { return online && !status.draining; }
  bool operator==(const ServerRecord&) const = default;
};

// Names one view. Two balancers may use the same number, so a number alone says nothing.
struct ViewId {
  std::uint64_t maker = 0;  // View::maker
  std::uint64_t version = 0;

  bool operator==(const ViewId&) const = default;
};

// Which of two views counts is decided by who tells them (common/cluster/view_sources.h); of one
// maker's the one with the greater version is newer. Versions are a logical clock: whoever begins
// to make views, or learns of another's, goes on above the greatest that it knows.
struct View {
  std::uint64_t version = 0;          // grows with every change but those of status
  std::uint32_t balancers = 1;        // how many balancers assign sessions
  std::vector<ServerRecord> servers;  // in the order of round robin; by name
  std::uint64_t maker =
      0;                  // the balancer that made it: random, another with every start; 0: unsaid
  bool stand_in = false;  // made by a balancer that follows a master and cannot reach it

  ViewId id() const { return {maker, version}; }
  // The server with this id, or null. Linear: a view of a few dozen servers; the paths that are
  // walked per request keep their own index.
  const ServerRecord* find(ServerId id) const {
    auto it = std::find_if(servers.begin(), servers.end(),
                           [id](const ServerRecord& server) { return server.id == id; });
    return it == servers.end() ? nullptr : &*it;
  }
  bool operator==(const View&) const = default;
};

using ViewPtr = std::shared_ptr<const View>;

}  // namespace tandem
