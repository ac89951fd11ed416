// How a suspicion is judged: whose word counts, and when nobody is believed.
#include <algorithm>
#include <string>
#include <utility>

#include "lb/core/master.h"

namespace tandem {

void Master::suspect(Instant now, ServerId server, Subject& subject) {
  if (subject.confirmed) return;
  if (!rounds_.awaits(server)) suspects_.insert(server);
  if (subject.suspected != kNever) return;
  subject.suspected = now;
  subject.signs = subject.live.good_signs();
  // What was said of an earlier suspicion says nothing of this one.
  subject.accused = subject.agreed = subject.contradicted = false;
  subject.asked.clear();
  subject.asked_at = kNever;
}

// It gave a sign of life, or has left.
void Master::acquit(ServerId server, Subject& subject) {
  if (subject.suspected != kNever && !subject.live.left()) {
    ++counts_.refuted;
    counts_.false_suspicions += subject.accused;
  }
  suspects_.erase(server);
  unjudged_.erase(server);
  rounds_.settle(server);
  subject.suspected = subject.asked_at = kNever;
  subject.accused = subject.agreed = subject.contradicted = subject.confirmed = false;
  subject.disputed = false;
}

void Master::judge(Instant now, ServerId server, Subject& subject, MasterOrders& orders) {
  const Liveness& live = subject.live;
  if (!live.failed(now)) {
    const bool alone = !subject.agreed && !subject.contradicted && subject.asked_at == kNever;
    if (subject.suspected != kNever && live.drags() && alone) ask(now, server, subject, orders);
    return;
  }
  suspect(now, server, subject);
  const bool all_said =
      subject.answers == subject.asked.size() || !waits_for_witnesses(now, subject);
  const bool believed = subject.agreed && !subject.contradicted && (!subject.disputed || all_said);
  if (live.refused() || believed) return confirm(now, server, subject);
  if (subject.judged == live.verifications()) return;  // the next one decides
  if (live.deaf()) return judge_deaf(now, server, subject, orders);
  if (subject.contradicted) {
    ++counts_.contradicted;
    subject.disputed = true;
    return give_up(server, subject, "a server that was asked reaches it", orders);
  }
  if (subject.asked_at == kNever) ask(now, server, subject, orders);
  if (waits_for_witnesses(now, subject)) return;
  // Who was asked may have died with it. By now whoever did is silent, too, and suspected.
  if (subject.asked_at != kNever && !subject.asked_again && !somebody_is_heard(subject)) {
    ask(now, server, subject, orders);
    subject.asked_again = true;
    if (subject.asked_at != kNever) return;
  }
  ++counts_.unjudged;
  if (subject.asked_at == kNever) {
    return give_up(server, subject, "no other server can be asked", orders);
  }
  if (!somebody_is_heard(subject)) {
    return give_up(server, subject, "nobody who was asked is heard of", orders);
  }
  if (most_with(rounds_.held() + 1)) {
    return give_up(server, subject, "most of the cluster looks dead from here", orders);
  }
  --counts_.unjudged;
  confirm(now, server, subject);
}

// No witness knows of its data port. If those of most fail, it is the way there from here.
void Master::judge_deaf(Instant now, ServerId server, Subject& subject, MasterOrders& orders) {
  const std::size_t unjudged = unjudged_.size() + 1 - unjudged_.count(server);
  if (!most_with(rounds_.held() + std::max(unjudged, failing_.size()))) {
    return confirm(now, server, subject);
  }
  ++counts_.unjudged;
  give_up(server, subject, "the data ports of most fail from here", orders);
}

void Master::confirm(Instant now, ServerId server, Subject& subject) {
  subject.confirmed = true;
  suspects_.erase(server);
  unjudged_.erase(server);
  failing_.erase(server);
  rounds_.confirm(now, server, !subject.live.refused());
}

// Nothing changes, until a later verification comes to something.
void Master::give_up(ServerId server, Subject& subject, std::string_view why,
                     MasterOrders& orders) {
  if (unjudged_.insert(server).second) {
    std::string text = "does not answer, but stays online: ";
    orders.emplace_back(std::in_place_type<Remark>, Remark{server, text.append(why)});
  }
  suspects_.erase(server);
  rounds_.settle(server);
  subject.judged = subject.live.verifications();
  subject.asked.clear();  // who answers later is not heard
  subject.asked_at = kNever;
  subject.agreed = subject.contradicted = false;
}

// Its buddies first, who watch it anyway, though they may be as dead as it is; so also whoever gave
// a sign of life last, and anybody.
void Master::ask(Instant now, ServerId server, Subject& subject, MasterOrders& orders) {
  subject.asked.clear();
  subject.asked_at = kNever;
  subject.asked_again = false;
  subject.answers = 0;
  const auto add = [&](ServerId witness) {
    if (!witness || witness == server || !can_witness(now, witness)) return;
    if (std::find(subject.asked.begin(), subject.asked.end(), witness) != subject.asked.end()) {
      return;
    }
    subject.asked.push_back(witness);
  };
  add(ring_.first(server));
  add(ring_.second(server));
  add(last_witness_);
  for (std::size_t i = 0; i < kWitnessTries && subject.asked.size() < kWitnessesMax; ++i) {
    add(ring_.any(dice_));
  }
  if (subject.asked.empty()) return;
  subject.look = ++looks_;
  subject.asked_at = now;
  for (const ServerId witness : subject.asked) {
    ++counts_.looks;
    orders.emplace_back(std::in_place_type<AskWitness>,
                        AskWitness{witness, Look{subject.look, server, {}}});
  }
}

bool Master::waits_for_witnesses(Instant now, const Subject& subject) const {
  return subject.asked_at != kNever && now < subject.asked_at + look_time();
}

// Online, heard of lately, and suspected by nobody.
bool Master::can_witness(Instant now, ServerId server) const {
  const auto it = subjects_.find(server);
  if (it == subjects_.end()) return false;
  const Subject& subject = it->second;
  return subject.online && subject.live.connected() && !subject.live.silent(now) &&
         subject.suspected == kNever;
}

bool Master::somebody_is_heard(const Subject& subject) const {
  return std::any_of(subject.asked.begin(), subject.asked.end(), [&](ServerId witness) {
    const Liveness* live = liveness(witness);
    return live != nullptr && live->connected() && live->heard() >= subject.asked_at;
  });
}

// Would more than half be gone with so many more?
bool Master::most_with(std::size_t more) const {
  return 2 * (gone_.size() + more) > online_ + gone_.size();
}

void Master::judge_most(Instant now, MasterOrders& orders) {
  while (!gone_.empty() && now - gone_.front() >= options_.window) gone_.pop_front();
  const bool most = !unjudged_.empty() && most_with(rounds_.held() + unjudged_.size());
  if (most == most_) return;
  most_ = most;
  if (!most) {
    orders.emplace_back(std::in_place_type<Alarm>,
                        Alarm{MembershipEvent::Kind::kMostIsBack,
                              "most of the cluster does not look dead any more"});
    return;
  }
  orders.emplace_back(std::in_place_type<Alarm>,
                      Alarm{MembershipEvent::Kind::kMostLooksDead,
                            "most of the cluster looks dead from here: " +
                                std::to_string(unjudged_.size() + gone_.size()) + " of " +
                                std::to_string(online_ + gone_.size()) +
                                " servers do not answer, and no witness says that they are dead; "
                                "they stay online. Is "
                                "this balancer cut off?"});
}

}  // namespace tandem
