#include "server/core/session_table.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

class SessionTableTest : public ::testing::Test {
 protected:
  static SessionId id(std::uint64_t n) { return {0, n}; }
  Instant now_{1h};
  MirrorPool pool_{MirrorOptions{}};
  SessionTable table_{{.provisional_ttl = 10s,
                       .idle_ttl = 60s,
                       .copy_slack = 8s,
                       .sessions_max = 3,
                       .provisional_max = 2},
                      pool_};
};

TEST_F(SessionTableTest, CountsByRole) {
  Session& one = table_.create(now_, id(1), Role::kProvisional);
  table_.create(now_, id(2), Role::kAlternate);
  EXPECT_EQ(table_.count(Role::kProvisional), 1u);
  table_.set_role(now_, one, Role::kPrimary);
  EXPECT_EQ(table_.count(Role::kProvisional), 0u);
  EXPECT_EQ(table_.count(Role::kPrimary), 1u);
  EXPECT_EQ(table_.count(Role::kAlternate), 1u);
  table_.erase(one);
  EXPECT_EQ(table_.count(Role::kPrimary), 0u);
  EXPECT_EQ(table_.find(id(1)), nullptr);
}

TEST_F(SessionTableTest, CopiesLastABitLonger) {
  Session& one = table_.create(now_, id(1), Role::kAlternate);
  EXPECT_EQ(table_.next_expiry(), now_ + 68s);
  table_.set_role(now_, one, Role::kPrimary);
  EXPECT_EQ(table_.next_expiry(), now_ + 60s);
  table_.set_role(now_, one, Role::kAlternate);
  EXPECT_EQ(table_.next_expiry(), now_ + 68s);
  table_.use(now_ + 1s, one);
  std::size_t steps = 10;
  EXPECT_EQ(table_.expired(now_ + 68s, steps), nullptr);
  EXPECT_EQ(table_.next_expiry(), now_ + 69s);
}

TEST_F(SessionTableTest, ExpiresTheIdleAndNotTheUsed) {
  table_.create(now_, id(1), Role::kPrimary);
  Session& used = table_.create(now_, id(2), Role::kPrimary);
  EXPECT_EQ(table_.next_expiry(), now_ + 60s);
  table_.use(now_ + 30s, used);
  std::size_t steps = 10;
  Session* gone = table_.expired(now_ + 60s, steps);
  ASSERT_NE(gone, nullptr);
  EXPECT_EQ(gone->id, id(1));
  table_.erase(*gone);
  EXPECT_EQ(table_.expired(now_ + 60s, steps), nullptr);
  EXPECT_EQ(table_.next_expiry(), now_ + 90s);
}

TEST_F(SessionTableTest, ExpiryIsBoundedPerStep) {
  MirrorPool pool{MirrorOptions{}};
  SessionTable table({.provisional_ttl = 10s,
                      .idle_ttl = 60s,
                      .copy_slack = 8s,
                      .sessions_max = 1000,
                      .provisional_max = 2},
                     pool);
  for (std::uint64_t i = 0; i < 100; ++i) table.create(now_, id(i), Role::kPrimary);
  std::size_t steps = 30;
  std::size_t expired = 0;
  while (Session* session = table.expired(now_ + 61s, steps)) {
    table.erase(*session);
    ++expired;
  }
  EXPECT_EQ(expired, 30u);
  EXPECT_LE(table.next_expiry(), now_ + 61s) << "there is more to do";
}

TEST_F(SessionTableTest, ProvisionalOnesGoAtTheirTimeThoughUsed) {
  Session& session = table_.create(now_, id(1), Role::kProvisional);
  table_.use(now_ + 9s, session);
  std::size_t steps = 10;
  EXPECT_EQ(table_.expired(now_ + 10s, steps), &session);
}

TEST_F(SessionTableTest, AProvisionalOneOutlivesItsFirstRequest) {
  Session& session = table_.create(now_, id(1), Role::kProvisional);
  session.requests = 1;
  std::size_t steps = 10;
  EXPECT_EQ(table_.expired(now_ + 10s, steps), nullptr);
  session.requests = 0;
  EXPECT_EQ(table_.next_expiry(), now_ + 20s);
  EXPECT_EQ(table_.expired(now_ + 20s, steps), &session);
}

TEST_F(SessionTableTest, DisplacesTheIdlestAndTheOldestProvisional) {
  EXPECT_EQ(table_.to_displace(Role::kPrimary), nullptr);
  Session& first = table_.create(now_, id(1), Role::kPrimary);
  table_.create(now_ + 1s, id(2), Role::kPrimary);
  table_.create(now_ + 2s, id(3), Role::kAlternate);
  table_.use(now_ + 3s, first);
  ASSERT_NE(table_.to_displace(Role::kPrimary), nullptr);
  EXPECT_EQ(table_.to_displace(Role::kPrimary)->id, id(2));
  table_.create(now_ + 4s, id(4), Role::kProvisional);
  EXPECT_EQ(table_.to_displace(Role::kProvisional), nullptr);
  table_.create(now_ + 5s, id(5), Role::kProvisional);
  EXPECT_EQ(table_.to_displace(Role::kProvisional)->id, id(4));
}

}  // namespace
}  // namespace tandem
