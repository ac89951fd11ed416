#include "common/crypto/cluster_key.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

ClusterKey key_of(std::uint8_t fill, UnixSeconds seals_from) {
  ClusterKey key;
  key.secret.fill(fill);
  key.seals_from = seals_from;
  return key;
}

std::string complaint_of(std::string_view text) {
  const auto keys = ClusterKeys::parse(text, "cluster.key");
  return keys ? "accepted" : keys.error().message;
}

TEST(ClusterKeys, ReadWhatAKeyWrites) {
  const std::string text = "# ours\n\n" + key_of(2, 200).line() + "  " + key_of(1, 100).line();
  const auto keys = ClusterKeys::parse(text, "f");
  ASSERT_TRUE(keys) << keys.error().message;
  ASSERT_EQ(keys->keys().size(), 2u);
  EXPECT_EQ(keys->keys()[0], key_of(1, 100));
  EXPECT_EQ(keys->keys()[1], key_of(2, 200));
  EXPECT_TRUE(ClusterKeys::parse("tandem-key-1 0 " + std::string(43, 'A'), "f"));  // no line end
  EXPECT_TRUE(ClusterKeys::parse("tandem-key-1 0 " + std::string(43, 'A') + "\r\n", "f"));
}

TEST(ClusterKeys, TheNewestWhoseTimeHasComeSeals) {
  const ClusterKeys keys({key_of(3, 300), key_of(1, 100), key_of(2, 200)});
  EXPECT_EQ(keys.sealing(50).seals_from, 100);
  EXPECT_EQ(keys.sealing(199).seals_from, 100);
  EXPECT_EQ(keys.sealing(200).seals_from, 200);
  EXPECT_EQ(keys.sealing(1000).seals_from, 300);
}

TEST(ClusterKeys, ComplaintsPointAtTheCharacter) {
  const std::string good(43, 'A');
  EXPECT_EQ(complaint_of(""), "cluster.key:1:1: no key is listed; `tandemctl keygen` makes one");
  EXPECT_EQ(complaint_of("# x\n key 1 A\n"),
            "cluster.key:2:2: a key's line begins with tandem-key-1");
  const std::string time =
      "the time from which the key seals is a whole number of seconds since 1970";
  EXPECT_EQ(complaint_of("tandem-key-1 soon " + good), "cluster.key:1:14: " + time);
  EXPECT_EQ(complaint_of("tandem-key-1 -5 " + good), "cluster.key:1:14: " + time);
  EXPECT_EQ(complaint_of("tandem-key-1"), "cluster.key:1:13: " + time);
  const std::string secret = "the key is 43 characters of base64url, without padding";
  EXPECT_EQ(complaint_of("tandem-key-1 5 " + good + "="), "cluster.key:1:16: " + secret);
  EXPECT_EQ(complaint_of("tandem-key-1 5"), "cluster.key:1:15: " + secret);
  EXPECT_EQ(complaint_of("tandem-key-1 5 " + good + " x"),
            "cluster.key:1:60: nothing may follow the key");
  EXPECT_EQ(complaint_of(key_of(1, 1).line() + key_of(1, 2).line()),
            "cluster.key:2:1: this key is listed twice");
  std::string many;
  for (std::uint8_t i = 0; i <= ClusterKeys::kKeysMax; ++i) many += key_of(i, i).line();
  EXPECT_EQ(complaint_of(many), "cluster.key:17:1: at most 16 keys may be listed");
}

TEST(ClusterKey, EachUseHasItsOwnKey) {
  const ClusterKey key = key_of(1, 0);
  const ClusterKey other = key_of(2, 0);
  EXPECT_NE(key.psk(), other.psk());
  EXPECT_NE(key.token_key(), other.token_key());
  EXPECT_NE(key.id(), other.id());
  EXPECT_EQ(key.psk(), key_of(1, 99).psk());  // the time is no part of it
  EXPECT_FALSE(std::equal(key.secret.begin(), key.secret.end(), key.psk().begin()));
  EXPECT_FALSE(std::equal(key.secret.begin(), key.secret.end(), key.token_key().begin()));
}

TEST(ClusterKeyRotation, TheNewKeyComesLastAndSealsFromItsTime) {
  const ClusterKeys before({key_of(1, 0)});
  const auto after = before.rotated(key_of(2, 1600), 1000, 500);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->keys(), (std::vector{key_of(1, 0), key_of(2, 1600)}));
  EXPECT_EQ(after->sealing(1599), key_of(1, 0));
  EXPECT_EQ(after->sealing(1600), key_of(2, 1600));
}

// A key goes once it has not sealed for `keep`: counted from when its successor began, not from
// when it began itself, and never the one that seals now.
TEST(ClusterKeyRotation, AKeyGoesWhenWhatItSealedHasExpired) {
  const ClusterKeys before({key_of(1, 0), key_of(2, 1000)});
  EXPECT_EQ(before.rotated(key_of(3, 1700), 1500, 500)->keys().size(), 3u);
  const auto later = before.rotated(key_of(3, 1700), 1501, 500);
  EXPECT_EQ(later->keys(), (std::vector{key_of(2, 1000), key_of(3, 1700)}));
  // Key 2 does not seal yet: key 1 has to stay.
  EXPECT_EQ(before.rotated(key_of(3, 1100), 900, 0)->keys().size(), 3u);
}

TEST(ClusterKeyRotation, TheNewKeySealsAfterThoseThatAreListed) {
  const ClusterKeys before({key_of(1, 0), key_of(2, 9000)});
  const auto after = before.rotated(key_of(3, 2000), 1000, 500);
  EXPECT_EQ(after->keys().back(), key_of(3, 9000));
  EXPECT_EQ(after->sealing(9000), key_of(3, 9000));
}

TEST(ClusterKeyRotation, TooManyKeysAreRefused) {
  std::vector<ClusterKey> all;
  for (std::uint8_t i = 0; i < ClusterKeys::kKeysMax; ++i) all.push_back(key_of(i, i));
  const ClusterKeys full(all);
  EXPECT_EQ(full.rotated(key_of(99, 100), 50, 1000).error().message,
            "at most 16 keys may be listed, and none of them is old enough to go");
  EXPECT_EQ(full.rotated(key_of(99, 100), 50, 10)->keys().size(), 2u);
}

}  // namespace
}  // namespace tandem
