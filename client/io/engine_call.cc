#include "client/io/engine_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tandem {

EngineCall::EngineCall(Engine& engine, Engine::CallId id, Engine::Request request,
                       Engine::Done done)
    : engine_(engine),
      id_(id),
      request_(std::move(request)),
      done_(std::move(done)),
      begun_(engine.loop_.now()),
      call_(
          engine.state_,
          {request_.method, request_.target, request_.body, request_.headers, request_.to_balancer},
          begun_, engine.loop_.unix_now()),
      timer_(engine.loop_, [this] { on_timer(); }),
      watch_(engine.state_.attempt_timeout) {}

bool EngineCall::opens_session() const {
  if (request_.to_balancer) return false;
  const GroupSession* session = engine_.state_.groups.find(call_.group());
  return session == nullptr || (session->token.empty() && !session->sessionless);
}

void EngineCall::wait() {
  stage_ = Stage::kWaiting;
  timer_.set(call_.deadline());
}

void EngineCall::begin() {
  stage_ = Stage::kPausing;
  go_on();
}

void EngineCall::go_on() {
  if (call_.finished()) return engine_.over(*this);
  const Instant now = engine_.loop_.now();
  if (now >= call_.deadline()) return give_up(ClientFailure::kTimeout, "no whole response in time");
  if (needs_map()) {
    stage_ = Stage::kMap;
    return timer_.set(call_.deadline());
  }
  if (!validated_ && !engine_.validating_ && call_.wants_validation(now)) {
    engine_.validating_ = true;
    validation_.emplace(engine_.state_, engine_.loop_.unix_now(), call_.group());
    // The call can do without: a quarter of its time.
    validate_by_ = std::min(call_.deadline(), now + engine_.state_.timeout / 4);
    return validate();
  }
  if (call_.next_attempt() > now) {
    stage_ = Stage::kPausing;
    return timer_.set(std::min(call_.next_attempt(), call_.deadline()));
  }
  attempt();
}

// Without any map, and where a referral names a server that it lacks, the map is waited for; else
// it is fetched beside. Once: who has waited goes on without.
bool EngineCall::needs_map() {
  if (!engine_.state_.locator.direct() || request_.to_balancer) return false;
  const bool fetching = engine_.errands_->fetch_map();
  const bool needed = !engine_.state_.locator.has_map() || call_.awaits_map();
  return fetching && needed && !std::exchange(asked_map_, true);
}

void EngineCall::validate() {
  stage_ = Stage::kValidating;
  asked_at_ = engine_.loop_.now();
  const auto head = validation_->head(engine_.loop_.unix_now(), engine_.errands_->avoids());
  exchange_ = engine_.transport_->start(
      validation_->to(), head, validation_->body(), http::Method::kPost, validate_by_,
      [this](Outcome outcome) { on_validated(std::move(outcome)); });
}

void EngineCall::on_validated(Outcome outcome) {
  const Instant heard = exchange_->heard();
  end_exchange();
  bytes_received_ += outcome.bytes_received;
  const Instant now = engine_.loop_.now();
  if (outcome.response) {
    engine_.errands_->on_answer(validation_->to());
    validation_->on_response(*outcome.response, now, engine_.loop_.unix_now());
  } else {
    (void)blame(validation_->to(), outcome.failure, heard);
    validation_->on_failure(now);
  }
  if (!validation_->finished()) return validate();
  validated_ = true;
  engine_.validating_ = false;
  call_.on_validated(validation_->report(), engine_.loop_.unix_now());
  go_on();
}

void EngineCall::attempt() {
  stage_ = Stage::kSending;
  call_.begin_attempt(engine_.loop_.unix_now(), engine_.errands_->avoids());
  asked_at_ = engine_.loop_.now();
  watch_.begin(asked_at_, call_.may_leave());
  timer_.set(watch_.next_deadline());
  exchange_ = engine_.transport_->start(
      call_.to(), call_.head(), call_.body(), call_.method(), call_.deadline(),
      [this](Outcome outcome) { on_outcome(std::move(outcome)); });
  engine_.errands_->look_in_doubt(call_.to(), watch_.look_patience());
}

void EngineCall::on_outcome(Outcome outcome) {
  const Instant heard = exchange_->heard();
  watch_.end();
  end_exchange();
  bytes_received_ += outcome.bytes_received;
  const Instant now = engine_.loop_.now();
  if (outcome.response) {
    engine_.errands_->on_answer(call_.to());
    call_.on_response(std::move(*outcome.response), now, engine_.loop_.unix_now());
  } else {
    const bool left_alone = blame(call_.to(), outcome.failure, heard);
    call_.on_failure(std::move(outcome.failure), now, left_alone);
  }
  go_on();
}

// A server of which nothing came in the time of the call may be slow, or may be dead: whoever asks
// it next looks. True: it has just been left alone.
bool EngineCall::blame(const Destination& at, const AttemptFailure& failure, Instant heard) {
  if (failure.blames_server()) return engine_.errands_->on_failure(at);
  if (failure.failure == ClientFailure::kTimeout && heard < asked_at_) {
    engine_.errands_->doubt(at);
  }
  return false;
}

// --- a server that is silent -------------------------------------------------------------------

bool EngineCall::looks_at(std::string_view server) const {
  return stage_ == Stage::kSending && watch_.looking() && call_.to().server == server;
}

void EngineCall::on_look(bool answers) {
  watch(watch_.on_look(answers, engine_.loop_.now(), exchange_->heard()));
}

void EngineCall::watch(AttemptWatch::Action action) {
  if (action == AttemptWatch::Action::kLeave) return leave();
  timer_.set(watch_.next_deadline());
  if (action == AttemptWatch::Action::kLook) {
    engine_.errands_->look(call_.to(), watch_.look_patience());
  }
}

void EngineCall::leave() {
  end_exchange();
  const bool left_alone = engine_.errands_->on_failure(call_.to());
  call_.on_failure(
      {ClientFailure::kTimeout, fmt::format("\"{}\" is silent", call_.to().server), true},
      engine_.loop_.now(), left_alone);
  go_on();
}

void EngineCall::on_timer() {
  if (stage_ == Stage::kPausing) return go_on();
  if (stage_ == Stage::kSending) {
    return watch(watch_.on_deadline(engine_.loop_.now(), exchange_->heard()));
  }
  give_up(ClientFailure::kTimeout,
          stage_ == Stage::kMap ? "no list of servers in time" : "its turn did not come in time");
}

void EngineCall::give_up(ClientFailure failure, std::string message) {
  if (exchange_ != nullptr) end_exchange();
  if (std::exchange(validation_, std::nullopt) && !validated_) engine_.validating_ = false;
  call_.give_up(failure, std::move(message));
  engine_.over(*this);
}

// It may be the caller.
void EngineCall::end_exchange() {
  exchange_->cancel();
  engine_.loop_.dispose(std::move(exchange_));
}

Reply EngineCall::take_reply() {
  timer_.cancel();
  Reply reply = call_.take_reply();
  reply.bytes_received = bytes_received_;
  reply.elapsed = engine_.loop_.now() - begun_;
  return reply;
}

}  // namespace tandem
