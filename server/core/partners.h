// Which sessions have to do with which other server: an index over the session table, and the
// counts that spread alternates. Ordered, so that walking it is the same in every run.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "common/base/ids.h"
#include "common/cluster/choose.h"
#include "server/core/range_digest.h"
#include "server/core/session.h"

namespace tandem {

class Partners {
 public:
  enum class Tie : std::uint8_t {
    kAlternate,  // we serve it, the other is its alternate (nobody: it has none)
    kThird,      // we are alternate of an offline primary, the other has a copy of our copy
    kPrimary,    // we are alternate, the other is its primary
    kFormer,     // we serve it, and the other was its primary before (nobody: it is not known who)
    kFeeder,     // we are alternate, and the other feeds our copy; only counted
    kRelay,      // we are alternate, and the other, itself an alternate, feeds our copy
    kRetiring,   // the other has a copy of ours until another's is whole
  };
  static constexpr std::size_t kTies = 7;
  // One has the copy that the other feeds: both know the session, under one epoch if they agree.
  static constexpr std::array kShared{Tie::kAlternate, Tie::kThird, Tie::kPrimary, Tie::kRelay,
                                      Tie::kRetiring};

  // Brings the index up to date with the session: after every change of its role, epoch, primary,
  // fed_by, formers, or whom its streams go to.
  void update(const Session& session);
  void remove(const Session& session);

  using Ids = std::set<SessionId>;
  const Ids& of(Tie tie, ServerId server) const;
  // The next one after `last`, in the order of ids.
  std::optional<SessionId> next(Tie tie, ServerId server, SessionId last) const;
  // All servers with such sessions.
  std::vector<ServerId> servers(Tie tie) const;
  // What is shared with a server, to be compared with what it shares with us.
  const RangeDigest& shared(ServerId server) const;
  // How many sessions each server has of that tie.
  const AlternateShares& shares(Tie tie) const { return shares_[static_cast<std::size_t>(tie)]; }

 private:
  using Ties = std::vector<std::pair<Tie, ServerId>>;
  struct Known {
    Ties ties;
    Epoch epoch;
  };
  static Ties ties_of(const Session& session);
  void add(SessionId id, Tie tie, ServerId server);
  void take(SessionId id, Tie tie, ServerId server);
  static std::vector<ServerId> sharers(const Ties& ties);

  std::array<std::map<ServerId, Ids>, kTies> ids_;
  std::array<AlternateShares, kTies> shares_;
  std::map<ServerId, RangeDigest> shared_;
  std::unordered_map<SessionId, Known> known_;
};

}  // namespace tandem
