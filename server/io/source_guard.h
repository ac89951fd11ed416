// A source before a HTTP origin: so many requests at a time and no more, a bounded queue before
// them, and no crowd at an origin that is down (server/core/source_state.h). Who is refused gets a
// failure of kind kShortage: nothing has been sent. The log has a line when the origin goes and one
// when it is back. One thread, the loop's.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "server/core/source_state.h"
#include "server/io/admin.h"
#include "server/io/source.h"

namespace tandem::server {

class GuardedCall;

class SourceGuard final : public Source {
 public:
  struct Options {
    std::string origin;            // for the log
    std::size_t calls_max = 1024;  // at a time, each on a connection of its own
    std::size_t queue_max = 1024;  // that wait for one of these
    Duration queue_patience = 3s;  // for so long
    SourceState::Options state = {};
  };
  // Loop and source must outlive this, and this its calls.
  SourceGuard(EventLoop& loop, Source& source, Options options);
  ~SourceGuard();

  std::unique_ptr<SourceCall> start(HttpRequest request, HttpCallHandler& handler) override;
  std::optional<std::uint64_t> version() override { return source_.version(); }
  bool has_versions() const override { return source_.has_versions(); }
  bool knows_our_tags() const override { return source_.knows_our_tags(); }
  void invalidate(ItemKey item) override { source_.invalidate(item); }
  void forget(const Targets& which) override { source_.forget(which); }

  bool down() const { return state_.down(); }
  std::vector<AdminSnapshot::Count> counts() const;

 private:
  friend class GuardedCall;
  enum class End : std::uint8_t { kAnswered, kFailed, kUnknown };
  void enter(GuardedCall& call);
  void note(End end);
  void leave(End end);
  void on_timer();

  EventLoop& loop_;
  Source& source_;
  Options options_;
  SourceState state_;
  std::size_t calls_ = 0;
  std::list<GuardedCall*> queue_;  // the longest waiting in front
  std::uint64_t refused_ = 0;      // since the origin is down
  std::uint64_t crowded_ = 0;      // over queue_max
  std::uint64_t late_ = 0;         // over queue_patience
  std::uint64_t failures_ = 0;
  Timer timer_;
};

}  // namespace tandem::server
