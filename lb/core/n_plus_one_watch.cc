#include "lb/core/n_plus_one_watch.h"

#include <fmt/core.h>

#include <algorithm>

namespace tandem {
namespace {

// `state` is of one group; `who` says which, if there are several.
std::string describe(const View& view, const Backings& backings, const NPlusOne& state,
                     const std::string& who) {
  if (state.safe()) return who + ": the death of any single server leaves all others room";
  const auto name_of = [&view](ServerId id) {
    const ServerRecord* record = view.find(id);
    return record == nullptr ? std::string("?") : record->name;
  };
  const IfDies then = if_dies(view, backings, state.worst()->server);
  std::string text = fmt::format("{}: if {} died, {} sessions would be over capacity", who,
                                 name_of(then.server), then.over());
  if (const IfDies::Heir* worst = then.worst()) {
    text += fmt::format("; worst {}: {} sessions, capacity {}", name_of(worst->server),
                        worst->answers_for + worst->inherits, worst->capacity);
  }
  const auto unsafe = std::count_if(state.deaths.begin(), state.deaths.end(),
                                    [](const auto& death) { return death.over > 0; });
  return text + fmt::format(" ({} of {} deaths are not safe)", unsafe, state.deaths.size());
}

}  // namespace

std::vector<std::string> NPlusOneWatch::judge(Instant now, const View& view) {
  std::erase_if(backings_,
                [&view](const auto& backing) { return view.find(backing.first) == nullptr; });
  state_ = n_plus_one(view, backings_);
  std::map<std::string, NPlusOne> groups;
  for (const ServerRecord& server : view.servers) groups.try_emplace(server.group);
  for (const NPlusOne::Death& death : state_.deaths) {
    groups[view.find(death.server)->group].deaths.push_back(death);
  }
  std::erase_if(noted_, [&groups](const auto& noted) { return groups.count(noted.first) == 0; });
  std::vector<std::string> lines;
  for (const auto& [group, state] : groups) {
    Noted& noted = noted_[group];
    if (state.safe() == noted.safe) continue;
    if (noted.at && now < *noted.at + kNoteGap) continue;
    noted = {state.safe(), now};
    const std::string who = groups.size() > 1 ? "N+1 in group " + group : "N+1";
    lines.push_back(describe(view, backings_, state, who));
  }
  return lines;
}

}  // namespace tandem
