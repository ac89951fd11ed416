#include "lb/io/address_limit.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "lb/io/front.h"
#include "tests/unit/lb/io/front_fixture.h"

namespace tandem {
namespace {

IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }

TEST(AddressLimit, SoManyOfEachAddressAndNoMore) {
  AddressLimit limit(2, 1);
  auto first = limit.take(ip("10.0.0.1"));
  auto second = limit.take(ip("10.0.0.1"));
  EXPECT_TRUE(first);
  EXPECT_TRUE(second);
  EXPECT_FALSE(limit.take(ip("10.0.0.1")));
  EXPECT_TRUE(limit.take(ip("10.0.0.2")));
  first = {};
  auto third = limit.take(ip("10.0.0.1"));
  EXPECT_TRUE(third);
  EXPECT_FALSE(limit.take(ip("10.0.0.1")));
  second = std::move(third);  // one place is given back
  EXPECT_TRUE(limit.take(ip("10.0.0.1")));
}

TEST(AddressLimit, ANetworkOfIpv6IsOneClient) {
  AddressLimit limit(1, 1);
  const auto place = limit.take(ip("2001:db8::1"));
  EXPECT_FALSE(limit.take(ip("2001:db8::ffff:1:2:3")));
  EXPECT_TRUE(limit.take(ip("2001:db8:0:1::1")));
  const auto v4 = limit.take(ip("10.0.0.1"));
  EXPECT_TRUE(limit.take(ip("10.0.0.2")));
}

TEST(AddressLimit, OfAllThreads) {
  AddressLimit limit(1000, 1);
  const auto work = [&limit] {
    for (int round = 0; round < 200; ++round) {
      std::vector<AddressLimit::Place> places;
      for (int i = 0; i < 50; ++i) places.push_back(limit.take(ip("10.0.0.1")));
    }
  };
  std::thread other(work);
  work();
  other.join();
  std::vector<AddressLimit::Place> all;
  for (int i = 0; i < 1000; ++i) {
    all.push_back(limit.take(ip("10.0.0.1")));
    ASSERT_TRUE(all.back()) << i;
  }
  EXPECT_FALSE(limit.take(ip("10.0.0.1")));
}

class FrontAddresses : public FrontTest {
 protected:
  FrontAddresses() { options_.address_limit = std::make_shared<AddressLimit>(1, 1); }
  // Is it the one connection that its address may have?
  bool served(Peer& client, const std::string& first) {
    client.send(first + "BAD\r\n\r\n");
    return client.read_to_end().starts_with("HTTP/1.1 400 ");
  }
  static std::string from(const char* address) {
    return "PROXY TCP4 " + std::string(address) + " 10.0.0.1 1 2\r\n";
  }
};

TEST_F(FrontAddresses, OneMoreIsClosedAndLeavesItsPlaceToNobody) {
  start({});
  Peer first = client();
  first.send("GET / HTTP/1.1\r\n");
  Peer second = client();
  EXPECT_EQ(second.read_to_end(), "");
  EXPECT_TRUE(served(first, ""));
  first.close();
  for (;;) {  // the worker sees its end a little later
    Peer third = client();
    if (served(third, "")) break;
  }
}

// Connections are destroyed with their loop, after the front.
TEST_F(FrontAddresses, TheLimitGoesWithTheFrontThoughConnectionsAreOpen) {
  const std::weak_ptr<AddressLimit> limit = options_.address_limit;
  start({});
  options_.address_limit = nullptr;
  Peer first = client();
  first.send(get("/"));
  EXPECT_TRUE(first.read_response().starts_with("HTTP/1.1 503 "));
  EXPECT_FALSE(limit.expired());
  worker_ = nullptr;
  EXPECT_TRUE(limit.expired());
}

TEST_F(FrontAddresses, BehindAnotherLoadBalancerTheClientsOwnCounts) {
  options_.proxies = {IpNetwork::parse("127.0.0.1").value()};
  start({});
  Peer first = client();
  first.send(from("10.0.0.1") + get("/"));
  EXPECT_TRUE(first.read_response().starts_with("HTTP/1.1 503 "));
  Peer second = client();
  second.send(from("10.0.0.1") + get("/"));
  EXPECT_EQ(second.read_to_end(), "");
  Peer other = client();
  EXPECT_TRUE(served(other, from("10.0.0.2")));
}

}  // namespace
}  // namespace tandem
