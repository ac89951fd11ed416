#include "client/io/failover_book.h"

#include <map>

namespace tandem {

std::shared_ptr<FailoverBook> FailoverBook::of(const std::string& balancer,
                                               const FailoverModes::Options& options) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<FailoverBook>> books;
  const std::lock_guard lock(mutex);
  std::erase_if(books, [](const auto& entry) { return entry.second.expired(); });
  auto& known = books[balancer];
  auto book = known.lock();
  if (book == nullptr) known = book = std::make_shared<FailoverBook>(options);
  return book;
}

bool FailoverBook::avoids(std::string_view server) const {
  if (!trouble_.load(std::memory_order_relaxed)) return false;
  const std::lock_guard lock(mutex_);
  return modes_.avoids(server);
}

FailoverModes::Notice FailoverBook::on_failure(std::string_view server, Instant now) {
  const std::lock_guard lock(mutex_);
  trouble_.store(true, std::memory_order_relaxed);
  return modes_.on_failure(server, now);
}

FailoverModes::Notice FailoverBook::on_answer(std::string_view server) {
  if (!trouble_.load(std::memory_order_relaxed)) return FailoverModes::Notice::kNone;
  const std::lock_guard lock(mutex_);
  const auto notice = modes_.on_answer(server);
  trouble_.store(modes_.known() > 0, std::memory_order_relaxed);
  return notice;
}

std::optional<std::string> FailoverBook::take_probe(Instant now) {
  const std::lock_guard lock(mutex_);
  return modes_.take_probe(now);
}

void FailoverBook::put_back(std::string_view server, Instant now) {
  const std::lock_guard lock(mutex_);
  modes_.put_back(server, now);
}

void FailoverBook::forget_unless(const std::function<bool(std::string_view)>& exists) {
  if (!trouble_.load(std::memory_order_relaxed)) return;
  const std::lock_guard lock(mutex_);
  modes_.forget_unless(exists);
  trouble_.store(modes_.known() > 0, std::memory_order_relaxed);
}

Instant FailoverBook::next_deadline() const {
  if (!trouble_.load(std::memory_order_relaxed)) return kNever;
  const std::lock_guard lock(mutex_);
  return modes_.next_deadline();
}

std::uint64_t FailoverBook::entered() const {
  const std::lock_guard lock(mutex_);
  return modes_.entered();
}

std::uint64_t FailoverBook::left() const {
  const std::lock_guard lock(mutex_);
  return modes_.left();
}

}  // namespace tandem
