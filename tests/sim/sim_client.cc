#include "tests/sim/sim_client.h"

#include <algorithm>
#include <utility>

namespace tandem::sim {

void SimClient::start() {
  running_ = true;
  think();
}

void SimClient::think() {
  const auto span = static_cast<std::uint64_t>(2 * options_.think.count());
  world_.heap.after(Duration(random_.below(span) + 1), [this] {
    if (!running_) return;
    fetch([this](bool) { think(); });
    if (random_.chance(options_.pair_chance)) fetch([](bool) {});
  });
}

SimClient::HeldList::iterator SimClient::find(std::size_t item) {
  return std::find_if(held_.begin(), held_.end(),
                      [item](const Held& held) { return held.item == item; });
}

void SimClient::fetch(std::function<void(bool)> done) {
  // Some items are asked for much more often than others.
  const std::size_t items = world_.origin.items();
  const std::size_t item = std::min(random_.below(items), random_.below(items));
  HttpRequest request;
  request.cache = cache_id_;
  request.item = item;
  request.evicted.assign(evicted_.begin(), evicted_.end());
  std::optional<Held> announced;
  if (const auto found = find(item); found != held_.end()) {
    held_.splice(held_.end(), held_, found);
    announced = *found;
    request.announced = {found->validator};
  }
  ++counts_.requests;
  const Instant began = world_.heap.now();
  const SessionToken* token = options_.keeps_token && token_ ? &*token_ : nullptr;
  balancer_.request(token, request,
                    [this, item, announced, began, evicted = request.evicted,
                     done = std::move(done)](const HttpResponse& response) {
                      const Duration took = world_.heap.now() - began;
                      counts_.slowest = std::max(counts_.slowest, took);
                      const bool served = response.status == 200 || response.status == 304;
                      world_.note("answer", static_cast<unsigned>(response.status), item);
                      if (served) {
                        for (const ItemKey key : evicted) evicted_.erase(key);
                        on_response(item, announced, response);
                        return done(true);
                      }
                      ++counts_.failed;
                      world_.heap.after(options_.retry, [done] { done(false); });
                    });
}

void SimClient::on_response(std::size_t item, const std::optional<Held>& announced,
                            const HttpResponse& response) {
  last_served_ = world_.heap.now();
  if (response.token) {
    if (token_ && options_.keeps_token) {
      if (token_->primary != response.token->primary) ++counts_.moved;
      // Of two requests at once, the answers may come in either order; the older token is as good,
      // since every server that it leads to knows better.
      if (response.token->session == token_->session && options_.pair_chance == 0) {
        world_.invariants.on_client_token(*token_, *response.token);
      }
    }
    token_ = response.token;
  }
  if (response.status == 304) {
    world_.invariants.on_reuse(announced.has_value(), announced ? announced->version : 0,
                               response.version);
    ++(response.reuse_by_mirror ? counts_.reused_by_mirror : counts_.reused_by_validator);
  } else {
    ++counts_.fetched;
    keep(item, response);
  }
}

void SimClient::keep(std::size_t item, const HttpResponse& response) {
  if (const auto found = find(item); found != held_.end()) held_.erase(found);
  held_.push_back({item, response.etag, response.version});
  evicted_.erase(ItemKey::of(Origin::target(item)));
  if (held_.size() <= options_.cache_items) return;
  evicted_.insert(ItemKey::of(Origin::target(held_.front().item)));
  held_.pop_front();
}

}  // namespace tandem::sim
