// tandem-faulty: a TCP relay that stands between a balancer and a server and breaks connections on
// command. For tests; not installed.
//
//     tandem-faulty --listen ADDRESS --to ADDRESS
//
// It obeys lines on standard input and answers each with one line {"caught":N}: how many
// connections the fault has met at once. "In flight" are those on which a request has been sent and
// no byte of its response has come.
//
//     pass           no more faults for connections to come; those whose bytes were swallowed end
//                    with a reset, and drips go on at full speed
//     reset          resets all connections at once
//     cut STAGE N    the next N requests whose target has a query, each target once: a reset both
//                    ways, in STAGE "request" when it has passed and no byte of its response,
//                    "head" after the first bytes of the head, "body" after the head and a part of
//                    the body (a response without one is spared, and the next request concerned)
//     swallow        accepts and reads everything, of all connections, and passes nothing on
//     forget         all connections are forgotten by this side as by a machine that was restarted:
//                    nothing is told to the other end, and what it sends is answered by a reset
//                    (needs CAP_NET_ADMIN: without, {"caught":-1})
//     drip BYTES MS  of responses, so many bytes pass every so many milliseconds
//     counts         {"connections":open,"accepted":so far,"cut":so far}
//
// The end of its input ends it.
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <list>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "common/net/listener.h"
#include "common/net/stream.h"

namespace tandem {
namespace {

constexpr std::size_t kHeadBytesPassed = 12;
constexpr std::size_t kWaitingBytesMax = 1 << 20;  // towards one end

enum class Fault { kNone, kSwallow, kDrip };
enum class Cut { kNone, kRequest, kHead, kBody };

struct Drip {
  std::size_t bytes = 0;
  Duration pause{};
};

// A connection of the balancer and the one that was made to the server for it.
class Pair final : public Disposable {
 public:
  class Owner {
   public:
    virtual void ended(Pair& pair) = 0;
    virtual Fault fault() const = 0;
    virtual Drip drip() const = 0;
    // Is the exchange with this request to be cut? Asked once for each.
    virtual Cut next_cut(std::string_view request) = 0;
    virtual void did_cut() = 0;
    virtual void spared(std::string_view request) = 0;

   protected:
    ~Owner() = default;
  };

  Pair(EventLoop& loop, Owner& owner, Descriptor socket, const SocketAddress& to)
      : owner_(owner), near_(*this), far_(*this), timer_(loop, [this] { on_timer(); }) {
    near_.stream = std::make_unique<Stream>(loop, std::move(socket), &near_);
    auto connected = Stream::connect(loop, to, &far_);
    if (connected) {
      far_.stream = std::move(*connected);
      return;
    }
    timer_.set_after(0ns);
  }

  bool swallowed() const { return swallowed_; }

  void reset() {
    for (End* end : {&near_, &far_}) {
      if (end->stream != nullptr) end->stream->reset_on_close();
    }
    end();
  }

  // Takes the near socket away without a word. False: not allowed.
  bool forget() {
    const int on = 1;
    if (::setsockopt(near_.stream->fd(), IPPROTO_TCP, TCP_REPAIR, &on, sizeof on) != 0) {
      return false;
    }
    end();
    return true;
  }

  void go_on() {
    timer_.cancel();
    pump();
  }

 private:
  struct End final : StreamHandler {
    explicit End(Pair& pair_) : pair(pair_) {}
    void on_stream(bool, bool) override { pair.pump(); }
    Pair& pair;
    std::unique_ptr<Stream> stream;
    std::string waiting;  // to be written to this end
    bool shut = false;    // and then its side is to be shut
    bool ended = false;   // this end has sent its last byte
  };

  void on_timer() {
    if (far_.stream == nullptr) return reset();
    pump();
  }

  void end() {
    near_.stream.reset();
    far_.stream.reset();
    timer_.cancel();
    owner_.ended(*this);
  }
  bool gone() const { return near_.stream == nullptr || far_.stream == nullptr; }

  void pump() {
    if (gone() || !far_.stream->connected()) return;
    if (far_.stream->failed() || !take_requests() || !take_responses()) return reset();
    if (owner_.fault() == Fault::kDrip) {
      let_drip();
    } else if (!cut_or_flush()) {
      return reset();
    }
    if (!flush(far_, far_.waiting.size())) return reset();
    if (near_.ended && far_.ended && near_.waiting.empty() && far_.waiting.empty()) end();
  }

  // From `from` into `to.waiting`. False: broken.
  bool take(End& from, End& to, std::size_t& got_bytes) {
    char bytes[64 * 1024];
    got_bytes = 0;
    while (!from.ended && to.waiting.size() < kWaitingBytesMax) {
      const IoResult got = from.stream->read(bytes);
      if (got.would_block()) return true;
      if (got.failed()) return false;
      if (got.end()) {
        from.ended = to.shut = true;
        return true;
      }
      got_bytes += got.bytes;
      to.waiting.append(bytes, got.bytes);
    }
    return true;
  }

  bool take_requests() {
    std::size_t got = 0;
    const std::size_t before = far_.waiting.size();
    if (!take(near_, far_, got)) return false;
    if (got > 0 && (!request_ || response_)) {  // the next exchange
      if (cut_ != Cut::kNone) owner_.spared(line_);
      request_ = true;
      response_ = false;
      line_ = far_.waiting.substr(before, far_.waiting.find('\r', before) - before);
      cut_ = owner_.next_cut(line_);
    }
    return swallow(far_, got);
  }
  bool take_responses() {
    std::size_t got = 0;
    if (!take(far_, near_, got)) return false;
    if (got > 0) response_ = true;
    return swallow(near_, got);
  }
  bool swallow(End& to, std::size_t got) {
    if (got == 0 || owner_.fault() != Fault::kSwallow) return true;
    swallowed_ = true;
    to.waiting.clear();
    return true;
  }

  // False: reset now.
  bool cut_or_flush() {
    if (cut_ == Cut::kNone || !response_) return flush(near_, near_.waiting.size());
    if (cut_ == Cut::kBody) {
      const std::size_t head = near_.waiting.find("\r\n\r\n");
      if (head == std::string::npos) return true;  // more of it comes
      const std::size_t body = near_.waiting.size() - head - 4;
      if (body < 2) {
        owner_.spared(line_);
        cut_ = Cut::kNone;
        return flush(near_, near_.waiting.size());
      }
      (void)flush(near_, head + 4 + body / 2);
    } else if (cut_ == Cut::kHead) {
      (void)flush(near_, std::min(near_.waiting.size(), kHeadBytesPassed));
    }
    owner_.did_cut();
    return false;
  }

  void let_drip() {
    if (timer_.armed() || near_.waiting.empty()) return;
    const Drip drip = owner_.drip();
    if (!flush(near_, std::min(drip.bytes, near_.waiting.size()))) return reset();
    timer_.set_after(drip.pause);
  }

  bool flush(End& to, std::size_t bytes) {
    while (bytes > 0) {
      const IoResult put = to.stream->write(std::string_view(to.waiting).substr(0, bytes));
      if (put.failed()) return false;
      if (put.would_block()) return true;
      to.waiting.erase(0, put.bytes);
      bytes -= put.bytes;
    }
    if (to.shut && to.waiting.empty()) {
      to.shut = false;
      to.stream->shutdown_write();
    }
    return true;
  }

  Owner& owner_;
  End near_;  // the balancer's
  End far_;   // the server's
  Timer timer_;
  Cut cut_ = Cut::kNone;
  bool request_ = false;   // some byte of a request has come
  bool response_ = false;  // and some of its response
  bool swallowed_ = false;
  std::string line_;  // the first of the request
};

class Faulty final : private AcceptHandler, private Pair::Owner, private Watcher {
 public:
  explicit Faulty(const SocketAddress& to)
      : to_(to), input_(loop_, 0, Watch::Mode::kLevelRead, *this) {}

  std::string run(const SocketAddress& at) {
    auto opened = Listener::open(loop_, at, {}, *this);
    if (!opened) return opened.error().message;
    listener_ = std::move(*opened);
    say("\"ready\":true");
    loop_.run();
    return {};
  }

 private:
  void on_accept(Descriptor socket, const SocketAddress&) override {
    ++accepted_;
    auto pair =
        std::make_unique<Pair>(loop_, static_cast<Pair::Owner&>(*this), std::move(socket), to_);
    pairs_.push_back(std::move(pair));
  }
  void ended(Pair& pair) override {
    for (auto it = pairs_.begin(); it != pairs_.end(); ++it) {
      if (it->get() != &pair) continue;
      loop_.dispose(std::move(*it));
      pairs_.erase(it);
      return;
    }
  }
  Fault fault() const override { return fault_; }
  Drip drip() const override { return drip_; }
  Cut next_cut(std::string_view request) override {
    if (cuts_left_ == 0 || request.find('?') == std::string_view::npos) return Cut::kNone;
    if (!met_.emplace(request).second) return Cut::kNone;
    --cuts_left_;
    return cut_;
  }
  void did_cut() override { ++cut_count_; }
  void spared(std::string_view request) override {
    ++cuts_left_;
    met_.erase(std::string(request));
  }

  void on_ready(Readiness) override {
    char bytes[4096];
    const ssize_t got = ::read(0, bytes, sizeof bytes);
    if (got <= 0) return loop_.stop();
    typed_.append(bytes, static_cast<std::size_t>(got));
    for (std::size_t at; (at = typed_.find('\n')) != std::string::npos;) {
      obey(typed_.substr(0, at));
      typed_.erase(0, at + 1);
    }
  }

  void obey(const std::string& line) {
    std::istringstream words(line);
    std::string command;
    words >> command;
    int caught = 0;
    if (command == "pass") {
      fault_ = Fault::kNone;
      cuts_left_ = 0;
      caught = each([](Pair& pair) { return pair.swallowed(); }, [](Pair& pair) { pair.reset(); });
      each([](Pair&) { return true; }, [](Pair& pair) { pair.go_on(); });
    } else if (command == "reset") {
      caught = each([](Pair&) { return true; }, [](Pair& pair) { pair.reset(); });
    } else if (command == "cut") {
      std::string stage;
      words >> stage >> cuts_left_;
      cut_ = stage == "request" ? Cut::kRequest : stage == "head" ? Cut::kHead : Cut::kBody;
    } else if (command == "swallow") {
      fault_ = Fault::kSwallow;
      caught = static_cast<int>(pairs_.size());
    } else if (command == "forget") {
      bool allowed = true;
      caught = each([](Pair&) { return true; },
                    [&allowed](Pair& pair) { allowed = pair.forget() && allowed; });
      if (!allowed) caught = -1;
    } else if (command == "drip") {
      std::size_t milliseconds = 0;
      words >> drip_.bytes >> milliseconds;
      drip_.pause = std::chrono::milliseconds(milliseconds);
      fault_ = Fault::kDrip;
      caught = static_cast<int>(pairs_.size());
    } else if (command == "counts") {
      return say("\"connections\":" + std::to_string(pairs_.size()) + ",\"accepted\":" +
                 std::to_string(accepted_) + ",\"cut\":" + std::to_string(cut_count_));
    } else {
      std::fprintf(stderr, "tandem-faulty: no such command: %s\n", line.c_str());
    }
    say("\"caught\":" + std::to_string(caught));
  }

  // Does it to all that are concerned; they may go while it is done.
  template <class Concerned, class Do>
  int each(Concerned concerned, Do act) {
    std::vector<Pair*> found;
    for (const auto& pair : pairs_) {
      if (concerned(*pair)) found.push_back(pair.get());
    }
    for (Pair* pair : found) act(*pair);
    return static_cast<int>(found.size());
  }

  static void say(const std::string& what) {
    std::printf("{%s}\n", what.c_str());
    std::fflush(stdout);
  }

  EventLoop loop_;
  const SocketAddress to_;
  std::list<std::unique_ptr<Pair>> pairs_;
  std::unique_ptr<Listener> listener_;
  Fault fault_ = Fault::kNone;
  Drip drip_;
  Cut cut_ = Cut::kNone;
  std::uint64_t cuts_left_ = 0;
  std::uint64_t cut_count_ = 0;
  std::set<std::string> met_;  // requests that have been cut
  std::uint64_t accepted_ = 0;
  std::string typed_;
  Watch input_;
};

SocketAddress address_of(const std::string& text) {
  const auto address = Address::parse(text);
  const auto numeric = address ? SocketAddress::numeric(*address) : std::nullopt;
  return numeric.value_or(SocketAddress());
}

}  // namespace
}  // namespace tandem

int main(int argc, char** argv) {
  std::string listen, to;
  CLI::App app("A TCP relay that breaks connections on command", "tandem-faulty");
  app.add_option("--listen", listen)->required();
  app.add_option("--to", to)->required();
  CLI11_PARSE(app, argc, argv);
  const auto at = tandem::address_of(listen), target = tandem::address_of(to);
  if (!at || !target) {
    std::fprintf(stderr, "tandem-faulty: addresses are numbers, 127.0.0.1:80\n");
    return 2;
  }
  const std::string bad = tandem::Faulty(target).run(at);
  if (bad.empty()) return 0;
  std::fprintf(stderr, "tandem-faulty: %s\n", bad.c_str());
  return 1;
}
