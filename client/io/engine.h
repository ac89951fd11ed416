// The client: its session, its cache, the calls under way and those that wait. Everything on one
// event loop; whoever owns the loop decides whether calls block (Client) or not (AsyncClient).
//
// While there is no session in the group that is thought to serve a call, that goes first and the
// others wait for it, so that they get one session and not each its own.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "client/core/call.h"
#include "client/include/tandem/client.h"
#include "client/io/disk_cache.h"
#include "client/io/errands.h"
#include "client/io/transport.h"

namespace tandem {

class EngineCall;

class Engine {
 public:
  struct Request {
    std::string method;
    std::string target;
    std::string body;
    HeaderFields headers;
    bool to_balancer = false;  // it is the balancer's to answer
  };
  using Done = std::function<void(Reply)>;
  using CallId = std::uint64_t;  // never 0

  // The loop must outlive it.
  Engine(EventLoop& loop, const ClientOptions& options);
  // Calls that are not over are cancelled.
  ~Engine();

  // `done` is called once, perhaps before this returns, and may start further calls.
  // The ids are the caller's, each for one call.
  void start(CallId id, Request request, Done done);
  // Ends the call with kCancelled, if it is not over.
  void cancel(CallId id);
  // Cancels all, and every call that is started from now on.
  void close();

  const ClientState& state() const { return state_; }
  bool owes_notices() const { return errands_ && errands_->owes_notices(); }
  ClientStats stats() const;

 private:
  friend class EngineCall;
  void begin(const ClientOptions& options);
  void keep_on_disk(const std::string& file, const std::string& origin);
  void go_on();                 // begins calls that wait, as far as they may
  void over(EngineCall& call);  // it has its reply
  void count(const Reply& reply);
  std::vector<CallId> ids_of(const std::function<bool(const EngineCall&)>& which);
  void on_map();
  void on_look(std::string_view server, bool answers);

  EventLoop& loop_;
  ClientState state_;
  std::string problem_;  // why no call can succeed; empty: none
  const std::size_t under_way_max_;
  const std::size_t waiting_max_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<Errands> errands_;
  std::shared_ptr<FailoverBook> book_;
  std::optional<DiskCache> disk_;

  std::unordered_map<CallId, std::unique_ptr<EngineCall>> calls_;
  std::deque<CallId> waiting_;  // in the order in which they came; some may be over
  std::size_t waiting_count_ = 0;
  std::size_t under_way_ = 0;
  CallId opening_ = 0;  // the call that begins the session
  bool validating_ = false;
  bool going_on_ = false;
  bool closing_ = false;
  ClientStats stats_;
};

}  // namespace tandem
