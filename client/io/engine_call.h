// One call of an Engine: it waits for its turn and for the map, validates, and attempts until it
// has a reply. Belongs to its engine.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "client/core/attempt_watch.h"
#include "client/core/cache_validation.h"
#include "client/core/call.h"
#include "client/io/engine.h"

namespace tandem {

class EngineCall final : public Disposable {
 public:
  EngineCall(Engine& engine, Engine::CallId id, Engine::Request request, Engine::Done done);

  Engine::CallId id() const { return id_; }
  // Over without anybody being asked? Then reply() is ready.
  bool finished() const { return call_.finished(); }
  bool waits() const { return stage_ == Stage::kWaiting; }
  bool opens_session() const;

  void wait();   // for begin(), at the longest until its deadline
  void begin();  // its turn has come: it waits no more, whatever comes of it
  void go_on();  // the map has come
  bool wants_map() const { return stage_ == Stage::kMap; }
  // Does it wait for how this server is?
  bool looks_at(std::string_view server) const;
  void on_look(bool answers);
  void give_up(ClientFailure failure, std::string message);

  Reply take_reply();
  Engine::Done take_done() { return std::move(done_); }

 private:
  enum class Stage : std::uint8_t { kWaiting, kMap, kValidating, kPausing, kSending };

  bool needs_map();
  void validate();
  void attempt();
  void on_validated(Outcome outcome);
  void on_outcome(Outcome outcome);
  void on_timer();
  bool blame(const Destination& at, const AttemptFailure& failure, Instant heard);
  void watch(AttemptWatch::Action action);
  void leave();
  void end_exchange();

  Engine& engine_;
  const Engine::CallId id_;
  const Engine::Request request_;
  Engine::Done done_;
  const Instant begun_;
  Call call_;
  Timer timer_;
  Stage stage_ = Stage::kWaiting;
  bool asked_map_ = false;
  bool validated_ = false;
  std::optional<CacheValidation> validation_;
  Instant validate_by_{};
  Instant asked_at_{};  // when the exchange began
  std::unique_ptr<Exchange> exchange_;
  AttemptWatch watch_;
  std::uint64_t bytes_received_ = 0;
};

}  // namespace tandem
