#include "client/core/item_cache.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

Item item_of(std::size_t size, std::string etag = "\"e\"") {
  Item item;
  item.etag = std::move(etag);
  item.content = std::make_shared<const std::string>(size, 'x');
  return item;
}

TEST(ItemCache, FindsWhatWasStored) {
  ItemCache cache(10'000);
  EXPECT_FALSE(cache.find("/a"));
  cache.store("/a", item_of(5, "\"1\""));
  ASSERT_TRUE(cache.find("/a"));
  EXPECT_EQ(cache.find("/a")->etag, "\"1\"");
  cache.store("/a", item_of(6, "\"2\""));
  EXPECT_EQ(cache.find("/a")->etag, "\"2\"");
  EXPECT_EQ(cache.items(), 1u);
  EXPECT_TRUE(cache.evicted(10).empty());  // replaced, not given up
}

TEST(ItemCache, GivesUpTheLeastRecentlyUsed) {
  ItemCache cache(3 * 1500);
  cache.store("/a", item_of(1000));
  cache.store("/b", item_of(1000));
  cache.store("/c", item_of(1000));
  EXPECT_TRUE(cache.find("/a"));
  cache.store("/d", item_of(1000));
  EXPECT_TRUE(cache.find("/a"));
  EXPECT_FALSE(cache.find("/b"));
  EXPECT_EQ(cache.evicted(10), std::vector{ItemKey::of("/b")});
  EXPECT_LE(cache.bytes(), 3u * 1500);
}

TEST(ItemCache, CountsBytesExactly) {
  ItemCache cache(100'000);
  cache.store("/a", item_of(1000));
  cache.refresh("/a", {{"Date", "now"}}, 5);
  EXPECT_EQ(cache.find("/a")->validated, 5);
  cache.store("/b", item_of(10));
  cache.store("/a", item_of(20));
  cache.remove("/a");
  cache.remove("/b");
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(ItemCache, AnnouncesEvictionsUntilTheyAreHeard) {
  ItemCache cache(10'000);
  for (const char* target : {"/a", "/b", "/c"}) cache.store(target, item_of(1));
  cache.remove("/a");
  cache.remove("/b");
  cache.remove("/b");  // once is enough
  EXPECT_EQ(cache.evicted(1), std::vector{ItemKey::of("/a")});
  EXPECT_EQ(cache.evicted(9), (std::vector{ItemKey::of("/a"), ItemKey::of("/b")}));
  cache.store("/a", item_of(1));  // held again: not to be announced any more
  EXPECT_EQ(cache.evicted(9), std::vector{ItemKey::of("/b")});
  const std::uint64_t mark = cache.eviction_mark(1);
  cache.evictions_heard(mark);
  EXPECT_TRUE(cache.evicted(9).empty());
  cache.remove("/c");
  cache.evictions_heard(mark);  // two requests had announced the same one
  EXPECT_EQ(cache.evicted(9), std::vector{ItemKey::of("/c")});
}

TEST(ItemCache, WhatDoesNotFitIsNotKept) {
  ItemCache cache(1000);
  cache.store("/a", item_of(10));
  cache.store("/a", item_of(5000));
  EXPECT_FALSE(cache.find("/a"));
  EXPECT_EQ(cache.evicted(9), std::vector{ItemKey::of("/a")});
  ItemCache none(0);
  none.store("/a", item_of(0));
  EXPECT_EQ(none.items(), 0u);
}

TEST(ItemCache, TheListOfEvictionsIsBounded) {
  ItemCache cache(1000);
  for (std::size_t i = 0; i < ItemCache::kEvictedMax + 5; ++i) {
    cache.store("/" + std::to_string(i), item_of(5000));
  }
  const auto evicted = cache.evicted(10'000);
  ASSERT_EQ(evicted.size(), ItemCache::kEvictedMax);
  EXPECT_EQ(evicted[0], ItemKey::of("/5"));
}

TEST(ItemCache, TellsWhatChanged) {
  ItemCache cache(3000);
  cache.store("/early", item_of(1));
  EXPECT_TRUE(cache.take_changes().empty());
  cache.record_changes();
  cache.store("/a", item_of(1000));
  cache.store("/b", item_of(1500));  // gives up /early and /a
  const auto changes = cache.take_changes();
  ASSERT_EQ(changes.size(), 4u);
  EXPECT_EQ(changes[0].target, "/a");
  EXPECT_TRUE(changes[0].item);
  EXPECT_EQ(changes[1].target, "/early");
  EXPECT_FALSE(changes[1].item);
  EXPECT_EQ(changes[2].target, "/a");
  EXPECT_FALSE(changes[2].item);
  EXPECT_EQ(changes[3].target, "/b");
  EXPECT_TRUE(cache.take_changes().empty());
}

TEST(ItemCache, ListsAllInTheOrderOfUse) {
  ItemCache cache(10'000);
  for (const char* target : {"/a", "/b", "/c"}) cache.store(target, item_of(1));
  (void)cache.find("/a");
  const auto all = cache.all();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].target, "/b");
  EXPECT_EQ(all[2].target, "/a");
}

}  // namespace
}  // namespace tandem
