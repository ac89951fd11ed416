// Two servers that meet, with many sessions shared: what crosses the wire, and what waits.
#include "server/core/meetings.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>

#include "common/base/random.h"
#include "common/wire/codec.h"

namespace tandem {
namespace {

constexpr std::size_t kMany = 100'000;

class MeetingsTest : public ::testing::Test {
 protected:
  struct End {
    explicit End(const std::string& name)
        : state(options(name), Instant{}), alternates(state), meetings(state, alternates) {}
    static NodeOptions options(const std::string& name) {
      NodeOptions made;
      made.name = name;
      made.notes_max = 2 * kMany;
      return made;
    }
    ServerId id() const { return state.self; }

    NodeState state;
    Alternates alternates;
    Meetings meetings;
  };
  struct Traffic {
    std::size_t bytes = 0;
    std::size_t messages = 0;
    std::size_t entries = 0;
    std::size_t entries_waiting = 0;  // the most at one end
    std::size_t walks = 0;            // the most at one end
  };

  SessionId an_id() { return {random_.next(), random_.next()}; }
  Session& serve(End& primary, SessionId id, Epoch epoch, ServerId alternate) {
    Session& session = primary.state.create(now_, id, Role::kPrimary, epoch);
    session.stream.target = alternate;
    primary.state.partners.update(session);
    return session;
  }
  Session& hold(End& alternate, SessionId id, Epoch epoch) {
    Session& session = alternate.state.create(now_, id, Role::kAlternate, epoch);
    session.fed_by = session.primary;
    alternate.state.partners.update(session);
    return session;
  }
  // Half of them are served here, half there; each has its copy on the other.
  std::vector<SessionId> share(std::size_t count) {
    std::vector<SessionId> ids;
    for (std::size_t i = 0; i < count; ++i) {
      ids.push_back(an_id());
      End& primary = i % 2 == 0 ? a_ : b_;
      End& alternate = i % 2 == 0 ? b_ : a_;
      serve(primary, ids.back(), {3, primary.id()}, alternate.id());
      hold(alternate, ids.back(), {3, primary.id()});
    }
    return ids;
  }

  void link() {
    for (const auto& [end, other] : {std::pair(&a_, &b_), std::pair(&b_, &a_)}) {
      end->state.sender.link_up(other->id());
      end->meetings.on_link_up(other->id());
    }
  }
  void cut() {
    for (const auto& [end, other] : {std::pair(&a_, &b_), std::pair(&b_, &a_)}) {
      end->state.sender.link_down(other->id());
      end->state.mail.link_down(other->id());
      end->meetings.on_link_down(other->id(), false);
    }
  }
  // Delivers until nobody has anything to say. Each `lost`th message is lost.
  Traffic settle(std::size_t lost = 0) {
    Traffic traffic;
    for (int idle = 0; idle < 2;) {
      bool more = false;
      for (const auto& [end, other] : {std::pair(&a_, &b_), std::pair(&b_, &a_)}) {
        more = turn(*end, *other, lost, traffic) || more;
      }
      idle = more ? 0 : idle + 1;
      if (!more && lost > 0) now_ += 30s;  // what was lost is sent again
    }
    return traffic;
  }
  bool turn(End& end, End& other, std::size_t lost, Traffic& traffic) {
    end.meetings.step();
    PeerOutbox out(16);
    end.state.mail.drain(
        now_, [&](ServerId peer) { return end.state.sender.linked(peer); }, out);
    traffic.entries_waiting = std::max(traffic.entries_waiting, end.state.mail.waiting());
    traffic.walks = std::max(traffic.walks, end.meetings.walks());
    const auto envelopes = out.take();
    for (const auto& [to, message] : envelopes) deliver(end, other, message, lost, traffic);
    return !envelopes.empty();
  }
  void deliver(End& end, End& other, const Message& message, std::size_t lost, Traffic& traffic) {
    std::string bytes;
    ASSERT_TRUE(encode(message, bytes));
    traffic.bytes += bytes.size();
    ++traffic.messages;
    if (lost > 0 && traffic.messages % lost == 0) return;
    std::uint64_t number = 0;
    if (const auto* digest = std::get_if<SessionDigest>(&message)) {
      number = digest->number;
      other.meetings.on_digest(now_, end.id(), *digest);
    } else if (const auto* exchange = std::get_if<SessionExchange>(&message)) {
      number = exchange->number;
      traffic.entries += exchange->entries.size();
      other.meetings.on_exchange(now_, end.id(), *exchange);
    } else if (const auto* release = std::get_if<MirrorRelease>(&message)) {
      number = release->number;
    }
    if (number == 0) return;
    ASSERT_TRUE(encode(MailAck{number}, bytes = {}));
    traffic.bytes += bytes.size();
    const auto told = end.state.mail.on_ack(other.id(), number);
    if (told) end.meetings.on_told(other.id(), *told);
  }
  void record(const Traffic& traffic) {
    RecordProperty("bytes", static_cast<int>(traffic.bytes));
    RecordProperty("messages", static_cast<int>(traffic.messages));
    RecordProperty("entries", static_cast<int>(traffic.entries));
    RecordProperty("entries_waiting", static_cast<int>(traffic.entries_waiting));
    RecordProperty("walks", static_cast<int>(traffic.walks));
  }

  using PeerOutbox = Outbox<Message>;
  Instant now_{1h};
  Random random_{42};
  End a_{"a"}, b_{"b"};
};

constexpr std::size_t kWaitingMax =
    (Mail::kPartsUnansweredMax + 1) * Meetings::kPartEntries + Meetings::kPartEntries;

TEST_F(MeetingsTest, HundredThousandSessionsThatAgreeAreOneDigest) {
  share(kMany);
  link();
  const Traffic traffic = settle();
  record(traffic);
  EXPECT_EQ(traffic.entries, 0u);
  EXPECT_LE(traffic.bytes, 100u);
  EXPECT_EQ(a_.state.table.size(), kMany);
  EXPECT_EQ(b_.state.table.size(), kMany);
}

TEST_F(MeetingsTest, OfHundredThousandOnlyWhatDiffersIsTold) {
  const std::vector<SessionId> ids = share(kMany);
  // Ten were taken over at b while the two did not see each other; a still serves them.
  for (std::size_t i = 0; i < 20; i += 2) {
    Session& session = *b_.state.table.find(ids[i]);
    session.epoch = Epoch{4, b_.id()};
    session.primary = b_.id();
    session.formers = {a_.id()};
    session.fed_by = {};
    b_.state.table.set_role(now_, session, Role::kPrimary);
    b_.state.partners.update(session);
  }
  link();
  const Traffic traffic = settle();
  record(traffic);
  EXPECT_EQ(a_.state.counters.sessions_lost, 10u);
  EXPECT_LE(traffic.bytes, 100'000u);
  EXPECT_LE(traffic.entries, 1000u);
  EXPECT_LE(traffic.entries_waiting, kWaitingMax);
  cut();
  link();
  EXPECT_LE(settle().bytes, 100u) << "now they agree; and what was told of takeovers is answered";
}

TEST_F(MeetingsTest, HundredThousandThatAllDifferCrossInPartsThatAreAnswered) {
  for (std::size_t i = 0; i < kMany; ++i) {
    const SessionId id = an_id();
    serve(a_, id, {3, a_.id()}, b_.id());
    serve(b_, id, {4, b_.id()}, a_.id()).formers = {a_.id()};
  }
  link();
  const Traffic traffic = settle();
  record(traffic);
  EXPECT_EQ(a_.state.counters.sessions_lost, kMany);
  EXPECT_EQ(a_.state.table.size(), 0u);
  EXPECT_LE(traffic.entries_waiting, 2 * kWaitingMax);
  EXPECT_LE(traffic.walks, Meetings::kWalksMax + 8);
  EXPECT_LE(traffic.bytes, 3 * 36 * kMany);
}

TEST_F(MeetingsTest, AServerThatKnowsNothingIsToldNothing) {
  for (std::size_t i = 0; i < 1000; ++i) {
    hold(b_, an_id(), {3, a_.id()});
    serve(b_, an_id(), {4, b_.id()}, {}).formers = {a_.id(), ServerId{}};
  }
  link();
  EXPECT_LE(settle().bytes, 100u);
}

TEST_F(MeetingsTest, AFormerPrimaryIsToldUntilItHasAnswered) {
  serve(a_, {1, 1}, {1, a_.id()}, {});
  const SessionId id = an_id();
  Session& session = serve(b_, id, {4, b_.id()}, {});
  session.formers = {a_.id()};
  b_.state.partners.update(session);
  link();
  EXPECT_EQ(settle().entries, 1u);
  cut();
  link();
  EXPECT_EQ(settle().entries, 0u);
}

TEST_F(MeetingsTest, LossesOnTheWayDelayAndChangeNothing) {
  for (std::size_t i = 0; i < 3000; ++i) {
    const SessionId id = an_id();
    serve(a_, id, {3, a_.id()}, b_.id());
    serve(b_, id, {4, b_.id()}, a_.id());
  }
  share(3000);
  link();
  const Traffic traffic = settle(3);
  EXPECT_EQ(a_.state.counters.sessions_lost, 3000u);
  EXPECT_EQ(b_.state.counters.sessions_lost, 0u);
  EXPECT_EQ(a_.state.table.size(), 3000u);
  EXPECT_LE(traffic.entries_waiting, 2 * kWaitingMax);
}

TEST_F(MeetingsTest, WhoWasCutOffTellsAllThatItServes) {
  // a serves it with a copy elsewhere; b has a copy under a newer epoch, of which a knows nothing.
  const SessionId id = an_id();
  serve(a_, id, {3, a_.id()}, ServerId{77});
  hold(b_, id, {4, ServerId{78}});
  link();
  settle();
  EXPECT_EQ(a_.state.table.count(Role::kPrimary), 1u) << "they share nothing";
  a_.meetings.on_thought_dead();
  settle();
  EXPECT_EQ(a_.state.table.count(Role::kPrimary), 0u);
}

TEST_F(MeetingsTest, AnOldCopyOfWhichItsPrimaryKnowsNothingIsDropped) {
  for (const bool swapped : {false, true}) {
    End& primary = swapped ? b_ : a_;
    End& holder = swapped ? a_ : b_;
    const SessionId id = an_id();
    serve(primary, id, {4, primary.id()}, ServerId{77});
    hold(holder, id, {3, primary.id()});
    link();
    settle();
    EXPECT_EQ(holder.state.table.find(id), nullptr) << "whoever of the two begins";
    cut();
  }
}

TEST_F(MeetingsTest, AMeetingThatIsCutOffIsHeldAgain) {
  const SessionId id = an_id();
  serve(a_, id, {3, a_.id()}, ServerId{77});
  hold(b_, id, {4, ServerId{78}});
  link();
  settle();
  a_.meetings.on_thought_dead();  // it has all to tell, and the link goes down before
  cut();
  link();
  settle();
  EXPECT_EQ(a_.state.table.count(Role::kPrimary), 0u);
}

TEST_F(MeetingsTest, WhoWasAloneTellsAllThatItServes) {
  const SessionId id = an_id();
  serve(a_, id, {3, a_.id()}, ServerId{77});
  hold(b_, id, {4, ServerId{78}});
  link();
  settle();
  cut();
  link();
  settle();
  ASSERT_EQ(a_.state.table.count(Role::kPrimary), 1u) << "they share nothing";
  a_.meetings.on_link_down(b_.id(), true);
  cut();
  link();
  settle();
  EXPECT_EQ(a_.state.table.count(Role::kPrimary), 0u);
}

TEST_F(MeetingsTest, AFormerPrimaryThatWasToldOfAnOlderEpochIsStillOwedTheNewer) {
  const SessionId id = an_id();
  Session& session = serve(a_, id, {5, a_.id()}, {});
  session.formers = {b_.id()};
  a_.state.partners.update(session);
  a_.meetings.on_told(b_.id(), {{{id, {3, a_.id()}, true}}, true, 1});
  EXPECT_EQ(session.formers, (std::vector<ServerId>{b_.id()}));
  a_.meetings.on_told(b_.id(), {{{id, {5, a_.id()}, true}}, true, 2});
  EXPECT_TRUE(session.formers.empty());
}

TEST(RangeDigest, TellsSetsApartByRange) {
  RangeDigest one, other;
  EXPECT_EQ(one.of(0, 0).digest, 0u);
  Random random(1);
  std::vector<SessionId> ids;
  for (int i = 0; i < 1000; ++i) ids.push_back({random.next(), random.next()});
  for (const SessionId id : ids) one.add(id, {1, ServerId{1}});
  for (auto id = ids.rbegin(); id != ids.rend(); ++id) other.add(*id, {1, ServerId{1}});
  EXPECT_EQ(one.of(0, 0).digest, other.of(0, 0).digest);
  EXPECT_EQ(one.of(0, 0).count, 1000u);
  other.take(ids[7], {1, ServerId{1}});
  other.add(ids[7], {2, ServerId{1}});
  for (std::uint32_t depth = 0; depth <= RangeDigest::kLeafDepth; ++depth) {
    unsigned differing = 0;
    for (std::uint32_t index = 0; index < 1U << (4 * depth); ++index) {
      const auto [first, last] = RangeDigest::bounds(depth, index);
      const bool differs = one.of(depth, index).digest != other.of(depth, index).digest;
      EXPECT_EQ(differs, first <= ids[7].high && ids[7].high <= last);
      differing += differs;
    }
    EXPECT_EQ(differing, 1u);
  }
  for (const SessionId id : ids) one.take(id, {1, ServerId{1}});
  EXPECT_TRUE(one.empty());
}

}  // namespace
}  // namespace tandem
