// Is the cluster N+1-safe? Keeps what servers tell of who backs them, judges it when status has
// been published (common/cluster/n_plus_one.h), and has a line for the log when the answer changes
// for a group: each stands by itself.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/cluster/n_plus_one.h"
#include "common/cluster/view.h"

namespace tandem {

class NPlusOneWatch {
 public:
  // Between two lines on a group; a change that does not last as long is not told of.
  static constexpr Duration kNoteGap = 10s;

  void on_backing(ServerId server, Backing backing) { backings_[server] = std::move(backing); }
  // It was restarted: nobody backs what it will have.
  void forget(ServerId server) { backings_.erase(server); }

  // Judges the cluster as it is now, and forgets who is no longer in the view. What an
  // administrator wants to read of: a line for each group that has changed.
  std::vector<std::string> judge(Instant now, const View& view);

  // As judged last.
  const NPlusOne& state() const { return state_; }
  const Backings& backings() const { return backings_; }

 private:
  struct Noted {
    bool safe = true;
    std::optional<Instant> at;
  };

  Backings backings_;
  NPlusOne state_;
  std::map<std::string, Noted> noted_;  // by group
};

}  // namespace tandem
