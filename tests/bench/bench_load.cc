// The benchmark's load generator: clients in a closed loop, each with one request under way, as
// cheap as they can be, so that the proxy is what is saturated. A client sends the cookie that it
// was given last, as a browser does, on new connections, too.
//
//   bench_load PORT [--path /1k] [--clients 64] [--warm SECONDS] [--seconds SECONDS]
//              [--close] [--tls] [--pid PID]... [--hold] [--caches] [--field NAME]
//              [--holds]
//
// Prints one JSON object: what was completed between the end of the warm-up and the end, and the
// on-CPU nanoseconds of the processes named (--pid) in just that time. With --hold every client
// makes one request and keeps its connection; "holding" is printed, then all is kept until standard
// input is closed.
//
// With --caches each client says that it has a cache, and keeps its token in Tandem-Session, as the
// client library does; it asks for another item every time, so that every answer changes what its
// cache holds.
//
// With --field each client also sends the value that this field of an answer had last.
//
// With --holds each client has the item, by the entity tag of its first answers (If-None-Match):
// all others must be 304.
#include <openssl/ssl.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/socket.h"

namespace tandem::bench {
namespace {

struct Options {
  std::uint16_t port = 0;
  std::string path = "/1k";
  std::size_t clients = 64;
  double warm = 0.3;
  double seconds = 2;
  bool close = false;
  bool tls = false;
  bool hold = false;
  bool caches = false;
  bool holds = false;
  std::string field;
  std::vector<std::string> pids;
};

using Clock = std::chrono::steady_clock;

std::uint64_t on_cpu_nanoseconds(const std::vector<std::string>& pids) {
  std::uint64_t total = 0;
  for (const auto& pid : pids) {
    for (const auto& task : std::filesystem::directory_iterator("/proc/" + pid + "/task")) {
      std::uint64_t nanoseconds = 0;
      std::ifstream(task.path() / "schedstat") >> nanoseconds;
      total += nanoseconds;
    }
  }
  return total;
}

enum class Io { kDone, kWait, kClosed, kFailed };

struct Client {
  std::size_t number = 0;
  int fd = -1;
  SSL* ssl = nullptr;
  std::string request;
  std::size_t item_at = 0;  // in request: kItemDigits digits, if it has a cache
  std::uint64_t item = 0;
  std::string cookie;  // or token
  std::string value;   // of the options' field
  std::string etag;    // if it is to hold the item
  int answers = 0;     // up to kCookieAnswers
  bool connected = false;
  bool answered = false;      // the answer is here whole; the close is awaited
  std::string head;           // of an answer whose head came in parts; nearly always empty
  std::size_t body_left = 0;  // of the answer under way
  Clock::time_point asked;
};

class Load {
 public:
  explicit Load(Options options) : options_(std::move(options)), epoll_(epoll_create1(0)) {
    if (options_.tls) {
      tls_ = SSL_CTX_new(TLS_client_method());
      SSL_CTX_set_mode(tls_, SSL_MODE_RELEASE_BUFFERS);
    }
    for (std::size_t i = 0; i < options_.clients; ++i) {
      clients_.push_back(std::make_unique<Client>());
      clients_.back()->number = i + 1;
      set_request(*clients_.back());
    }
    latencies_.reserve(1 << 20);
  }

  int measure() {
    for (auto& client : clients_) open(*client);
    turn_until(Clock::now() + seconds(options_.warm));
    const std::uint64_t completed = completed_, cpu = on_cpu_nanoseconds(options_.pids);
    const auto from = Clock::now();
    latencies_.clear();
    turn_until(from + seconds(options_.seconds));
    const std::uint64_t cpu_used = on_cpu_nanoseconds(options_.pids) - cpu;
    const double took = std::chrono::duration<double>(Clock::now() - from).count();
    report(completed_ - completed, took, cpu_used);
    return failed_ == 0 && completed_ > completed ? 0 : 1;
  }

  // Opens the connections a few at a time, one request on each.
  int hold() {
    constexpr std::size_t kAtOnce = 32;
    for (std::size_t at = 0; at < clients_.size(); at += kAtOnce) {
      const std::size_t end = std::min(at + kAtOnce, clients_.size());
      const std::uint64_t wanted = completed_ + (end - at);
      for (std::size_t i = at; i < end; ++i) open(*clients_[i]);
      const auto limit = Clock::now() + seconds(10);
      while (completed_ < wanted && failed_ == 0 && Clock::now() < limit) turn(100);
      if (completed_ < wanted) {
        std::fprintf(stderr, "%zu clients were answered, then no more\n",
                     static_cast<std::size_t>(completed_));
        return 1;
      }
    }
    std::printf("holding\n");
    std::fflush(stdout);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    return 0;
  }

 private:
  static Clock::duration seconds(double value) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(value));
  }

  void set_request(Client& client) const {
    std::string text = "GET " + options_.path;
    if (options_.caches) {
      text += "?item=";
      client.item_at = text.size();
      text.append(kItemDigits, '0');
    }
    text +=
        " HTTP/1.1\r\nHost: bench.example\r\n"
        "User-Agent: bench\r\nAccept: */*\r\n";
    if (options_.caches) {
      std::array<char, 17> id;
      std::snprintf(id.data(), id.size(), "%016zx", client.number);
      text.append("Tandem-Cache: ").append(id.data()).append("\r\n");
    }
    if (!client.cookie.empty()) {
      text.append(options_.caches ? "Tandem-Session: " : "Cookie: ");
      text.append(client.cookie).append("\r\n");
    }
    if (!client.value.empty()) {
      text.append(options_.field).append(": ").append(client.value).append("\r\n");
    }
    if (!client.etag.empty()) {
      text.append("If-None-Match: ").append(client.etag).append("\r\n");
    }
    if (options_.close) text += "Connection: close\r\n";
    client.request = text + "\r\n";
  }

  static void name_next_item(Client& client) {
    std::uint64_t rest = ++client.item;
    for (std::size_t digit = kItemDigits; digit > 0; --digit, rest /= 10) {
      client.request[client.item_at + digit - 1] = static_cast<char>('0' + rest % 10);
    }
  }

  void turn_until(Clock::time_point end) {
    while (Clock::now() < end) turn(10);
  }

  void turn(int wait_ms) {
    std::array<epoll_event, 256> events;
    const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait_ms);
    for (int i = 0; i < ready; ++i) advance(*static_cast<Client*>(events[i].data.ptr));
  }

  void open(Client& client) {
    client.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (client.fd < 0) die("socket");
    set_nodelay(client.fd);
    const sockaddr_in address = loopback(options_.port);
    if (connect(client.fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 &&
        errno != EINPROGRESS) {
      die("connect");
    }
    if (tls_) {
      client.ssl = SSL_new(tls_);
      SSL_set_fd(client.ssl, client.fd);
      SSL_set_tlsext_host_name(client.ssl, "bench.example");
      SSL_set_connect_state(client.ssl);
    }
    client.connected = client.answered = false;
    watch(epoll_, client.fd, &client, EPOLLIN | EPOLLOUT | EPOLLET);
  }

  void shut(Client& client) {
    SSL_free(client.ssl);
    client.ssl = nullptr;
    ::close(client.fd);
    client.fd = -1;
  }

  void fail(Client& client, const char* why) {
    if (++failed_ <= 3) std::fprintf(stderr, "request failed: %s\n", why);
    shut(client);
    if (failed_ > 1000) {
      std::fprintf(stderr, "1000 requests failed: no measurement\n");
      std::exit(1);
    }
    client.head.clear();
    client.body_left = 0;
    if (!options_.hold) open(client);
  }

  void advance(Client& client) {
    if (!client.connected && !finish_connect(client)) return;
    for (;;) {
      std::size_t got = 0;
      const Io io = receive(client, got);
      if (io == Io::kWait) return;
      if (io == Io::kClosed && client.answered) {
        shut(client);
        open(client);
        return;
      }
      if (io != Io::kDone) return fail(client, "closed before the answer was whole");
      if (!take(client, std::string_view(scratch_.data(), got))) return;
      // What was asked is answered: the next edge brings the next answer.
      if (!options_.close && client.body_left == 0 && client.head.empty()) return;
    }
  }

  bool finish_connect(Client& client) {
    if (client.ssl && !SSL_is_init_finished(client.ssl)) {
      const int done = SSL_do_handshake(client.ssl);
      if (done != 1) {
        const int error = SSL_get_error(client.ssl, done);
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
          fail(client, "TLS handshake");
        }
        return false;
      }
    } else if (!client.ssl) {
      int error = 0;
      socklen_t size = sizeof(error);
      getsockopt(client.fd, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) {
        fail(client, std::strerror(error));
        return false;
      }
    }
    client.connected = true;
    ask(client);
    return false;  // the answer makes an edge of its own
  }

  Io receive(Client& client, std::size_t& got) {
    if (client.ssl) {
      const int n = SSL_read(client.ssl, scratch_.data(), static_cast<int>(scratch_.size()));
      got = n > 0 ? static_cast<std::size_t>(n) : 0;
      if (n > 0) return Io::kDone;
      const int error = SSL_get_error(client.ssl, n);
      return error == SSL_ERROR_WANT_READ ? Io::kWait : Io::kClosed;
    }
    // Body bytes are counted, not copied: MSG_TRUNC on TCP discards them.
    const bool discard = client.body_left > 0;
    const ssize_t n = recv(client.fd, discard ? nullptr : scratch_.data(),
                           discard ? client.body_left : kHeadRead, discard ? MSG_TRUNC : 0);
    if (n > 0) {
      got = static_cast<std::size_t>(n);
      return Io::kDone;
    }
    if (n == 0) return Io::kClosed;
    return errno == EAGAIN ? Io::kWait : Io::kFailed;
  }

  // Takes bytes of an answer; false if the client was failed.
  bool take(Client& client, std::string_view bytes) {
    if (client.answered) {
      fail(client, "more bytes than the answer has");
      return false;
    }
    if (client.body_left > 0) {
      if (bytes.size() > client.body_left) {
        fail(client, "more bytes than the answer has");
        return false;
      }
      client.body_left -= bytes.size();
      if (client.body_left == 0) answered(client);
      return true;
    }
    if (!client.head.empty()) {
      client.head.append(bytes);
      bytes = client.head;
    }
    const auto end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos) {
      if (client.head.empty()) client.head = bytes;
      return true;
    }
    return take_head(client, bytes.substr(0, end + 2), bytes.size() - end - 4);
  }

  bool take_head(Client& client, std::string_view head, std::size_t body_here) {
    const bool held = !client.etag.empty();
    const std::size_t length = held ? 0 : content_length(head);
    if (head.substr(9, 3) != (held ? "304" : "200") || length == kNoLength || body_here > length) {
      std::fprintf(stderr, "%.*s\n", static_cast<int>(head.size()), head.data());
      fail(client, "not the answer that was expected");
      return false;
    }
    if (client.answers < kCookieAnswers) {
      ++client.answers;
      keep_cookie(client, head);
    }
    client.head.clear();
    client.body_left = length - body_here;
    if (client.body_left == 0) answered(client);
    return true;
  }

  // A cookie may be replaced by a later answer, as a session is confirmed; then it stays.
  static constexpr int kCookieAnswers = 8;
  static constexpr std::size_t kItemDigits = 9;
  static constexpr std::size_t kNoLength = ~std::size_t{0};

  // Field names are compared by their first letters in either case: these answers are known.
  static std::size_t content_length(std::string_view head) {
    for (auto at = head.find("\r\n"); at != std::string_view::npos && at + 18 < head.size();
         at = head.find("\r\n", at + 2)) {
      if ((head[at + 2] | 32) == 'c' && (head[at + 10] | 32) == 'l' && head[at + 16] == ':') {
        return static_cast<std::size_t>(std::atol(head.data() + at + 17));
      }
    }
    return kNoLength;
  }

  static std::string lower_case(std::string_view text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : static_cast<char>(c);
    });
    return lower;
  }

  void keep_cookie(Client& client, std::string_view head) {
    const std::string lower = lower_case(head);
    const auto keep = [&](std::string_view field, std::string_view end, std::string& kept) {
      const auto at = lower.find("\r\n" + lower_case(field) + ":");
      if (field.empty() || at == std::string::npos) return;
      auto value = head.substr(at + field.size() + 3);
      value.remove_prefix(value.find_first_not_of(' '));
      kept = value.substr(0, value.find_first_of(end));
    };
    keep(options_.caches ? "Tandem-Session" : "Set-Cookie", ";\r", client.cookie);
    keep(options_.field, "\r", client.value);
    keep(options_.holds ? "ETag" : "", "\r", client.etag);
    set_request(client);
  }

  void ask(Client& client) {
    client.asked = Clock::now();
    if (options_.caches) name_next_item(client);
    const auto size = client.request.size();
    const auto sent = client.ssl
                          ? SSL_write(client.ssl, client.request.data(), static_cast<int>(size))
                          : send(client.fd, client.request.data(), size, MSG_NOSIGNAL);
    if (sent != static_cast<long>(size)) fail(client, "the request was not taken");
  }

  void answered(Client& client) {
    ++completed_;
    cookies_ += client.cookie.empty() ? 0 : 1;
    latencies_.push_back(
        std::chrono::duration<float, std::micro>(Clock::now() - client.asked).count());
    if (options_.hold) return;
    if (options_.close) {
      client.answered = true;
    } else {
      ask(client);
    }
  }

  double latency(double quantile) {
    if (latencies_.empty()) return 0;
    const auto at = latencies_.begin() + static_cast<std::ptrdiff_t>(
                                             quantile * static_cast<double>(latencies_.size() - 1));
    std::nth_element(latencies_.begin(), at, latencies_.end());
    return *at;
  }

  void report(std::uint64_t requests, double took, std::uint64_t cpu) {
    std::printf(
        "{\"requests\": %llu, \"seconds\": %.4f, \"cpu_ns\": %llu, \"failed\": %llu, "
        "\"sticky\": %llu, \"latency_p50_us\": %.0f, \"latency_p99_us\": %.0f}\n",
        static_cast<unsigned long long>(requests), took, static_cast<unsigned long long>(cpu),
        static_cast<unsigned long long>(failed_), static_cast<unsigned long long>(cookies_),
        latency(0.5), latency(0.99));
  }

  static constexpr std::size_t kHeadRead = 4096;

  Options options_;
  int epoll_;
  SSL_CTX* tls_ = nullptr;
  std::vector<std::unique_ptr<Client>> clients_;
  std::uint64_t completed_ = 0, failed_ = 0, cookies_ = 0;
  std::vector<float> latencies_;
  std::array<char, 65536> scratch_{};
};

Options parse(int argc, char** argv) {
  Options options;
  if (argc > 1) options.port = static_cast<std::uint16_t>(std::atoi(argv[1]));
  for (int i = 2; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--close") {
      options.close = true;
    } else if (name == "--tls") {
      options.tls = true;
    } else if (name == "--hold") {
      options.hold = true;
    } else if (name == "--caches") {
      options.caches = true;
    } else if (name == "--holds") {
      options.holds = true;
    } else if (i + 1 == argc) {
      options.port = 0;
    } else if (name == "--path") {
      options.path = argv[++i];
    } else if (name == "--clients") {
      options.clients = static_cast<std::size_t>(std::atol(argv[++i]));
    } else if (name == "--warm") {
      options.warm = std::atof(argv[++i]);
    } else if (name == "--seconds") {
      options.seconds = std::atof(argv[++i]);
    } else if (name == "--field") {
      options.field = argv[++i];
    } else if (name == "--pid") {
      options.pids.emplace_back(argv[++i]);
    } else {
      options.port = 0;
    }
  }
  if (options.port == 0) {
    std::fprintf(stderr,
                 "usage: bench_load PORT [--path P] [--clients N] [--warm S] [--seconds S] "
                 "[--close] [--tls] [--pid PID]... [--hold] [--caches] [--field NAME] "
                 "[--holds]\n");
    std::exit(2);
  }
  return options;
}

}  // namespace
}  // namespace tandem::bench

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  tandem::bench::raise_descriptor_limit();
  const auto options = tandem::bench::parse(argc, argv);
  tandem::bench::Load load(options);
  return options.hold ? load.hold() : load.measure();
}
