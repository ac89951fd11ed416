#include "server/core/swap.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "server/core/account.h"
#include "server/core/rebalance_plan.h"
#include "server/core/swap_receiver.h"

namespace tandem {

// --- the receiver -------------------------------------------------------------------------------

void Swap::on_command(Instant now, ServerId from, const SwapCommand& command,
                      Outbox<Message>& out) {
  const ForwardingNote* note = state_.notes.find(now, command.session);
  Session* session = state_.table.find(command.session);
  const Status own = state_.status();
  const bool place =
      command.drains ? !own.draining : takes_gift(state_.self, own, state_.cluster.view().servers);
  const SwapRuling ruling = rule_on_command(
      from, command, session, note == nullptr ? std::nullopt : std::optional(note->epoch), place);
  SwapAnswer answer{command.session, ruling.epoch, ruling.answer, 0};
  if (ruling.takes) {
    ++state_.counters.swaps_taken;
    answer.epoch = ruling.epoch.raised_by(state_.self);
    state_.become_primary(session->last_used, *session, answer.epoch);
    session->fed_by = ServerId{};
    note_coming(now, *session, SessionAccount::Came::kSwapped);
    answer.next = alternates_.provide_after_swap(now, *session, from);
    // Also whom the answer is for: it may be lost, and nothing else would tell.
    for (const ServerId former : session->formers) state_.tell(former, *session);
    claims_.on_taken(now, *session, from);
  } else if (ruling.answer == SwapAnswer::Answer::kRefused) {
    ++state_.counters.swaps_refused_here;
  }
  out.send(from, answer);
}

// --- the giver ----------------------------------------------------------------------------------

void Swap::on_cluster(Instant now) {
  rebalance_.on_cluster(now, state_.self, state_.status(), state_.cluster.view().servers);
}

void Swap::on_link_down(ServerId peer) {
  for (auto move = moves_.begin(); move != moves_.end();) {
    move = move->second.to == peer ? end(move) : std::next(move);
  }
}

void Swap::on_answer(Instant now, ServerId from, const SwapAnswer& answer) {
  using Answer = SwapAnswer::Answer;
  const auto found = moves_.find(answer.session);
  const bool ours = found != moves_.end() && found->second.to == from && found->second.commanded;
  const Move move = ours ? found->second : Move{};
  if (ours) end(found);
  if (answer.answer == Answer::kRefused) {
    if (!ours) return;
    ++state_.counters.swaps_refused;
    leave_alone(now, from);
    return;
  }
  Session* session = state_.table.find(answer.session);
  if (session == nullptr) return state_.notes.put(now, answer.session, {answer.epoch, ServerId{}});
  if (session->epoch >= answer.epoch) return;
  if (answer.answer == Answer::kStale || !session->serves() || answer.epoch.server != from) {
    return state_.lose(now, *session, answer.epoch);
  }
  const MirrorStream& stream = session->stream;
  const bool equal = ours && answer.next > 0 && stream.target == from && stream.all_sent() &&
                     stream.next == move.sequence + 1;
  ++state_.counters.swaps_done;
  if (ours && !move.drains) ++state_.counters.rebalance_moves;
  state_.become_copy(*session, answer.epoch, equal ? answer.next : 0);
}

void Swap::step(Instant now, Outbox<Message>& out) {
  note_draining(now);
  std::erase_if(left_alone_until_, [now](const auto& entry) { return entry.second <= now; });
  review(now, out);
  if (state_.draining) {
    drain(now, out);
  } else {
    rebalance_.on_deadline(now, state_.self, state_.status(), state_.cluster.view().servers);
    give(now, out);
  }
}

Instant Swap::next_deadline() const {
  Instant next = state_.draining ? kNever : rebalance_.next_deadline();
  for (const auto& [id, move] : moves_) {
    const Session* session = state_.table.find(id);
    const bool waits = session != nullptr && session->swapping;
    next = std::min(next, waits ? move.waits_until : move.deadline);
  }
  const bool works =
      state_.draining ? state_.table.count(Role::kPrimary) > 0 : !rebalance_.gifts().empty();
  if (works && moves_.size() < state_.options.swap.in_flight_max) {
    next = std::min(next, std::max(next_pass_, pace_.next()));
  }
  return next;
}

bool Swap::can_drain() const {
  if (state_.table.count(Role::kPrimary) == 0) return false;
  const auto& servers = state_.cluster.view().servers;
  return std::any_of(servers.begin(), servers.end(), [this](const ServerRecord& server) {
    return server.id != state_.self && server.takes_sessions();
  });
}

void Swap::note_draining(Instant now) {
  if (std::exchange(draining_, state_.draining) == state_.draining) return;
  drains_since_ = next_pass_ = now;
  looked_at_.clear();
  on_cluster(now);
}

// What has become of the moves under way, and those that are ready now.
void Swap::review(Instant now, Outbox<Message>& out) {
  for (auto at = moves_.begin(); at != moves_.end();) {
    Session* session = state_.table.find(at->first);
    const Move& move = at->second;
    const bool void_now = session == nullptr || session->role != Role::kPrimary ||
                          session->epoch != move.epoch || session->stream.target != move.to;
    if (void_now) {
      at = end(at);
    } else if (move.commanded) {
      if (now >= move.waits_until && session->swapping) stop_waiting(session->id);
      if (now < move.deadline) {
        ++at;
        continue;
      }
      ++state_.counters.swaps_timed_out;
      leave_alone(now, move.to);
      at = end(at);
    } else if (session->stream.complete() && session->requests == 0 && out.room() > 0) {
      command(now, *session, move.drains, out);
      ++at;
    } else {
      at = now >= move.deadline ? end(at) : std::next(at);
    }
  }
}

// One pass over the sessions after the other, each alternate's in turn: so none of them gets all at
// once, and one that is slow holds up nobody.
void Swap::drain(Instant now, Outbox<Message>& out) {
  if (now < next_pass_ || state_.table.count(Role::kPrimary) == 0) return;
  const bool impatient = now >= drains_since_ + state_.options.swap.busy_patience;
  std::size_t looks = state_.options.swap.looks_per_step;
  for (bool more = true; more;) {
    more = false;
    for (const ServerId server : state_.partners.servers(Tie::kAlternate)) {
      if (!reachable(now, server)) continue;
      if (looks-- == 0 || !room(now, out)) return;
      const auto next = state_.partners.next(Tie::kAlternate, server, looked_at_[server]);
      if (!next) continue;
      more = true;
      looked_at_[server] = *next;
      Session& session = *state_.table.find(*next);
      const bool quiet = session.requests == 0 && session.stream.complete();
      if (!may_move(session) || (!quiet && !(impatient && session.stream.all_sent()))) continue;
      pace_.take(now, state_.options.swap.drain_rate);
      command(now, session, true, out);
    }
  }
  looked_at_.clear();
  next_pass_ = now + state_.options.swap.pass_pause;
}

void Swap::give(Instant now, Outbox<Message>& out) {
  std::size_t looks = state_.options.swap.looks_per_step;
  while (!rebalance_.gifts().empty() && now >= next_pass_) {
    // A copy: giving up takes it out.
    const std::map<ServerId, std::uint32_t> gifts = rebalance_.gifts();
    for (const auto& [server, count] : gifts) {
      if (!room(now, out)) return;
      if (!reachable(now, server)) {
        rebalance_.give_up(now, server);
      } else if (!give_one(now, server, looks, out)) {
        if (looks > 0) rebalance_.give_up(now, server);
        if (looks == 0) {
          next_pass_ = now + state_.options.swap.pass_pause;
          return;
        }
      }
    }
  }
  if (rebalance_.gifts().empty()) looked_at_.clear();
}

// First those whose copy is there already, then others, which get it there first.
bool Swap::give_one(Instant now, ServerId to, std::size_t& looks, Outbox<Message>& out) {
  std::vector<ServerId> holders = state_.partners.servers(Tie::kAlternate);
  std::erase(holders, to);
  // From whom the copy is taken away is spread like the ids of the sessions.
  if (!holders.empty()) {
    std::rotate(holders.begin(),
                holders.begin() + static_cast<std::ptrdiff_t>(gives_ % holders.size()),
                holders.end());
  }
  holders.insert(holders.begin(), to);
  for (const ServerId holder : holders) {
    for (; looks > 0; --looks) {
      const auto next = state_.partners.next(Tie::kAlternate, holder, looked_at_[holder]);
      if (!next) break;
      looked_at_[holder] = *next;
      Session& session = *state_.table.find(*next);
      const bool sound = session.stream.complete() || !holder;
      if (!may_move(session) || session.requests > 0 || !sound) continue;
      ++gives_;
      pace_.take(now, state_.options.swap.rebalance_rate);
      rebalance_.on_given(now, to);
      if (holder == to) {
        command(now, session, false, out);
      } else {
        alternates_.move_to(session, to);
        state_.sender.hurry(session);
        moves_[session.id] = {.to = to,
                              .drains = false,
                              .commanded = false,
                              .deadline = now + state_.options.swap.patience,
                              .waits_until = {},
                              .epoch = session.epoch,
                              .sequence = 0};
      }
      return true;
    }
  }
  return false;
}

bool Swap::room(Instant now, const Outbox<Message>& out) const {
  return moves_.size() < state_.options.swap.in_flight_max && pace_.ready(now) && out.room() > 0;
}

bool Swap::reachable(Instant now, ServerId server) const {
  const auto alone = left_alone_until_.find(server);
  return server && state_.sender.linked(server) && state_.cluster.takes_sessions(server) &&
         (alone == left_alone_until_.end() || alone->second <= now);
}

bool Swap::may_move(const Session& session) const {
  return session.role == Role::kPrimary && moves_.count(session.id) == 0;
}

void Swap::command(Instant now, Session& session, bool drains, Outbox<Message>& out) {
  ++state_.counters.swaps_begun;
  session.swapping = true;
  const std::uint64_t sequence = session.stream.next - 1;
  const ServerId to = session.stream.target;
  moves_[session.id] = {.to = to,
                        .drains = drains,
                        .commanded = true,
                        .deadline = now + state_.options.swap.patience,
                        .waits_until = now + state_.options.swap.request_patience,
                        .epoch = session.epoch,
                        .sequence = sequence};
  out.send(to, SwapCommand{session.id, session.epoch, sequence, drains});
}

Swap::Moves::iterator Swap::end(Moves::iterator move) {
  if (move->second.commanded) stop_waiting(move->first);
  return moves_.erase(move);
}

void Swap::stop_waiting(SessionId id) {
  if (Session* session = state_.table.find(id)) session->swapping = false;
  settled_.push_back(id);
}

void Swap::leave_alone(Instant now, ServerId server) {
  left_alone_until_[server] = now + state_.options.swap.refusal_pause;
  rebalance_.give_up(now, server);
}

}  // namespace tandem
