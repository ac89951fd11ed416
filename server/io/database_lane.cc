#include "server/io/database_lane.h"

#include <mutex>
#include <utility>

#include "common/base/log.h"
#include "common/net/clock.h"

namespace tandem::server {

// What the thread has.
struct DatabaseLane::Keeper {
  Keeper(ItemTable open, const Options& how)
      : table(std::move(open)), path(how.path), table_options(how.table), retry(how.retry) {
    table_options.create = false;
  }

  std::optional<ItemTable> table;
  const std::string path;
  ItemTable::Options table_options;
  const Duration retry;
  Instant retry_at{};
  Error last_failure;

  Result<void> provide();
  std::pair<End, Result<DatabaseReply>> perform(const Work& work, Instant until);
};

// Work that the thread has not begun yet.
struct DatabaseLane::Cell {
  explicit Cell(Work of) : work(std::move(of)) {}
  Work take() {
    const std::lock_guard lock(mutex);
    return std::exchange(work, nullptr);
  }

  std::mutex mutex;
  Work work;
};

// The table, opened again if its file was replaced.
Result<void> DatabaseLane::Keeper::provide() {
  if (table) {
    if (auto there = table->check(); there) return {};
    table.reset();
  }
  auto opened = ItemTable::open(path, table_options);
  if (!opened) return fail(std::move(opened.error()));
  table.emplace(std::move(*opened));
  return {};
}

std::pair<DatabaseLane::End, Result<DatabaseReply>> DatabaseLane::Keeper::perform(const Work& work,
                                                                                  Instant until) {
  const Instant now = monotonic_now();
  if (now >= until) return {End::kLate, fail(Error::system("it waited for too long"))};
  if (now < retry_at) return {End::kFailed, fail(last_failure)};
  const auto failed = [this](Error error) -> std::pair<End, Result<DatabaseReply>> {
    if (error.retry == Retry::kNo) table.reset();  // whatever it is: look at the file anew
    retry_at = monotonic_now() + retry;
    last_failure = error;
    return {End::kFailed, fail(std::move(error))};
  };
  if (auto there = provide(); !there) return failed(std::move(there.error()));
  auto reply = work(*table);
  if (!reply) return failed(std::move(reply.error()));
  return {End::kDone, std::move(reply)};
}

DatabaseLane::DatabaseLane(EventLoop& loop, ItemTable table, Options options)
    : DatabaseLane(loop, std::make_shared<Keeper>(std::move(table), options), options) {}

DatabaseLane::DatabaseLane(EventLoop& loop, std::shared_ptr<Keeper> keeper, const Options& options)
    : loop_(loop),
      options_(options),
      keeper_(keeper.get()),
      timer_(loop, [this] { on_timer(); }),
      alive_(std::make_shared<bool>(true)),
      thread_(loop, std::move(keeper), options.farewell) {
  thread_.start();
}

DatabaseLane::~DatabaseLane() { *alive_ = false; }

void DatabaseLane::ask(Work work, Done done, std::size_t bytes) {
  ++counts_.asked;
  const bool too_large = waiting_bytes_ > 0 && waiting_bytes_ + bytes > options_.queue_bytes_max;
  if (waiting_.size() >= options_.queue_max || (bytes > 0 && too_large)) {
    ++counts_.refused;
    return refuse(std::move(done), "too many requests wait for the database");
  }
  const std::uint64_t number = ++last_number_;
  const Instant until = loop_.now() + options_.patience;
  const auto cell = std::make_shared<Cell>(std::move(work));
  waiting_[number] = {until, std::move(done), bytes, cell};
  waiting_bytes_ += bytes;
  if (!timer_.armed()) timer_.set(until);
  thread_.ask([this, keeper = keeper_, number, until, cell]() -> SideThread::Reply {
    const Work taken = cell->take();
    auto [end, answer] = keeper->perform(taken, taken == nullptr ? Instant{} : until);
    return [this, number, end = end, answer = std::move(answer)]() mutable {
      on_answer(number, end, std::move(answer));
    };
  });
}

void DatabaseLane::refuse(Done done, std::string why) {
  loop_.defer([alive = alive_, done = std::move(done), why = std::move(why)] {
    if (*alive) done(fail(Error::system(why)));
  });
}

void DatabaseLane::on_answer(std::uint64_t number, End end, Result<DatabaseReply> answer) {
  note(end, answer);
  const auto at = waiting_.find(number);
  const Done done = std::move(at->second.done);
  waiting_bytes_ -= at->second.bytes;
  waiting_.erase(at);
  if (done == nullptr) {
    if (answer && on_late_) on_late_();
    return;
  }
  if (end == End::kLate) ++counts_.late;
  done(std::move(answer));
}

// The database hangs: nobody waits for ever.
void DatabaseLane::on_timer() {
  const Instant now = loop_.now();
  auto at = waiting_.lower_bound(in_time_);
  for (; at != waiting_.end() && at->second.until <= now; ++at) {
    in_time_ = at->first + 1;
    const Done done = std::exchange(at->second.done, nullptr);
    // Begun work keeps its bytes, and they count until it is done.
    if (at->second.cell->take() != nullptr) {
      waiting_bytes_ -= std::exchange(at->second.bytes, 0);
    }
    ++counts_.late;
    const Result<DatabaseReply> answer = fail(Error::system("it did not answer in time"));
    note(End::kFailed, answer);
    refuse(done, answer.error().message);
  }
  timer_.set(at == waiting_.end() ? kNever : at->second.until);
}

// In the log: that it is away, why, and that it is back.
void DatabaseLane::note(End end, const Result<DatabaseReply>& answer) {
  if (end == End::kFailed) {
    ++counts_.failures;
    if (std::exchange(away_, true)) return;
    away_since_ = loop_.now();
    log::error("the database is unavailable for {}: {}", options_.purpose, answer.error().message);
  } else if (end == End::kDone && std::exchange(away_, false)) {
    log::info("the database is available for {} again, after {} ms", options_.purpose,
              (loop_.now() - away_since_) / 1ms);
  }
}

DatabaseLane::Counts DatabaseLane::counts() const {
  Counts counts = counts_;
  counts.waiting = waiting_.size();
  counts.waiting_bytes = waiting_bytes_;
  if (away_) counts.unavailable = loop_.now() - away_since_;
  return counts;
}

}  // namespace tandem::server
