// Two streams joined: what comes in on one goes out on the other, either way, until both sides have
// ended or nothing has moved for a while. For connections that have left HTTP (101). One thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/net/event_loop.h"
#include "common/net/stream.h"

namespace tandem {

class Tunnel final {
 public:
  struct End {
    std::unique_ptr<Stream> stream;  // without a handler
    std::string unsent;              // owed to this end's peer before anything else
  };
  static constexpr std::size_t kWaitingBytesMax = 64 * 1024;  // read from one end, not yet taken

  // `done` is called once, later, unless the tunnel was destroyed before.
  Tunnel(EventLoop& loop, End left, End right, Duration idle_timeout, std::function<void()> done);
  ~Tunnel();
  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;

 private:
  struct Side final : StreamHandler {
    explicit Side(Tunnel& owner) : tunnel(owner) {}
    void on_stream(bool, bool) override { tunnel.pump(); }

    Tunnel& tunnel;
    std::unique_ptr<Stream> stream;
    std::string waiting;  // to be written to this side
    bool ended = false;   // this side's peer has sent its last byte
    bool shut = false;    // and it has been told the other's end
  };

  void pump();
  bool flush(Side& side);
  bool move(Side& from, Side& to);
  void finish();

  EventLoop& loop_;
  Duration idle_timeout_;
  std::function<void()> done_;
  Side left_;
  Side right_;
  Timer timer_;
  bool moved_ = false;
};

}  // namespace tandem
