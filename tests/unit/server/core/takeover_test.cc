#include "server/core/takeover.h"

#include <gtest/gtest.h>

#include <set>

namespace tandem {
namespace {

using As = Known::As;
using Kind = Ruling::Kind;

const Finding kNobody;
constexpr ServerId kMe{1}, kPeer{2}, kThird{3}, kFourth{4};

class Takeover : public ::testing::Test {
 protected:
  Ruling ask(const SessionToken& token, const Known& known) {
    return rule(token, known, kMe, [this](ServerId server) {
      EXPECT_TRUE(server && server != kMe);
      return online_.count(server) != 0;
    });
  }
  static SessionToken token(Epoch epoch, ServerId alternate, unsigned flags = 0) {
    return {{7, 7}, epoch, epoch.server, alternate, 0, static_cast<std::uint8_t>(flags)};
  }
  std::set<ServerId> online_{kPeer, kThird, kFourth};
};

TEST_F(Takeover, PrimaryServesItsOwnEpochAndOlderOnes) {
  for (const unsigned flags : {0u, unsigned{kTakeover}, unsigned{kMustServe}}) {
    EXPECT_EQ(ask(token({5, kMe}, kPeer, flags), {As::kPrimary, {5, kMe}, {}}).kind, Kind::kServe);
    EXPECT_EQ(ask(token({3, kPeer}, kMe, flags), {As::kPrimary, {5, kMe}, {}}).kind, Kind::kServe);
  }
}

TEST_F(Takeover, AlternateTakesOverFromTheTokensEpoch) {
  const Ruling ruling = ask(token({5, kPeer}, kMe, kTakeover), {As::kAlternate, {5, kPeer}, {}});
  EXPECT_EQ(ruling.kind, Kind::kTakeOver);
  EXPECT_EQ(ruling.epoch, (Epoch{6, kMe}));
}

TEST_F(Takeover, AlternateRefersToTheLivingPrimaryOfANewerEpoch) {
  // The token's primary is dead, but another has taken over since.
  // This referral is the last one, and so the primary itself is asked first.
  const SessionToken sent = token({5, kPeer}, kMe, kTakeover);
  EXPECT_EQ(ask(sent, {As::kAlternate, {7, kThird}, {}}).kind, Kind::kAsk);
  const Finding found{{7, kThird}, kThird, kFourth, {}};
  const Ruling ruling = ask(sent, {As::kAlternate, {7, kThird}, {}, &found});
  ASSERT_EQ(ruling.kind, Kind::kRefer);
  EXPECT_EQ(ruling.refer.primary, kThird);
  EXPECT_EQ(ruling.refer.epoch, (Epoch{7, kThird}));
  EXPECT_EQ(ruling.refer.flags, kMustServe);
}

// Routed by a referral to the holder of a copy, which has died since: its token names the holder.
TEST_F(Takeover, NobodyIsReferredToWhomTheBalancerHasJustMetInVain) {
  SessionToken sent = token({5, kPeer}, kMe, kTakeover);
  sent.primary = kThird;
  const Known note{As::kNote, {5, kPeer}, kThird};
  EXPECT_EQ(ask(sent, note).kind, Kind::kAsk);
  const Finding found{{5, kPeer}, {}, kFourth, {kPeer}};
  const Ruling ruling = ask(sent, {As::kNote, {5, kPeer}, kThird, &found});
  ASSERT_EQ(ruling.kind, Kind::kRefer);
  EXPECT_EQ(ruling.refer.primary, kFourth);
  const Finding only_the_dead{{5, kPeer}, {}, kThird, {kPeer}};
  EXPECT_EQ(ask(sent, {As::kNote, {5, kPeer}, kThird, &only_the_dead}).kind, Kind::kStartEmpty);
}

TEST_F(Takeover, AlternateTakesOverWhenTheViewSaysThatThePrimaryIsGone) {
  online_.erase(kPeer);
  const Ruling ruling = ask(token({5, kPeer}, kMe), {As::kAlternate, {5, kPeer}, {}});
  EXPECT_EQ(ruling.kind, Kind::kTakeOver);
}

TEST_F(Takeover, WhatMustBeServedIsServed) {
  for (const As as : {As::kNothing, As::kPrimary, As::kAlternate, As::kNote}) {
    for (const std::uint32_t counter : {3u, 5u, 8u}) {
      const Epoch known{5, as == As::kPrimary ? kMe : kPeer};
      const SessionToken sent = token({counter, kThird}, kPeer, kMustServe);
      Ruling ruling = ask(sent, {as, known, {}});
      EXPECT_NE(ruling.kind, Kind::kRefer);
      if (ruling.kind == Kind::kAsk) ruling = ask(sent, {as, known, {}, &kNobody});
      EXPECT_NE(ruling.kind, Kind::kRefer);
      EXPECT_NE(ruling.kind, Kind::kAsk);
      if (ruling.kind != Kind::kServe && ruling.kind != Kind::kGuest) {
        EXPECT_GT(ruling.epoch, (Epoch{counter, kThird}));
      }
    }
  }
}

TEST_F(Takeover, WhatMustBeServedIsAGuestWhereItsSessionIsElsewhere) {
  const SessionToken sent = token({5, kMe}, kPeer, kMustServe);
  const Finding served{{7, kThird}, kThird, kFourth, {kPeer}};
  const Ruling ruling = ask(sent, {As::kNothing, {}, {}, &served});
  ASSERT_EQ(ruling.kind, Kind::kGuest)
      << "a session that is warm elsewhere is not taken from there";
  EXPECT_EQ(ruling.refer.primary, kThird);
  EXPECT_EQ(ruling.refer.alternate, kFourth);
  EXPECT_EQ(ruling.refer.epoch, (Epoch{7, kThird}));
  EXPECT_EQ(ruling.refer.flags, kNoFlags) << "a client's token";
  const Finding copy{{5, kMe}, {}, kFourth, {kPeer, kThird}};
  EXPECT_EQ(ask(sent, {As::kNothing, {}, {}, &copy}).kind, Kind::kGuest);
  const Known note{As::kNote, {6, kThird}, kFourth, &kNobody};
  EXPECT_EQ(ask(sent, note).kind, Kind::kGuest) << "they may only be out of reach";
}

TEST_F(Takeover, WhatMustBeServedIsAGuestAtTheHolderOfTheCopyWhileThePrimaryLives) {
  // It gave the session away; the token still names it.
  const SessionToken sent = token({4, kMe}, kPeer, kMustServe);
  const Known copy{As::kAlternate, {5, kPeer}, {}};
  const Ruling ruling = ask(sent, copy);
  ASSERT_EQ(ruling.kind, Kind::kGuest);
  EXPECT_EQ(ruling.refer.primary, kPeer);
  EXPECT_EQ(ruling.refer.alternate, kMe);
  EXPECT_EQ(ruling.refer.epoch, (Epoch{5, kPeer}));
  EXPECT_EQ(ruling.refer.flags, kNoFlags) << "a client's token";
  const Finding served{{5, kPeer}, kPeer, {}, {}};
  const Ruling settled = ask(sent, {As::kAlternate, {5, kPeer}, {}, &served});
  ASSERT_EQ(settled.kind, Kind::kGuest);
  EXPECT_EQ(settled.refer.alternate, kMe);
  const SessionToken met = token({5, kPeer}, kMe, kMustServe | kTakeover);
  EXPECT_EQ(ask(met, copy).kind, Kind::kTakeOver) << "the balancer has met it in vain";
  EXPECT_EQ(ask(met, {As::kAlternate, {5, kPeer}, {}, &served}).kind, Kind::kTakeOver);
  const Finding forgotten{{5, kPeer}, {}, kMe, {kPeer}};
  EXPECT_EQ(ask(sent, {As::kAlternate, {5, kPeer}, {}, &forgotten}).kind, Kind::kTakeOver);
  online_.erase(kPeer);
  EXPECT_EQ(ask(sent, copy).kind, Kind::kTakeOver);
}

TEST_F(Takeover, NothingIsStartedEmptyBeforePeersWereAsked) {
  for (const As as : {As::kNothing, As::kNote}) {
    for (const unsigned flags : {unsigned{kTakeover}, unsigned{kMustServe}}) {
      online_.clear();
      const SessionToken sent = token({5, kPeer}, kMe, flags);
      EXPECT_EQ(ask(sent, {as, {5, kPeer}, {}}).kind, Kind::kAsk);
      const Ruling ruling = ask(sent, {as, {5, kPeer}, {}, &kNobody});
      EXPECT_EQ(ruling.kind, Kind::kStartEmpty);
      EXPECT_EQ(ruling.epoch, (Epoch{6, kMe}));
    }
  }
}

TEST_F(Takeover, TheNewestEpochThatPeersKnowOfWins) {
  const SessionToken sent = token({5, kPeer}, kMe, kTakeover);
  const Finding served{{7, kThird}, kThird, kFourth, {}};
  const Ruling to_primary = ask(sent, {As::kNothing, {}, {}, &served});
  ASSERT_EQ(to_primary.kind, Kind::kRefer);
  EXPECT_EQ(to_primary.refer.primary, kThird);
  EXPECT_EQ(to_primary.refer.flags, kMustServe);
  // Nobody serves it any more: whoever has a copy takes over.
  const Finding copy{{7, kThird}, {}, kFourth, {}};
  const Ruling to_holder = ask(sent, {As::kNothing, {}, {}, &copy});
  ASSERT_EQ(to_holder.kind, Kind::kRefer);
  EXPECT_EQ(to_holder.refer.primary, kFourth);
  EXPECT_EQ(to_holder.refer.epoch, (Epoch{7, kThird}));
  EXPECT_EQ(to_holder.refer.flags, kMustServe | kTakeover);
  // What is older than the token is nothing.
  const Finding old{{4, kThird}, kThird, kFourth, {}};
  EXPECT_EQ(ask(sent, {As::kNothing, {}, {}, &old}).epoch, (Epoch{6, kMe}));
  // Only the note of a peer is left: nobody has it, and the claim is above what is known.
  online_.erase(kThird);
  const Finding noted{{9, kThird}, {}, {}, {kPeer, kFourth}};
  const Ruling empty = ask(sent, {As::kNothing, {}, {}, &noted});
  EXPECT_EQ(empty.kind, Kind::kStartEmpty);
  EXPECT_EQ(empty.epoch, (Epoch{10, kMe}));
}

TEST_F(Takeover, AHolderTakesOverWhenThePrimaryItselfDoesNotKnowTheSession) {
  // It was started anew: the view calls it online.
  const SessionToken sent = token({5, kPeer}, kMe, kTakeover | kReferred);
  const Finding none{{7, kThird}, {}, {}, {kThird}};
  const Ruling ruling = ask(sent, {As::kAlternate, {7, kThird}, {}, &none});
  EXPECT_EQ(ruling.kind, Kind::kTakeOver);
  EXPECT_EQ(ruling.epoch, (Epoch{8, kMe}));
}

TEST_F(Takeover, ACopyIsNothingWhereANewerEpochIsKnown) {
  const SessionToken sent = token({5, kPeer}, kMe, kMustServe);
  const Finding newer{{8, kThird}, {}, {}, {kThird, kPeer}};
  const Ruling ruling = ask(sent, {As::kAlternate, {7, kPeer}, {}, &newer});
  EXPECT_EQ(ruling.kind, Kind::kStartEmpty);
  EXPECT_EQ(ruling.epoch, (Epoch{9, kMe}));
}

TEST_F(Takeover, StateOlderThanTheTokenIsNothing) {
  for (const As as : {As::kPrimary, As::kAlternate, As::kNote}) {
    const Epoch known{4, as == As::kPrimary ? kMe : kPeer};
    const Ruling refer = ask(token({5, kThird}, kPeer), {as, known, {}});
    EXPECT_EQ(refer.kind, Kind::kRefer);
    EXPECT_EQ(refer.refer.primary, kThird);
    const Ruling start = ask(token({5, kThird}, kMe, kTakeover), {as, known, {}, &kNobody});
    EXPECT_EQ(start.kind, Kind::kStartEmpty);
    EXPECT_EQ(start.epoch, (Epoch{6, kMe}));
  }
}

TEST_F(Takeover, RestartedPrimaryRefersToTheAlternateWhichMayReferOnce) {
  const Ruling ruling = ask(token({5, kMe}, kPeer), {});
  ASSERT_EQ(ruling.kind, Kind::kRefer);
  EXPECT_EQ(ruling.refer.primary, kPeer);
  EXPECT_EQ(ruling.refer.flags, kTakeover | kReferred);
  const Known asked{As::kNothing, {}, {}, &kNobody};
  EXPECT_EQ(ask(token({5, kMe}, kPeer, kReferred), asked).refer.flags, kTakeover | kMustServe);
  online_.erase(kPeer);
  EXPECT_EQ(ask(token({5, kMe}, kPeer), asked).kind, Kind::kStartEmpty);
}

TEST_F(Takeover, ReleasedAlternateRefersATakeoverToTheNewOne) {
  const Known note{As::kNote, {5, kPeer}, kThird, &kNobody};
  const Ruling taken = ask(token({5, kPeer}, kMe, kTakeover), note);
  ASSERT_EQ(taken.kind, Kind::kRefer);
  EXPECT_EQ(taken.refer.primary, kThird);
  EXPECT_EQ(taken.refer.flags, kTakeover | kMustServe);
  // Without takeover the primary is alive.
  EXPECT_EQ(ask(token({5, kPeer}, kMe), note).refer.primary, kPeer);
  online_.erase(kThird);
  EXPECT_EQ(ask(token({5, kPeer}, kMe, kTakeover), note).kind, Kind::kStartEmpty);
}

TEST_F(Takeover, ReferralsEndAfterTwo) {
  // Whatever three servers know, and whoever is alive: following the referrals ends at the third.
  for (unsigned world = 0; world < 4 * 4 * 4 * 8; ++world) {
    const auto known_by = [world](ServerId who) -> Known {
      const unsigned choice = world >> (2 * (who.value - 1)) & 3;
      if (choice == 0) return {};
      if (choice == 1) return {As::kAlternate, {5, kPeer == who ? kThird : kPeer}, {}};
      if (choice == 2) return {As::kNote, {6, kThird == who ? kPeer : kThird}, kMe};
      return {As::kPrimary, {6, who}, {}};
    };
    const auto found_by = [&](ServerId asking) {
      Finding finding;
      for (const ServerId who : {kMe, kPeer, kThird}) {
        const Known known = known_by(who);
        if (who == asking) continue;
        if (known.as != As::kPrimary && known.as != As::kAlternate) finding.ignorant.push_back(who);
        if (known.epoch < finding.epoch) continue;
        if (known.epoch > finding.epoch) finding.primary = finding.holder = ServerId{};
        finding.epoch = known.epoch;
        if (known.as == As::kPrimary) finding.primary = who;
        if (known.as == As::kAlternate) finding.holder = who;
      }
      return finding;
    };
    const auto online = [world](ServerId who) { return (world >> (5 + who.value) & 1) != 0; };
    SessionToken sent = token({5, kMe}, kPeer);
    ServerId at = kMe;
    int referrals = 0;
    for (;; ++referrals) {
      ASSERT_LE(referrals, 2) << "world " << world;
      Known known = known_by(at);
      Ruling ruling = rule(sent, known, at, online);
      Finding finding;
      if (ruling.kind == Kind::kAsk) {
        finding = found_by(at);
        known.finding = &finding;
        ruling = rule(sent, known, at, online);
        ASSERT_NE(ruling.kind, Kind::kAsk) << "world " << world;
      }
      if (ruling.kind != Kind::kRefer) break;
      ASSERT_NE(ruling.refer.primary, at);
      sent = ruling.refer;
      at = sent.primary;
    }
  }
}

// It may be older than what any server remembers of an idle session: if nobody knows it, its own
// primary begins it anew, and no alternate that has forgotten it, too.
TEST_F(Takeover, ALastingTokenIsAskedForByItsPrimaryBeforeItIsReferred) {
  const SessionToken lasting = token({5, kMe}, kPeer, kLasting);
  EXPECT_EQ(ask(token({5, kMe}, kPeer), {}).kind, Kind::kRefer);
  EXPECT_EQ(ask(lasting, {}).kind, Kind::kAsk);
  const Finding nobody{{}, {}, {}, {kPeer, kThird, kFourth}};
  EXPECT_EQ(ask(lasting, {As::kNothing, {}, {}, &nobody}).kind, Kind::kStartEmpty);
  const Finding moved{{6, kPeer}, kPeer, kThird, {}};
  const Ruling ruling = ask(lasting, {As::kNothing, {}, {}, &moved});
  ASSERT_EQ(ruling.kind, Kind::kRefer);
  EXPECT_EQ(ruling.refer.primary, kPeer);
  EXPECT_EQ(ruling.refer.flags, kReferred) << "a client's own token may be handed on twice";
}

}  // namespace
}  // namespace tandem
