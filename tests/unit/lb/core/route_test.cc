#include "lb/core/route.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "lb/core/pools.h"

namespace tandem {
namespace {

const ServerId kA = ServerId::of("a");
const ServerId kB = ServerId::of("b");
const ServerId kC = ServerId::of("c");
constexpr UnixSeconds kWall = 1'700'000'000;
constexpr UnixSeconds kTtl = 1800;

ServerRecord record(const std::string& name, bool online = true) {
  ServerRecord server;
  server.id = ServerId::of(name);
  server.name = name;
  server.online = online;
  server.status.capacity = 100;
  server.status.threshold = 80;
  return server;
}

struct Cluster {
  explicit Cluster(std::vector<ServerRecord> servers) {
    auto view = std::make_shared<View>();
    view->version = 1;
    view->servers = std::move(servers);
    index = ViewIndex(view);
    assignment.on_view(*view);
  }
  Route to(const SessionToken* token, std::span<const ServerId> failed = {}) {
    return route(token, index, assignment, failed);
  }
  ServerId at(const Route& r) const { return index.at(r.slot).id; }

  ViewIndex index;
  Assignment assignment{Random(1), 1};
};

SessionToken token(ServerId primary, ServerId alternate, std::uint32_t counter = 3) {
  SessionToken t;
  t.session = SessionId{1, 2};
  t.epoch = Epoch{counter, primary};
  t.primary = primary;
  t.alternate = alternate;
  t.issued = kWall - 10;
  return t;
}

TEST(ViewIndex, FindsEveryServerAndNoOther) {
  std::vector<ServerRecord> servers;
  for (int i = 0; i < 500; ++i) servers.push_back(record("s" + std::to_string(i), i % 2 == 0));
  auto view = std::make_shared<View>();
  view->servers = servers;
  const ViewIndex index{ViewPtr(view)};
  for (std::uint32_t i = 0; i < 500; ++i) {
    EXPECT_EQ(index.slot(servers[i].id), i);
    EXPECT_EQ(index.online_slot(servers[i].id), i % 2 == 0 ? i : ViewIndex::kNoSlot);
  }
  EXPECT_EQ(index.slot(ServerId::of("nobody")), ViewIndex::kNoSlot);
  EXPECT_EQ(index.online_slot(ServerId{}), ViewIndex::kNoSlot);
}

TEST(ViewIndex, AnEmptyViewHasNobody) {
  EXPECT_EQ(ViewIndex().slot(kA), ViewIndex::kNoSlot);
  EXPECT_EQ(ViewIndex().size(), 0u);
}

// Pool 0 is a and b, pool "api" c and d.
struct TwoPools {
  TwoPools() {
    for (const char* name : {"a", "b", "c", "d"}) view.servers.push_back(record(name));
    view.servers[2].group = view.servers[3].group = "api";
    show();
  }
  void show() {
    index = ViewIndex(std::make_shared<const View>(view), routes);
    pools.on_view(view, routes);
  }
  Route to(PoolNumber pool, const SessionToken* token, LossPolicy on_lost = {}) {
    return route(token, index, pools.assignment(pool), {}, on_lost, pool);
  }
  std::string at(const Route& r) const {
    return r.slot == ViewIndex::kNoSlot ? "nobody" : index.at(r.slot).name;
  }

  View view;
  Routes routes = *Routes::make({{"", "/api", "api"}});
  ViewIndex index;
  Pools pools{Random(1), 1};
};

TEST(RoutePools, ANewSessionGoesToAServerOfItsPool) {
  TwoPools world;
  for (int i = 0; i < 20; ++i) {
    EXPECT_LT(world.to(0, nullptr).slot, 2U);
    EXPECT_GE(world.to(1, nullptr).slot, 2U);
  }
  world.view.servers[2].online = world.view.servers[3].online = false;
  world.show();
  EXPECT_EQ(world.to(1, nullptr).kind, RouteKind::kUnavailable);
  EXPECT_EQ(world.to(0, nullptr).kind, RouteKind::kNew);
}

TEST(RoutePools, ATokenIsOfThePoolOfItsServers) {
  TwoPools world;
  const ServerId d = ServerId::of("d"), unknown = ServerId::of("x");
  EXPECT_TRUE(is_of_pool(token(kA, kB), world.index, 0));
  EXPECT_FALSE(is_of_pool(token(kA, kB), world.index, 1));
  EXPECT_FALSE(is_of_pool(token(kA, {}), world.index, 1));
  EXPECT_FALSE(is_of_pool(token(kC, d), world.index, 0));
  EXPECT_TRUE(is_of_pool(token(unknown, {}), world.index, 1));
  EXPECT_TRUE(is_of_pool(token(unknown, kC), world.index, 1));
  EXPECT_FALSE(is_of_pool(token(unknown, kC), world.index, 0));
  EXPECT_TRUE(is_of_pool(token(kA, kC), world.index, 1)) << "its primary has gone to another group";
  EXPECT_TRUE(is_of_pool(token(kA, kB), ViewIndex(world.index.view()), 7)) << "there are no routes";
}

TEST(RoutePools, TakeoversStayInThePool) {
  TwoPools world;
  const ServerId d = ServerId::of("d");
  world.view.servers[2].online = false;
  world.show();
  const SessionToken with_alternate = token(kC, d), without = token(kC, {}), moved = token(kA, d);
  EXPECT_EQ(world.to(1, &with_alternate).kind, RouteKind::kTakeover);
  EXPECT_EQ(world.at(world.to(1, &with_alternate)), "d");
  EXPECT_EQ(world.to(1, &without).kind, RouteKind::kLost);
  EXPECT_EQ(world.at(world.to(1, &without)), "d");
  EXPECT_EQ(world.to(1, &moved).kind, RouteKind::kTakeover) << "a is online, but of another group";
  world.view.servers[3].online = false;
  world.show();
  for (const SessionToken* one : {&with_alternate, &without}) {
    EXPECT_EQ(world.to(1, one).kind, RouteKind::kUnavailable);
    EXPECT_EQ(world.to(1, one, {404}).kind, RouteKind::kUnavailable) << "an outage of the group";
  }
}

TEST(RoutePools, ALostSessionStaysInItsGroupWhereAPoolHasSeveral) {
  TwoPools world;
  world.routes = *Routes::make({{"", "/shop", "shop"}});
  world.view.servers[2].online = false;
  world.show();
  const SessionToken lost = token(kC, {});
  for (int i = 0; i < 8; ++i) EXPECT_EQ(world.at(world.to(0, &lost)), "d");
  world.view.servers[3].online = false;
  world.show();
  EXPECT_EQ(world.to(0, &lost).kind, RouteKind::kLost);
}

TEST(Route, WithAPrimaryOnlineTheClientsTokenWillDo) {
  Cluster cluster({record("a"), record("b")});
  const SessionToken t = token(kB, kA);
  const Route r = cluster.to(&t);
  EXPECT_EQ(r.kind, RouteKind::kWarm);
  EXPECT_EQ(cluster.at(r), kB);
  EXPECT_EQ(r.flags, kNoFlags);
}

TEST(Route, ADrainingPrimaryStillServesItsSessions) {
  ServerRecord draining = record("a");
  draining.status.draining = true;
  Cluster cluster({draining, record("b")});
  const SessionToken t = token(kA, kB);
  EXPECT_EQ(cluster.to(&t).kind, RouteKind::kWarm);
  EXPECT_EQ(cluster.at(cluster.to(nullptr)), kB);
}

TEST(Route, WithThePrimaryOfflineTheAlternateTakesOver) {
  Cluster cluster({record("a", false), record("b"), record("c")});
  const SessionToken t = token(kA, kC);
  const Route r = cluster.to(&t);
  EXPECT_EQ(r.kind, RouteKind::kTakeover);
  EXPECT_EQ(cluster.at(r), kC);
  EXPECT_EQ(r.flags, kTakeover);
}

TEST(Route, APrimaryThatJustFailedCountsAsOffline) {
  Cluster cluster({record("a"), record("b"), record("c")});
  const SessionToken t = token(kA, kC);
  const std::array failed{kA};
  const Route r = cluster.to(&t, failed);
  EXPECT_EQ(r.kind, RouteKind::kTakeover);
  EXPECT_EQ(cluster.at(r), kC);
}

TEST(Route, AnUnknownPrimaryCountsAsOffline) {
  Cluster cluster({record("b")});
  const SessionToken t = token(kA, kB);
  EXPECT_EQ(cluster.to(&t).kind, RouteKind::kTakeover);
}

TEST(Route, WithBothGoneTheLossPolicyMayReject) {
  std::vector<ServerRecord> servers{record("a", false), record("b"), record("c", false)};
  for (ServerRecord& server : servers) server.kind = ServerKind::kPlain;
  Cluster cluster(servers);
  const LossPolicy reject{.reject_status = 503};
  const auto kind = [&](const SessionToken* token, std::span<const ServerId> failed = {}) {
    return route(token, cluster.index, cluster.assignment, failed, reject).kind;
  };
  const SessionToken lost = token(kA, kC), warm = token(kB, kC), taken = token(kA, kB);
  EXPECT_EQ(kind(&lost), RouteKind::kRejected);
  EXPECT_EQ(kind(&warm), RouteKind::kWarm);
  EXPECT_EQ(kind(&taken), RouteKind::kTakeover);
  EXPECT_EQ(kind(nullptr), RouteKind::kNew);
  const std::array failed{kB};  // in the middle of the request
  // With nobody left at all it is an outage: not the time to tell clients that they are lost.
  EXPECT_EQ(kind(&taken, failed), RouteKind::kUnavailable);
  Cluster more({servers[0], servers[1], record("d")});
  EXPECT_EQ(route(&taken, more.index, more.assignment, failed, reject).kind, RouteKind::kRejected);
}

// A third server may have a copy: one of ours is asked before a session is called lost.
TEST(Route, BeforeItRejectsATandemServerIsAsked) {
  Cluster cluster({record("a", false), record("b"), record("c", false)});
  const SessionToken t = token(kA, kC);
  const Route r = route(&t, cluster.index, cluster.assignment, {}, {.reject_status = 410});
  EXPECT_EQ(r.kind, RouteKind::kLost);
  EXPECT_EQ(cluster.at(r), kB);
  EXPECT_EQ(r.flags, kTakeover | kKnownOnly);
  EXPECT_EQ(cluster.to(&t).flags & kKnownOnly, 0);
}

// The alternate lives, but may have been started anew: then the session is lost all the same.
TEST(Route, WhereLostSessionsAreRejectedAnAlternateBeginsNoneAnew) {
  Cluster cluster({record("a", false), record("b"), record("c")});
  const SessionToken t = token(kA, kC);
  const Route r = route(&t, cluster.index, cluster.assignment, {}, {.reject_status = 503});
  EXPECT_EQ(r.kind, RouteKind::kTakeover);
  EXPECT_EQ(r.flags, kTakeover | kKnownOnly);
  EXPECT_EQ(cluster.to(&t).flags, kTakeover);
}

TEST(LossPolicy, A4xxEndsTheSessionAndA5xxDoesNot) {
  EXPECT_FALSE(LossPolicy{}.rejects());
  EXPECT_FALSE(LossPolicy{}.ends_session());
  EXPECT_TRUE(LossPolicy{404}.ends_session());
  EXPECT_TRUE(LossPolicy{499}.ends_session());
  EXPECT_TRUE(LossPolicy{503}.rejects());
  EXPECT_FALSE(LossPolicy{503}.ends_session());
}

TEST(Route, WithBothGoneItGoesToAnyWhichMayReferToTheHolderOfACopy) {
  Cluster cluster({record("a", false), record("b"), record("c", false)});
  const SessionToken t = token(kA, kC);
  const Route r = cluster.to(&t);
  EXPECT_EQ(r.kind, RouteKind::kLost);
  EXPECT_EQ(cluster.at(r), kB);
  EXPECT_EQ(r.flags, kTakeover);
}

TEST(Route, ATakeoverIgnoresCapacity) {
  ServerRecord full = record("b");
  full.status.primaries = 100;
  Cluster cluster({record("a", false), full});
  const SessionToken t = token(kA, ServerId{});
  EXPECT_EQ(cluster.to(&t).kind, RouteKind::kLost);
  EXPECT_EQ(cluster.to(nullptr).kind, RouteKind::kUnavailable);
}

TEST(Route, WithNobodyLeftItIsUnavailable) {
  Cluster cluster({record("a", false), record("b")});
  const SessionToken t = token(kA, kB);
  const std::array failed{kB};
  EXPECT_EQ(cluster.to(&t, failed).kind, RouteKind::kUnavailable);
  EXPECT_EQ(cluster.to(nullptr, failed).kind, RouteKind::kUnavailable);
}

TEST(Route, NewSessionsGoRound) {
  Cluster cluster({record("a"), record("b"), record("c")});
  const Route first = cluster.to(nullptr);
  EXPECT_EQ(first.kind, RouteKind::kNew);
  EXPECT_EQ(first.flags, kNewSession);
  for (std::uint32_t i = 1; i < 9; ++i) {
    EXPECT_EQ(cluster.to(nullptr).slot, (first.slot + i) % 3);
  }
}

TEST(Route, WhenAllAreOverTheirThresholdTheNewSessionMustBeServed) {
  ServerRecord a = record("a"), b = record("b");
  a.status.primaries = 95;
  b.status.primaries = 90;
  Cluster cluster({a, b});
  const Route r = cluster.to(nullptr);
  EXPECT_EQ(cluster.at(r), kB);
  EXPECT_EQ(r.flags, kNewSession | kMustServe);
}

// The client's token names a, which referred to b: when b is dead, a cannot know it yet.
TEST(Route, AfterAReferralTheServerThatItNamedIsTheOneThatFailed) {
  Cluster cluster({record("a"), record("b"), record("c")});
  const SessionToken client = token(kA, kB);
  SessionToken referral = token(kB, kC, 4);
  referral.flags = kReferred;
  ASSERT_TRUE(supersedes(referral, &client));
  const std::array failed{kB};
  const Route r = cluster.to(&referral, failed);
  EXPECT_EQ(r.kind, RouteKind::kTakeover);
  EXPECT_EQ(cluster.at(r), kC);
  const SessionToken sent = request_token(r, &referral, cluster.index, {}, kWall);
  EXPECT_EQ(sent.flags, kTakeover);
  EXPECT_EQ(sent.epoch, referral.epoch);
}

TEST(Supersedes, NeitherWhatIsOlderNorWhatIsNew) {
  const SessionToken client = token(kA, kB);
  EXPECT_TRUE(supersedes(client, &client));
  EXPECT_FALSE(supersedes(client, nullptr));
  EXPECT_FALSE(supersedes(token(kB, kA, 2), &client));
  SessionToken other = token(kB, kC, 4);
  other.flags = kNewSession | kMustServe;
  EXPECT_FALSE(supersedes(other, &client));
  other.flags = kReferred;
  other.session = SessionId{1, 3};
  EXPECT_FALSE(supersedes(other, &client));
}

TEST(RequestToken, OfANewSessionNamesTheChosenServer) {
  Cluster cluster({record("a")});
  const Route r = cluster.to(nullptr);
  const SessionToken t = request_token(r, nullptr, cluster.index, SessionId{7, 8}, kWall);
  EXPECT_EQ(t, (SessionToken{SessionId{7, 8}, Epoch{}, kA, ServerId{}, kWall, kNewSession}));
}

TEST(RequestToken, OfATakeoverKeepsWhatTheClientHas) {
  Cluster cluster({record("a", false), record("b")});
  const SessionToken client = token(kA, kB);
  const SessionToken t =
      request_token(cluster.to(&client), &client, cluster.index, SessionId{7, 8}, kWall);
  SessionToken expected = client;
  expected.flags = kTakeover;
  expected.issued = kWall;
  EXPECT_EQ(t, expected);
}

struct Plain : ::testing::Test {
  PlainToken set(const SessionToken* client) {
    return plain_token(cluster.to(client), client, cluster.index, cluster.assignment,
                       SessionId{7, 8}, kWall, kTtl);
  }
  Cluster cluster{{record("a"), record("b")}};
};

TEST_F(Plain, ANewSessionIsProvisional) {
  const PlainToken p = set(nullptr);
  EXPECT_TRUE(p.set);
  EXPECT_FALSE(p.counted);
  EXPECT_EQ(p.token.session, (SessionId{7, 8}));
  EXPECT_EQ(p.token.epoch.counter, 1u);
  EXPECT_FALSE(p.token.alternate);
  EXPECT_EQ(p.token.flags, kNoFlags);
}

TEST_F(Plain, TheTokenThatComesBackIsConfirmedAndGetsAnAlternate) {
  const SessionToken client = set(nullptr).token;
  const PlainToken p = set(&client);
  EXPECT_TRUE(p.set);
  EXPECT_TRUE(p.counted);
  EXPECT_EQ(p.token.session, client.session);
  EXPECT_EQ(p.token.primary, client.primary);
  EXPECT_EQ(p.token.alternate, client.primary == kA ? kB : kA);
  EXPECT_GT(p.token.epoch, client.epoch);
}

TEST_F(Plain, AConfirmedTokenIsLeftAloneUntilHalfItsLife) {
  SessionToken client = token(kA, kB);
  EXPECT_FALSE(set(&client).set);
  client.issued = kWall - kTtl / 2;
  const PlainToken p = set(&client);
  EXPECT_TRUE(p.set);
  EXPECT_TRUE(p.counted);
  EXPECT_EQ(p.token.issued, kWall);
  EXPECT_EQ(p.token.epoch, client.epoch);
}

TEST_F(Plain, AnAlternateThatIsGoneIsReplaced) {
  const SessionToken client = token(kA, kC);
  const PlainToken p = set(&client);
  EXPECT_TRUE(p.set);
  EXPECT_EQ(p.token.alternate, kB);
}

TEST(PlainToken, WithoutAnotherServerTheTokenIsNotSetAgainAndAgain) {
  Cluster cluster({record("a")});
  SessionToken client = token(kA, ServerId{}, 1);
  PlainToken p = plain_token(cluster.to(&client), &client, cluster.index, cluster.assignment,
                             SessionId{}, kWall, kTtl);
  EXPECT_TRUE(p.set);
  EXPECT_FALSE(p.token.alternate);
  client = p.token;
  p = plain_token(cluster.to(&client), &client, cluster.index, cluster.assignment, SessionId{},
                  kWall, kTtl);
  EXPECT_FALSE(p.set);
}

TEST(PlainToken, ATakeoverRaisesTheEpoch) {
  Cluster cluster({record("a", false), record("b"), record("c")});
  const SessionToken client = token(kA, kB);
  const PlainToken p = plain_token(cluster.to(&client), &client, cluster.index, cluster.assignment,
                                   SessionId{}, kWall, kTtl);
  EXPECT_TRUE(p.set);
  EXPECT_EQ(p.token.primary, kB);
  EXPECT_EQ(p.token.alternate, kC);
  EXPECT_EQ(p.token.epoch, (Epoch{4, kB}));
}

// An application says only once, perhaps, that there is a session.
TEST(PlainToken, ALastingTokenIsConfirmedFromTheStart) {
  Cluster cluster({record("a"), record("b")});
  const Route fresh{RouteKind::kNew, cluster.index.slot(kA), kNewSession};
  const PlainToken first = plain_token(fresh, nullptr, cluster.index, cluster.assignment,
                                       SessionId{1, 2}, kWall, kTtl, true);
  EXPECT_TRUE(first.set && first.counted);
  EXPECT_EQ(first.token.flags, kLasting);
  EXPECT_EQ(first.token.primary, kA);
  EXPECT_EQ(first.token.alternate, kB);
  const Route warm{RouteKind::kWarm, cluster.index.slot(kA), kNoFlags};
  EXPECT_FALSE(plain_token(warm, &first.token, cluster.index, cluster.assignment, {},
                           kWall + kTtl / 2 - 1, kTtl, true)
                   .set);
  const PlainToken renewed = plain_token(warm, &first.token, cluster.index, cluster.assignment, {},
                                         kWall + 100 * kTtl, kTtl, true);
  EXPECT_TRUE(renewed.set && renewed.counted);
  EXPECT_EQ(renewed.token.flags, kLasting);
  EXPECT_EQ(renewed.token.epoch, first.token.epoch);
}

}  // namespace
}  // namespace tandem
