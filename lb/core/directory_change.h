// What a change of membership is to the directory (lb/io/directory): one transaction. Rows are
// whole, so that of two changes of one row the later alone matters. The same rows, read back, are
// what a restarted balancer begins with.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/time.h"

namespace tandem {

enum class ServerState : std::uint8_t {
  kOnline,
  kOffline,   // confirmed dead
  kLeft,      // announced its shutdown
  kHeldBack,  // answers, but was believed dead: stays offline for a while
};

// A tandem-server. Plain servers are the conf's matter and have no row.
struct ServerRow {
  ServerId id;
  std::string name;
  std::string data_address;
  std::string peer_address;
  std::string zone;
  std::string group;
  std::uint32_t capacity = 0;
  std::uint32_t threshold = 0;
  ServerState state = ServerState::kOffline;
  std::uint64_t incarnation = 0;

  bool operator==(const ServerRow&) const = default;
};

// Its place on the ring. Both nobody: it is offline or alone, and has no such row.
struct BuddiesRow {
  ServerId server;
  ServerId first;   // before it on the ring
  ServerId second;  // after it

  bool operator==(const BuddiesRow&) const = default;
};

// What an administrator reads of, later.
struct MembershipEvent {
  enum class Kind : std::uint8_t {
    kJoined,         // registered, and not known before
    kReturned,       // online again
    kOffline,        // confirmed dead
    kLeft,           // shut down
    kHeldBack,       // see ServerState
    kRemoved,        // out of the registry
    kMostLooksDead,  // the master believed nobody; of no server
    kMostIsBack,     // and that is over
  };
  Kind kind = Kind::kJoined;
  Instant at;
  // Microseconds since 1970 UTC, and the event's name: no two have the same. Set by EventLog.
  std::int64_t logged = 0;
  ServerId server;  // nobody: of the cluster
  std::string name;
  std::string text;  // why

  bool operator==(const MembershipEvent&) const = default;
};

// As the directory and administrators write them: "online", "held back".
std::string_view state_word(ServerState state);
std::string_view kind_word(MembershipEvent::Kind kind);
// Nothing if there is no such word.
std::optional<ServerState> state_of_word(std::string_view word);
std::optional<MembershipEvent::Kind> kind_of_word(std::string_view word);

// One transaction: all of it or nothing.
struct DirectoryChange {
  std::uint64_t view_version = 0;   // that the view has with it
  std::vector<ServerRow> servers;   // put in, or in the place of what is there
  std::vector<BuddiesRow> buddies;  // the same
  std::vector<ServerId> removed;    // out of the registry, with their buddies
  std::vector<MembershipEvent> events;
  // The names of all that an administrator has drained, plain servers as well; nothing: as before.
  std::optional<std::set<std::string>> drained;

  bool operator==(const DirectoryChange&) const = default;
};

// What is read at the start. Servers and buddies in any order.
struct DirectoryContents {
  std::uint64_t view_version = 0;  // 0: the directory is new
  std::uint64_t writer = 0;        // the process that wrote the last change
  std::uint64_t last_change = 0;   // and its number
  std::vector<ServerRow> servers;
  std::vector<BuddiesRow> buddies;
  std::vector<MembershipEvent> events;  // the newest, oldest first; `at` is not known
  std::set<std::string> drained;        // names
};

}  // namespace tandem
