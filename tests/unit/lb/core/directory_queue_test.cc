#include "lb/core/directory_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <set>

namespace tandem {
namespace {

ServerRow row(std::uint32_t id, ServerState state = ServerState::kOnline) {
  ServerRow row;
  row.id = ServerId{id};
  row.name = "s" + std::to_string(id);
  row.state = state;
  return row;
}

MembershipEvent event(std::int64_t logged) {
  MembershipEvent event;
  event.logged = logged;
  return event;
}

// A directory that can be away, lose the answer to a commit, or be exchanged for another.
struct Store {
  DirectoryContents contents;
  bool away = false;
  bool loses_answer = false;
  std::uint64_t transactions = 0;

  bool apply(const NumberedChange& change) {
    if (away || contents.last_change + 1 != change.number) return false;
    ++transactions;
    contents.writer = change.writer;
    contents.last_change = change.number;
    contents.view_version = change.change.view_version;
    for (const ServerId id : change.change.removed) remove(id);
    for (const ServerRow& one : change.change.servers) {
      std::erase_if(contents.servers, [&](const ServerRow& old) { return old.id == one.id; });
      contents.servers.push_back(one);
    }
    for (const BuddiesRow& one : change.change.buddies) {
      std::erase_if(contents.buddies,
                    [&](const BuddiesRow& old) { return old.server == one.server; });
      if (one.first || one.second) contents.buddies.push_back(one);
    }
    for (const MembershipEvent& one : change.change.events) contents.events.push_back(one);
    if (change.change.drained) contents.drained = *change.change.drained;
    return !std::exchange(loses_answer, false);
  }
  void remove(ServerId id) {
    std::erase_if(contents.servers, [&](const ServerRow& old) { return old.id == id; });
    std::erase_if(contents.buddies, [&](const BuddiesRow& old) { return old.server == id; });
  }
  std::map<std::uint32_t, ServerState> states() const {
    std::map<std::uint32_t, ServerState> states;
    for (const ServerRow& one : contents.servers) states[one.id.value] = one.state;
    return states;
  }
  std::vector<std::int64_t> events() const {
    std::vector<std::int64_t> logged;
    for (const MembershipEvent& one : contents.events) logged.push_back(one.logged);
    return logged;
  }
};

class DirectoryQueueTest : public ::testing::Test {
 protected:
  void use(DirectoryQueue::Options options) {
    options.writer = 7;
    queue_.emplace(options, Random(1));
  }
  DirectoryQueueTest() { use({}); }

  // Does what is due now. `most`: so many steps.
  void pump(int most = 1000) {
    for (int i = 0; i < most; ++i) {
      switch (queue_->step(now_)) {
        case DirectoryQueue::Step::kNothing:
          return;
        case DirectoryQueue::Step::kOpen:
          if (store_.away) {
            queue_->on_failed(now_, "away");
          } else {
            queue_->on_opened(store_.contents);
          }
          break;
        case DirectoryQueue::Step::kWrite:
          if (store_.apply(queue_->front())) {
            queue_->on_written();
          } else {
            queue_->on_failed(now_, "away");
          }
      }
    }
  }
  void pass(Duration span) {
    const Instant end = now_ + span;
    while (queue_->next_deadline() <= end) {
      now_ = std::max(now_, queue_->next_deadline());
      pump();
    }
    now_ = end;
  }
  void drain(std::set<std::string> names) {
    DirectoryChange change;
    change.view_version = ++version_;
    change.drained = std::move(names);
    queue_->push(std::move(change));
    pump();
  }
  void push(std::vector<ServerRow> servers, std::vector<std::int64_t> events = {},
            std::vector<ServerId> removed = {}) {
    DirectoryChange change;
    change.view_version = ++version_;
    change.servers = std::move(servers);
    change.removed = std::move(removed);
    for (const std::int64_t logged : events) change.events.push_back(event(logged));
    queue_->push(std::move(change));
    pump();
  }

  Store store_;
  std::optional<DirectoryQueue> queue_;
  Instant now_ = Instant{} + 1h;
  std::uint64_t version_ = 100;
};

TEST_F(DirectoryQueueTest, WritesChangesInOrderAndThenNothing) {
  push({row(1)}, {10});
  push({row(2), row(1, ServerState::kOffline)}, {11});
  EXPECT_EQ(store_.transactions, 2U);
  EXPECT_EQ(store_.contents.last_change, 2U);
  EXPECT_EQ(store_.contents.view_version, 102U);
  EXPECT_EQ(store_.events(), (std::vector<std::int64_t>{10, 11}));
  EXPECT_EQ(queue_->pending(), 0U);
  EXPECT_EQ(queue_->next_deadline(), kNever);
  pass(24h);
  EXPECT_EQ(store_.transactions, 2U);
}

TEST_F(DirectoryQueueTest, WhoIsDrainedIsAsLastToldWhateverHappenedToTheDirectory) {
  using Names = std::set<std::string>;
  const DirectoryContents empty;
  use({.pending_max = 2});
  drain({"p"});
  EXPECT_EQ(store_.contents.drained, Names{"p"});
  store_.away = true;
  for (int i = 0; i < 4; ++i) drain({"p", "q" + std::to_string(i)});
  push({row(1)});
  store_.away = false;
  pass(1min);
  EXPECT_EQ(store_.contents.drained, (Names{"p", "q3"}));
  store_.contents = empty;  // another file
  push({row(2)});
  pass(1min);
  EXPECT_EQ(store_.contents.drained, (Names{"p", "q3"}));
  store_.contents.writer = 8;
  use({});
  push({row(3)});
  pass(1min);
  EXPECT_EQ(store_.contents.drained, (Names{"p", "q3"})) << "a new process knows of no wish yet";
  drain({});
  EXPECT_EQ(store_.contents.drained, Names{});
}

TEST_F(DirectoryQueueTest, ChangesWaitWhileItIsAwayAndNoneIsLostOrDoubled) {
  push({row(1)}, {10});
  store_.away = true;
  push({row(2)}, {11});
  pass(1min);
  push({row(1, ServerState::kOffline)}, {12});
  pass(1min);
  EXPECT_EQ(queue_->pending(), 2U);
  EXPECT_EQ(queue_->failure(), "away");
  EXPECT_EQ(queue_->unavailable_for(now_), 2min);
  store_.away = false;
  pass(10s);
  EXPECT_EQ(queue_->pending(), 0U);
  EXPECT_EQ(queue_->unavailable_for(now_), 0s);
  EXPECT_EQ(store_.events(), (std::vector<std::int64_t>{10, 11, 12}));
  EXPECT_EQ(store_.transactions, 3U);
  EXPECT_EQ(store_.states().at(1), ServerState::kOffline);
}

TEST_F(DirectoryQueueTest, ACommitWhoseAnswerWasLostIsNotWrittenAgain) {
  push({row(1)}, {10});
  store_.loses_answer = true;
  push({row(2)}, {11});
  push({row(3)}, {12});
  pass(10s);
  EXPECT_EQ(store_.events(), (std::vector<std::int64_t>{10, 11, 12}));
  EXPECT_EQ(store_.transactions, 3U);
  EXPECT_EQ(queue_->written(), 3U);
  EXPECT_EQ(store_.contents.last_change, 3U);
}

TEST_F(DirectoryQueueTest, AnAttemptThatFailsAgainAndAgainIsPacedAndIsNewsOnce) {
  store_.away = true;
  int attempts = 0;
  for (const Instant end = now_ + 10min; now_ < end; now_ = queue_->next_deadline()) {
    ASSERT_EQ(queue_->step(now_), DirectoryQueue::Step::kOpen);
    EXPECT_EQ(queue_->on_failed(now_, "away"), attempts++ == 0);
  }
  EXPECT_GE(attempts, 60);   // at least every 10 s
  EXPECT_LE(attempts, 150);  // no storm
  ASSERT_EQ(queue_->step(now_), DirectoryQueue::Step::kOpen);
  EXPECT_TRUE(queue_->on_failed(now_, "the disk is full"));
}

TEST_F(DirectoryQueueTest, PastItsLimitChangesCoalesceAndNoStateIsLost) {
  use({.pending_max = 4, .events_max = 6});
  push({row(1), row(2)}, {1});
  store_.away = true;
  for (std::uint32_t i = 0; i < 100; ++i) {
    push({row(10 + i % 5, i < 95 ? ServerState::kOffline : ServerState::kOnline)}, {2 + i});
  }
  push({}, {}, {ServerId{1}});
  push({row(2, ServerState::kLeft)}, {}, {ServerId{2}});  // forgotten and back in one
  EXPECT_EQ(queue_->pending(), 4U);
  EXPECT_GT(queue_->coalesced(), 90U);
  store_.away = false;
  pass(20s);
  std::map<std::uint32_t, ServerState> expected{{2, ServerState::kLeft}};
  for (std::uint32_t i = 10; i < 15; ++i) expected[i] = ServerState::kOnline;
  EXPECT_EQ(store_.states(), expected);
  // The newest events, but for that of the change that was tried.
  EXPECT_EQ(store_.events(), (std::vector<std::int64_t>{1, 2, 97, 98, 99, 100, 101}));
  EXPECT_EQ(queue_->events_dropped(), 94U);
  EXPECT_EQ(store_.contents.view_version, version_);
}

TEST_F(DirectoryQueueTest, WhatMayBeWrittenAlreadyIsNotMergedInto) {
  use({.pending_max = 2});
  push({row(1)});
  store_.loses_answer = true;
  push({row(2)}, {2});  // written; nobody knows
  store_.away = true;
  for (std::uint32_t i = 3; i < 10; ++i) push({row(i)}, {i});
  store_.away = false;
  pass(10s);
  EXPECT_EQ(store_.states().size(), 9U);
  EXPECT_EQ(store_.events(), (std::vector<std::int64_t>{2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST_F(DirectoryQueueTest, AnotherFileInItsPlaceIsMadeToSayWhatIsTrue) {
  push({row(1), row(2)}, {10});
  push({row(3)}, {11});
  store_.contents = {};  // gone, and made anew
  store_.contents.servers = {row(1, ServerState::kOffline), row(9)};
  store_.contents.buddies = {{ServerId{9}, ServerId{1}, ServerId{1}}};
  store_.contents.last_change = 55;
  store_.contents.writer = 3;
  queue_->on_failed(now_, "replaced");
  pass(1s);
  EXPECT_EQ(store_.states(),
            (std::map<std::uint32_t, ServerState>{
                {1, ServerState::kOnline}, {2, ServerState::kOnline}, {3, ServerState::kOnline}}));
  EXPECT_TRUE(store_.contents.buddies.empty());
  EXPECT_EQ(store_.contents.last_change, 56U);
}

TEST_F(DirectoryQueueTest, AFileOfAnotherWriterIsNotItsOwnThoughTheNumbersAreTheSame) {
  push({row(1)});
  push({row(2)});
  store_.contents.writer = 3;
  store_.contents.servers = {row(1, ServerState::kOffline)};
  queue_->on_failed(now_, "replaced");
  pass(1s);
  EXPECT_EQ(store_.states(), (std::map<std::uint32_t, ServerState>{{1, ServerState::kOnline},
                                                                   {2, ServerState::kOnline}}));
}

TEST_F(DirectoryQueueTest, AnOldCopyOfItsOwnIsBroughtUpToDate) {
  push({row(1)}, {10});
  const DirectoryContents copy = store_.contents;
  push({row(1, ServerState::kOffline)}, {11});
  push({row(2)}, {12});
  store_.contents = copy;
  push({row(3)}, {13});  // refused: something is missing
  pass(1s);
  EXPECT_EQ(store_.states(),
            (std::map<std::uint32_t, ServerState>{
                {1, ServerState::kOffline}, {2, ServerState::kOnline}, {3, ServerState::kOnline}}));
}

TEST_F(DirectoryQueueTest, WhatAnEarlierProcessWroteIsTakenAsTrueAndNotWrittenAgain) {
  store_.contents.writer = 3;
  store_.contents.last_change = 20;
  store_.contents.servers = {row(1), row(2)};
  pump();
  EXPECT_EQ(store_.transactions, 0U);
  push({row(2, ServerState::kOffline)});
  EXPECT_EQ(store_.contents.last_change, 21U);
  EXPECT_EQ(store_.states().size(), 2U);
}

TEST_F(DirectoryQueueTest, WhatCameBeforeItCouldBeOpenedIsWrittenOverIt) {
  store_.contents.servers = {row(1), row(2)};
  store_.away = true;
  push({row(2, ServerState::kOffline), row(3)}, {10});
  store_.away = false;
  pass(1s);
  EXPECT_EQ(store_.states(),
            (std::map<std::uint32_t, ServerState>{
                {1, ServerState::kOnline}, {2, ServerState::kOffline}, {3, ServerState::kOnline}}));
  EXPECT_EQ(store_.events(), std::vector<std::int64_t>{10});
}

TEST_F(DirectoryQueueTest, AWriteWithoutAnAnswerIsToldOf) {
  ASSERT_EQ(queue_->step(now_), DirectoryQueue::Step::kOpen);
  EXPECT_EQ(queue_->next_deadline(), now_ + 5s);
  now_ += 5s;
  EXPECT_EQ(queue_->step(now_), DirectoryQueue::Step::kNothing);
  EXPECT_EQ(queue_->unavailable_for(now_), 5s);
  EXPECT_EQ(queue_->failure(), "no answer");
  EXPECT_EQ(queue_->next_deadline(), kNever);
  queue_->on_opened(store_.contents);
  EXPECT_EQ(queue_->unavailable_for(now_), 0s);
}

// Whatever happens in whatever order, in the end the directory says what the changes add up to, and
// has every event once.
TEST_F(DirectoryQueueTest, AnyOrderOfFaultsEndsInTheTruth) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Random dice(seed);
    store_ = {};
    use({.pending_max = 2 + dice.below(4)});
    std::map<std::uint32_t, ServerState> truth;
    std::vector<std::int64_t> events;
    for (int i = 0; i < 60; ++i) {
      store_.away = dice.chance(0.5);
      store_.loses_answer = dice.chance(0.2);
      const auto id = static_cast<std::uint32_t>(1 + dice.below(6));
      if (dice.chance(0.15)) {
        truth.erase(id);
        push({}, {i}, {ServerId{id}});
      } else {
        truth[id] = dice.chance(0.5) ? ServerState::kOnline : ServerState::kOffline;
        push({row(id, truth[id])}, {i});
      }
      events.push_back(i);
      if (dice.chance(0.5)) pass(1s * dice.below(20));
    }
    store_.away = store_.loses_answer = false;
    pass(30s);
    ASSERT_EQ(store_.states(), truth) << "seed " << seed;
    ASSERT_EQ(store_.events(), events) << "seed " << seed;
    ASSERT_EQ(queue_->pending(), 0U);
  }
}

}  // namespace
}  // namespace tandem
