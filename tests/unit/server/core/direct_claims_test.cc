// A client that goes direct, and what becomes of its word that a server cannot be reached.
#include "tests/unit/server/core/node_bench.h"

namespace tandem {
namespace {

using Kind = Decision::Kind;

class DirectClaims : public NodeBench {
 protected:
  Decision request_without(const std::string& at, const SessionToken& token,
                           const std::string& unreachable) {
    const std::vector<ServerId> servers = {id(unreachable)};
    const RequestInfo info{token, kCache, {}, servers};
    Decision decision = node(at).on_request(now_, wall_, info);
    if (decision.kind == Kind::kWait) {
      settle();
      (void)node(at).take_settled();
      decision = node(at).on_request(now_, wall_, info);
    }
    settle();
    return decision;
  }
};

TEST_F(DirectClaims, TheAlternateTakesOverFromAPrimaryThatNeitherOfThemReaches) {
  start({"a", "b", "c"});
  const SessionToken held = confirmed("a");
  retrieved("a", {}, "text");
  const std::string alternate = name_of(held.alternate);
  kill("a");  // the view does not know yet, and nobody may be there to say it
  EXPECT_EQ(request(alternate, held).kind, Kind::kRefer) << "without the word of the client";
  ASSERT_EQ(request_without(alternate, held, "a").kind, Kind::kServe);
  const auto moved = node(alternate).token_to_set(wall_, held);
  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->primary, held.alternate);
  EXPECT_GT(moved->epoch, held.epoch);
  EXPECT_EQ(retrieved(alternate, {Validator::of("text")}, "text").answer,
            Comparison::Answer::kReuseByMirror);
}

TEST_F(DirectClaims, NobodyTakesOverFromAPrimaryWithWhichThereIsALink) {
  start({"a", "b", "c"});
  const SessionToken held = confirmed("a");
  const Decision decision = request_without(name_of(held.alternate), held, "a");
  ASSERT_EQ(decision.kind, Kind::kRefer);
  EXPECT_EQ(decision.refer.primary, id("a"));
  EXPECT_EQ(node("a").report(kSession)->role, Role::kPrimary);
}

TEST_F(DirectClaims, AnyServerFindsTheCopyOfASessionWhosePrimaryIsGone) {
  start({"a", "b", "c"});
  const SessionToken held = confirmed("a");
  const std::string third = name_of(held.alternate) == "b" ? "c" : "b";
  kill("a");
  const Decision decision = request_without(third, held, "a");
  ASSERT_EQ(decision.kind, Kind::kRefer);
  EXPECT_EQ(decision.refer.primary, held.alternate);
  EXPECT_EQ(request_without(name_of(held.alternate), decision.refer, "a").kind, Kind::kServe);
}

TEST_F(DirectClaims, AProvisionalSessionBeginsAnewWhereItIsAsked) {
  start({"a", "b"});
  const SessionToken held = served("a", new_session("a"));
  kill("a");
  EXPECT_EQ(request_without("b", held, "a").kind, Kind::kServe);
}

}  // namespace
}  // namespace tandem
