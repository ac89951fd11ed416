#include "common/net/stream.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "common/net/connector.h"
#include "common/net/listener.h"

namespace tandem {
namespace {

// Accepts streams and keeps them.
struct Acceptor final : AcceptHandler {
  explicit Acceptor(EventLoop& on) : loop(on) {
    auto opened = Listener::open(loop, SocketAddress::loopback(0), {}, *this);
    EXPECT_TRUE(opened) << opened.error().message;
    listener = std::move(*opened);
  }
  void on_accept(Descriptor socket, const SocketAddress&) override {
    accepted.push_back(std::make_unique<Stream>(loop, std::move(socket), nullptr));
    if (told) told(*accepted.back());
  }
  EventLoop& loop;
  std::unique_ptr<Listener> listener;
  std::vector<std::unique_ptr<Stream>> accepted;
  std::function<void(Stream&)> told;
};

struct Connected final : ConnectHandler {
  void on_connected(std::unique_ptr<Stream> made) override {
    stream = std::move(made);
    if (done) done();
  }
  void on_connect_failed(Error why) override {
    error = std::move(why);
    failed = true;
    if (done) done();
  }
  std::unique_ptr<Stream> stream;
  Error error;
  bool failed = false;
  std::function<void()> done;
};

// Reads all that there is.
struct Reader final : StreamHandler {
  explicit Reader(Stream& of) : stream(of) { stream.set_handler(this); }
  void on_stream(bool, bool) override {
    char buffer[4096];
    for (;;) {
      const IoResult got = stream.read(buffer);
      if (got.ok()) {
        text.append(buffer, got.bytes);
        continue;
      }
      ended = got.end();
      failed = got.failed();
      break;
    }
    if (done) done();
  }
  Stream& stream;
  std::string text;
  bool ended = false;
  bool failed = false;
  std::function<void()> done;
};

struct StreamTest : ::testing::Test {
  StreamTest() : resolver(loop), acceptor(loop), connector(loop, resolver, connected) {}
  // Runs until both ends of a connection exist.
  void connect(const Address& to) {
    auto check = [this] {
      if (connected.failed || (connected.stream && !acceptor.accepted.empty())) loop.stop();
    };
    connected.done = check;
    acceptor.told = [check](Stream&) { check(); };
    connector.start(to, 10s);
    loop.run();
    connected.done = nullptr;
    acceptor.told = nullptr;
  }
  Address here() const { return {"127.0.0.1", acceptor.listener->address().port()}; }

  EventLoop loop;
  Resolver resolver;
  Acceptor acceptor;
  Connected connected;
  Connector connector;
};

TEST_F(StreamTest, CarriesBytesBothWaysAndTheEnd) {
  connect(here());
  ASSERT_TRUE(connected.stream);
  Reader near(*connected.stream), far(*acceptor.accepted[0]);
  EXPECT_TRUE(connected.stream->write("hello").ok());
  far.done = [&] {
    if (far.text == "hello" && !far.ended) far.stream.write("world");
    if (far.ended) loop.stop();
  };
  near.done = [&] {
    if (near.text == "world") connected.stream->shutdown_write();
  };
  loop.run();
  EXPECT_EQ(far.text, "hello");
  EXPECT_EQ(near.text, "world");
  EXPECT_FALSE(near.ended);
}

// Data and end arrive before the first look: the short read must not hide the end.
TEST_F(StreamTest, EndRightAfterDataIsSeen) {
  connect(here());
  ASSERT_TRUE(connected.stream);
  connected.stream->write("last words");
  connected.stream.reset();
  Reader far(*acceptor.accepted[0]);
  far.done = [&] {
    if (far.ended) loop.stop();
  };
  loop.run();
  EXPECT_EQ(far.text, "last words");
}

TEST_F(StreamTest, WritingStopsWhenFullAndGoesOn) {
  connect(here());
  ASSERT_TRUE(connected.stream);
  struct Writer final : StreamHandler {
    explicit Writer(Stream& of) : stream(of) {}
    void on_stream(bool, bool) override {
      while (left > 0) {
        const IoResult put = stream.write(std::string_view(block).substr(0, left));
        if (put.would_block()) return;
        ASSERT_TRUE(put.ok());
        left -= put.bytes;
        if (put.bytes < block.size()) blocked = true;
      }
      stream.shutdown_write();
    }
    Stream& stream;
    std::string block = std::string(1 << 20, 'x');
    std::size_t left = 32 << 20;
    bool blocked = false;
  } writer(*connected.stream);
  writer.left = 32 << 20;
  connected.stream->set_handler(&writer);
  writer.on_stream(false, true);
  EXPECT_TRUE(writer.blocked);
  Reader far(*acceptor.accepted[0]);
  far.done = [&] {
    if (far.ended) loop.stop();
  };
  loop.run();
  EXPECT_EQ(far.text.size(), std::size_t{32} << 20);
}

TEST_F(StreamTest, AResetIsAnError) {
  connect(here());
  ASSERT_TRUE(connected.stream);
  Reader far(*acceptor.accepted[0]);
  connected.stream->reset_on_close();
  connected.stream.reset();
  far.done = [&] {
    if (far.failed) loop.stop();
  };
  loop.run();
  EXPECT_EQ(far.stream.error().side, Side::kPeer);
}

TEST_F(StreamTest, NamesAreResolved) {
  connect(Address{"localhost", here().port});
  EXPECT_TRUE(connected.stream) << connected.error.message;
}

TEST_F(StreamTest, RefusedIsThePeersFault) {
  const Address to = here();
  acceptor.listener.reset();
  connect(to);
  ASSERT_TRUE(connected.failed);
  EXPECT_EQ(connected.error.side, Side::kPeer);
  EXPECT_EQ(connected.error.message, to.text() + ": cannot connect: Connection refused");
}

TEST_F(StreamTest, APortInUseIsTheOperatorsFault) {
  auto again = Listener::open(loop, acceptor.listener->address(), {}, acceptor);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().side, Side::kOperator);
  EXPECT_NE(again.error().message.find("Address already in use"), std::string::npos);
  auto joined = Listener::open(loop, acceptor.listener->address(), {.join = true}, acceptor);
  EXPECT_TRUE(joined) << joined.error().message;
}

TEST_F(StreamTest, UnknownNameIsToldLater) {
  bool called = false;
  connected.done = [&] {
    called = true;
    loop.stop();
  };
  connector.start(Address{"no-such-host.invalid", 1}, 10s);
  EXPECT_FALSE(called);
  loop.run();
  EXPECT_TRUE(connected.failed);
}

}  // namespace
}  // namespace tandem
