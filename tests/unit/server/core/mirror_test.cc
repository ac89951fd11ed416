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
    options.entries_total_max = 5;
    return options;
  }
  bool set(Mirror& mirror, std::uint64_t cache, std::uint64_t key, const std::string& text) {
    return mirror.set(CacheId{cache}, ItemKey{key}, Validator::of(text), bytes(text));
  }
  MirrorPool pool_{options()};
};

TEST_F(MirrorTest, SaysWhatChanged) {
  Mirror mirror(pool_);
  EXPECT_TRUE(set(mirror, 1, 1, "a"));
  EXPECT_FALSE(set(mirror, 1, 1, "a"));
  EXPECT_TRUE(set(mirror, 1, 1, "b"));
  EXPECT_EQ(mirror.find(CacheId{1}, ItemKey{1})->validator(), Validator::of("b"));
  EXPECT_EQ(mirror.find(CacheId{2}, ItemKey{1}), nullptr);
  EXPECT_TRUE(mirror.evict(CacheId{1}, ItemKey{1}));
  EXPECT_FALSE(mirror.evict(CacheId{1}, ItemKey{1}));
  EXPECT_EQ(mirror.size(), 0u);
}

TEST_F(MirrorTest, IsBoundedPerCachePerSessionAndInAll) {
  Mirror one(pool_), two(pool_);
  for (std::uint64_t key = 1; key <= 4; ++key) set(one, 1, key, "a");
  EXPECT_EQ(one.size(), 3u);
  EXPECT_EQ(one.find(CacheId{1}, ItemKey{1}), nullptr) << "the oldest has gone";
  set(one, 2, 1, "a");
  set(one, 2, 2, "a");
  EXPECT_EQ(pool_.entries, 5u);
  EXPECT_FALSE(set(two, 1, 1, "a")) << "nothing of its own to give up";
  EXPECT_TRUE(set(one, 2, 3, "a")) << "its own oldest makes room";
  EXPECT_EQ(pool_.entries, 5u);
  set(one, 3, 1, "a");  // a third cache: the least recently used one goes
  EXPECT_EQ(one.find(CacheId{1}, ItemKey{4}), nullptr);
  one.clear();
  EXPECT_EQ(pool_.entries, 0u);
}

TEST_F(MirrorTest, SnapshotMakesAnEqualOne) {
  Mirror one(pool_);
  set(one, 1, 1, "a");
  set(one, 1, 2, "b");
  set(one, 2, 1, "c");
  one.find(CacheId{1}, ItemKey{1});
  const auto snapshot = one.snapshot();
  MirrorPool other_pool{options()};
  Mirror other(other_pool);
  for (const MirrorChange& change : snapshot) other.apply(change);
  EXPECT_EQ(other.snapshot(), snapshot);
  EXPECT_EQ(other.size(), 3u);
}

// The digest that is kept up with every change is that of the items, whatever has happened.
TEST_F(MirrorTest, DigestFollowsEveryChange) {
  Mirror mirror(pool_);
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

}  // namespace
}  // namespace tandem
