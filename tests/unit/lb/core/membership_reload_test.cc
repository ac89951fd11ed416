// What a reload changes of groups and routes.
#include <gtest/gtest.h>

#include "lb/core/membership.h"

namespace tandem {
namespace {

TEST(MembershipReload, OtherGroupsOrRoutesAreAnotherView) {
  const Instant now{1h};
  Membership::Options options;
  Membership machine(now, options);
  PlainServer server{"p", "p:80", 100, 80, ""};
  ASSERT_TRUE(machine.configure(now, options, {server}));
  ASSERT_EQ(machine.view().servers.size(), 1U);
  EXPECT_EQ(machine.view().servers[0].group, "default");
  std::uint64_t before = machine.view().version;
  ASSERT_TRUE(machine.configure(now, options, {server}));
  EXPECT_EQ(machine.view().version, before);
  server.group = "api";
  ASSERT_TRUE(machine.configure(now, options, {server}));
  EXPECT_EQ(machine.view().servers[0].group, "api");
  EXPECT_GT(machine.view().version, before);
  before = machine.view().version;
  options.routes = 7;
  ASSERT_TRUE(machine.configure(now, options, {server}));
  EXPECT_GT(machine.view().version, before);
}

}  // namespace
}  // namespace tandem
