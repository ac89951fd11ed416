#include "common/cluster/view_sources.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

namespace tandem {
namespace {

// Does `view` know of all whom the other shows online?
bool knows_all(const View& view, const View& other) {
  std::set<ServerId> known;
  for (const ServerRecord& record : view.servers) known.insert(record.id);
  return std::all_of(other.servers.begin(), other.servers.end(), [&](const ServerRecord& record) {
    return !record.online || known.count(record.id) != 0;
  });
}

}  // namespace

void ViewSources::on_connected(std::size_t balancer, Instant now) {
  Source& source = sources_[balancer];
  source.view = nullptr;
  source.asked = true;  // whoever connects asks for the whole view
  source.connected = now;
  source.facts.heard = now;
}

void ViewSources::on_lost(std::size_t balancer) { sources_[balancer].view = nullptr; }

void ViewSources::on_heard(std::size_t balancer, Instant now) {
  sources_[balancer].facts.heard = now;
}

void ViewSources::on_view(std::size_t balancer, View view) {
  Source& source = sources_[balancer];
  ++source.facts.snapshots;
  source.asked = false;
  source.view = std::make_shared<const View>(std::move(view));
}

bool ViewSources::on_delta(std::size_t balancer, const ViewDelta& delta) {
  Source& source = sources_[balancer];
  ++source.facts.deltas;
  if (source.asked) return true;  // what it is about comes with the whole view
  auto next = source.view == nullptr ? Result<View>(fail(Error::peer("no view")))
                                     : apply(*source.view, delta);
  if (next) {
    source.view = std::make_shared<const View>(std::move(*next));
    return true;
  }
  // What is held stays in use until the whole view comes.
  ++source.facts.gaps;
  source.asked = true;
  return false;
}

// Greater is better; of equals the first is.
int ViewSources::standing(const Source& source, Instant now) const {
  if (source.view == nullptr) return -1;
  const bool fresh = now - source.facts.heard < options_.silent_after;
  return (fresh ? 4 : 0) + (settled(source, now) ? 2 : 0) + (source.view->stand_in ? 0 : 1);
}

bool ViewSources::settled(const Source& source, Instant now) const {
  return now - source.connected >= options_.settle;
}

bool ViewSources::is_told(std::uint64_t maker) const {
  return std::any_of(sources_.begin(), sources_.end(), [&](const Source& source) {
    return source.view != nullptr && source.view->maker == maker;
  });
}

ViewPtr ViewSources::follow(Instant now) {
  const Source* best = nullptr;
  leader_ = sources_.size();
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const Source& source = sources_[i];
    const int stands = standing(source, now);
    if (stands < 0 || (best != nullptr && stands <= standing(*best, now))) continue;
    best = &source;
    leader_ = i;
  }
  const bool fresh = best != nullptr && now - best->facts.heard < options_.silent_after;
  if (!fresh && followed_ != nullptr) return followed_;
  if (best == nullptr) return nullptr;
  if (followed_ != nullptr && !settled(*best, now) && !is_told(followed_->maker) &&
      !knows_all(*best->view, *followed_)) {
    leader_ = sources_.size();
    return followed_;
  }
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const Source& other = sources_[i];
    if (other.view == nullptr || best->view->maker == 0) continue;
    const bool newer =
        other.view->maker == best->view->maker && other.view->version > best->view->version;
    if (!newer || now - other.facts.heard >= options_.silent_after) continue;
    best = &other;
    leader_ = i;
  }
  return followed_ = best->view;
}

ViewSources::Facts ViewSources::facts(std::size_t balancer) const {
  const Source& source = sources_[balancer];
  Facts facts = source.facts;
  facts.view = source.view == nullptr ? ViewId{} : source.view->id();
  facts.stand_in = source.view != nullptr && source.view->stand_in;
  facts.followed = balancer == leader_;
  return facts;
}

}  // namespace tandem
