// The guard before a source that does what the test says, when it says so.
#include "server/io/source_guard.h"

#include <gtest/gtest.h>

#include <functional>

#include "common/http/framing.h"
#include "common/http/head_parser.h"

namespace tandem::server {
namespace {

using Kind = HttpFailure::Kind;

class FakeCall;

// Keeps what it is asked, in order.
struct FakeSource final : Source {
  std::unique_ptr<SourceCall> start(HttpRequest request, HttpCallHandler& handler) override;
  std::vector<FakeCall*> calls;  // null: it has ended
};

class FakeCall final : public SourceCall {
 public:
  FakeCall(FakeSource& source, HttpRequest request, HttpCallHandler& asker)
      : head(std::move(request.head)), handler(asker), source_(source), at_(source.calls.size()) {
    source.calls.push_back(this);
  }
  ~FakeCall() override { source_.calls[at_] = nullptr; }
  bool send_body(std::string_view bytes) override {
    body += bytes;
    return true;
  }
  void end_body() override { ended = true; }
  void pause() override { paused = true; }
  void resume() override { paused = false; }
  HttpCall::Tunnel take_tunnel() override { return {}; }

  void respond(const std::string& text) {
    http::HeadParser parser;
    http::ResponseHead response;
    ASSERT_EQ(parser.parse(text, response), http::Progress::kDone);
    handler.on_response(response, {});
  }
  void answer(const std::string& text = "HTTP/1.1 200 OK\r\n\r\n") {
    respond(text);
    handler.on_complete();
  }
  void fail(Kind kind) { handler.on_failure({kind, false, Error::peer("as told")}); }

  std::string head, body;
  HttpCallHandler& handler;
  bool ended = false, paused = false;

 private:
  FakeSource& source_;
  std::size_t at_;
};

std::unique_ptr<SourceCall> FakeSource::start(HttpRequest request, HttpCallHandler& handler) {
  return std::make_unique<FakeCall>(*this, std::move(request), handler);
}

struct Client final : HttpCallHandler {
  void on_response(const http::ResponseHead& head, const http::Framing&) override {
    status = head.status();
  }
  void on_body(std::string_view) override {}
  void on_complete() override { done = true; }
  void on_failure(const HttpFailure& failure) override {
    EXPECT_FALSE(failed) << "twice";
    failed = failure.kind;
    sent = failure.sent;
    done = true;
  }
  void on_writable() override { ++writable; }
  bool waits() const { return !done && status == 0; }

  int status = 0, writable = 0;
  bool done = false, sent = false;
  std::optional<Kind> failed;
  std::unique_ptr<SourceCall> call;
};

class SourceGuardTest : public testing::Test {
 protected:
  void open() { guard_ = std::make_unique<SourceGuard>(loop_, source_, options_); }
  std::unique_ptr<Client> ask(std::string name = "GET") {
    auto client = std::make_unique<Client>();
    HttpRequest request;
    request.head = std::move(name);
    client->call = guard_->start(std::move(request), *client);
    EXPECT_FALSE(client->done) << "told before start() returned";
    return client;
  }
  // Until nothing is left to be done at the end of a round.
  void turn() {
    loop_.post([this] { loop_.stop(); });
    loop_.run();
  }
  void run_until(const std::function<bool()>& condition) {
    std::unique_ptr<Timer> look;
    look = std::make_unique<Timer>(loop_, [&] {
      if (condition()) return loop_.stop();
      look->set_after(1ms);
    });
    look->set_after(0ns);
    loop_.run();
  }
  // One request that the source does not answer, or does.
  void fail(Kind kind) {
    auto client = ask();
    source_.calls.back()->fail(kind);
    EXPECT_EQ(client->failed, kind);
  }
  void answer(const std::string& text) {
    auto client = ask();
    source_.calls.back()->answer(text);
    EXPECT_TRUE(client->done);
  }
  std::uint64_t count(const std::string& name) const {
    for (const AdminSnapshot::Count& one : guard_->counts()) {
      if (one.name == name) return one.value;
    }
    ADD_FAILURE() << name;
    return 0;
  }

  EventLoop loop_;
  FakeSource source_;
  SourceGuard::Options options_;
  std::unique_ptr<SourceGuard> guard_;
};

TEST_F(SourceGuardTest, SoManyAtATimeAndTheOthersInTheirOrder) {
  options_.calls_max = 2;
  options_.queue_patience = 1h;
  open();
  std::vector<std::unique_ptr<Client>> clients;
  for (const char* name : {"0", "1", "2", "3", "4"}) clients.push_back(ask(name));
  EXPECT_EQ(source_.calls.size(), 2u);
  EXPECT_EQ(count("source_calls"), 2u);
  EXPECT_EQ(count("source_waiting"), 3u);
  source_.calls[1]->answer();
  source_.calls[0]->fail(Kind::kReset);
  clients[2]->call.reset();  // cancelled
  ASSERT_EQ(source_.calls.size(), 5u);
  EXPECT_EQ(source_.calls[2], nullptr);
  EXPECT_EQ(source_.calls[3]->head, "3");
  EXPECT_EQ(source_.calls[4]->head, "4");
  source_.calls[3]->answer();
  source_.calls[4]->answer();
  for (const int done : {0, 1, 3, 4}) EXPECT_TRUE(clients[done]->done) << done;
  clients.clear();
  EXPECT_EQ(count("source_calls"), 0u);
  EXPECT_EQ(count("source_waiting"), 0u);
}

TEST_F(SourceGuardTest, WhoeverGoesWhileItWaitsIsNotWaitedFor) {
  options_.calls_max = 1;
  open();
  auto first = ask(), second = ask(), third = ask("third");
  second.reset();
  EXPECT_EQ(count("source_waiting"), 1u);
  source_.calls[0]->answer();
  ASSERT_EQ(source_.calls.size(), 2u);
  EXPECT_EQ(source_.calls[1]->head, "third");
}

TEST_F(SourceGuardTest, WhatWasSentAndPausedWhileItWaitedIsTakenAlong) {
  options_.calls_max = 1;
  options_.queue_patience = 1h;
  open();
  auto first = ask(), whole = ask(), half = ask();
  EXPECT_FALSE(whole->call->send_body("ab"));
  whole->call->send_body("cd");
  whole->call->end_body();
  whole->call->pause();
  half->call->send_body("ef");
  half->call->pause();
  half->call->resume();
  source_.calls[0]->answer();
  ASSERT_EQ(source_.calls.size(), 2u);
  EXPECT_EQ(source_.calls[1]->body, "abcd");
  EXPECT_TRUE(source_.calls[1]->ended);
  EXPECT_TRUE(source_.calls[1]->paused);
  whole->call->resume();
  EXPECT_FALSE(source_.calls[1]->paused);
  source_.calls[1]->answer();
  ASSERT_EQ(source_.calls.size(), 3u);
  EXPECT_EQ(source_.calls[2]->body, "ef");
  EXPECT_FALSE(source_.calls[2]->ended);
  EXPECT_FALSE(source_.calls[2]->paused);
  turn();
  EXPECT_EQ(whole->writable, 0) << "it has no more to send";
  EXPECT_EQ(half->writable, 1);
  EXPECT_TRUE(half->call->send_body("gh"));
  EXPECT_EQ(source_.calls[2]->body, "efgh");
}

TEST_F(SourceGuardTest, TheQueueIsBounded) {
  options_.calls_max = 1;
  options_.queue_max = 1;
  options_.queue_patience = 1h;
  open();
  auto first = ask(), second = ask(), third = ask(), fourth = ask();
  fourth->call.reset();  // it is told nothing
  turn();
  EXPECT_TRUE(second->waits());
  EXPECT_EQ(third->failed, Kind::kShortage);
  EXPECT_FALSE(third->sent);
  EXPECT_FALSE(fourth->done);
  EXPECT_EQ(count("source_crowded_total"), 2u);
  EXPECT_EQ(source_.calls.size(), 1u);
  EXPECT_FALSE(guard_->down()) << "a crowd says nothing of the source";
}

TEST_F(SourceGuardTest, NobodyWaitsForTooLong) {
  options_.calls_max = 1;
  options_.queue_patience = 5ms;
  open();
  auto first = ask(), second = ask();
  run_until([&] { return second->done; });
  EXPECT_EQ(second->failed, Kind::kShortage);
  auto third = ask();
  run_until([&] { return third->done; });
  EXPECT_EQ(count("source_late_total"), 2u);
  EXPECT_EQ(count("source_waiting"), 0u);
  EXPECT_TRUE(first->waits()) << "it does not count what the source takes";
  source_.calls[0]->answer();
  EXPECT_TRUE(first->done);
  EXPECT_EQ(source_.calls.size(), 1u);
}

TEST_F(SourceGuardTest, ASourceThatIsDownIsNotAsked) {
  options_.state = {.failures_max = 3, .retry = 1h};
  open();
  fail(Kind::kConnect);
  fail(Kind::kTls);
  EXPECT_FALSE(guard_->down());
  fail(Kind::kTimeout);
  EXPECT_TRUE(guard_->down());
  auto client = ask();
  turn();
  EXPECT_EQ(client->failed, Kind::kShortage);
  EXPECT_FALSE(client->sent);
  EXPECT_EQ(source_.calls.size(), 3u);
  EXPECT_EQ(count("source_down"), 1u);
  EXPECT_EQ(count("source_unanswered_total"), 3u);
  EXPECT_EQ(count("source_refused_total"), 1u);
}

TEST_F(SourceGuardTest, WhoeverWaitsWhenItGoesDownIsNotSentThere) {
  options_.calls_max = 1;
  options_.queue_patience = 1h;
  options_.state = {.failures_max = 1, .retry = 1h};
  open();
  auto first = ask(), second = ask(), third = ask();
  source_.calls[0]->fail(Kind::kConnect);
  turn();
  EXPECT_EQ(source_.calls.size(), 1u);
  EXPECT_EQ(second->failed, Kind::kShortage);
  EXPECT_EQ(third->failed, Kind::kShortage);
  EXPECT_EQ(count("source_refused_total"), 2u);
  EXPECT_EQ(count("source_waiting"), 0u);
  EXPECT_EQ(count("source_calls"), 0u);
}

TEST_F(SourceGuardTest, AnAnswerEndsIt) {
  options_.state = {.failures_max = 1, .retry = 0ms};  // each is a try
  open();
  fail(Kind::kConnect);
  EXPECT_TRUE(guard_->down());
  fail(Kind::kReset);
  EXPECT_TRUE(guard_->down()) << "it says nothing either way";
  auto client = ask();
  source_.calls.back()->respond("HTTP/1.1 503 Service Unavailable\r\n\r\n");
  EXPECT_EQ(client->status, 503);
  EXPECT_FALSE(guard_->down()) << "the head is enough, and whatever it says";
  source_.calls.back()->fail(Kind::kCut);
  EXPECT_FALSE(guard_->down());
}

TEST_F(SourceGuardTest, OnlyFailuresInARowCount) {
  options_.state = {.failures_max = 2, .retry = 1h};
  open();
  fail(Kind::kConnect);
  answer("HTTP/1.1 500 Ill\r\n\r\n");
  fail(Kind::kConnect);
  for (const Kind none : {Kind::kReset, Kind::kCut, Kind::kMalformed, Kind::kShortage}) fail(none);
  EXPECT_FALSE(guard_->down());
  fail(Kind::kTimeout);
  EXPECT_TRUE(guard_->down());
}

TEST_F(SourceGuardTest, ATunnelGivesItsPlaceBackAndIsAnAnswer) {
  options_.calls_max = 1;
  options_.queue_patience = 1h;
  options_.state = {.failures_max = 1, .retry = 0ms};
  open();
  fail(Kind::kConnect);
  auto upgraded = ask(), next = ask();
  upgraded->call->take_tunnel();
  EXPECT_FALSE(guard_->down());
  ASSERT_EQ(source_.calls.size(), 3u);
  source_.calls[2]->answer();
  EXPECT_TRUE(next->done);
}

}  // namespace
}  // namespace tandem::server
