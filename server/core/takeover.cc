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
  bool can_go_to(ServerId server) const { return server && server != self && online(server); }
  // Was the request brought here because the primary of `epoch` did not answer?
  bool found_dead(Epoch epoch) const {
    return flag(kTakeover) && token.epoch.server == epoch.server;
  }

  // A request that comes from its client's token alone may be handed on once more.
  Ruling refer(ServerId target, ServerId alternate, Epoch epoch, bool takeover) const {
    Ruling ruling;
    ruling.kind = Ruling::Kind::kRefer;
    ruling.refer = {.session = token.session,
                    .epoch = epoch,
                    .primary = target,
                    .alternate = alternate == target ? ServerId{} : alternate,
                    .issued = 0,
                    .flags = token.flags == kNoFlags ? kReferred : kMustServe};
    if (takeover) ruling.refer.flags |= kTakeover;
    return ruling;
  }
  Ruling claim(Ruling::Kind kind, Epoch newest) const { return {kind, newest.raised_by(self), {}}; }

  Ruling as_alternate() const {
    const ServerId primary = known.epoch.server;
    if (flag(kMustServe) || found_dead(known.epoch) || !can_go_to(primary)) {
      return claim(Ruling::Kind::kTakeOver, known.epoch);
    }
    return refer(primary, self, known.epoch, false);
  }

  Ruling with_note() const {
    if (!flag(kMustServe)) {
      const ServerId primary = known.epoch.server;
      if (!found_dead(known.epoch) && can_go_to(primary)) {
        return refer(primary, known.alternate, known.epoch, false);
      }
      if (can_go_to(known.alternate)) return refer(known.alternate, self, known.epoch, true);
    }
    return claim(Ruling::Kind::kStartEmpty, known.epoch);
  }

  Ruling with_nothing() const {
    const bool settled = flag(kMustServe) || flag(kTakeover);
    if (!settled && token.primary != self && can_go_to(token.primary)) {
      return refer(token.primary, token.alternate, token.epoch, false);
    }
    if (!settled && can_go_to(token.alternate)) {
      return refer(token.alternate, self, token.epoch, true);
    }
    return claim(Ruling::Kind::kStartEmpty, token.epoch);
  }
};

}  // namespace

Ruling rule(const SessionToken& token, const Known& known, ServerId self, const IsOnline& online) {
  const Case one{token, known, self, online};
  if (known.as == Known::As::kNothing || known.epoch < token.epoch) return one.with_nothing();
  switch (known.as) {
    case Known::As::kPrimary:
      return {Ruling::Kind::kServe, known.epoch, {}};
    case Known::As::kAlternate:
      return one.as_alternate();
    default:
      return one.with_note();
  }
}

}  // namespace tandem
