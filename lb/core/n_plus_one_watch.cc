#include "lb/core/n_plus_one_watch.h"

#include <fmt/core.h>

#include <algorithm>

namespace tandem {
namespace {

std::string describe(const View& view, const Backings& backings, const NPlusOne& state) {
  if (state.safe()) return "N+1: the death of any single server leaves all others room";
  const auto name_of = [&view](ServerId id) {
    const ServerRecord* record = view.find(id);
    return record == nullptr ? std::string("?") : record->name;
  };
  const IfDies then = if_dies(view, backings, state.worst()->server);
  std::string text = fmt::format("N+1: if {} died, {} sessions would be over capacity",
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

std::optional<std::string> NPlusOneWatch::judge(Instant now, const View& view) {
  std::erase_if(backings_,
                [&view](const auto& backing) { return view.find(backing.first) == nullptr; });
  state_ = n_plus_one(view, backings_);
  if (state_.safe() == noted_safe_) return std::nullopt;
  if (noted_ && now < *noted_ + kNoteGap) return std::nullopt;
  noted_ = now;
  noted_safe_ = state_.safe();
  return describe(view, backings_, state_);
}

}  // namespace tandem
