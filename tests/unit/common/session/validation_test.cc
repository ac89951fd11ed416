#include "common/session/validation.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

constexpr CacheId kCache{7};

std::vector<HeldItem> some(int count) {
  std::vector<HeldItem> all;
  for (int i = 0; i < count; ++i) {
    all.push_back({ItemKey::of("/" + std::to_string(i)), Validator::of(std::to_string(i), i % 3)});
  }
  const DigestTree sorted(kCache, all);
  return {sorted.items().begin(), sorted.items().end()};
}

HeldItem foreign(std::uint64_t key) { return {ItemKey{key}, Validator::of_foreign("\"5e-1\"")}; }

ValidationRequest full_request() {
  const DigestTree tree(kCache, some(100));
  const KeyNode two = KeyNode{}.child(2);
  const KeyNode deep = KeyNode{}.child(9).child(1).child(15);
  ValidationRequest request;
  request.rest = tree.digest();
  request.excluded = {KeyNode{}.child(1), deep};
  request.lists = {{two, {tree.items(two).begin(), tree.items(two).end()}},
                   {KeyNode{}.child(3), {}}};
  request.loose = {foreign(1), foreign(2)};
  request.explore = {NodeHints::of(tree, {}), NodeHints::of(tree, two)};
  return request;
}

ValidationAnswer full_answer() {
  ValidationAnswer answer;
  answer.fresh_s = 300;
  answer.rest = ValidationAnswer::Rest::kDiffers;
  answer.hints = NodeHints::of(DigestTree(kCache, some(40)), {});
  answer.listed = {true, false, true, true, false, false, false, true, true};
  answer.differing = {NodeHints::of(DigestTree(kCache, some(40)), KeyNode{}.child(4))};
  return answer;
}

TEST(Validation, RequestsComeBack) {
  const ValidationRequest request = full_request();
  EXPECT_EQ(ValidationRequest::decode(request.encode()), request);
  EXPECT_EQ(ValidationRequest::decode(ValidationRequest{}.encode()), ValidationRequest{});
}

TEST(Validation, AnswersComeBack) {
  ValidationAnswer answer = full_answer();
  EXPECT_EQ(ValidationAnswer::decode(answer.encode()), answer);
  answer.differing.clear();
  answer.hints = {};
  for (const auto rest : {ValidationAnswer::Rest::kAll, ValidationAnswer::Rest::kUseless}) {
    answer.rest = rest;
    EXPECT_EQ(ValidationAnswer::decode(answer.encode()), answer);
  }
  answer.rest = ValidationAnswer::Rest::kAllBut;
  answer.keys = {ItemKey{1}, ItemKey{~0ULL}};
  EXPECT_EQ(ValidationAnswer::decode(answer.encode()), answer);
  answer.rest = ValidationAnswer::Rest::kBits;
  answer.keys.clear();
  answer.bits = std::vector<bool>(17, true);
  answer.listed.clear();
  EXPECT_EQ(ValidationAnswer::decode(answer.encode()), answer);
}

TEST(Validation, WhatIsCutOrLongerIsNothing) {
  const std::string request = full_request().encode();
  const std::string answer = full_answer().encode();
  for (std::size_t size = 0; size < request.size(); ++size) {
    EXPECT_FALSE(ValidationRequest::decode(request.substr(0, size))) << size;
  }
  for (std::size_t size = 0; size < answer.size(); ++size) {
    // What is left out at the end is left out by a shorter message, too.
    const auto read = ValidationAnswer::decode(answer.substr(0, size));
    if (read) {
      EXPECT_EQ(read->encode(), answer.substr(0, size));
    }
  }
  EXPECT_FALSE(ValidationRequest::decode(request + '\0'));
  EXPECT_FALSE(ValidationAnswer::decode(answer + '\0'));
}

TEST(Validation, RequestsThatMakeNoSenseAreRefused) {
  const auto refused = [](const ValidationRequest& request) {
    return !ValidationRequest::decode(request.encode());
  };
  ValidationRequest request;
  request.lists = {{KeyNode{}.child(1), {foreign(2)}}};
  EXPECT_TRUE(refused(request)) << "an item that is not in its node";
  request.lists = {{KeyNode{}, {foreign(2), foreign(2)}}};
  EXPECT_TRUE(refused(request)) << "an item twice";
  request.lists = {{KeyNode{}, {foreign(2), foreign(1)}}};
  EXPECT_TRUE(refused(request)) << "not by key";
  request.lists = {{KeyNode{}, {}}};
  EXPECT_FALSE(refused(request));
  request.excluded = {KeyNode{}.child(4).child(5)};
  EXPECT_TRUE(refused(request)) << "nodes that overlap";
  request.lists.clear();
  request.excluded = {{1, 1ULL << 56}};
  EXPECT_TRUE(refused(request)) << "a node with digits that are not its own";
  request.excluded.clear();
  request.loose = {foreign(2), foreign(1)};
  EXPECT_TRUE(refused(request));
  request.loose.clear();
  request.explore.assign(ValidationRequest::kExploreMax + 1, NodeHints{});
  EXPECT_TRUE(refused(request));
}

// A count that promises more than there is reserves nothing.
TEST(Validation, CountsAreBoundedByTheInput) {
  EXPECT_FALSE(ValidationRequest::decode({"\x01\x08\xff\xff\xff\xff\x0f", 7}));
  EXPECT_FALSE(ValidationRequest::decode({"\x01\x04\x01\x00\xff\xff\xff\xff\x0f", 9}));
  EXPECT_FALSE(ValidationAnswer::decode({"\x01\x00\x02\xff\xff\xff\xff\xff\xff\x01", 10}));
  EXPECT_FALSE(ValidationAnswer::decode({"\x01\x00\x04\xff\xff\xff\xff\xff\xff\x01", 10}));
  EXPECT_FALSE(ValidationRequest::decode(std::string(ValidationRequest::kBytesMax + 1, '\0')));
}

TEST(Validation, AForeignTagIsNoContentAndNoOtherTag) {
  EXPECT_EQ(Validator::of_foreign("\"a\""), Validator::of_foreign("\"a\""));
  EXPECT_NE(Validator::of_foreign("\"a\""), Validator::of_foreign("\"b\""));
  EXPECT_TRUE(Validator::of_foreign("\"a\"").is_foreign());
  EXPECT_FALSE(Validator::of("a").is_foreign());
  EXPECT_FALSE(Validator::parse("\"00000000-18446744073709551615-\""));
  EXPECT_TRUE(Validator::parse("\"00000000-18446744073709551614-\""));
}

// The bodies of the usual case.
TEST(Validation, IsSmallWhereAllIsFresh) {
  ValidationRequest request;
  request.rest = CacheDigest{10'000'000, {~0ULL, ~0ULL}};
  ValidationAnswer answer;
  answer.rest = ValidationAnswer::Rest::kAll;
  answer.fresh_s = 31'536'000;
  EXPECT_LE(request.encode().size() + answer.encode().size(), 30u);
}

}  // namespace
}  // namespace tandem
