#include "client/include/tandem/async_client.h"

#include <atomic>
#include <mutex>
#include <thread>
#include <utility>

#include "client/io/engine.h"

namespace tandem {

class [[gnu::visibility("hidden")]] AsyncClient::Body {
 public:
  explicit Body(const ClientOptions& options);

  CallId start(AsyncRequest request, Callback done);
  void cancel(CallId call);
  void close();
  ClientStats stats();

 private:
  static constexpr Duration kNoticePatience = 200ms;  // what the master is still to be told
  static constexpr Duration kNoticeStep = 5ms;

  bool post(std::function<void()> work);
  void join();
  void run(const ClientOptions& options, std::promise<void>& ready);
  void leave();

  const std::size_t calls_max_;
  std::atomic<std::size_t> calls_{0};  // not over
  std::atomic<CallId> last_id_{0};

  EventLoop loop_;
  Engine* engine_ = nullptr;  // the thread's
  std::unique_ptr<Timer> leaving_;
  Instant leave_by_{};
  ClientStats last_stats_;  // once the thread has ended

  std::mutex mutex_;
  bool closed_ = false;  // nothing is posted any more

  std::mutex join_mutex_;      // whoever has it may join
  std::thread thread_;         // it uses the rest
  std::thread::id thread_id_;  // as it was when it began
};

AsyncClient::Body::Body(const ClientOptions& options)
    : calls_max_(std::size_t{std::max(options.connections_max, 1u)} + options.queue_max) {
  std::promise<void> ready;
  thread_ = std::thread([this, &options, &ready] { run(options, ready); });
  thread_id_ = thread_.get_id();
  ready.get_future().get();
}

void AsyncClient::Body::run(const ClientOptions& options, std::promise<void>& ready) {
  Engine engine(loop_, options);
  engine_ = &engine;
  ready.set_value();
  loop_.run();
  leaving_.reset();
  last_stats_ = engine.stats();
  engine_ = nullptr;
}

bool AsyncClient::Body::post(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (!closed_) loop_.post(std::move(work));
  return !closed_;
}

AsyncClient::CallId AsyncClient::Body::start(AsyncRequest request, Callback done) {
  const CallId id = ++last_id_;
  if (calls_.fetch_add(1) >= calls_max_) {
    --calls_;
    Reply full;
    full.failure = ClientFailure::kQueueFull;
    full.message = "too many calls are waiting";
    done(std::move(full));
    return id;
  }
  auto work = [this, id, request = std::move(request), done]() mutable {
    engine_->start(id,
                   {std::move(request.method), std::move(request.target), std::move(request.body),
                    std::move(request.headers)},
                   [this, done = std::move(done)](Reply reply) {
                     --calls_;
                     done(std::move(reply));
                   });
  };
  if (!post(std::move(work))) {
    --calls_;
    Reply closed;
    closed.failure = ClientFailure::kCancelled;
    closed.message = "the client is closed";
    done(std::move(closed));
  }
  return id;
}

void AsyncClient::Body::cancel(CallId call) {
  (void)post([this, call] { engine_->cancel(call); });
}

void AsyncClient::Body::close() {
  TANDEM_CHECK(std::this_thread::get_id() != thread_id_);
  {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(closed_, true)) loop_.post([this] { leave(); });
  }
  join();
}

void AsyncClient::Body::join() {
  const std::lock_guard lock(join_mutex_);
  if (thread_.joinable()) thread_.join();
}

// What was posted before has begun; what it started ends now.
void AsyncClient::Body::leave() {
  engine_->close();
  leave_by_ = loop_.now() + kNoticePatience;
  leaving_ = std::make_unique<Timer>(loop_, [this] {
    if (!engine_->owes_notices() || loop_.now() >= leave_by_) return loop_.stop();
    leaving_->set_after(kNoticeStep);
  });
  leaving_->set_after(0s);
}

ClientStats AsyncClient::Body::stats() {
  if (std::this_thread::get_id() == thread_id_) return engine_->stats();
  std::promise<ClientStats> told;
  if (post([this, &told] { told.set_value(engine_->stats()); })) return told.get_future().get();
  join();  // it is ending, and has the last word
  return last_stats_;
}

AsyncClient::AsyncClient(ClientOptions options) : body_(std::make_unique<Body>(options)) {}
AsyncClient::~AsyncClient() { close(); }

AsyncClient::CallId AsyncClient::start(AsyncRequest request, Callback done) {
  return body_->start(std::move(request), std::move(done));
}

void AsyncClient::cancel(CallId call) { body_->cancel(call); }
void AsyncClient::close() { body_->close(); }
ClientStats AsyncClient::stats() const { return body_->stats(); }

std::future<Reply> AsyncClient::request(AsyncRequest request) {
  auto promise = std::make_shared<std::promise<Reply>>();
  auto future = promise->get_future();
  start(std::move(request), [promise](Reply reply) { promise->set_value(std::move(reply)); });
  return future;
}

std::future<Reply> AsyncClient::get(std::string target, HeaderFields headers) {
  return request({"GET", std::move(target), {}, std::move(headers)});
}

std::future<Reply> AsyncClient::put(std::string target, std::string body, HeaderFields headers) {
  return request({"PUT", std::move(target), std::move(body), std::move(headers)});
}

std::future<Reply> AsyncClient::post(std::string target, std::string body, HeaderFields headers) {
  return request({"POST", std::move(target), std::move(body), std::move(headers)});
}

std::future<Reply> AsyncClient::remove(std::string target, HeaderFields headers) {
  return request({"DELETE", std::move(target), {}, std::move(headers)});
}

}  // namespace tandem
