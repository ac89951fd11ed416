// Whole-cache validation between a client's rounds and a server's mirror: what is vouched for, and
// what it costs in bytes.
#include "server/core/validation.h"

#include <gtest/gtest.h>

#include <map>

#include "common/session/validation_rounds.h"

namespace tandem {
namespace {

constexpr CacheId kCache{42};
constexpr Freshness::Host kHost = 5;
const Instant kNow = Instant{} + 1000s;

ItemKey key_of(int number) { return ItemKey::of("/item/" + std::to_string(number)); }
Validator content(int number, int edition = 0) {
  return Validator::of(std::to_string(number) + "." + std::to_string(edition));
}

class ValidationTest : public ::testing::Test {
 protected:
  struct Outcome {
    std::size_t bytes = 0;  // of all bodies
    unsigned rounds = 0;
    std::map<ItemKey, std::uint64_t> vouched;
    std::size_t largest_request = 0;
  };

  // Both hold it, and it is current.
  void hold(int from, int to, Duration lifetime = 100s) {
    for (int i = from; i < to; ++i) {
      client_[key_of(i)] = content(i);
      mirror_.set(kCache, key_of(i), content(i), nullptr);
      promise(i, 0, lifetime);
    }
  }
  void promise(int number, int edition = 0, Duration lifetime = 100s) {
    freshness_.record(kNow, kHost, {key_of(number), content(number, edition)}, {lifetime, {}},
                      freshness_.mark());
  }

  Outcome run() {
    std::vector<HeldItem> items, loose;
    for (const auto& [key, validator] : client_) {
      (validator.is_foreign() ? loose : items).push_back({key, validator});
    }
    ValidationRounds rounds(DigestTree(kCache, items), loose);
    Outcome outcome;
    while (!rounds.finished()) {
      const std::string sent = rounds.request().encode();
      const auto request = ValidationRequest::decode(sent);
      EXPECT_TRUE(request) << "a request of " << sent.size() << " bytes";
      if (!request) break;
      const std::string answer = answer_to(*request).encode();
      outcome.bytes += sent.size() + answer.size();
      outcome.largest_request = std::max(outcome.largest_request, sent.size());
      const auto read = ValidationAnswer::decode(answer);
      EXPECT_TRUE(read);
      EXPECT_TRUE(rounds.on_answer(*read));
    }
    outcome.rounds = rounds.rounds();
    for (const auto& one : rounds.vouched()) outcome.vouched[one.key] = one.fresh_s;
    // Whatever happens: only what the client holds and the source has is vouched for.
    for (const auto& [key, seconds] : outcome.vouched) {
      EXPECT_TRUE(freshness_.current(kNow, kHost, {key, client_.at(key)}, version_));
    }
    return outcome;
  }

  ValidationAnswer answer_to(const ValidationRequest& request) {
    Validation done = validate(request, {.mirror = &mirror_,
                                         .cache = kCache,
                                         .entries_max = options_.entries_max,
                                         .freshness = freshness_,
                                         .host = kHost,
                                         .source_version = version_,
                                         .now = kNow});
    for (const MirrorChange& change : done.repairs) mirror_.apply(change);
    return std::move(done.answer);
  }

  static MirrorOptions options() {
    MirrorOptions options;
    options.entries_max = 20'000;
    return options;
  }

  const MirrorOptions options_ = options();
  MirrorPool pool_{options_};
  Mirror mirror_{pool_, SessionId{0, 1}};
  Freshness freshness_{100'000};
  std::map<ItemKey, Validator> client_;
  std::optional<std::uint64_t> version_;
};

TEST_F(ValidationTest, TheBodiesAreSmallWhereAllIsCurrentWhateverTheNumberOfItems) {
  int held = 0;
  for (const int count : {0, 1, 100, 10'000}) {
    hold(std::exchange(held, count), count);
    const Outcome outcome = run();
    EXPECT_EQ(outcome.rounds, 1u);
    EXPECT_EQ(outcome.vouched.size(), static_cast<std::size_t>(count));
    EXPECT_LE(outcome.bytes, 128u) << count << " items";
    RecordProperty("bytes_" + std::to_string(count), static_cast<int>(outcome.bytes));
    if (count > 0) {
      EXPECT_EQ(outcome.vouched.begin()->second, 100u);
    }
  }
}

TEST_F(ValidationTest, SmallAlsoWhereSomeAreAboutToExpire) {
  hold(0, 10'000, 3600s);
  for (int i = 0; i < 8; ++i) promise(i, 0, std::chrono::seconds(1 + i));
  const Outcome outcome = run();
  EXPECT_LE(outcome.bytes, 128u);
  EXPECT_EQ(outcome.vouched.size(), 9'992u) << "a few are left out, so that the others last longer";
  EXPECT_EQ(outcome.vouched.begin()->second, 3600u);
}

// Bytes grow with what changed at the source, and not with what is held.
TEST_F(ValidationTest, GrowsWithTheItemsThatChanged) {
  std::map<int, std::map<int, std::size_t>> bytes;
  int held = 0;
  for (const int count : {1'000, 10'000}) {
    hold(std::exchange(held, count), count);
    for (const int changed : {1, 10, 100}) {
      for (int i = 0; i < changed; ++i) promise(i, 1);
      const Outcome outcome = run();
      EXPECT_EQ(outcome.rounds, 1u);
      EXPECT_EQ(outcome.vouched.size(), static_cast<std::size_t>(count - changed));
      EXPECT_LE(outcome.bytes, 40u + 8u * static_cast<unsigned>(changed));
      bytes[changed][count] = outcome.bytes;
    }
    for (int i = 0; i < 100; ++i) promise(i, 0);
  }
  EXPECT_LE(bytes[10][10'000], bytes[10][1'000] + 8);
}

TEST_F(ValidationTest, IsSmallAlsoWhereHardlyAnythingIsKnownToBeCurrent) {
  hold(0, 10'000);
  for (int i = 0; i < 9'990; ++i) freshness_.invalidate(kNow, key_of(i));
  const Outcome few = run();
  EXPECT_LE(few.bytes, 128u);
  EXPECT_LE(few.vouched.size(), 10u);  // a slot may hold several
  for (int i = 0; i < 10'000; ++i) freshness_.invalidate(kNow, key_of(i));
  const Outcome none = run();
  EXPECT_LE(none.bytes, 32u);
  EXPECT_EQ(none.rounds, 1u);
  EXPECT_TRUE(none.vouched.empty());
}

// Bytes grow with the part of the mirror that is missing, wrong, or too much.
TEST_F(ValidationTest, GrowsWithTheMissingPartOfTheMirror) {
  std::map<int, std::map<int, std::size_t>> bytes;
  int held = 0;
  for (const int count : {1'000, 10'000}) {
    hold(std::exchange(held, count), count);
    for (const int missing : {1, 10, 100}) {
      for (int i = 0; i < missing; ++i) {
        const int at = i * (count / missing);
        if (i % 3 == 0) mirror_.evict(kCache, key_of(at));
        if (i % 3 == 1) mirror_.set(kCache, key_of(at), content(at, 7), nullptr);
        if (i % 3 == 2) mirror_.set(kCache, key_of(-at - 1), content(at), nullptr);
      }
      const Outcome outcome = run();
      EXPECT_LE(outcome.rounds, 3u);
      EXPECT_EQ(outcome.vouched.size(), static_cast<std::size_t>(count)) << "nothing is lost by it";
      EXPECT_LE(outcome.bytes, 300u + 700u * static_cast<unsigned>(missing));
      bytes[missing][count] = outcome.bytes;

      const Outcome again = run();
      EXPECT_EQ(again.rounds, 1u) << "the mirror was repaired";
      EXPECT_LE(again.bytes, 128u);
    }
  }
  for (const int missing : {1, 10, 100}) {
    EXPECT_LE(bytes[missing][10'000], 3 * bytes[missing][1'000]);
    RecordProperty("bytes_missing_" + std::to_string(missing),
                   static_cast<int>(bytes[missing][10'000]));
  }
}

TEST_F(ValidationTest, AnEmptyMirrorIsFilledFromWhatTheClientLists) {
  hold(0, 10'000);
  mirror_.clear();
  const Outcome outcome = run();
  EXPECT_EQ(outcome.vouched.size(), 10'000u);
  EXPECT_LE(outcome.largest_request, ValidationRequest::kBytesMax);
  EXPECT_LE(outcome.bytes, 10'000u * 40u);
  EXPECT_EQ(mirror_.size(), 10'000u);
  EXPECT_LE(run().bytes, 128u);
}

TEST_F(ValidationTest, AMirrorThatIsFullIsNotPushedOutOfItsItems) {
  hold(0, 30'000);  // the mirror takes 20,000
  ASSERT_EQ(mirror_.size(), 20'000u);
  const Outcome outcome = run();
  EXPECT_LE(outcome.rounds, ValidationRounds::kRoundsMax);
  EXPECT_EQ(mirror_.size(), 20'000u);
  for (const HeldItem& item : mirror_.items(kCache))
    EXPECT_EQ(client_.at(item.key), item.validator);
}

TEST_F(ValidationTest, ItemsWithForeignTagsAreListed) {
  hold(0, 100);
  for (int i = 200; i < 500; ++i) {
    const HeldItem item{key_of(i), Validator::of_foreign("\"" + std::to_string(i) + "\"")};
    client_[item.key] = item.validator;
    if (i < 400) freshness_.record(kNow, kHost, item, {50s, {}}, freshness_.mark());
  }
  const Outcome outcome = run();
  EXPECT_EQ(outcome.vouched.size(), 300u);
  EXPECT_EQ(outcome.rounds, 2u);
  EXPECT_EQ(outcome.vouched.at(key_of(250)), 50u);
}

TEST_F(ValidationTest, NothingIsVouchedForThatTheMirrorOnlyBelieves) {
  hold(0, 100);
  client_[key_of(7)] = content(7, 3);  // the client has another one: a lost response, say
  const Outcome outcome = run();
  EXPECT_EQ(outcome.vouched.size(), 99u);
  EXPECT_EQ(outcome.vouched.count(key_of(7)), 0u);
}

TEST_F(ValidationTest, AnotherHostAndAnotherVersionAreNotCurrent) {
  hold(0, 10);
  const HeldItem item{key_of(3), content(3)};
  freshness_.record(kNow, kHost + 1, item, {100s, {}}, freshness_.mark());
  EXPECT_EQ(run().vouched.count(item.key), 0u);
  freshness_.record(kNow, kHost, item, {0s, 8}, freshness_.mark());
  EXPECT_EQ(run().vouched.count(item.key), 0u) << "no version";
  version_ = 8;
  EXPECT_EQ(run().vouched.count(item.key), 1u);
  version_ = 9;
  EXPECT_EQ(run().vouched.count(item.key), 0u);
}

TEST(ValidationRoundsTest, AnAnswerThatDoesNotFitEndsIt) {
  const HeldItem item{ItemKey{1}, Validator::of("a")};
  const auto refused = [&](const ValidationAnswer& answer) {
    ValidationRounds rounds(DigestTree(kCache, {item}), {});
    const bool taken = rounds.on_answer(answer);
    EXPECT_TRUE(taken || rounds.finished());
    EXPECT_TRUE(taken || rounds.vouched().empty());
    return !taken;
  };
  ValidationAnswer answer;
  EXPECT_TRUE(refused(answer)) << "it was asked for the rest";
  answer.rest = ValidationAnswer::Rest::kAll;
  EXPECT_FALSE(refused(answer));
  answer.listed = {true};
  EXPECT_TRUE(refused(answer)) << "nothing was listed";
  answer.listed.clear();
  answer.differing = {NodeHints{KeyNode{}.child(1), {}}};
  EXPECT_TRUE(refused(answer)) << "nothing was explored";
  answer.differing.clear();
  answer.rest = ValidationAnswer::Rest::kBits;
  answer.bits = {true, true};
  EXPECT_TRUE(refused(answer)) << "more bits than items";
}

}  // namespace
}  // namespace tandem
