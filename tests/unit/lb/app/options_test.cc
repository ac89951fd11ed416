#include "lb/app/options.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

ClusterKeys some_keys() { return ClusterKeys({ClusterKey{}}); }

TEST(Options, WhatTheConfSaysReachesTheFront) {
  lb::Conf conf;
  conf.workers = 3;
  conf.front.limits.fields_max = 7;
  conf.upstream.connect_timeout = 1s;
  conf.upstream.response_timeout = 2s;
  conf.upstream.idle_timeout = 3s;
  conf.upstream.idle_connections_max = 4;
  conf.upstream.retry_buffer = 5;
  conf.session.ttl = 10min;
  conf.session.cookie = "sid";
  conf.session.cookie_samesite = lb::SameSite::kNone;
  conf.session.cookie_secure = lb::CookieSecure::kAlways;
  const FrontOptions options = front_options(conf, some_keys());
  EXPECT_EQ(options.workers, 3U);
  EXPECT_EQ(options.limits.fields_max, 7U);
  EXPECT_EQ(options.upstream.connect_timeout, 1s);
  EXPECT_EQ(options.upstream.response_timeout, 2s);
  EXPECT_EQ(options.upstream.idle_timeout, 3s);
  EXPECT_EQ(options.upstream.idle_connections_max, 4U);
  EXPECT_EQ(options.upstream.retry_buffer, 5U);
  EXPECT_EQ(options.token_ttl, 600);
  EXPECT_EQ(options.affinity.cookie.name, "sid");
  EXPECT_EQ(options.affinity.cookie.same_site, SameSitePolicy::kNone);
  EXPECT_EQ(options.affinity.cookie.secure, SecurePolicy::kAlways);
}

TEST(Options, WhatTheConfSaysReachesMembershipAndChecks) {
  lb::Conf conf;
  conf.control.status_interval = 2s;
  conf.control.balancers = 3;
  conf.check = {4s, 5s, 6, 7, "/up"};
  conf.master = {{}, 9, 300ms, 20s, 2, 40s, 20min};
  conf.servers.push_back({"a", {"app", 80}, 10, 8, "north"});
  const Membership::Options membership = membership_options(conf);
  EXPECT_EQ(membership.status_interval, 2s);
  EXPECT_EQ(membership.balancers, 3U);
  EXPECT_EQ(membership.check.interval, 4s);
  EXPECT_EQ(membership.check.rise, 6U);
  EXPECT_EQ(membership.check.fall, 7U);
  EXPECT_EQ(membership.master.liveness.attempts, 9U);
  EXPECT_EQ(membership.master.liveness.timeout, 300ms);
  EXPECT_EQ(membership.master.window, 20s);
  EXPECT_EQ(membership.master.returns_free, 2U);
  EXPECT_EQ(membership.master.hold_back, 40s);
  EXPECT_EQ(membership.master.hold_back_max, 20min);
  EXPECT_EQ(check_options(conf).timeout, 5s);
  EXPECT_EQ(check_options(conf).plain_path, "/up");
  EXPECT_EQ(plain_servers(conf), (std::vector<PlainServer>{{"a", "app:80", 10, 8, "north"}}));
}

TEST(Options, TheBalancersOwnKeyIsBesideItsConf) {
  EXPECT_EQ(own_key_file("/etc/tandem/lb.toml"), "/etc/tandem/lb.key");
  EXPECT_EQ(own_key_file("tandem-lb"), "tandem-lb.key");
}

}  // namespace
}  // namespace tandem
