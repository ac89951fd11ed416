// Notes, mail, the exchange on meeting, the index of partners, admission.
#include <gtest/gtest.h>

#include "server/core/admission.h"
#include "server/core/forwarding_notes.h"
#include "server/core/mail.h"
#include "server/core/partners.h"
#include "server/core/session_exchange.h"

namespace tandem {
namespace {

constexpr ServerId kPeer{2}, kOther{3};
constexpr SessionId kOne{0, 1}, kTwo{0, 2}, kThree{0, 3};

TEST(ForwardingNotes, KeepTheNewestForAWhileAndAreBounded) {
  const Instant now{1h};
  ForwardingNotes notes(2, 60s);
  notes.put(now, kOne, {{5, kPeer}, kOther});
  notes.put(now + 1s, kOne, {{4, kOther}, {}});
  ASSERT_NE(notes.find(now + 1s, kOne), nullptr);
  EXPECT_EQ(notes.find(now + 1s, kOne)->epoch, (Epoch{5, kPeer}));
  EXPECT_EQ(notes.find(now + 60s, kOne), nullptr);
  notes.put(now + 2s, kTwo, {{1, kPeer}, {}});
  notes.put(now + 3s, kThree, {{1, kPeer}, {}});
  EXPECT_EQ(notes.size(), 2u);
  EXPECT_EQ(notes.find(now + 3s, kOne), nullptr) << "the oldest had to go";
  notes.expire(now + 62s, 1);
  EXPECT_EQ(notes.size(), 1u);
  EXPECT_EQ(notes.next_expiry(), now + 63s);
}

TEST(Mail, SendsInBoundedPartsAndDropsWhatHasNoLink) {
  const Instant now{1h};
  NodeCounters counters;
  Mail mail(3s, counters);
  for (std::uint64_t i = 0; i < 5000; ++i) mail.tell(kPeer, {{1, i}, {1, kPeer}, true});
  mail.tell(kOther, {kOne, {1, kPeer}, true});
  mail.post(kPeer, {kOne, {1, kPeer}, {}, 1, 0});
  const auto linked = [](ServerId peer) { return peer == kPeer; };
  Outbox<Message> narrow(2);
  EXPECT_FALSE(mail.drain(now, linked, narrow));
  EXPECT_EQ(narrow.envelopes().size(), 2u);
  Outbox<Message> out;
  EXPECT_TRUE(mail.drain(now, linked, out));
  ASSERT_EQ(out.envelopes().size(), 1u);
  const auto& last = std::get<SessionExchange>(out.envelopes()[0].message);
  EXPECT_TRUE(last.last);
  EXPECT_EQ(last.entries.size(), 5000u - SessionExchange::kEntriesMax);
  EXPECT_FALSE(mail.has_work());
}

TEST(Mail, RepeatsWhatIsNotAnsweredAndWaitsWithTheRest) {
  Instant now{1h};
  NodeCounters counters;
  Mail mail(3s, counters);
  const std::size_t entries = (Mail::kPartsUnansweredMax + 1) * SessionExchange::kEntriesMax;
  for (std::uint64_t i = 0; i < entries; ++i) mail.tell(kPeer, {{1, i}, {1, kPeer}, true});
  mail.post(kPeer, {kOne, {1, kPeer}, {}, 1, 0});
  const auto linked = [](ServerId) { return true; };
  const auto numbers = [&] {
    Outbox<Message> out;
    EXPECT_TRUE(mail.drain(now, linked, out));
    std::vector<std::uint64_t> all;
    for (const auto& [to, message] : out.envelopes()) {
      const auto* part = std::get_if<SessionExchange>(&message);
      all.push_back(part ? part->number : std::get<MirrorRelease>(message).number);
    }
    return all;
  };
  EXPECT_EQ(numbers(), (std::vector<std::uint64_t>{1, 2, 3, 4, 5})) << "a release and four parts";
  EXPECT_FALSE(mail.has_work()) << "the fifth part waits for an answer";
  mail.on_ack(kPeer, 3);
  mail.on_ack(kPeer, 3);
  EXPECT_TRUE(mail.has_work());
  EXPECT_EQ(numbers(), (std::vector<std::uint64_t>{6}));
  EXPECT_EQ(mail.next_deadline(), now + 3s);
  now += 3s;
  EXPECT_EQ(numbers(), (std::vector<std::uint64_t>{1, 2, 4, 5, 6}));
  for (const std::uint64_t number : {1, 2, 4, 5}) mail.on_ack(kPeer, number);
  EXPECT_EQ(mail.next_deadline(), now + 6s) << "the second time it takes longer";
  for (unsigned i = 0; i < Mail::kTriesMax; ++i) {
    now += 100s;
    numbers();
  }
  EXPECT_EQ(mail.next_deadline(), kNever) << "a peer that knows no such answer is left in peace";
  EXPECT_EQ(counters.letters_resent, 5u + Mail::kTriesMax - 2);
}

TEST(Exchange, TheNewerEpochWins) {
  MirrorPool pool{MirrorOptions{}};
  Session session(kOne, pool);
  session.role = Role::kPrimary;
  session.epoch = {5, kOther};
  session.stream.target = kPeer;
  const auto ask = [&](Epoch epoch, bool primary) {
    return rule_on_entry(kPeer, {kOne, epoch, primary}, &session, {});
  };
  EXPECT_EQ(ask({6, kPeer}, true), ExchangeRuling::kLost);
  EXPECT_EQ(ask({4, kPeer}, true), ExchangeRuling::kTellNewer);
  EXPECT_EQ(ask({5, kOther}, false), ExchangeRuling::kAgree);
  session.stream.target = kOther;
  EXPECT_EQ(ask({5, kOther}, false), ExchangeRuling::kRelease);
}

TEST(Exchange, ACopyOfTheCopyIsReleasedWhenThePrimaryIsBack) {
  MirrorPool pool{MirrorOptions{}};
  Session session(kOne, pool);
  session.role = Role::kAlternate;
  session.epoch = {5, kPeer};
  session.primary = kPeer;
  EXPECT_EQ(rule_on_entry(kPeer, {kOne, {5, kPeer}, true}, &session, {}), ExchangeRuling::kAgree);
  session.stream.target = kOther;
  EXPECT_EQ(rule_on_entry(kPeer, {kOne, {5, kPeer}, true}, &session, {}),
            ExchangeRuling::kReleaseThird);
}

TEST(Exchange, NotesTellOfNewerEpochs) {
  EXPECT_EQ(rule_on_entry(kPeer, {kOne, {5, kPeer}, true}, nullptr, Epoch{6, kOther}),
            ExchangeRuling::kTellNewer);
  EXPECT_EQ(rule_on_entry(kPeer, {kOne, {5, kPeer}, true}, nullptr, Epoch{5, kPeer}),
            ExchangeRuling::kAgree);
  EXPECT_EQ(rule_on_entry(kPeer, {kOne, {5, kPeer}, true}, nullptr, {}), ExchangeRuling::kAgree);
}

TEST(Partners, ARaisedEpochChangesWhatIsComparedThoughTheTiesStay) {
  MirrorPool pool{MirrorOptions{}};
  Session session(kOne, pool);
  session.role = Role::kAlternate;
  session.primary = session.fed_by = kPeer;
  session.epoch = {3, kPeer};
  Partners partners;
  partners.update(session);
  const std::uint64_t before = partners.shared(kPeer).of(0, 0).digest;
  session.epoch = {5, kPeer};
  partners.update(session);
  EXPECT_NE(partners.shared(kPeer).of(0, 0).digest, before);
  partners.remove(session);
  EXPECT_TRUE(partners.shared(kPeer).empty());
}

TEST(Partners, FollowTheSession) {
  using Tie = Partners::Tie;
  MirrorPool pool{MirrorOptions{}};
  Session session(kOne, pool);
  Partners partners;
  partners.update(session);
  EXPECT_TRUE(partners.servers(Tie::kAlternate).empty()) << "provisional: no ties";
  session.role = Role::kPrimary;
  session.stream.target = kPeer;
  session.formers = {kOther, kPeer, kOther};
  partners.update(session);
  EXPECT_EQ(partners.of(Tie::kAlternate, kPeer).size(), 1u);
  EXPECT_EQ(partners.shares(Tie::kAlternate).at(kPeer), 1u);
  EXPECT_EQ(partners.servers(Tie::kFormer).size(), 2u);
  EXPECT_EQ(partners.next(Tie::kAlternate, kPeer, {}), kOne);
  EXPECT_EQ(partners.next(Tie::kAlternate, kPeer, kOne), std::nullopt);
  session.role = Role::kAlternate;
  session.primary = kOther;
  partners.update(session);
  EXPECT_TRUE(partners.of(Tie::kAlternate, kPeer).empty());
  EXPECT_EQ(partners.of(Tie::kPrimary, kOther).size(), 1u);
  EXPECT_EQ(partners.of(Tie::kThird, kPeer).size(), 1u);
  partners.remove(session);
  EXPECT_TRUE(partners.servers(Tie::kPrimary).empty());
  EXPECT_TRUE(partners.shares(Tie::kThird).empty());
}

class AdmissionTable : public ::testing::Test {
 protected:
  static Status status(std::uint32_t primaries, bool draining = false) {
    return {.sequence = 1,
            .primaries = primaries,
            .capacity = 10,
            .threshold = 5,
            .alternates = 0,
            .draining = draining};
  }
  static ServerRecord record(ServerId id, const Status& status) {
    ServerRecord made;
    made.id = id;
    made.online = true;
    made.status = status;
    return made;
  }
  static Admission ask(const Status& own, std::vector<Status> others, bool must_serve = false) {
    std::vector<ServerRecord> records{record(ServerId{1}, own)};
    std::uint32_t id = 2;
    for (const Status& one : others) records.push_back(record(ServerId{id++}, one));
    return admit(own, ServerId{1}, records, must_serve);
  }
  using Kind = Admission::Kind;
};

TEST_F(AdmissionTable, OwnWordIsTheLast) {
  EXPECT_EQ(ask(status(5), {status(0)}).kind, Kind::kServe);
  EXPECT_EQ(ask(status(6), {status(3), status(2)}).second, ServerId{3});
  EXPECT_EQ(ask(status(6), {status(3), status(2)}, true).kind, Kind::kServe);
  EXPECT_EQ(ask(status(6), {status(7), status(8)}).kind, Kind::kServe);
  EXPECT_EQ(ask(status(8), {status(7), status(9)}).second, ServerId{2});
  EXPECT_EQ(ask(status(10), {status(10)}).kind, Kind::kUnavailable);
  EXPECT_EQ(ask(status(10), {status(9)}).second, ServerId{2});
  EXPECT_EQ(ask(status(10), {status(0)}, true).kind, Kind::kUnavailable);
  EXPECT_EQ(ask(status(6), {status(0, true)}).kind, Kind::kServe) << "the other drains";
  EXPECT_EQ(ask(status(0, true), {status(9)}).second, ServerId{2});
  EXPECT_EQ(ask(status(0, true), {}).kind, Kind::kServe) << "nobody else is there";
}

}  // namespace
}  // namespace tandem
