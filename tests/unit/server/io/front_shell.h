// A front with real sockets on both sides, for its tests: an origin that says what the test wants,
// and a client that reads the very bytes.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "server/io/front.h"
#include "server/io/source_cached.h"
#include "server/io/source_http.h"
#include "tests/support/blocking.h"

namespace tandem::server {

using test::field;
using test::Origin;
using test::Talk;

struct NoCarrier final : PeerCarrier {
  void send(ServerId, const Message&) override {}
};

inline ClusterKeys keys() {
  ClusterKey key;
  key.secret.fill(7);
  return ClusterKeys({key});
}

inline FrontOptions options(EtagRule rule, bool direct = false) {
  FrontOptions made;
  made.name = "a";
  made.etag = rule;
  made.validate_body_max = 1000;
  made.waiting_max = 1;
  made.direct = direct;
  return made;
}

// A front before an origin, on a thread of its own.
class Shell {
 public:
  Shell(EtagRule rule, Origin::Converse converse, HttpClientOptions client = {},
        Duration ask_patience = 300ms, bool direct = false, std::uint64_t cache_bytes = 0)
      : origin_(std::move(converse)),
        resolver_(loop_),
        driver_(loop_, node_options(ask_patience)),
        source_(loop_, resolver_, HttpDestination{Address{"127.0.0.1", origin_.port()}}, client),
        cached_(loop_, source_, cache(cache_bytes)),
        front_(loop_, driver_, first(cache_bytes), options(rule, direct), keys()) {
    driver_.set_carrier(&carrier_);
    EXPECT_TRUE(front_.listen(SocketAddress::loopback(0)));
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~Shell() {
    loop_.stop();
    thread_.join();
  }
  std::unique_ptr<Talk> client() { return Talk::to(front_.address().port()); }
  Origin& origin() { return origin_; }
  // The cluster, as a balancer would tell of it.
  void view(View view) {
    std::promise<void> told;
    loop_.post([&] {
      driver_.view(std::make_shared<const View>(std::move(view)));
      told.set_value();
    });
    told.get_future().get();
  }
  void with_driver(const std::function<void(NodeDriver&)>& act) {
    std::promise<void> done;
    loop_.post([&] {
      act(driver_);
      done.set_value();
    });
    done.get_future().get();
  }
  // On the loop's thread.
  template <class Get>
  auto of_cache(Get get) {
    std::promise<decltype(get(cached_))> answer;
    loop_.post([&] { answer.set_value(get(cached_)); });
    return answer.get_future().get();
  }
  std::size_t in_flight() {
    std::promise<std::size_t> answer;
    loop_.post([&] { answer.set_value(front_.requests_in_flight()); });
    return answer.get_future().get();
  }

 private:
  static NodeOptions node_options(Duration ask_patience) {
    NodeOptions made;
    made.name = "a";
    made.ask_patience = ask_patience;
    return made;
  }
  static CachedSource::Options cache(std::uint64_t bytes) {
    CachedSource::Options made;
    made.name = "a";
    made.cache.bytes_max = bytes;
    made.cache.item_bytes_max = bytes / 4;
    return made;
  }
  Source& first(std::uint64_t cache_bytes) {
    if (cache_bytes > 0) return cached_;
    return source_;
  }
  Origin origin_;
  EventLoop loop_;
  Resolver resolver_;
  NoCarrier carrier_;
  NodeDriver driver_;
  HttpSource source_;
  CachedSource cached_;  // only where there are cache_bytes
  Front front_;
  std::thread thread_;
};

// An origin that answers every request with `response`, and notes the heads.
struct Always {
  explicit Always(std::string with) : response(std::move(with)) {}
  void operator()(Talk& talk, int) const {
    for (std::string head; !(head = talk.head()).empty();) {
      heads->push_back(head);
      if (!talk.send(response)) return;
    }
  }
  std::string response;
  std::shared_ptr<std::vector<std::string>> heads = std::make_shared<std::vector<std::string>>();
};

inline std::string ok(const std::string& body, const std::string& fields = {}) {
  return "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" + fields +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

inline std::string get(const std::string& fields = {}, const std::string& target = "/x") {
  return "GET " + target + " HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n";
}

struct Reply {
  std::string head, body;
  int status() const { return head.size() > 12 ? std::atoi(head.c_str() + 9) : 0; }
};

// A response with a length, or without a body.
inline Reply read(Talk& talk) {
  Reply reply{talk.head(), {}};
  const std::string length = field(reply.head, "Content-Length");
  if (reply.status() != 304 && !length.empty()) reply.body = talk.bytes(std::stoul(length));
  return reply;
}

inline Reply ask(Talk& talk, const std::string& request) {
  talk.send(request);
  return read(talk);
}

}  // namespace tandem::server
