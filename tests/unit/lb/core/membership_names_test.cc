// Who may be a member, under which name.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>

#include "tests/unit/lb/core/membership_bench.h"

namespace tandem {
namespace {

class MembershipNamesTest : public MembershipTest {};

TEST_F(MembershipNamesTest, TheNameOfALivingServerIsRefused) {
  enter("a", 1);
  enter("a", 2, 99);
  ASSERT_EQ(sent<Refused>(2).size(), 2U);  // the Hello and the Register after it
  EXPECT_EQ(sent<Refused>(2)[0].reason, "a server of this name is registered and alive");
  EXPECT_EQ(closed_.count(2), 1U);
  EXPECT_EQ(machine_.view().servers[0].incarnation, 1U);
}

TEST_F(MembershipNamesTest, TheSameProcessMayComeOnANewConnection) {
  enter("a", 1);
  enter("a", 2);
  EXPECT_TRUE(sent<Refused>(2).empty());
  EXPECT_EQ(closed_.count(1), 1U);
  machine_.on_connection_lost(now_, 1, actions_);  // the old one: of no consequence
  run(10s);
  EXPECT_TRUE(online("a"));
  EXPECT_EQ(probes_["a:80"], 0);
}

TEST_F(MembershipNamesTest, TheNameOfASilentServerMayBeTakenByItsNextIncarnation) {
  enter("a", 1);
  reports_.clear();
  run(4s);
  enter("a", 2, 2);
  EXPECT_TRUE(sent<Refused>(2).empty());
  EXPECT_EQ(machine_.view().servers[0].incarnation, 2U);
}

// Two names with one 32-bit id, found by trying.
std::pair<std::string, std::string> two_names_of_one_id() {
  std::map<ServerId, std::string> seen;
  for (int i = 0;; ++i) {
    const std::string name = "n" + std::to_string(i);
    const auto [it, inserted] = seen.emplace(ServerId::of(name), name);
    if (!inserted) return {it->second, name};
  }
}

TEST_F(MembershipNamesTest, ANameWithTheIdOfALivingOtherIsRefused) {
  const auto [one, other] = two_names_of_one_id();
  enter(one, 1);
  enter(other, 2);
  ASSERT_FALSE(sent<Refused>(2).empty());
  EXPECT_EQ(sent<Refused>(2)[0].reason,
            "the name has the same id as that of " + one + ": choose another");
  reports_.erase(other);
  die(one);
  run(1s);
  enter(other, 3);
  EXPECT_TRUE(online(other));
  EXPECT_EQ(machine_.view().servers.size(), 1U);
}

// Frozen, so offline, but its connection stands.
TEST_F(MembershipNamesTest, WhoseIdIsTakenByAnotherNameIsNotHeardAnyMore) {
  const auto [one, other] = two_names_of_one_id();
  enter("x", 8);
  enter("y", 9);
  enter(one, 1);
  run(1s);
  freeze(one);
  run(6s);
  ASSERT_FALSE(online(one));
  enter(other, 3);
  ASSERT_TRUE(online(other));
  EXPECT_EQ(closed_.count(1), 1U);
  tell(1, StatusReport{});
  EXPECT_EQ(sent<Refused>(1).size(), 1U);
}

TEST_F(MembershipNamesTest, WhoDoesNotGreetOrRegisterIsRefused) {
  tell(1, StatusReport{});
  EXPECT_EQ(sent<Refused>(1).size(), 1U);
  tell(2, Register{});
  EXPECT_EQ(sent<Refused>(2).size(), 1U);
  Hello hello;
  hello.name = "no spaces, please";
  tell(3, hello);
  EXPECT_EQ(sent<Refused>(3).size(), 1U);
  EXPECT_TRUE(machine_.view().servers.empty());
}

TEST_F(MembershipNamesTest, AReloadWithTheNameOfARegisteredServerIsRefused) {
  enter("a", 1);
  const auto result = configure({{"a", "x:80", 100, 80, ""}});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "the name \"a\" belongs to a registered server");
  EXPECT_EQ(machine_.view().servers[0].data_address, "a:80");
}

}  // namespace
}  // namespace tandem
