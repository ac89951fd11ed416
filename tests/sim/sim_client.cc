#include "tests/sim/sim_client.h"

#include <algorithm>
#include <utility>

#include "common/session/token_codec.h"

namespace tandem::sim {
namespace {

constexpr unsigned kAttemptsMax = 4;  // of one request over several connections

}  // namespace

void ClientCounts::add(const ClientCounts& other) {
  requests += other.requests;
  orders += other.orders;
  failed += other.failed;
  for (const auto& [kind, count] : other.failures) failures[kind] += count;
  for (const auto& [kind, count] : other.lost_orders) lost_orders[kind] += count;
  resent += other.resent;
  fetched += other.fetched;
  reused_by_mirror += other.reused_by_mirror;
  reused_by_validator += other.reused_by_validator;
  moved += other.moved;
  sessions_lost += other.sessions_lost;
  slowest = std::max(slowest, other.slowest);
}

SimClient::SimClient(World& world, Balancers& balancers, ClientOptions options, Random random,
                     ClientCounts& counts)
    : world_(world),
      balancers_(balancers),
      options_(options),
      random_(random),
      counts_(counts),
      cache_id_{options.with_library ? random_.next() | 1 : 0},
      preferred_(random_.below(balancers.size())) {}

void SimClient::start() {
  running_ = true;
  think();
}

void SimClient::think() {
  const bool naps = options_.nap_chance > 0 && random_.chance(options_.nap_chance);
  const Duration longest = naps ? options_.nap_max : 2 * options_.think;
  const auto span = static_cast<std::uint64_t>(longest.count());
  world_.heap.after(Duration(random_.below(span) + 1), [this] {
    if (!running_) return;
    if (random_.chance(options_.order_chance)) order();
    fetch([this] { think(); });
    if (random_.chance(options_.pair_chance)) fetch([] {});
  });
}

SimClient::HeldList::iterator SimClient::find(std::size_t item) {
  return std::find_if(held_.begin(), held_.end(),
                      [item](const Held& held) { return held.item == item; });
}

void SimClient::order() {
  Asked asked;
  asked.request.post = true;
  asked.done = [] {};
  ++counts_.orders;
  ask(std::move(asked));
}

void SimClient::fetch(std::function<void()> done) {
  // Some items are asked for much more often than others.
  const std::size_t items = world_.origin.items();
  const std::size_t item = std::min(random_.below(items), random_.below(items));
  Asked asked;
  asked.done = std::move(done);
  HttpRequest& request = asked.request;
  request.item = item;
  request.evicted.assign(evicted_.begin(), evicted_.end());
  if (const auto found = find(item); found != held_.end()) {
    held_.splice(held_.end(), held_, found);
    asked.announced = *found;
    request.announced = {found->validator};
  }
  ++counts_.requests;
  ask(std::move(asked));
}

void SimClient::ask(Asked asked) {
  asked.request.id = random_.next();
  asked.request.cache = cache_id_;
  asked.began = world_.heap.now();
  asked.balancer = preferred_;
  if (random_.chance(options_.roam_chance)) asked.balancer = random_.below(balancers_.size());
  const AskedId id = ++last_asked_;
  asked_.emplace(id, std::move(asked));
  send(id);
}

void SimClient::send(AskedId id) {
  Asked& asked = asked_.at(id);
  const unsigned attempt = ++asked.attempts;
  SimBalancer* balancer = nullptr;
  for (std::size_t tries = 0; tries < balancers_.size() && balancer == nullptr; ++tries) {
    if (balancers_[asked.balancer]->host().alive()) {
      balancer = balancers_[asked.balancer].get();
    } else {
      asked.balancer = (asked.balancer + 1) % balancers_.size();
    }
  }
  const auto answer_later = [this, id, attempt](Duration in, const HttpResponse& response) {
    world_.heap.after(in, [this, id, attempt, response] { on_answer(id, attempt, response); });
  };
  HttpResponse broken;
  if (balancer == nullptr) {
    broken.cause = "no balancer";
    return answer_later(world_.network.delay(), broken);
  }
  asked.token.reset();
  if (options_.keeps_token) asked.token = token_;
  world_.heap.after(world_.network.delay() + world_.drip(),
                    [balancer, life = balancer->host().incarnation(), token = asked.token,
                     request = asked.request, answer_later, this] {
                      if (balancer->host().incarnation() != life) return;
                      balancer->request(token ? &*token : nullptr, request,
                                        [this, answer_later](const HttpResponse& response) {
                                          answer_later(world_.network.delay(), response);
                                        });
                    });
  if (world_.hit(world_.faults.client_reset_chance)) {
    broken.cause = "reset by the balancer";
    answer_later(world_.network.delay() * 3, broken);
  }
}

void SimClient::on_balancer_killed(Place place) {
  for (const auto& [id, asked] : asked_) {
    if (balancers_[asked.balancer]->place() != place) continue;
    HttpResponse broken;
    broken.cause = "balancer died";
    world_.heap.after(world_.network.delay(), [this, id = id, attempt = asked.attempts, broken] {
      on_answer(id, attempt, broken);
    });
  }
}

void SimClient::on_answer(AskedId id, unsigned attempt, const HttpResponse& response) {
  const auto found = asked_.find(id);
  if (found == asked_.end() || found->second.attempts != attempt) return;
  Asked& one = found->second;
  if (response.status == 0 && !one.request.post && one.attempts < kAttemptsMax) {
    ++counts_.resent;
    one.balancer = (one.balancer + 1) % balancers_.size();
    return send(id);
  }
  const Asked asked = std::move(one);
  asked_.erase(found);
  counts_.slowest = std::max(counts_.slowest, world_.heap.now() - asked.began);
  world_.note("answer", static_cast<unsigned>(response.status), asked.request.item);
  if (response.served()) {
    on_served(asked, response);
    return asked.done();
  }
  if (asked.request.post) {
    ++counts_.lost_orders[{response.status, response.cause}];
  } else {
    if (std::string_view(response.cause) != kNoPlace) ++counts_.failed;
    ++counts_.failures[{response.status, response.cause}];
    world_.note(response.cause, static_cast<unsigned>(response.status), asked.balancer);
  }
  world_.heap.after(options_.retry, asked.done);
}

void SimClient::on_served(const Asked& asked, const HttpResponse& response) {
  last_served_ = world_.heap.now();
  for (const ItemKey key : asked.request.evicted) evicted_.erase(key);
  if (response.token && options_.keeps_token) take_token(asked, *response.token);
  if (asked.request.post) return;
  if (response.status == 304) {
    const std::uint64_t held = asked.announced ? asked.announced->version : 0;
    world_.invariants.on_reuse(asked.announced.has_value(), held, response.version);
    ++(response.reuse_by_mirror ? counts_.reused_by_mirror : counts_.reused_by_validator);
  } else {
    ++counts_.fetched;
    keep(asked.request.item, response);
  }
}

void SimClient::take_token(const Asked& asked, const SessionToken& token) {
  if (asked.token && asked.token->session != token.session) {
    ++counts_.sessions_lost;
    const UnixSeconds age = world_.wall(0) - asked.token->issued;
    const bool expires = age + kClockSkewMax >= options_.token_ttl;
    world_.invariants.require(expires || !options_.keeps_session, "a session is lost",
                              [&] { return to_text(*asked.token) + " became " + to_text(token); });
  } else if (asked.token && asked.token->primary != token.primary) {
    ++counts_.moved;
  }
  // Of two requests at once, the answers may come in either order; the older token is as good,
  // since every server that it leads to knows better.
  if (asked.token && asked.token->session == token.session) {
    world_.invariants.on_client_token(*asked.token, token);
  }
  token_ = token;
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
