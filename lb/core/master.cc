// The events and the comings and goings; how a suspicion is judged is in master_judge.cc.
#include "lb/core/master.h"

#include <algorithm>
#include <utility>

namespace tandem {
namespace {

constexpr std::string_view kShutsDown = "it shuts down";

std::string why_dead(Instant now, const Liveness& live, const std::string& detail) {
  std::string why = "its control connection is gone and a probe failed";
  if (live.connected()) {
    why = live.deaf() && !live.silent(now) ? "it reports, but probes of its data port fail"
                                           : "its control connection is silent and a probe failed";
  }
  return detail.empty() ? why : why + ": " + detail;
}

}  // namespace

Master::Master(Options options) : options_(options), dice_(options.seed) {}

void Master::set_options(Instant now, const Options& options) {
  options_ = options;
  for (auto& [server, subject] : subjects_) {
    subject.live.set_options(options.liveness);
    wake(now, server, subject);
  }
}

Master::Subject* Master::find(ServerId server) {
  const auto it = subjects_.find(server);
  return it == subjects_.end() ? nullptr : &it->second;
}

const Liveness* Master::liveness(ServerId server) const {
  const auto it = subjects_.find(server);
  return it == subjects_.end() ? nullptr : &it->second.live;
}

bool Master::online(ServerId server) const {
  const auto it = subjects_.find(server);
  return it != subjects_.end() && it->second.online;
}

// --- events -------------------------------------------------------------------------------------

void Master::on_registered(Instant now, ServerId server, const std::string& zone,
                           std::uint64_t incarnation, MasterOrders& orders) {
  const auto [it, is_new] = subjects_.try_emplace(server, options_.liveness);
  Subject& subject = it->second;
  const bool new_process = is_new || subject.incarnation != incarnation;
  if (subject.live.left()) --left_;
  if (subject.zone != zone && ring_.has(server)) {
    ring_.remove({server});
    ring_.insert(server, zone, dice_);
  }
  subject.zone = zone;
  subject.incarnation = incarnation;
  subject.first_serial = serials_ + 1;
  subject.patient.clear();
  subject.live.forget_patient();
  if (new_process) subject.returns = 0;
  subject.live.on_connected(now);
  if (!subject.online && new_process) {
    come_back(now, server, subject, "registered", orders);
  }
  review(now, server, subject, orders);
}

void Master::adopt(Instant now, ServerId server, const std::string& zone, std::uint64_t incarnation,
                   ServerState state) {
  const auto [it, is_new] = subjects_.try_emplace(server, options_.liveness);
  if (!is_new) return;
  Subject& subject = it->second;
  subject.zone = zone;
  subject.incarnation = incarnation;
  subject.gone_since = now;
  if (state == ServerState::kOnline) {
    subject.online = true;
    ++online_;
    subject.live.mark(true);
    subject.live.examine(now);
  } else if (state == ServerState::kLeft) {
    subject.live.on_left(now);
    ++left_;
  }
  wake(now, server, subject);
}

void Master::restore_ring(const std::vector<Ring::Place>& places) {
  std::map<ServerId, std::string> zones;
  for (const auto& [server, subject] : subjects_) {
    if (subject.online) zones.emplace(server, subject.zone);
  }
  if (ring_.size() == 0) return ring_.restore(places, zones, dice_);
  for (const auto& [server, zone] : zones) ring_.insert(server, zone, dice_);
}

void Master::forget(ServerId server) {
  Subject* subject = find(server);
  if (subject == nullptr) return;
  acquit(server, *subject);
  online_ -= subject->online;
  left_ -= subject->live.left();
  ring_.remove({server});
  held_back_.erase(server);
  failing_.erase(server);
  deadlines_.erase(server);
  subjects_.erase(server);
}

void Master::on_heard(Instant now, ServerId server, bool is_pong, MasterOrders& orders) {
  Subject* subject = find(server);
  if (subject == nullptr) return;
  subject->live.on_heard(now, is_pong);
  review(now, server, *subject, orders);
}

void Master::on_connection_lost(Instant now, ServerId server, MasterOrders& orders) {
  Subject* subject = find(server);
  if (subject == nullptr) return;
  subject->live.on_lost(now);
  if (subject->online && !subject->live.left()) suspect(now, server, *subject);
  review(now, server, *subject, orders);
}

void Master::on_left(Instant now, ServerId server, MasterOrders& orders) {
  Subject* subject = find(server);
  if (subject == nullptr || subject->live.left()) return;
  ++left_;
  subject->live.on_left(now);
  // Who goes is not waited for any more.
  subject->well_since = kNever;
  held_back_.erase(server);
  if (!subject->online) {
    orders.emplace_back(std::in_place_type<Ruling>,
                        Ruling{server, ServerState::kLeft, std::string(kShutsDown)});
  }
  review(now, server, *subject, orders);
}

void Master::on_failure(Instant now, ServerId server, MasterOrders& orders) {
  Subject* subject = find(server);
  if (subject == nullptr || !subject->online) return;
  subject->live.on_reported(now);
  review(now, server, *subject, orders);
}

void Master::on_report(Instant now, ServerId by, const FailureReport& report,
                       MasterOrders& orders) {
  ++counts_.reports;
  Subject* subject = find(report.suspect);
  if (subject == nullptr || !subject->online || by == report.suspect) return;
  if (report.incarnation != 0 && report.incarnation != subject->incarnation) return;
  suspect(now, report.suspect, *subject);
  subject->accused = true;
  if (!by || can_witness(now, by)) {
    if (!subject->disputed) subject->agreed = true;
    last_witness_ = by;
  }
  subject->live.on_accused(now);
  review(now, report.suspect, *subject, orders);
}

void Master::on_probe_result(Instant now, ServerId server, std::uint64_t serial, ProbeResult result,
                             std::string_view detail, MasterOrders& orders) {
  Subject* subject = find(server);
  if (subject == nullptr) return;
  const auto patient = subject->patient.extract(serial);
  if (patient.empty() && serial < subject->first_serial) return;
  if (result != ProbeResult::kAnswered) subject->detail = detail;
  if (patient.empty()) {
    subject->live.on_probe_result(now, result);
  } else {
    subject->live.on_patient_result(now, patient.mapped(), result);
  }
  review(now, server, *subject, orders);
}

void Master::on_looked(Instant now, ServerId by, const Looked& looked, MasterOrders& orders) {
  Subject* subject = find(looked.server);
  if (subject == nullptr || looked.number != subject->look) return;
  if (std::find(subject->asked.begin(), subject->asked.end(), by) == subject->asked.end()) return;
  last_witness_ = by;
  ++subject->answers;
  (looked.reached ? subject->contradicted : subject->agreed) = true;
  review(now, looked.server, *subject, orders);
}

void Master::on_deadline(Instant now, MasterOrders& orders) {
  while (const auto server = deadlines_.take_due(now)) {
    Subject& subject = *find(*server);
    review(now, *server, subject, orders);
    if (subject.live.next_probe() <= now) contact(now, *server, subject, orders);
    if (subject.live.next_patient() <= now) contact_patiently(now, *server, subject, orders);
    wake(now, *server, subject);
  }
  if (now >= roll_call_until()) end_roll_call(now, orders);
  carry_out_rounds(now, orders);
  judge_most(now, orders);
  if (rounds_.idle()) ring_.mend(dice_);
}

Instant Master::next_deadline() const {
  Instant next = std::min({deadlines_.next(), rounds_.next_deadline(), roll_call_until()});
  if (most_ && !gone_.empty()) next = std::min(next, gone_.front() + options_.window);
  return next;
}

// --- comings and goings -------------------------------------------------------------------------

// Looks at a server after something has happened to it.
void Master::review(Instant now, ServerId server, Subject& subject, MasterOrders& orders) {
  const Liveness& live = subject.live;
  if (subject.online && live.failing() && !subject.confirmed) {
    failing_.insert(server);
  } else {
    failing_.erase(server);
  }
  if (live.left()) {
    if (subject.online) {
      acquit(server, subject);
      ring_.remove({server});
      go(now, server, subject, ServerState::kLeft, orders);
    }
  } else if (!subject.online) {
    review_offline(now, server, subject, orders);
  } else if (subject.suspected != kNever && live.good_signs() != subject.signs) {
    acquit(server, subject);
  } else if (!subject.confirmed) {
    judge(now, server, subject, orders);
  }
  wake(now, server, subject);
}

void Master::review_offline(Instant now, ServerId server, Subject& subject, MasterOrders& orders) {
  if (!subject.live.well(now)) {
    subject.well_since = kNever;
    if (held_back_.erase(server) != 0) {
      orders.emplace_back(
          std::in_place_type<Ruling>,
          Ruling{server, ServerState::kOffline, "it was held back, and is gone again"});
    }
    return;
  }
  if (held(subject)) {
    if (subject.well_since == kNever) subject.well_since = now;
    if (now < subject.well_since + hold_of(subject)) {
      if (!held_back_.insert(server).second) return;
      ++counts_.held_back;
      const std::string before =
          subject.returns == 0
              ? "it is back, and"
              : "it went and came " + std::to_string(subject.returns + 1) + " times:";
      orders.emplace_back(
          std::in_place_type<Ruling>,
          Ruling{server, ServerState::kHeldBack,
                 before + " has to be well for " + std::to_string(hold_of(subject) / 1s) + " s"});
      return;
    }
  }
  ++subject.returns;
  subject.returned = now;
  come_back(now, server, subject,
            subject.live.connected() ? "it is heard again" : "a probe was answered", orders);
}

// Has it come and gone too often? Not where most are offline: then everybody is wanted.
bool Master::held(Subject& subject) const {
  return subject.returns >= options_.returns_free && 2 * online_ >= subjects_.size() - left_;
}

Duration Master::hold_of(const Subject& subject) const {
  const std::uint32_t over = subject.returns - std::min(subject.returns, options_.returns_free);
  if (over == 0) {
    const Duration away = subject.well_since - subject.gone_since;
    return std::min(std::max(kHoldLeast, 2 * away), options_.hold_back);
  }
  return std::min(options_.hold_back * (1U << std::min(over, 16U)), options_.hold_back_max);
}

void Master::come_back(Instant now, ServerId server, Subject& subject, std::string why,
                       MasterOrders& orders) {
  subject.online = true;
  ++online_;
  subject.live.mark(true);
  subject.well_since = kNever;
  held_back_.erase(server);
  ring_.insert(server, subject.zone, dice_);
  orders.emplace_back(std::in_place_type<Ruling>,
                      Ruling{server, ServerState::kOnline, std::move(why)});
  wake(now, server, subject);
}

// It has left the ring already.
void Master::go(Instant now, ServerId server, Subject& subject, ServerState state,
                MasterOrders& orders) {
  const bool dead = state == ServerState::kOffline;
  if (dead) {
    ++counts_.confirmed;
    if (subject.suspected != kNever) counts_.detection_last = now - subject.suspected;
    counts_.detection_total += counts_.detection_last;
    gone_.push_back(now);
  }
  orders.emplace_back(
      std::in_place_type<Ruling>,
      Ruling{server, state,
             dead ? why_dead(now, subject.live, subject.detail) : std::string(kShutsDown)});
  subject.online = subject.confirmed = subject.disputed = false;
  subject.gone_since = now;
  if (now - subject.returned > kReturnsKept) subject.returns = 0;
  --online_;
  subject.live.mark(false);
  failing_.erase(server);
  subject.suspected = kNever;
  subject.detail.clear();
  wake(now, server, subject);
}

void Master::contact(Instant now, ServerId server, Subject& subject, MasterOrders& orders) {
  Liveness& live = subject.live;
  const bool begins = !live.verifying();
  // Who has no control connection is looked at now and then, which is no suspicion.
  if (subject.online && (live.connected() || !begins)) suspect(now, server, subject);
  const std::uint64_t before = live.verifications();
  live.on_probe_started(now);
  const std::uint64_t serial = next_serial();
  if (begins) subject.first_serial = serial;
  if (subject.online && live.verifications() != before) ++counts_.verifications;
  orders.emplace_back(std::in_place_type<Contact>,
                      Contact{server, serial, live.probe_timeout(now)});
}

// No suspicion, and no ping: the answer could be taken for one to a verification's.
void Master::contact_patiently(Instant now, ServerId server, Subject& subject,
                               MasterOrders& orders) {
  const std::uint64_t serial = next_serial();
  subject.live.on_patient_started(now);
  subject.patient.emplace(serial, now);
  orders.emplace_back(std::in_place_type<Contact>, Contact{server, serial, 0s, false});
}

void Master::wake(Instant now, ServerId server, const Subject& subject) {
  const Liveness& live = subject.live;
  Instant next = std::min({live.next_probe(), live.next_patient(), live.next_change(now)});
  if (subject.asked_at != kNever && subject.asked_at + look_time() > now) {
    next = std::min(next, subject.asked_at + look_time());
  }
  if (subject.well_since != kNever) {
    next = std::min(next, std::max(now, subject.well_since + hold_of(subject)));
  }
  deadlines_.set(server, next);
}

void Master::carry_out_rounds(Instant now, MasterOrders& orders) {
  for (;;) {
    const Rounds::Orders round = rounds_.next(now, !suspects_.empty());
    if (round.empty()) break;
    for (const ServerId server : round.remove) {
      go(now, server, *find(server), ServerState::kOffline, orders);
    }
    if (round.call) call_roll(now, orders);
    for (const ServerId server : round.verify) verify_for_round(now, server, orders);
  }
  counts_.transactions = rounds_.transactions();
}

void Master::verify_for_round(Instant now, ServerId server, MasterOrders& orders) {
  Subject& subject = *find(server);
  suspect(now, server, subject);
  suspects_.erase(server);
  subject.live.examine(now);
  if (subject.live.next_probe() <= now) contact(now, server, subject, orders);
  wake(now, server, subject);
}

void Master::call_roll(Instant now, MasterOrders& orders) {
  called_at_ = now;
  for (const auto& [server, subject] : subjects_) {
    if (!subject.online || !subject.live.connected() || subject.confirmed) continue;
    ++counts_.calls;
    orders.emplace_back(std::in_place_type<Call>, Call{server, next_serial()});
  }
}

// Any word will do, not only the answer. Who has no control connection is verified in any case.
void Master::end_roll_call(Instant now, MasterOrders& orders) {
  std::vector<ServerId> absent;
  for (const auto& [server, subject] : subjects_) {
    const bool heard = subject.live.connected() && subject.live.heard() > called_at_;
    if (subject.online && !subject.confirmed && !heard) absent.push_back(server);
  }
  called_at_ = kNever;
  for (const ServerId server : rounds_.absent(absent)) verify_for_round(now, server, orders);
}

}  // namespace tandem
