// tandem-swarm: many clients of the library at once, for tests and the tour.
//
//     tandem-swarm --balancer URL --paths FILE [options]
//
//     --clients N       clients, each with a session and a cache of its own       (40)
//     --threads N       threads; clients are dealt out to them                    (one a client)
//     --rounds N        each client gets every path N times, shuffled             (1)
//     --requests N      instead: N gets in all, dealt out evenly
//     --posts N         POSTs in all, spread among the gets; each has an id       (0)
//     --post-path PATH  they go to PATH?id=ID, with the ID as body                (/post)
//     --timeout SECONDS of one call                                               (30)
//     --progress SECONDS between progress lines; 0: none                          (1)
//     --seed N          of the shuffling                                          (1)
//     --interactive     does nothing until told on standard input
//     --changing        contents may change while it runs: do not compare them
//     --tag PREFIX      each get of a path that begins with it has a number of its own, ?call=N, by
//                       which the logs of others tell it from all other gets
//
// --paths names a file with one target a line ("/index.html").
//
// Standard output is one JSON object a line. Each has "event" and all counts so far:
//     requests failed bytes saved  gets answered or not; bytes received, and not received again
//     fetched mirror validator     gets by the source of their content
//     posts posts_failed           POSTs begun, and those without a status below 400
//     moved                        replies from another server than the client's reply before
//     held                         first gets of an unchanged item that the client held since
//                                  its last move (the reply that shows the move included), and
//     held_mirror held_validator   how many of them were answered "use yours", and by what;
//     held_refetched               ... and how many came whole although nothing had changed
//     held_bytes                   the contents of those held, and of those that came whole
//     held_refetched_bytes
//     corrupt                      contents that differ from the first fetch of that path
//     retries slowest_ms elapsed_s attempts beyond the first; the slowest get; since the start
// Events: "ready" (clients made, nothing asked yet), "progress", "paused", "ran", "counts",
// "which", "done". The last one, "done", has also "failures" (the first 20: path, status, message)
// and "failed_posts" (ids).
//
// With --interactive it obeys lines on standard input, one at a time:
//     run N [P]   N gets in all, dealt out evenly, with P POSTs among them; "ran" when they are
//                 done. Other commands are heard meanwhile; a second run waits for the first
//     post N      the same with POSTs
//     pause       finishes what is in flight, then "paused"; resume goes on
//     counts      the counts now
//     which       "servers": {NAME: clients whose last reply came from it}
//     quit        (or the end of input) finishes what is in flight, then "done"
// Exit status: 0; 1 if a get failed or a content was corrupt; 2 for a wrong command line.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "client/include/tandem/client.h"
#include "common/base/random.h"
#include "common/crypto/digest.h"

namespace tandem {
namespace {

using Clock = std::chrono::steady_clock;

struct SwarmOptions {
  std::string balancer;
  std::string paths_file;
  std::size_t clients = 40;
  std::size_t threads = 0;
  std::uint64_t rounds = 1;
  std::uint64_t requests = 0;
  std::uint64_t posts = 0;
  std::string post_path = "/post";
  double timeout_s = 30;
  double progress_s = 1;
  std::uint64_t seed = 1;
  bool interactive = false;
  bool changing = false;
  std::string tag;
};

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

struct Counts {
  std::uint64_t requests = 0, failed = 0, bytes = 0, saved = 0;
  std::uint64_t fetched = 0, mirror = 0, validator = 0;
  std::uint64_t posts = 0, posts_failed = 0, moved = 0;
  std::uint64_t held = 0, held_mirror = 0, held_validator = 0, held_refetched = 0;
  std::uint64_t held_bytes = 0, held_refetched_bytes = 0;
  std::uint64_t corrupt = 0, retries = 0;
  double slowest_ms = 0;

  std::string json() const {
    return fmt::format(
        "\"requests\":{},\"failed\":{},\"bytes\":{},\"saved\":{},\"fetched\":{},\"mirror\":{},"
        "\"validator\":{},\"posts\":{},\"posts_failed\":{},\"moved\":{},\"held\":{},"
        "\"held_mirror\":{},\"held_validator\":{},\"held_refetched\":{},\"held_bytes\":{},"
        "\"held_refetched_bytes\":{},\"corrupt\":{},"
        "\"retries\":{},\"slowest_ms\":{:.1f}",
        requests, failed, bytes, saved, fetched, mirror, validator, posts, posts_failed, moved,
        held, held_mirror, held_validator, held_refetched, held_bytes, held_refetched_bytes,
        corrupt, retries, slowest_ms);
  }
};

// What a content was when it was seen first.
struct Print {
  std::uint32_t crc = 0;
  std::size_t length = 0;
  bool operator==(const Print&) const = default;
};

// What all clients add to. Every line of output goes through here.
class Ledger {
 public:
  explicit Ledger(bool changing) : changing_(changing) {}

  void add(const Counts& more) {
    const std::lock_guard lock(mutex_);
    counts_.requests += more.requests, counts_.failed += more.failed;
    counts_.bytes += more.bytes, counts_.saved += more.saved;
    counts_.fetched += more.fetched, counts_.mirror += more.mirror;
    counts_.validator += more.validator, counts_.moved += more.moved;
    counts_.posts += more.posts, counts_.posts_failed += more.posts_failed;
    counts_.held += more.held, counts_.held_mirror += more.held_mirror;
    counts_.held_validator += more.held_validator;
    counts_.held_refetched += more.held_refetched;
    counts_.held_bytes += more.held_bytes;
    counts_.held_refetched_bytes += more.held_refetched_bytes;
    counts_.corrupt += more.corrupt, counts_.retries += more.retries;
    counts_.slowest_ms = std::max(counts_.slowest_ms, more.slowest_ms);
  }

  // Is this the content that was first seen at the path?
  bool learn(const std::string& path, const Print& print) {
    const std::lock_guard lock(mutex_);
    return changing_ || prints_.emplace(path, print).first->second == print;
  }

  void note_failure(const std::string& path, const Reply& reply) {
    const std::lock_guard lock(mutex_);
    if (failures_.size() == 20) return;
    failures_.push_back(fmt::format("{{\"path\":{},\"status\":{},\"message\":{}}}", json_text(path),
                                    reply.status, json_text(reply.message)));
  }
  void note_failed_post(const std::string& id) {
    const std::lock_guard lock(mutex_);
    failed_posts_.push_back(json_text(id));
  }

  void print(std::string_view event, std::string_view more = {}) {
    const std::lock_guard lock(mutex_);
    const std::chrono::duration<double> elapsed = Clock::now() - start_;
    fmt::print("{{\"event\":\"{}\",{},\"elapsed_s\":{:.3f}{}{}}}\n", event, counts_.json(),
               elapsed.count(), more.empty() ? "" : ",", more);
    std::fflush(stdout);
  }
  void print_done() {
    print("done", fmt::format("\"failures\":[{}],\"failed_posts\":[{}]", fmt::join(failures_, ","),
                              fmt::join(failed_posts_, ",")));
  }
  bool clean() const { return counts_.failed == 0 && counts_.corrupt == 0; }

 private:
  const bool changing_;
  const Clock::time_point start_ = Clock::now();
  std::mutex mutex_;
  Counts counts_;
  std::map<std::string, Print> prints_;
  std::vector<std::string> failures_;
  std::vector<std::string> failed_posts_;
};

// One client with what it remembers. Used by one thread at a time.
class Member {
 public:
  Member(const SwarmOptions& options, const std::vector<std::string>& paths, std::size_t number,
         Ledger& ledger)
      : client_({.balancer = options.balancer,
                 .timeout = std::chrono::milliseconds(
                     static_cast<std::int64_t>(options.timeout_s * 1000))}),
        paths_(paths),
        post_path_(options.post_path),
        tag_(options.tag),
        number_(number),
        random_(options.seed * 1'000'003 + number),
        ledger_(ledger) {}

  void get_next() {
    const std::string& path = next_path();
    const Reply reply = client_.get(target_of(path));
    Counts counts;
    counts.requests = 1;
    account(reply, counts);
    counts.slowest_ms = std::chrono::duration<double, std::milli>(reply.elapsed).count();
    if (!reply || reply.status != 200) {
      counts.failed = 1;
      ledger_.note_failure(path, reply);
    } else {
      examine(path, reply, counts);
    }
    ledger_.add(counts);
  }

  void post_next() {
    const std::string id = fmt::format("{}-{}", number_, ++posts_);
    const Reply reply = client_.post(post_path_ + "?id=" + id, id);
    Counts counts;
    counts.posts = 1;
    account(reply, counts);
    if (!reply || reply.status >= 400) {
      counts.posts_failed = 1;
      ledger_.note_failed_post(id);
    }
    ledger_.add(counts);
  }

  // Who answered last. From any thread.
  std::string server() {
    const std::lock_guard lock(server_mutex_);
    return server_;
  }

 private:
  struct Known {
    Print print;
    std::uint64_t move = 0;  // of which the item's first get has been counted
  };

  const std::string& next_path() {
    if (order_.empty()) {
      order_.resize(paths_.size());
      for (std::size_t i = 0; i < order_.size(); ++i) order_[i] = i;
      for (std::size_t i = order_.size(); i > 1; --i) {
        std::swap(order_[i - 1], order_[random_.below(i)]);
      }
    }
    const std::size_t next = order_.back();
    order_.pop_back();
    return paths_[next];
  }

  std::string target_of(const std::string& path) {
    if (tag_.empty() || !path.starts_with(tag_)) return path;
    return fmt::format("{}?call={}-{}", path, number_, ++calls_);
  }

  // What every reply is counted for, and whether the session has moved.
  void account(const Reply& reply, Counts& counts) {
    counts.bytes = reply.bytes_received;
    counts.retries = reply.attempts > 1 ? reply.attempts - 1 : 0;
    if (reply.server.empty()) return;
    const std::lock_guard lock(server_mutex_);
    if (!server_.empty() && server_ != reply.server) {
      ++move_;
      counts.moved = 1;
    }
    server_ = reply.server;
  }

  void examine(const std::string& path, const Reply& reply, Counts& counts) {
    const Print print{crc32_of(reply.body()), reply.body().size()};
    const bool by_mirror = reply.source == ReplySource::kByMirror;
    const bool by_validator = reply.source == ReplySource::kByValidator;
    counts.mirror = by_mirror;
    counts.validator = by_validator;
    counts.fetched = reply.source == ReplySource::kFetched;
    if (reply.source != ReplySource::kFetched) counts.saved = reply.body().size();
    counts.corrupt = !ledger_.learn(path, print);
    auto [known, fresh] = known_.try_emplace(path, Known{print, move_});
    if (!fresh && known->second.move != move_ && reply.announced && known->second.print == print) {
      counts.held = 1;
      counts.held_mirror = by_mirror;
      counts.held_validator = by_validator;
      counts.held_refetched = !by_mirror && !by_validator;
      counts.held_bytes = print.length;
      if (counts.held_refetched > 0) counts.held_refetched_bytes = print.length;
    }
    known->second = Known{print, move_};
  }

  Client client_;
  const std::vector<std::string>& paths_;
  const std::string post_path_;
  const std::string tag_;
  const std::size_t number_;
  Random random_;
  Ledger& ledger_;
  std::vector<std::size_t> order_;
  std::uint64_t posts_ = 0;
  std::uint64_t calls_ = 0;
  std::uint64_t move_ = 0;
  std::map<std::string, Known> known_;
  std::mutex server_mutex_;
  std::string server_;
};

// The threads, and how much each client has still to do.
class Swarm {
 public:
  Swarm(const SwarmOptions& options, const std::vector<std::string>& paths, Ledger& ledger)
      : random_(options.seed) {
    for (std::size_t i = 0; i < options.clients; ++i) {
      members_.emplace_back(options, paths, i, ledger);
    }
    work_.resize(options.clients);
    const std::size_t threads = options.threads == 0 ? options.clients : options.threads;
    for (std::size_t t = 0; t < threads; ++t) {
      threads_.emplace_back([this, t, threads] { serve(t, threads); });
    }
  }

  ~Swarm() {
    stop();
    for (std::thread& thread : threads_) thread.join();
  }

  void give(std::uint64_t gets, std::uint64_t posts) {
    const std::lock_guard lock(mutex_);
    const std::size_t count = work_.size();
    for (std::size_t i = 0; i < count; ++i) {
      work_[i].gets += gets / count + (i < gets % count ? 1 : 0);
      work_[i].posts += posts / count + (i < posts % count ? 1 : 0);
    }
    changed_.notify_all();
  }

  // Until all that was given is done, or the time is over, or it is paused and nothing is in
  // flight.
  bool wait_idle(std::optional<Clock::duration> time = {}) {
    std::unique_lock lock(mutex_);
    const auto idle = [this] {
      if (in_flight_ > 0) return false;
      return paused_ || std::all_of(work_.begin(), work_.end(),
                                    [](const Work& work) { return work.gets + work.posts == 0; });
    };
    if (time) return changed_.wait_for(lock, *time, idle);
    changed_.wait(lock, idle);
    return true;
  }

  void pause(bool paused) {
    const std::lock_guard lock(mutex_);
    paused_ = paused;
    changed_.notify_all();
  }
  bool paused() {
    const std::lock_guard lock(mutex_);
    return paused_;
  }
  void stop() {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }

  std::string which() {
    std::map<std::string, int> servers;
    for (Member& member : members_) ++servers[member.server()];
    std::vector<std::string> parts;
    for (const auto& [name, count] : servers) {
      if (!name.empty()) parts.push_back(fmt::format("{}:{}", json_text(name), count));
    }
    return fmt::format("\"servers\":{{{}}}", fmt::join(parts, ","));
  }

 private:
  struct Work {
    std::uint64_t gets = 0;
    std::uint64_t posts = 0;
  };

  // One thread: its clients take turns.
  void serve(std::size_t first, std::size_t step) {
    std::size_t turn = first;
    std::unique_lock lock(mutex_);
    for (;;) {
      std::optional<std::size_t> chosen;
      changed_.wait(lock, [&] {
        if (stopping_) return true;
        chosen = paused_ ? std::nullopt : next_with_work(turn, first, step);
        return chosen.has_value();
      });
      if (stopping_) return;
      Work& work = work_[*chosen];
      // POSTs are spread among the gets that are left.
      const bool post = random_.below(work.gets + work.posts) < work.posts;
      --(post ? work.posts : work.gets);
      ++in_flight_;
      lock.unlock();
      post ? members_[*chosen].post_next() : members_[*chosen].get_next();
      lock.lock();
      --in_flight_;
      if (in_flight_ == 0) changed_.notify_all();
      turn = *chosen + step;
    }
  }

  std::optional<std::size_t> next_with_work(std::size_t turn, std::size_t first,
                                            std::size_t step) const {
    const std::size_t own = work_.size() > first ? (work_.size() - first + step - 1) / step : 0;
    for (std::size_t i = 0; i < own; ++i, turn += step) {
      if (turn >= work_.size()) turn = first;
      if (work_[turn].gets + work_[turn].posts > 0) return turn;
    }
    return std::nullopt;
  }

  std::deque<Member> members_;
  std::mutex mutex_;
  Random random_;
  std::condition_variable changed_;
  std::vector<Work> work_;
  std::size_t in_flight_ = 0;
  bool paused_ = false;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

// A line of progress now and then while waiting for the work to be done.
void wait_with_progress(Swarm& swarm, Ledger& ledger, double progress_s) {
  if (progress_s <= 0) {
    swarm.wait_idle();
    return;
  }
  const auto step =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(progress_s));
  while (!swarm.wait_idle(step)) ledger.print("progress");
}

// Waits in the background, so that commands are heard meanwhile.
class Waiter {
 public:
  Waiter(Swarm& swarm, Ledger& ledger, double progress_s)
      : swarm_(swarm), ledger_(ledger), progress_s_(progress_s) {}
  ~Waiter() { join(); }
  void start() {
    join();
    thread_ = std::thread([this] {
      wait_with_progress(swarm_, ledger_, progress_s_);
      if (!swarm_.paused()) ledger_.print("ran");
    });
  }
  void join() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  Swarm& swarm_;
  Ledger& ledger_;
  double progress_s_;
  std::thread thread_;
};

void obey(Swarm& swarm, Ledger& ledger, double progress_s) {
  Waiter waiter(swarm, ledger, progress_s);
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    std::string command;
    std::uint64_t count = 0, posts = 0;
    words >> command >> count >> posts;
    if (command == "run" || command == "post") {
      const bool post = command == "post";
      waiter.join();
      swarm.give(post ? 0 : count, post ? count : posts);
      waiter.start();
    } else if (command == "pause") {
      swarm.pause(true);
      waiter.join();
      swarm.wait_idle();
      ledger.print("paused");
    } else if (command == "resume") {
      swarm.pause(false);
      waiter.start();
    } else if (command == "counts") {
      ledger.print("counts");
    } else if (command == "which") {
      ledger.print("which", swarm.which());
    } else if (command == "quit") {
      break;
    } else if (!command.empty()) {
      fmt::print(stderr, "tandem-swarm: no such command: {}\n", command);
    }
  }
  swarm.pause(true);
  waiter.join();
  swarm.wait_idle();
}

std::vector<std::string> read_paths(const std::string& file_name) {
  std::ifstream file(file_name);
  std::vector<std::string> paths;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) paths.push_back(line);
  }
  return paths;
}

int run_swarm(const SwarmOptions& options) {
  const std::vector<std::string> paths = read_paths(options.paths_file);
  if (paths.empty() || options.clients == 0) {
    fmt::print(stderr, "tandem-swarm: no paths in {}, or no clients\n", options.paths_file);
    return 2;
  }
  Ledger ledger(options.changing);
  {
    Swarm swarm(options, paths, ledger);
    ledger.print("ready");
    if (options.interactive) {
      obey(swarm, ledger, options.progress_s);
    } else {
      const std::uint64_t gets =
          options.requests > 0 ? options.requests : options.rounds * options.clients * paths.size();
      swarm.give(gets, options.posts);
      wait_with_progress(swarm, ledger, options.progress_s);
    }
  }
  ledger.print_done();
  return ledger.clean() ? 0 : 1;
}

}  // namespace
}  // namespace tandem

int main(int argc, char** argv) {
  tandem::SwarmOptions options;
  CLI::App app("Many clients of libtandem at once", "tandem-swarm");
  app.add_option("--balancer", options.balancer)->required();
  app.add_option("--paths", options.paths_file)->required()->check(CLI::ExistingFile);
  app.add_option("--clients", options.clients);
  app.add_option("--threads", options.threads);
  app.add_option("--rounds", options.rounds);
  app.add_option("--requests", options.requests);
  app.add_option("--posts", options.posts);
  app.add_option("--post-path", options.post_path);
  app.add_option("--timeout", options.timeout_s);
  app.add_option("--progress", options.progress_s);
  app.add_option("--seed", options.seed);
  app.add_flag("--interactive", options.interactive);
  app.add_flag("--changing", options.changing);
  app.add_option("--tag", options.tag);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return tandem::run_swarm(options);
}
