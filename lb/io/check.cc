#include "lb/io/check.h"

#include <fmt/core.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "common/http/head_parser.h"
#include "common/net/connector.h"

namespace tandem {

// One server being contacted.
class Checker::Contact final : public Disposable, private ConnectHandler, private StreamHandler {
 public:
  Contact(Checker& checker, const StartProbe& probe)
      : checker_(checker),
        probe_(probe),
        connector_(checker.loop_, checker.resolver_, *this),
        timer_(checker.loop_, [this] { on_timer(); }),
        timeout_(probe.timeout > 0s ? probe.timeout : checker.options_.timeout),
        on_timer_(fmt::format("no answer within {} ms", timeout_ / 1ms)),
        path_(probe.kind == ServerKind::kTandem ? std::string(kHealthPath)
                                                : checker.options_.plain_path),
        parser_({.start_line_bytes_max = 4096, .head_bytes_max = sizeof bytes_}) {
    begin();
  }
  const StartProbe& probe() const { return probe_; }

 private:
  void begin() {
    timer_.set_after(timeout_);
    const auto address = Address::parse(probe_.address);
    if (address) {
      connector_.start(*address, timeout_);
    } else {
      on_timer_ = "its address cannot be understood";
      timer_.set_after(0s);
    }
  }
  void on_timer() {
    if (!std::exchange(short_, false)) return finish(false, on_timer_);
    begin();
  }
  void on_connected(std::unique_ptr<Stream> stream) override {
    if (path_.empty()) return finish(true, {});
    stream_ = std::move(stream);
    stream_->set_handler(this);
    const std::string request = fmt::format(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: tandem-lb/{}\r\nConnection: close\r\n\r\n",
        path_, probe_.address, TANDEM_VERSION);
    // A fresh socket has room for a request.
    if (stream_->write(request).bytes != request.size()) finish(false, "cannot send the request");
  }
  // A shortage of our own says nothing about the server: again, until it is over. But verdicts on
  // other servers may wait for this one.
  void on_connect_failed(Error error) override {
    if (error.side != Side::kSystem) {
      // Errors are told as texts.
      const bool refused = std::string_view(error.message).ends_with(std::strerror(ECONNREFUSED));
      return finish(refused ? ProbeResult::kRefused : ProbeResult::kFailed, error.message);
    }
    const Instant now = checker_.loop_.now();
    if (!std::exchange(was_short_, true)) short_since_ = now;
    if (now - short_since_ >= checker_.options_.shortage_most) return finish(false, error.message);
    short_ = true;
    timer_.set_after(kShortagePause);
  }

  void on_stream(bool, bool) override {
    for (;;) {
      const IoResult result = stream_->read({bytes_ + size_, sizeof bytes_ - size_});
      if (result.would_block()) return;
      if (result.end()) return finish(false, "the connection ended without an answer");
      if (!result.ok()) return finish(false, stream_->error().message);
      size_ += result.bytes;
      switch (parser_.parse({bytes_, size_}, head_)) {
        case http::Progress::kNeedMore:
          continue;
        case http::Progress::kError:
          return finish(false, "the answer is not HTTP");
        case http::Progress::kDone:
          return on_head();
      }
    }
  }

  void on_head() {
    if (const std::string other = other_server(); !other.empty()) {
      return finish(ProbeResult::kRefused, "another server answers there: " + other);
    }
    const int status = head_.status();
    // A tandem-server that has all the connections that it takes says so, and lives.
    const bool full = status == 503 && head_.find("Retry-After") != nullptr;
    const bool good =
        probe_.kind == ServerKind::kTandem ? status == 200 || full : status >= 200 && status < 400;
    finish(good, good ? std::string{} : fmt::format("it answered {}", status));
  }

  // Who answers instead of the tandem-server; empty: that one itself, or somebody without a name.
  std::string other_server() const {
    if (probe_.kind != ServerKind::kTandem) return {};
    const std::string_view name = head_.value(http::FieldId::kTandemServer);
    if (name.empty() || ServerId::of(name) == probe_.server) return {};
    return std::string(name.substr(0, Membership::kNameBytesMax));
  }

  void finish(bool answered, const std::string& detail) {
    finish(answered ? ProbeResult::kAnswered : ProbeResult::kFailed, detail);
  }
  void finish(ProbeResult result, const std::string& detail) {
    timer_.cancel();
    connector_.cancel();
    if (stream_) stream_->set_handler(nullptr);
    checker_.finish(probe_.serial, result, detail);
  }

  Checker& checker_;
  StartProbe probe_;
  Connector connector_;
  Timer timer_;
  Duration timeout_;
  std::string on_timer_;  // what is to be said when the time is up
  std::string path_;
  std::unique_ptr<Stream> stream_;
  http::HeadParser parser_;
  http::ResponseHead head_;
  char bytes_[16 * 1024];
  std::size_t size_ = 0;
  bool short_ = false;  // the timer is that of a pause
  bool was_short_ = false;
  Instant short_since_{};
};

Checker::Checker(EventLoop& loop, Resolver& resolver, Options options, OnResult on_result)
    : loop_(loop),
      resolver_(resolver),
      options_(std::move(options)),
      on_result_(std::move(on_result)) {}
Checker::~Checker() = default;

void Checker::start(const StartProbe& probe) {
  (probe.timeout > 0s ? urgent_ : waiting_).push_back(probe);  // at most a few for each server
  begin_waiting();
}

void Checker::begin_waiting() {
  const auto take = [this](std::deque<StartProbe>& from) {
    const StartProbe next = std::move(from.front());
    from.pop_front();
    begin(next);
  };
  while (under_way_.size() < kUnderWayMax) {
    if (!urgent_.empty()) {
      take(urgent_);
    } else if (!waiting_.empty() && patient_ < kPatientMax) {
      take(waiting_);
    } else {
      return;
    }
  }
}

void Checker::begin(const StartProbe& probe) {
  ++started_;
  patient_ += probe.timeout == 0s;
  under_way_.emplace(probe.serial, std::make_unique<Contact>(*this, probe));
}

void Checker::finish(std::uint64_t serial, ProbeResult result, const std::string& detail) {
  const auto it = under_way_.find(serial);
  if (it == under_way_.end()) return;
  const ServerId server = it->second->probe().server;
  patient_ -= it->second->probe().timeout == 0s;
  failed_ += result != ProbeResult::kAnswered;
  loop_.dispose(std::move(it->second));
  under_way_.erase(it);
  begin_waiting();
  on_result_(server, serial, result, detail);
}

}  // namespace tandem
