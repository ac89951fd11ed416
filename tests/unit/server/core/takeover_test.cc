#include "server/core/takeover.h"

#include <gtest/gtest.h>

#include <set>

namespace tandem {
namespace {

using As = Known::As;
using Kind = Ruling::Kind;

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
  const Ruling ruling = ask(token({5, kPeer}, kMe, kTakeover), {As::kAlternate, {7, kThird}, {}});
  ASSERT_EQ(ruling.kind, Kind::kRefer);
  EXPECT_EQ(ruling.refer.primary, kThird);
  EXPECT_EQ(ruling.refer.epoch, (Epoch{7, kThird}));
  EXPECT_EQ(ruling.refer.flags, kMustServe);
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
      const Ruling ruling = ask(token({counter, kThird}, kPeer, kMustServe), {as, known, kFourth});
      EXPECT_NE(ruling.kind, Kind::kRefer);
      if (ruling.kind != Kind::kServe) {
        EXPECT_GT(ruling.epoch, (Epoch{counter, kThird}));
      }
    }
  }
}

TEST_F(Takeover, StateOlderThanTheTokenIsNothing) {
  for (const As as : {As::kPrimary, As::kAlternate, As::kNote}) {
    const Epoch known{4, as == As::kPrimary ? kMe : kPeer};
    const Ruling refer = ask(token({5, kThird}, kPeer), {as, known, {}});
    EXPECT_EQ(refer.kind, Kind::kRefer);
    EXPECT_EQ(refer.refer.primary, kThird);
    const Ruling start = ask(token({5, kThird}, kMe, kTakeover), {as, known, {}});
    EXPECT_EQ(start.kind, Kind::kStartEmpty);
    EXPECT_EQ(start.epoch, (Epoch{6, kMe}));
  }
}

TEST_F(Takeover, RestartedPrimaryRefersToTheAlternateWhichMayReferOnce) {
  const Ruling ruling = ask(token({5, kMe}, kPeer), {});
  ASSERT_EQ(ruling.kind, Kind::kRefer);
  EXPECT_EQ(ruling.refer.primary, kPeer);
  EXPECT_EQ(ruling.refer.flags, kTakeover | kReferred);
  EXPECT_EQ(ask(token({5, kMe}, kPeer, kReferred), {}).refer.flags, kTakeover | kMustServe);
  online_.erase(kPeer);
  EXPECT_EQ(ask(token({5, kMe}, kPeer), {}).kind, Kind::kStartEmpty);
}

TEST_F(Takeover, ReleasedAlternateRefersATakeoverToTheNewOne) {
  const Known note{As::kNote, {5, kPeer}, kThird};
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
    const auto online = [world](ServerId who) { return (world >> (5 + who.value) & 1) != 0; };
    SessionToken sent = token({5, kMe}, kPeer);
    ServerId at = kMe;
    int referrals = 0;
    for (;; ++referrals) {
      ASSERT_LE(referrals, 2) << "world " << world;
      const Ruling ruling = rule(sent, known_by(at), at, online);
      if (ruling.kind != Kind::kRefer) break;
      ASSERT_NE(ruling.refer.primary, at);
      sent = ruling.refer;
      at = sent.primary;
    }
  }
}

}  // namespace
}  // namespace tandem
