#include "server/core/questions.h"

#include <algorithm>

namespace tandem {

Questions::Question* Questions::begin(Instant now, SessionId session) {
  if (questions_.size() >= questions_max_) {
    ++counters_.questions_refused;
    return nullptr;
  }
  Question& question = questions_[session];
  question.ends = now + patience_;
  ends_.emplace(question.ends, session);
  return &question;
}

bool Questions::ask(Instant now, SessionId session, const std::vector<ServerId>& peers) {
  Question* question = peers.empty() ? nullptr : begin(now, session);
  if (question == nullptr) return false;
  ++counters_.questions_asked;
  question->awaited = peers;
  for (const ServerId peer : peers) unsent_.emplace_back(peer, session);
  return true;
}

bool Questions::hold(Instant now, SessionId session) { return begin(now, session) != nullptr; }

// Of those that are not settled only the held ones await nobody.
void Questions::release() {
  for (auto end = ends_.begin(); end != ends_.end();) {
    const SessionId session = end->second;
    if (!questions_.at(session).awaited.empty()) {
      ++end;
      continue;
    }
    end = ends_.erase(end);
    questions_.erase(session);
    released_.push_back(session);
  }
}

bool Questions::drain(const std::function<bool(ServerId)>& linked, Outbox<Message>& out) {
  for (; !unsent_.empty(); unsent_.pop_front()) {
    if (out.room() == 0) return false;
    const auto& [peer, session] = unsent_.front();
    if (linked(peer)) out.send(peer, WhereIs{session});
  }
  return true;
}

bool Questions::waits(SessionId session) const {
  const auto found = questions_.find(session);
  return found != questions_.end() && !found->second.settled;
}

const Finding* Questions::finding(SessionId session) const {
  const auto found = questions_.find(session);
  return found == questions_.end() || !found->second.settled ? nullptr : &found->second.finding;
}

void Questions::on_answer(ServerId from, const WhereAnswer& answer) {
  const auto found = questions_.find(answer.session);
  if (found == questions_.end() || found->second.settled) return;
  Question& question = found->second;
  const auto& awaited = question.awaited;
  if (std::find(awaited.begin(), awaited.end(), from) == awaited.end()) return;
  merge(question, from, answer);
  heard_of(answer.session, question, from);
}

void Questions::on_link_up(ServerId peer) {
  for (const auto& [ends, session] : ends_) {
    const auto& awaited = questions_.at(session).awaited;
    if (std::find(awaited.begin(), awaited.end(), peer) == awaited.end()) continue;
    unsent_.emplace_back(peer, session);
  }
}

void Questions::on_link_down(ServerId peer) {
  std::vector<SessionId> concerned;
  for (const auto& [ends, session] : ends_) concerned.push_back(session);
  for (const SessionId session : concerned) {
    Question& question = questions_.at(session);
    if (!question.awaited.empty()) heard_of(session, question, peer);
  }
}

// The newest epoch counts; of one epoch, what a server says of itself goes before what others say.
void Questions::merge(Question& question, ServerId from, const WhereAnswer& answer) {
  using As = WhereAnswer::As;
  Finding& finding = question.finding;
  const bool has_it = answer.as == As::kPrimary || answer.as == As::kCopy;
  if (!has_it) finding.ignorant.push_back(from);
  if (answer.as == As::kNothing || answer.epoch < finding.epoch) return;
  if (answer.epoch > finding.epoch) {
    finding.epoch = answer.epoch;
    finding.primary = finding.holder = ServerId{};
    question.holder_is_sure = false;
    question.entries = 0;
  }
  if (answer.as == As::kCopy) {
    const bool better = !question.holder_is_sure || answer.entries > question.entries ||
                        (answer.entries == question.entries && from < finding.holder);
    if (!better) return;
    finding.holder = from;
    question.entries = answer.entries;
    question.holder_is_sure = true;
    return;
  }
  if (answer.as == As::kPrimary) finding.primary = from;
  if (!finding.holder) finding.holder = answer.alternate;
}

void Questions::heard_of(SessionId session, Question& question, ServerId peer) {
  std::erase(question.awaited, peer);
  if (question.awaited.empty()) settle(session, question);
}

void Questions::settle(SessionId session, Question& question) {
  question.settled = true;
  ends_.erase({question.ends, session});
  if (question.finding.epoch.counter > 0) ++counters_.questions_found;
  if (!question.awaited.empty()) ++counters_.questions_timed_out;
  settled_.push_back(session);
}

void Questions::step(Instant now) {
  for (const SessionId session : std::exchange(taken_, {})) questions_.erase(session);
  while (!ends_.empty() && ends_.begin()->first <= now) {
    const SessionId session = ends_.begin()->second;
    settle(session, questions_.at(session));
  }
}

std::vector<SessionId> Questions::take_settled() {
  taken_.insert(taken_.end(), settled_.begin(), settled_.end());
  std::vector<SessionId> all = std::exchange(settled_, {});
  for (const SessionId session : std::exchange(released_, {})) all.push_back(session);
  return all;
}

}  // namespace tandem
