#include "server/io/source_guard.h"

#include <chrono>
#include <utility>

#include "common/base/log.h"

namespace tandem::server {

// One request: refused, waiting, or with the source.
class GuardedCall final : public SourceCall, private HttpCallHandler, private RoundEnd {
 public:
  GuardedCall(SourceGuard& guard, HttpRequest request, HttpCallHandler& handler)
      : guard_(guard), request_(std::move(request)), handler_(handler) {}
  ~GuardedCall() override {
    if (queued_) guard_.queue_.erase(place_);
    if (refused_ != nullptr) guard_.loop_.cancel_round_end(*this);
    leave(SourceGuard::End::kUnknown);
  }

  void wait() {
    place_ = guard_.queue_.insert(guard_.queue_.end(), this);
    queued_ = true;
    until_ = guard_.loop_.now() + guard_.options_.queue_patience;
  }
  Instant until() const { return until_; }
  // With the source from here on.
  void go() {
    const bool waited = std::exchange(queued_, false);
    inside_ = true;
    inner_ = guard_.source_.start(std::move(request_), static_cast<HttpCallHandler&>(*this));
    if (!waited) return;
    if (paused_) inner_->pause();
    if (!early_.empty()) inner_->send_body(std::exchange(early_, {}));
    if (ended_) return inner_->end_body();
    guard_.loop_.at_round_end(*this);  // its handler may send on
    resuming_ = true;
  }
  void refuse(const char* why) {
    queued_ = false;
    refused_ = why;
    guard_.loop_.at_round_end(*this);
  }

  bool send_body(std::string_view bytes) override {
    if (inner_ != nullptr) return inner_->send_body(bytes);
    early_ += bytes;
    return false;
  }
  void end_body() override {
    ended_ = true;
    if (inner_ != nullptr) inner_->end_body();
  }
  void pause() override {
    paused_ = true;
    if (inner_ != nullptr) inner_->pause();
  }
  void resume() override {
    paused_ = false;
    if (inner_ != nullptr) inner_->resume();
  }
  HttpCall::Tunnel take_tunnel() override {
    leave(SourceGuard::End::kAnswered);
    return inner_->take_tunnel();
  }

 private:
  void leave(SourceGuard::End end) {
    if (std::exchange(resuming_, false)) guard_.loop_.cancel_round_end(*this);
    if (std::exchange(inside_, false)) guard_.leave(end);
  }
  void on_response(const http::ResponseHead& head, const http::Framing& framing) override {
    guard_.note(SourceGuard::End::kAnswered);
    handler_.on_response(head, framing);
  }
  void on_interim(const http::ResponseHead& head) override { handler_.on_interim(head); }
  void on_body(std::string_view bytes) override { handler_.on_body(bytes); }
  void on_complete() override {
    leave(SourceGuard::End::kUnknown);
    handler_.on_complete();
  }
  void on_failure(const HttpFailure& failure) override {
    using Kind = HttpFailure::Kind;
    const bool absent = failure.kind == Kind::kConnect || failure.kind == Kind::kTls ||
                        failure.kind == Kind::kTimeout;
    leave(absent ? SourceGuard::End::kFailed : SourceGuard::End::kUnknown);
    handler_.on_failure(failure);
  }
  void on_writable() override { handler_.on_writable(); }
  void on_round_end() override {
    if (std::exchange(resuming_, false)) return handler_.on_writable();
    const char* why = std::exchange(refused_, nullptr);
    handler_.on_failure({HttpFailure::Kind::kShortage, false, Error::peer(why)});
  }

  SourceGuard& guard_;
  HttpRequest request_;
  HttpCallHandler& handler_;
  std::unique_ptr<SourceCall> inner_;
  std::list<GuardedCall*>::iterator place_;  // in the queue
  Instant until_{};
  std::string early_;  // of the body, while it waits
  const char* refused_ = nullptr;
  bool queued_ = false;
  bool inside_ = false;    // counts among the calls
  bool resuming_ = false;  // on_writable() is due
  bool ended_ = false;
  bool paused_ = false;
};

SourceGuard::SourceGuard(EventLoop& loop, Source& source, Options options)
    : loop_(loop),
      source_(source),
      options_(std::move(options)),
      state_(options_.state),
      timer_(loop, [this] { on_timer(); }) {}

SourceGuard::~SourceGuard() = default;

std::unique_ptr<SourceCall> SourceGuard::start(HttpRequest request, HttpCallHandler& handler) {
  auto call = std::make_unique<GuardedCall>(*this, std::move(request), handler);
  enter(*call);
  return call;
}

void SourceGuard::enter(GuardedCall& call) {
  if (!state_.may_ask(loop_.now())) {
    ++refused_;
    return call.refuse("it is down, and was asked a moment ago");
  }
  if (calls_ < options_.calls_max) {
    ++calls_;
    return call.go();
  }
  if (queue_.size() >= options_.queue_max) {
    ++crowded_;
    return call.refuse("too many requests wait for it");
  }
  call.wait();
  if (!timer_.armed()) timer_.set(call.until());
}

void SourceGuard::note(End end) {
  using Change = SourceState::Change;
  if (end == End::kFailed) ++failures_;
  const Change change = end == End::kAnswered ? state_.on_answer()
                        : end == End::kFailed ? state_.on_failure(loop_.now())
                                              : Change::kNone;
  if (change == Change::kDown) {
    log::warn("the source {} is down; it is asked once a second until it answers", options_.origin);
  } else if (change == Change::kUp) {
    const auto seconds = (loop_.now() - state_.down_since()) / 1s;
    log::info("the source {} is back, after {} s", options_.origin, seconds);
  }
}

void SourceGuard::leave(End end) {
  note(end);
  --calls_;
  while (!queue_.empty() && calls_ < options_.calls_max) {
    GuardedCall& next = *queue_.front();
    queue_.pop_front();
    enter(next);  // it may be down by now
  }
}

void SourceGuard::on_timer() {
  while (!queue_.empty() && queue_.front()->until() <= loop_.now()) {
    GuardedCall& late = *queue_.front();
    queue_.pop_front();
    ++late_;
    late.refuse("no connection to it became free in time");
  }
  if (!queue_.empty()) timer_.set(queue_.front()->until());
}

std::vector<AdminSnapshot::Count> SourceGuard::counts() const {
  return {
      {"source_down", "1: the origin does not answer.", state_.down()},
      {"source_calls", "Requests that the origin is answering.", calls_},
      {"source_waiting", "Requests that wait for a connection to the origin.", queue_.size()},
      {"source_unanswered_total", "Requests to which the origin did not answer.", failures_},
      {"source_refused_total", "Requests refused since the origin is down.", refused_},
      {"source_crowded_total", "Requests refused over source.queue_max.", crowded_},
      {"source_late_total", "Requests that waited for too long.", late_},
  };
}

}  // namespace tandem::server
