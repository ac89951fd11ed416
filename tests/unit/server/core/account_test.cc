// What servers say of a session: the answers to an administrator's "why is this client here?".
#include "server/core/account.h"

#include "tests/unit/server/core/node_bench.h"

namespace tandem {
namespace {

using As = SessionAccount::As;
using Came = SessionAccount::Came;

class AccountTest : public NodeBench {
 protected:
  SessionAccount account(const std::string& at) { return node(at).account(now_, {3, kSession}); }
};

TEST_F(AccountTest, WhoHasNeverHeardOfTheSessionSaysSo) {
  start({"a"});
  const SessionAccount nothing = account("a");
  EXPECT_EQ(nothing.number, 3U);
  EXPECT_EQ(nothing.session, kSession);
  EXPECT_EQ(nothing.as, As::kNothing);
}

TEST_F(AccountTest, PrimaryAndAlternateAgreeOnAWholeMirror) {
  start({"a", "b"});
  confirmed("a");
  retrieved("a", {}, "one");
  pass(2s);
  const SessionAccount primary = account("a"), copy = account("b");
  EXPECT_EQ(primary.as, As::kPrimary);
  EXPECT_EQ(primary.came, Came::kAssigned);
  EXPECT_EQ(primary.since_ms, 2000U);
  EXPECT_EQ(primary.idle_ms, 2000U);
  EXPECT_EQ(primary.alternate, id("b"));
  EXPECT_TRUE(primary.complete);
  EXPECT_EQ(copy.as, As::kCopy);
  EXPECT_EQ(copy.primary, id("a"));
  EXPECT_EQ(copy.items, 1U);
  EXPECT_EQ(copy.digest_high, primary.digest_high);
  EXPECT_EQ(copy.digest_low, primary.digest_low);
}

TEST_F(AccountTest, MirrorsThatDifferHaveOtherDigests) {
  start({"a", "b"});
  confirmed("a");
  cut("a", "b");
  retrieved("a", {}, "one");
  EXPECT_FALSE(account("a").complete);
  EXPECT_EQ(account("a").behind, 1U);
  EXPECT_EQ(account("b").items, 0U);
  EXPECT_NE(account("a").digest_low, account("b").digest_low);
}

TEST_F(AccountTest, ATakeoverIsTold) {
  start({"a", "b", "c"});
  const SessionToken token = confirmed("a");
  const std::string second = name_of(token.alternate);
  kill("a");
  served(second, with_flags(token, kTakeover));
  EXPECT_EQ(account(second).came, Came::kTakenOver);
  EXPECT_EQ(account(second).epoch.server, id(second));
}

TEST_F(AccountTest, ASessionThatNobodyKnewWasFoundLost) {
  start({"a"});
  SessionToken token = new_session("a");
  token.epoch = {4, id("gone")};
  served("a", with_flags(token, kTakeover | kMustServe));
  EXPECT_EQ(account("a").came, Came::kFoundLost);
}

TEST_F(AccountTest, WhoLostItKnowsWhereItWent) {
  start({"a", "b", "c"});
  const SessionToken token = confirmed("a");
  const std::string second = name_of(token.alternate);
  served(second, with_flags(token, kTakeover));
  const SessionAccount noted = account("a");
  EXPECT_NE(noted.as, As::kPrimary);
  EXPECT_EQ(noted.primary, id(second));
}

}  // namespace
}  // namespace tandem
