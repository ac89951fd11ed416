// What a hit in tandem-server's cache costs, from the request's head to the end of its answer, with
// one round of the loop; and that round by itself. `allocations` are those of one request.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <string>

#include "common/http/head_parser.h"
#include "common/net/event_loop.h"
#include "server/io/source_cached.h"

namespace {

std::size_t allocations = 0;

}  // namespace

// Not inlined, lest the compiler take malloc() and free() for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  if (void* made = std::malloc(size)) return made;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* made) noexcept { std::free(made); }
[[gnu::noinline]] void operator delete(void* made, std::size_t) noexcept { std::free(made); }

namespace tandem::server {
namespace {

constexpr std::string_view kRequest =
    "GET /images/2024/some-picture.png?size=large HTTP/1.1\r\nHost: www.example.org\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: image/*\r\n"
    "Accept-Encoding: gzip, br\r\nAccept-Language: en\r\n\r\n";

// Answers once; all else is to come from the cache.
class OneAnswer final : public Source {
 public:
  explicit OneAnswer(EventLoop& loop, std::size_t bytes) : loop_(loop), body_(bytes, 'x') {}
  std::unique_ptr<SourceCall> start(HttpRequest, HttpCallHandler& handler) override {
    return std::make_unique<Call>(*this, handler);
  }

 private:
  class Call final : public SourceCall {
   public:
    Call(OneAnswer& source, HttpCallHandler& handler) {
      source.loop_.defer([&source, &handler] {
        const std::string text =
            "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nCache-Control: max-age=86400\r\n"
            "ETag: \"5f2a-3\"\r\nContent-Length: " +
            std::to_string(source.body_.size()) + "\r\n\r\n";
        http::HeadParser parser;
        http::ResponseHead head;
        parser.parse(text, head);
        handler.on_response(head, {http::BodyKind::kLength, source.body_.size()});
        handler.on_body(source.body_);
        handler.on_complete();
      });
    }
    bool send_body(std::string_view) override { return true; }
    void end_body() override {}
    void pause() override {}
    void resume() override {}
    HttpCall::Tunnel take_tunnel() override { return {}; }
  };
  EventLoop& loop_;
  std::string body_;
};

struct Client final : HttpCallHandler {
  explicit Client(EventLoop& of) : loop(of) {}
  void on_response(const http::ResponseHead&, const http::Framing&) override {}
  void on_body(std::string_view bytes) override { got += bytes.size(); }
  void on_complete() override { loop.stop(); }
  void on_failure(const HttpFailure&) override { std::abort(); }
  EventLoop& loop;
  std::size_t got = 0;
};

void ask(EventLoop& loop, CachedSource& cached, HttpRequest request) {
  Client client(loop);
  const auto call = cached.start(std::move(request), client);
  loop.run();
  benchmark::DoNotOptimize(client.got);
}

HttpRequest request() {
  HttpRequest made;
  made.head = kRequest;
  return made;
}

void cache_hit(benchmark::State& state) {
  EventLoop loop;
  OneAnswer source(loop, static_cast<std::size_t>(state.range(0)));
  CachedSource cached(loop, source, {"server-17", {}});
  ask(loop, cached, request());
  std::size_t made = 0;
  for (auto _ : state) {
    HttpRequest next = request();
    const std::size_t before = allocations;
    ask(loop, cached, std::move(next));
    made += allocations - before;
  }
  if (cached.cache().counts().misses != 1) state.SkipWithError("it was no hit");
  state.counters["allocations"] =
      static_cast<double>(made) / static_cast<double>(state.iterations());
}
BENCHMARK(cache_hit)->Arg(1024)->Arg(65536);

void empty_round(benchmark::State& state) {
  struct Stop final : RoundEnd {
    explicit Stop(EventLoop& of) : loop(of) {}
    void on_round_end() override { loop.stop(); }
    EventLoop& loop;
  };
  EventLoop loop;
  Stop stop(loop);
  for (auto _ : state) {
    loop.at_round_end(stop);
    loop.run();
  }
}
BENCHMARK(empty_round);

}  // namespace
}  // namespace tandem::server

BENCHMARK_MAIN();
