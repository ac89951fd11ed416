#include "common/session/cache_digest.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tandem {
namespace {

constexpr CacheId kCache{0x1234};

HeldItem item(int number, const char* content = "x") {
  return {ItemKey::of("/" + std::to_string(number)), Validator::of(content)};
}

std::vector<HeldItem> some(int count) {
  std::vector<HeldItem> all;
  for (int i = 0; i < count; ++i) all.push_back(item(i));
  return all;
}

TEST(CacheDigest, DependsOnEveryFieldAndOnTheCache) {
  const ItemKey key{1};
  const Validator validator = Validator::of("text");
  const Hash128 hash = item_digest(kCache, key, validator);
  EXPECT_EQ(hash, item_digest(kCache, key, validator));
  EXPECT_NE(hash, item_digest(CacheId{2}, key, validator));
  EXPECT_NE(hash, item_digest(kCache, ItemKey{2}, validator));
  const auto changed = [&](auto change) {
    Validator other = validator;
    change(other);
    return item_digest(kCache, key, other);
  };
  EXPECT_NE(hash, changed([](Validator& v) { ++v.crc; }));
  EXPECT_NE(hash, changed([](Validator& v) { ++v.length; }));
  EXPECT_NE(hash, changed([](Validator& v) { ++v.digest[0]; }));
  EXPECT_NE(hash, changed([](Validator& v) { ++v.digest[15]; }));
  EXPECT_NE(hash, changed([](Validator& v) { v.has_digest = false; }));
}

TEST(CacheDigest, DoesNotDependOnTheOrder) {
  std::vector<HeldItem> items = some(50);
  const CacheDigest digest = DigestTree(kCache, items).digest();
  std::reverse(items.begin(), items.end());
  EXPECT_EQ(DigestTree(kCache, items).digest(), digest);
  EXPECT_EQ(digest.items, 50u);
}

TEST(CacheDigest, IsKeptUpByAddingAndRemoving) {
  CacheDigest digest;
  for (const HeldItem& one : some(3)) digest.add(item_digest(kCache, one.key, one.validator));
  digest.remove(item_digest(kCache, item(1).key, item(1).validator));
  EXPECT_EQ(digest, DigestTree(kCache, {item(2), item(0)}).digest());
  digest.remove(item_digest(kCache, item(0).key, item(0).validator));
  digest.remove(item_digest(kCache, item(2).key, item(2).validator));
  EXPECT_EQ(digest, CacheDigest{});
}

TEST(DigestTree, ANodeIsTheSumOfItsChildren) {
  const DigestTree tree(kCache, some(1000));
  for (const KeyNode node : {KeyNode{}, KeyNode{}.child(15), KeyNode{}.child(0).child(7)}) {
    CacheDigest sum;
    std::size_t items = 0;
    for (unsigned digit = 0; digit < KeyNode::kChildren; ++digit) {
      const KeyNode child = node.child(digit);
      EXPECT_TRUE(child.valid());
      sum += tree.digest(child);
      items += tree.items(child).size();
      for (const HeldItem& one : tree.items(child)) {
        EXPECT_TRUE(child.contains(one.key));
        EXPECT_TRUE(node.contains(one.key));
      }
    }
    EXPECT_EQ(sum, tree.digest(node));
    EXPECT_EQ(items, tree.items(node).size());
  }
}

TEST(DigestTree, DiffersOnlyOnTheWayToAChange) {
  std::vector<HeldItem> items = some(1000);
  const DigestTree before(kCache, items);
  items[500] = item(500, "y");
  const DigestTree after(kCache, items);
  EXPECT_NE(before.digest(), after.digest());
  unsigned differ = 0;
  for (unsigned digit = 0; digit < KeyNode::kChildren; ++digit) {
    const KeyNode child = KeyNode{}.child(digit);
    const bool on_the_way = child.contains(items[500].key);
    EXPECT_EQ(before.hint(child) != after.hint(child), on_the_way);
    differ += on_the_way ? 1 : 0;
  }
  EXPECT_EQ(differ, 1u);
}

TEST(DigestTree, KeepsOneItemOfEachKeyAndKnowsEmptyNodes) {
  const DigestTree tree(kCache, {item(1), item(1), item(2)});
  EXPECT_EQ(tree.items().size(), 2u);
  EXPECT_EQ(DigestTree(kCache, {}).digest(), CacheDigest{});
  KeyNode node;
  while (node.depth < KeyNode::kDepthMax) node = node.child(3);
  EXPECT_EQ(tree.hint(node), 0u);
  EXPECT_NE(tree.hint(KeyNode{}), 0u);
}

}  // namespace
}  // namespace tandem
