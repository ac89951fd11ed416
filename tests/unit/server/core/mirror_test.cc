#include "server/core/mirror.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

ContentStore::Bytes bytes(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

TEST(ContentStore, KeepsOneCopyAndCountsReferences) {
  ContentStore store(10'000);
  const Validator validator = Validator::of("text");
  {
    auto one = store.refer(validator, bytes("text"));
    auto two = store.refer(validator);
    EXPECT_EQ(store.size(), 1u);
    EXPECT_EQ(*two.bytes(), "text");
    auto moved = std::move(one);
    EXPECT_FALSE(one);
    EXPECT_EQ(moved.validator(), validator);
  }
  EXPECT_EQ(store.size(), 1u) << "kept for the next one while there is room";
  EXPECT_EQ(*store.find(validator), "text");
}

TEST(ContentStore, ForgetsWhatNobodyRefersToAndHasNoBytes) {
  ContentStore store(10'000);
  { auto reference = store.refer(Validator::of("text")); }
  EXPECT_EQ(store.size(), 0u);
}

TEST(ContentStore, DropsTheLeastRecentlyUsedBytes) {
  ContentStore store(3 * (ContentStore::kOverheadBytes + 1));
  auto a = store.refer(Validator::of("a"), bytes("a"));
  auto b = store.refer(Validator::of("b"), bytes("b"));
  auto c = store.refer(Validator::of("c"), bytes("c"));
  EXPECT_NE(a.bytes(), nullptr);  // a use
  auto d = store.refer(Validator::of("d"), bytes("d"));
  EXPECT_EQ(b.bytes(), nullptr);
  EXPECT_NE(a.bytes(), nullptr);
  EXPECT_NE(d.bytes(), nullptr);
  EXPECT_EQ(store.dropped(), 1u);
  EXPECT_EQ(b.validator(), Validator::of("b")) << "a validation is still possible";
  EXPECT_LE(store.bytes(), 3 * (ContentStore::kOverheadBytes + 1));
  b = store.refer(Validator::of("b"), bytes("b"));
  EXPECT_NE(b.bytes(), nullptr);
}

TEST(ContentStore, DoesNotKeepWhatIsLargerThanAll) {
  ContentStore store(500);
  auto reference = store.refer(Validator::of("x"), bytes(std::string(400, 'x')));
  EXPECT_EQ(reference.bytes(), nullptr);
  EXPECT_EQ(store.bytes(), 0u);
}

class MirrorTest : public ::testing::Test {
 protected:
  static MirrorOptions options() {
    MirrorOptions options;
    options.caches_max = 2;
    options.entries_max = 3;
    options.reference_bytes_max =
        5 * MirrorPool::kEntryBytes + 3 * MirrorPool::kCacheBytes + MirrorPool::kValidatorBytes;
    return options;
  }
  bool set(Mirror& mirror, std::uint64_t cache, std::uint64_t key, const std::string& text) {
    return mirror.set(CacheId{cache}, ItemKey{key}, Validator::of(text), bytes(text));
  }
  MirrorPool pool_{options()};
};

TEST_F(MirrorTest, SaysWhatChanged) {
  Mirror mirror(pool_, {0, 1});
  EXPECT_TRUE(set(mirror, 1, 1, "a"));
  EXPECT_FALSE(set(mirror, 1, 1, "a"));
  EXPECT_TRUE(set(mirror, 1, 1, "b"));
  EXPECT_EQ(mirror.find(CacheId{1}, ItemKey{1})->validator(), Validator::of("b"));
  EXPECT_EQ(mirror.find(CacheId{2}, ItemKey{1}), nullptr);
  EXPECT_TRUE(mirror.evict(CacheId{1}, ItemKey{1}));
  EXPECT_FALSE(mirror.evict(CacheId{1}, ItemKey{1}));
  EXPECT_EQ(mirror.size(), 0u);
}

TEST_F(MirrorTest, IsBoundedPerCacheAndPerSession) {
  Mirror one(pool_, {0, 1});
  for (std::uint64_t key = 1; key <= 4; ++key) set(one, 1, key, "a");
  EXPECT_EQ(one.size(), 3u);
  EXPECT_EQ(one.find(CacheId{1}, ItemKey{1}), nullptr) << "the oldest has gone";
  set(one, 2, 1, "a");
  set(one, 3, 1, "a");  // a third cache: the least recently used one goes
  EXPECT_EQ(one.find(CacheId{1}, ItemKey{4}), nullptr);
  EXPECT_EQ(one.size(), 2u);
  EXPECT_EQ(pool_.dropped, 4u);
  const auto forgotten = pool_.take_forgotten();
  ASSERT_EQ(forgotten.size(), 4u) << "so that the copies elsewhere follow";
  EXPECT_EQ(forgotten[0].session, (SessionId{0, 1}));
  EXPECT_EQ(forgotten[0].change, (MirrorChange{CacheId{1}, ItemKey{1}, true, {}}));
  EXPECT_TRUE(pool_.take_forgotten().empty());
  one.clear();
  EXPECT_EQ(pool_.entries, 0u);
  EXPECT_EQ(pool_.bytes(), 0u);
}

TEST_F(MirrorTest, AllTogetherAreBoundedInBytesAndTheIdlestCacheGivesWay) {
  Mirror one(pool_, {0, 1}), two(pool_, {0, 2});
  set(one, 1, 1, "a");
  set(one, 1, 2, "a");
  set(two, 1, 1, "a");
  set(two, 1, 2, "a");
  EXPECT_NE(one.find(CacheId{1}, ItemKey{1}), nullptr);  // a use: two is idler now
  EXPECT_TRUE(set(one, 1, 3, "a"));
  EXPECT_TRUE(set(one, 2, 1, "a"));
  for (std::uint64_t key = 2; key <= 3; ++key) {
    EXPECT_TRUE(set(one, 2, key, "a"));
    EXPECT_LE(pool_.bytes(), pool_.options.reference_bytes_max);
  }
  EXPECT_EQ(two.size(), 0u) << "first the idlest cache, whosever it is";
  EXPECT_EQ(one.size(), 6u) << "its room was room for one more";
  EXPECT_TRUE(set(two, 1, 1, "a"));
  EXPECT_EQ(one.find(CacheId{1}, ItemKey{2}), nullptr) << "then the idlest item of the next";
  const auto forgotten = pool_.take_forgotten();
  EXPECT_EQ(forgotten.at(0).session, (SessionId{0, 2}));
  EXPECT_EQ(forgotten.at(0).change.key, ItemKey{1});
}

TEST_F(MirrorTest, ValidatorsCountOnce) {
  Mirror one(pool_, {0, 1});
  const std::uint64_t before = pool_.bytes();
  one.set(CacheId{1}, ItemKey{1}, Validator::of("a"), nullptr);
  const std::uint64_t cost =
      MirrorPool::kCacheBytes + MirrorPool::kEntryBytes + MirrorPool::kValidatorBytes;
  EXPECT_EQ(pool_.bytes() - before, cost);
  one.set(CacheId{1}, ItemKey{2}, Validator::of("a"), bytes("a"));
  EXPECT_EQ(pool_.bytes() - before, cost + MirrorPool::kEntryBytes) << "shared";
}

TEST_F(MirrorTest, SnapshotMakesAnEqualOne) {
  Mirror one(pool_, {0, 1});
  set(one, 1, 1, "a");
  set(one, 1, 2, "b");
  set(one, 2, 1, "c");
  one.find(CacheId{1}, ItemKey{1});
  const auto snapshot = one.snapshot();
  MirrorPool other_pool{options()};
  Mirror other(other_pool, {0, 1});
  for (const MirrorChange& change : snapshot) other.apply(change);
  EXPECT_EQ(other.snapshot(), snapshot);
  EXPECT_EQ(other.size(), 3u);
}

// The digest that is kept up with every change is that of the items, whatever has happened.
TEST_F(MirrorTest, DigestFollowsEveryChange) {
  Mirror mirror(pool_, {0, 1});
  std::uint64_t dice = 1;
  const auto throw_dice = [&dice](std::uint64_t sides) { return (dice = mix64(dice + 1)) % sides; };
  for (int i = 0; i < 2000; ++i) {
    const CacheId cache{1 + throw_dice(3)};
    const ItemKey key{throw_dice(6)};
    if (throw_dice(4) == 0) {
      mirror.evict(cache, key);
    } else {
      set(mirror, cache.value, key.value, std::string(throw_dice(3), 'x'));
    }
    CacheDigest whole;
    for (std::uint64_t each = 1; each <= 3; ++each) {
      const CacheDigest digest = DigestTree(CacheId{each}, mirror.items(CacheId{each})).digest();
      ASSERT_EQ(mirror.digest(CacheId{each}), digest);
      whole += digest;
    }
    ASSERT_EQ(mirror.digest(), whole);
    ASSERT_EQ(whole.items, mirror.size());
  }
  mirror.clear();
  EXPECT_EQ(mirror.digest(), CacheDigest{});
}

TEST_F(MirrorTest, WhatASnapshotDoesNotNameGoesAtItsEnd) {
  Mirror mirror(pool_, {0, 1});
  for (std::uint64_t key = 1; key <= 3; ++key) set(mirror, 1, key, "text");
  set(mirror, 2, 1, "text");
  const auto change = [](std::uint64_t cache, std::uint64_t key, bool evicted = false) {
    return MirrorChange{CacheId{cache}, ItemKey{key}, evicted,
                        evicted ? Validator{} : Validator::of("text")};
  };
  mirror.begin_snapshot();
  mirror.apply(change(1, 2));
  mirror.apply(change(1, 3));
  mirror.apply(change(1, 3, true));
  mirror.apply(change(1, 7));
  EXPECT_EQ(mirror.size(), 4u) << "the rest stays";
  const std::vector<MirrorChange> gone = mirror.end_snapshot();
  EXPECT_EQ(gone, (std::vector{change(2, 1, true), change(1, 1, true)}));
  EXPECT_EQ(mirror.size(), 2u);
  EXPECT_TRUE(mirror.end_snapshot().empty()) << "none has begun";
  mirror.begin_snapshot();
  mirror.keep_all();
  EXPECT_TRUE(mirror.end_snapshot().empty());
  EXPECT_EQ(mirror.size(), 2u);
}

}  // namespace
}  // namespace tandem
