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
  EXPECT_TRUE(cache.evicted(10).keys.empty());  // replaced, not given up
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
  EXPECT_EQ(cache.evicted(10).keys, std::vector{ItemKey::of("/b")});
  EXPECT_LE(cache.bytes(), 3u * 1500);
}

TEST(ItemCache, CountsBytesExactly) {
  ItemCache cache(100'000);
  cache.store("/a", item_of(1000));
  cache.refresh("/a", cache.find("/a"), {{"Date", "now"}}, 5);
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
  EXPECT_EQ(cache.evicted(1).keys, std::vector{ItemKey::of("/a")});
  EXPECT_EQ(cache.evicted(9).keys, (std::vector{ItemKey::of("/a"), ItemKey::of("/b")}));
  cache.store("/a", item_of(1));  // held again: not to be announced any more
  EXPECT_EQ(cache.evicted(9).keys, std::vector{ItemKey::of("/b")});
  const std::uint64_t mark = cache.evicted(1).mark;
  cache.evictions_heard(mark);
  EXPECT_TRUE(cache.evicted(9).keys.empty());
  cache.remove("/c");
  cache.evictions_heard(mark);  // two requests had announced the same one
  EXPECT_EQ(cache.evicted(9).keys, std::vector{ItemKey::of("/c")});
}

TEST(ItemCache, AnnouncesEvictionsToTheGroupThatHadTheItem) {
  ItemCache cache(10'000);
  const auto store = [&](const char* target, const char* group) {
    Item item = item_of(1);
    item.group = group;
    cache.store(target, item);
  };
  store("/a", "");
  store("/b", "api");
  store("/c", "api");
  for (const char* target : {"/a", "/b", "/c"}) cache.remove(target);
  EXPECT_EQ(cache.evicted(9).keys, std::vector{ItemKey::of("/a")});
  EXPECT_EQ(cache.evicted(1, "api").keys, std::vector{ItemKey::of("/b")});
  const auto announced = cache.evicted(9, "api");
  EXPECT_EQ(announced.keys, (std::vector{ItemKey::of("/b"), ItemKey::of("/c")}));
  cache.evictions_heard(announced.mark, "");
  EXPECT_EQ(cache.evicted(9, "api").keys, announced.keys) << "another group has heard of it";
  cache.evictions_heard(announced.mark, "api");
  EXPECT_TRUE(cache.evicted(9, "api").keys.empty());
}

TEST(ItemCache, AnItemThatAnotherGroupServesFromNowOnIsEvictedForTheFormer) {
  ItemCache cache(10'000);
  Item item = item_of(1);
  item.group = "old";
  cache.store("/a", item);
  cache.store("/b", item);
  EXPECT_EQ(cache.group_of("/a"), "old");
  EXPECT_EQ(cache.group_of("/none"), std::nullopt);
  item.group = "new";
  cache.store("/a", item);
  cache.refresh("/b", cache.find("/b"), {}, 5, "new");
  EXPECT_EQ(cache.group_of("/a"), "new");
  EXPECT_EQ(cache.group_of("/b"), "new");
  EXPECT_EQ(cache.evicted(9, "old").keys, (std::vector{ItemKey::of("/a"), ItemKey::of("/b")}));
  EXPECT_TRUE(cache.evicted(9, "new").keys.empty());
  cache.refresh("/b", cache.find("/b"), {}, 6, "old");
  EXPECT_EQ(cache.evicted(9, "old").keys, std::vector{ItemKey::of("/a")}) << "held again there";
  cache.remove("/a");
  cache.remove("/b");
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(ItemCache, WhatIsHeldAndVouchedForIsOfAGroup) {
  ItemCache cache(10'000);
  Item item = item_of(1);
  cache.store("/a", item);
  item.group = "api";
  cache.store("/b", item);
  ASSERT_EQ(cache.held().size(), 1u);
  EXPECT_EQ(cache.held()[0].key, ItemKey::of("/a"));
  ASSERT_EQ(cache.held("api").size(), 1u);
  EXPECT_EQ(cache.held("api")[0].key, ItemKey::of("/b"));
  const std::vector<ValidationRounds::Vouched> both = {
      {ItemKey::of("/a"), 9, Validator::of_foreign("\"e\"")},
      {ItemKey::of("/b"), 9, Validator::of_foreign("\"e\"")}};
  EXPECT_EQ(cache.vouch(both, 100, "api"), 1u);
  EXPECT_TRUE(cache.vouched("/b"));
  EXPECT_FALSE(cache.vouched("/a")) << "its group has not said so";
}

TEST(ItemCache, WhatDoesNotFitIsNotKept) {
  ItemCache cache(1000);
  cache.store("/a", item_of(10));
  cache.store("/a", item_of(5000));
  EXPECT_FALSE(cache.find("/a"));
  EXPECT_EQ(cache.evicted(9).keys, std::vector{ItemKey::of("/a")});
  ItemCache none(0);
  none.store("/a", item_of(0));
  EXPECT_EQ(none.items(), 0u);
}

TEST(ItemCache, TheListOfEvictionsIsBounded) {
  ItemCache cache(1000);
  for (std::size_t i = 0; i < ItemCache::kEvictedMax + 5; ++i) {
    cache.store("/" + std::to_string(i), item_of(5000));
  }
  const auto evicted = cache.evicted(10'000).keys;
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
