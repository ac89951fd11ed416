#include "server/core/takeover.h"

#include <algorithm>

namespace tandem {
namespace {

// One decision; the members are its premises.
struct Case {
  const SessionToken& token;
  const Known& known;
  ServerId self;
  const IsOnline& online;

  bool flag(TokenFlags one) const { return (token.flags & one) != 0; }
  bool asked() const { return known.finding != nullptr; }
  bool can_go_to(ServerId server) const {
    return server && server != self && online(server) && !is_ignorant(server) && !failed(server);
  }
  // Has the balancer met it in vain? (In a referral the primary is who gets it.)
  bool failed(ServerId server) const { return flag(kTakeover) && server == token.primary; }
  bool is_ignorant(ServerId server) const {
    if (!asked()) return false;
    const auto& all = known.finding->ignorant;
    return std::find(all.begin(), all.end(), server) != all.end();
  }
  // Was the request brought here because the primary of `epoch` did not answer?
  bool found_dead(Epoch epoch) const {
    return flag(kTakeover) && token.epoch.server == epoch.server;
  }

  // A request that comes from its client's token alone may be handed on once more. Who gets it for
  // the last time must serve it, whatever it knows: before that one makes sure.
  Ruling refer(ServerId target, ServerId alternate, Epoch epoch, bool takeover) const {
    Ruling ruling;
    const bool last = is_for_one_request(token.flags);
    ruling.kind = last && !asked() ? Ruling::Kind::kAsk : Ruling::Kind::kRefer;
    ruling.refer = {.session = token.session,
                    .epoch = epoch,
                    .primary = target,
                    .alternate = alternate == target ? ServerId{} : alternate,
                    .issued = 0,
                    .flags = last ? kMustServe : kReferred};
    if (takeover) ruling.refer.flags |= kTakeover;
    ruling.refer.flags |= token.flags & kKnownOnly;
    return ruling;
  }
  Ruling guest(ServerId primary, ServerId alternate, Epoch epoch) const {
    Ruling ruling = refer(primary, alternate, epoch, false);
    ruling.kind = Ruling::Kind::kGuest;
    ruling.refer.flags = kNoFlags;
    return ruling;
  }
  Ruling claim(Ruling::Kind kind, Epoch newest) const { return {kind, newest.raised_by(self), {}}; }
  Ruling start_empty(Epoch newest) const {
    if (!asked()) return {Ruling::Kind::kAsk, {}, {}};
    return claim(Ruling::Kind::kStartEmpty, newest);
  }

  Ruling as_alternate() const {
    const ServerId primary = known.epoch.server;
    if (found_dead(known.epoch) || !can_go_to(primary)) {
      return claim(Ruling::Kind::kTakeOver, known.epoch);
    }
    if (flag(kMustServe)) return guest(primary, self, known.epoch);
    return refer(primary, self, known.epoch, false);
  }

  Ruling with_note() const {
    const ServerId primary = known.epoch.server;
    if (flag(kMustServe)) {
      if (!asked()) return start_empty(known.epoch);
      const bool elsewhere =
          can_go_to(known.alternate) || (can_go_to(primary) && !found_dead(known.epoch));
      if (elsewhere) return guest(primary, known.alternate, known.epoch);
    } else {
      if (!found_dead(known.epoch) && can_go_to(primary)) {
        return refer(primary, known.alternate, known.epoch, false);
      }
      if (can_go_to(known.alternate)) return refer(known.alternate, self, known.epoch, true);
    }
    return start_empty(known.epoch);
  }

  Ruling with_nothing() const {
    const bool settled = flag(kMustServe) || flag(kTakeover);
    // A lasting token may be older than what any server remembers of an idle session. If nobody
    // knows it, its own primary begins it anew: there is the application that does.
    if (flag(kLasting) && token.primary == self && !asked()) return {Ruling::Kind::kAsk, {}, {}};
    if (!settled && token.primary != self && can_go_to(token.primary)) {
      return refer(token.primary, token.alternate, token.epoch, false);
    }
    if (!settled && can_go_to(token.alternate)) {
      return refer(token.alternate, self, token.epoch, true);
    }
    return start_empty(token.epoch);
  }

  // Do the peers know something that is not older than what the token and this server say?
  bool finds(Epoch here) const {
    return asked() && known.finding->epoch.counter > 0 &&
           known.finding->epoch >= std::max(here, token.epoch);
  }

  Ruling with_finding(bool has_copy) const {
    const Finding& found = *known.finding;
    const Epoch newest = found.epoch;
    const bool primary_lives = can_go_to(found.primary) && !found_dead(newest);
    const bool holder_lives = can_go_to(found.holder);
    if (flag(kMustServe)) {
      if (has_copy && !primary_lives) return claim(Ruling::Kind::kTakeOver, newest);
      if (!primary_lives && !holder_lives) return start_empty(newest);
      return guest(newest.server, has_copy ? self : found.holder, newest);
    }
    if (primary_lives) return refer(found.primary, found.holder, newest, false);
    if (has_copy) return claim(Ruling::Kind::kTakeOver, newest);
    if (holder_lives) return refer(found.holder, ServerId{}, newest, true);
    if (!found_dead(newest) && can_go_to(newest.server)) {
      return refer(newest.server, ServerId{}, newest, false);
    }
    return start_empty(newest);
  }
};

}  // namespace

Ruling rule(const SessionToken& token, const Known& known, ServerId self, const IsOnline& online) {
  using As = Known::As;
  const Case one{token, known, self, online};
  const bool older = known.as != As::kNothing && known.epoch < token.epoch;
  const As as = older ? As::kNothing : known.as;
  if (as == As::kPrimary) return {Ruling::Kind::kServe, known.epoch, {}};
  const Epoch here = as == As::kNothing ? Epoch{} : known.epoch;
  if (one.finds(here)) {
    return one.with_finding(as == As::kAlternate && known.finding->epoch == here);
  }
  if (as == As::kAlternate) return one.as_alternate();
  return as == As::kNote ? one.with_note() : one.with_nothing();
}

}  // namespace tandem
