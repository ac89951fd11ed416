#include "lb/core/explanation.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tandem {
namespace {

using As = SessionAccount::As;
using Came = SessionAccount::Came;
using Mirrors = Explanation::Mirrors;

constexpr SessionId kSession{1, 2};

ServerId id(const char* name) { return ServerId::of(name); }

class ExplanationTest : public ::testing::Test {
 protected:
  ExplanationTest() {
    in_.session = kSession;
    in_.wall = 10'000;
    in_.token_ttl = 1800;
    for (const char* name : {"a", "b", "c"}) {
      ServerRecord record;
      record.id = id(name);
      record.name = name;
      record.online = true;
      view_.servers.push_back(record);
      in_.answers.push_back({record.id, SessionAccount{}});
    }
  }
  ServerRecord& server(const char* name) {
    return *std::find_if(view_.servers.begin(), view_.servers.end(),
                         [name](const auto& server) { return server.name == name; });
  }
  SessionAccount& account(const char* name) {
    for (auto& answer : in_.answers) {
      if (answer.server == id(name)) return *answer.account;
    }
    std::abort();
  }
  void primary(const char* at, const char* alternate, std::uint32_t counter, std::uint64_t items) {
    SessionAccount& one = account(at);
    one.as = As::kPrimary;
    one.came = Came::kAssigned;
    one.epoch = {counter, id(at)};
    one.primary = id(at);
    one.alternate = id(alternate);
    one.items = one.digest_low = items;
    one.complete = true;
  }
  void copy(const char* at, const char* of, std::uint32_t counter, std::uint64_t items) {
    SessionAccount& one = account(at);
    one.as = As::kCopy;
    one.epoch = {counter, id(of)};
    one.primary = id(of);
    one.items = one.digest_low = items;
  }
  void token(const char* primary, const char* alternate, std::uint32_t counter) {
    in_.token =
        SessionToken{kSession, {counter, id(primary)}, id(primary), id(alternate), 9'900, 0};
  }
  Explanation run() {
    in_.view = std::make_shared<const View>(view_);
    return explain(in_);
  }
  static bool says(const Explanation& found, const std::string& text) {
    return std::any_of(found.sentences.begin(), found.sentences.end(),
                       [&](const std::string& one) { return one.find(text) != std::string::npos; });
  }

  View view_;
  ExplanationInput in_;
};

TEST_F(ExplanationTest, PrimaryAndWarmAlternateThatAgree) {
  primary("a", "b", 1, 40);
  copy("b", "a", 1, 40);
  token("a", "b", 1);
  const Explanation found = run();
  EXPECT_EQ(found.primary, id("a"));
  EXPECT_EQ(found.alternate, id("b"));
  EXPECT_EQ(found.epoch, (Epoch{1, id("a")}));
  EXPECT_EQ(found.mirrors, Mirrors::kAgree);
  EXPECT_EQ(found.next, id("a"));
  EXPECT_TRUE(says(found, "a serves it: it came there as a new session"));
  EXPECT_TRUE(says(found, "both mirrors hold the same 40 item(s)"));
}

TEST_F(ExplanationTest, AMirrorThatFollowsIsNoDisagreement) {
  primary("a", "b", 1, 40);
  account("a").complete = false;
  account("a").behind = 3;
  copy("b", "a", 1, 37);
  const Explanation found = run();
  EXPECT_EQ(found.mirrors, Mirrors::kBehind);
  EXPECT_EQ(found.behind, 3U);
  EXPECT_TRUE(says(found, "3 change(s) to come"));
}

TEST_F(ExplanationTest, MirrorsThatDifferAlthoughAllIsAcknowledgedDisagree) {
  primary("a", "b", 1, 40);
  copy("b", "a", 1, 40);
  account("b").digest_low = 41;
  EXPECT_EQ(run().mirrors, Mirrors::kDisagree);
}

TEST_F(ExplanationTest, TheNewestEpochIsThePrimary) {
  primary("a", "b", 1, 1);
  primary("b", "c", 2, 1);
  account("b").came = Came::kTakenOver;
  copy("c", "b", 2, 1);
  token("a", "b", 1);
  const Explanation found = run();
  EXPECT_EQ(found.primary, id("b"));
  EXPECT_EQ(found.alternate, id("c"));
  EXPECT_TRUE(says(found, "took it over"));
  EXPECT_TRUE(says(found, "a serves it, too, under an older epoch"));
  EXPECT_TRUE(says(found, "older than what b knows"));
}

TEST_F(ExplanationTest, TheNextRequestGoesToTheAlternateWhileThePrimaryIsOffline) {
  server("a").online = false;
  in_.answers.erase(in_.answers.begin());
  copy("b", "a", 1, 4);
  token("a", "b", 1);
  const Explanation found = run();
  EXPECT_FALSE(found.primary);
  EXPECT_EQ(found.alternate, id("b"));
  EXPECT_EQ(found.next, id("b"));
  EXPECT_TRUE(says(found, "a is not online: b gets the next request"));
}

TEST_F(ExplanationTest, BothGoneMeansThatWhoeverIsChosenAsks) {
  server("a").online = server("b").online = false;
  token("a", "b", 1);
  const Explanation found = run();
  EXPECT_FALSE(found.next);
  EXPECT_TRUE(says(found, "a and b are both gone"));
}

TEST_F(ExplanationTest, AnExpiredTokenGetsANewSession) {
  token("a", "b", 1);
  in_.token->issued = in_.wall - in_.token_ttl;
  EXPECT_TRUE(says(run(), "has expired"));
}

TEST_F(ExplanationTest, APlainServersSessionIsInItsTokenAlone) {
  for (ServerRecord& one : view_.servers) one.kind = ServerKind::kPlain;
  in_.answers.clear();
  token("a", "b", 2);
  const Explanation found = run();
  EXPECT_EQ(found.primary, id("a"));
  EXPECT_EQ(found.alternate, id("b"));
  EXPECT_TRUE(says(found, "a plain server"));
  EXPECT_FALSE(says(found, "No server that answered"));
}

TEST_F(ExplanationTest, WhoDoesNotAnswerIsCounted) {
  in_.answers[2].account.reset();
  const Explanation found = run();
  EXPECT_TRUE(says(found, "No server that answered knows the session"));
  EXPECT_TRUE(says(found, "1 server(s) did not answer"));
}

TEST(SessionIdText, IsThirtyTwoDigitsBothWays) {
  const SessionId session{0x0123456789abcdefULL, 0xfULL};
  EXPECT_EQ(to_text(session), "0123456789abcdef000000000000000f");
  EXPECT_EQ(parse_session_id(to_text(session)), session);
  EXPECT_FALSE(parse_session_id("0123456789abcdef00000000000000"));
  EXPECT_FALSE(parse_session_id("0123456789abcdef0000000000000zzz"));
  EXPECT_FALSE(parse_session_id(""));
}

}  // namespace
}  // namespace tandem
