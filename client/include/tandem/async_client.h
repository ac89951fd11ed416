// The client without waiting: calls are started from any thread, and carried out on a thread of
// the client's own.
//
//     tandem::AsyncClient client({.balancer = "http://127.0.0.1:8080", .direct = true});
//     std::future<tandem::Reply> page = client.get("/index.html");
//     client.start({.target = "/style.css"}, [](tandem::Reply reply) { use(reply.body()); });
//     use(page.get().body());
//
// All calls have one session and one cache, as with Client. Under way are at most
// ClientOptions::connections_max, which share as many connections; more wait for one to end, and
// beyond queue_max each fails with ClientFailure::kQueueFull. The timeout of a call covers all of
// it: waiting, connecting, and every attempt.
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <string>

#include "client.h"

namespace tandem {

struct AsyncRequest {
  std::string method = "GET";
  std::string target{};  // a path with an optional query, "/x?y"
  std::string body{};
  HeaderFields headers{};
};

// Thread-safe, but for its end: nobody may be inside of a member when it is destroyed.
class AsyncClient {
 public:
  // Called once for each call, on the client's own thread; in it further calls may be started, but
  // nothing be waited for, and the client neither be closed nor destroyed. What it throws ends the
  // process.
  using Callback = std::function<void(Reply)>;
  using CallId = std::uint64_t;  // never 0

  explicit AsyncClient(ClientOptions options);
  ~AsyncClient();  // close()
  AsyncClient(const AsyncClient&) = delete;
  AsyncClient& operator=(const AsyncClient&) = delete;

  // Never blocks. If the queue is full, or the client closed, `done` is called before this returns,
  // on the caller's thread.
  CallId start(AsyncRequest request, Callback done);
  // A call that is not over ends with kCancelled; its connection is closed.
  void cancel(CallId call);

  std::future<Reply> request(AsyncRequest request);
  std::future<Reply> get(std::string target, HeaderFields headers = {});
  std::future<Reply> put(std::string target, std::string body, HeaderFields headers = {});
  std::future<Reply> post(std::string target, std::string body, HeaderFields headers = {});
  std::future<Reply> remove(std::string target, HeaderFields headers = {});

  // Cancels what is under way, and returns when every callback has been called. Calls that are
  // started later fail with kCancelled. Any thread, several at a time, but no callback.
  void close();

  // Waits for the client's thread, unless it is called from there; while the client is being
  // closed, for its end.
  ClientStats stats() const;

 private:
  class Body;
  std::unique_ptr<Body> body_;
};

}  // namespace tandem
