#include "lb/io/access_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <utility>

#include "common/base/log.h"

namespace tandem {

namespace {

constexpr std::size_t kTargetBytesMax = 2048;

class LineWriter {
 public:
  explicit LineWriter(char* out) : begin_(out), at_(out) {}
  void put(std::string_view text) {
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  void number(std::uint64_t n) { at_ = std::to_chars(at_, at_ + 20, n).ptr; }
  void two(int n) {
    *at_++ = static_cast<char>('0' + n / 10);
    *at_++ = static_cast<char>('0' + n % 10);
  }
  // 2026-11-21T12:00:00Z
  void time(UnixSeconds wall) {
    const auto seconds = static_cast<std::time_t>(wall);
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    number(static_cast<std::uint64_t>(utc.tm_year + 1900));
    put("-");
    two(utc.tm_mon + 1);
    put("-");
    two(utc.tm_mday);
    put("T");
    two(utc.tm_hour);
    put(":");
    two(utc.tm_min);
    put(":");
    two(utc.tm_sec);
    put("Z");
  }
  // Milliseconds with three decimals.
  void milliseconds(Duration duration) {
    const auto us = static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0) / 1000);
    number(us / 1000);
    put(".");
    *at_++ = static_cast<char>('0' + us / 100 % 10);
    *at_++ = static_cast<char>('0' + us / 10 % 10);
    *at_++ = static_cast<char>('0' + us % 10);
  }
  // What a client chose, so that it cannot end the line or the string.
  void foreign(std::string_view text) {
    constexpr char hex[] = "0123456789abcdef";
    for (char c : text.substr(0, kTargetBytesMax)) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < 0x20 || byte >= 0x7f || c == '"' || c == '\\') {
        put("\\u00");
        *at_++ = hex[byte >> 4];
        *at_++ = hex[byte & 15];
      } else {
        *at_++ = c;
      }
    }
  }
  std::size_t size() const { return static_cast<std::size_t>(at_ - begin_); }

 private:
  char* begin_;
  char* at_;
};
static_assert(kTargetBytesMax * 6 / 2 + 1024 < kAccessLineBytesMax);

void put_text(const AccessLine& line, LineWriter& out) {
  out.time(line.wall);
  out.put(" ");
  out.put(line.client);
  out.put(" \"");
  out.foreign(line.method.substr(0, 64));
  out.put(" ");
  out.foreign(line.target.substr(0, kTargetBytesMax / 2));
  out.put("\" ");
  out.number(static_cast<std::uint64_t>(line.status));
  out.put(" ");
  out.number(line.bytes);
  out.put(" ");
  out.milliseconds(line.duration);
  out.put("ms server=");
  out.put(line.server.empty() ? std::string_view("-") : line.server.substr(0, 256));
  out.put(line.takeover ? " takeover=1 retries=" : " takeover=0 retries=");
  out.number(line.retries);
  out.put(" referrals=");
  out.number(line.referrals);
  out.put(" sent=");
  out.number(line.sendings);
  out.put("\n");
}

void put_json(const AccessLine& line, LineWriter& out) {
  out.put("{\"time\":\"");
  out.time(line.wall);
  out.put("\",\"client\":\"");
  out.put(line.client);
  out.put("\",\"method\":\"");
  out.foreign(line.method.substr(0, 64));
  out.put("\",\"target\":\"");
  out.foreign(line.target.substr(0, kTargetBytesMax / 2));
  out.put("\",\"status\":");
  out.number(static_cast<std::uint64_t>(line.status));
  out.put(",\"bytes\":");
  out.number(line.bytes);
  out.put(",\"ms\":");
  out.milliseconds(line.duration);
  out.put(",\"server\":\"");
  out.foreign(line.server.substr(0, 256));
  out.put(line.takeover ? "\",\"takeover\":true,\"retries\":"
                        : "\",\"takeover\":false,\"retries\":");
  out.number(line.retries);
  out.put(",\"referrals\":");
  out.number(line.referrals);
  out.put(",\"sent\":");
  out.number(line.sendings);
  out.put("}\n");
}

}  // namespace

std::size_t format_access_line(const AccessLine& line, LogFormat format, char* out) {
  LineWriter writer(out);
  if (format == LogFormat::kJson) {
    put_json(line, writer);
  } else {
    put_text(line, writer);
  }
  return writer.size();
}

// --- the writer ---------------------------------------------------------------------------------

namespace {

constexpr int kOpenFlags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;

}  // namespace

Result<std::unique_ptr<AccessLog>> AccessLog::open(const std::string& target, LogFormat format) {
  if (target == "stdout") {
    return std::unique_ptr<AccessLog>(new AccessLog(STDOUT_FILENO, "", format));
  }
  const int fd = ::open(target.c_str(), kOpenFlags, 0640);
  if (fd < 0) {
    return fail(Error::conf("cannot open the access log " + target + ": " + std::strerror(errno)));
  }
  return std::unique_ptr<AccessLog>(new AccessLog(fd, target, format));
}

AccessLog::AccessLog(int fd, std::string path, LogFormat format)
    : fd_(fd), path_(std::move(path)), format_(format), thread_([this] { run(); }) {}

AccessLog::~AccessLog() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
  if (!path_.empty()) ::close(fd_);
}

bool AccessLog::hand_over(std::string& batch) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= kBatchesMax) return false;
    waiting_.push_back(std::move(batch));
    batch.clear();
    if (!spare_.empty()) {
      batch = std::move(spare_.back());
      spare_.pop_back();
    }
  }
  wake_.notify_one();
  return true;
}

void AccessLog::reopen() {
  {
    const std::lock_guard lock(mutex_);
    reopen_ = true;
  }
  wake_.notify_one();
}

void AccessLog::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return ending_ || reopen_ || !waiting_.empty(); });
    std::vector<std::string> batches;
    batches.swap(waiting_);
    const bool again = std::exchange(reopen_, false);
    const bool ending = ending_;
    lock.unlock();
    for (const std::string& batch : batches) write_all(batch);
    if (again && !path_.empty()) {
      if (const int fd = ::open(path_.c_str(), kOpenFlags, 0640); fd >= 0) {
        ::close(fd_);
        fd_ = fd;
      }
    }
    lock.lock();
    for (std::string& batch : batches) {
      if (spare_.size() >= kBatchesMax) break;
      batch.clear();
      spare_.push_back(std::move(batch));
    }
    if (ending && waiting_.empty()) return;
  }
}

void AccessLog::write_all(const std::string& batch) {
  std::string_view left = batch;
  while (!left.empty()) {
    const ssize_t n = ::write(fd_, left.data(), left.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {  // a full disk: the lines are lost, requests go on
      const auto lines = std::count(left.begin(), left.end(), '\n');
      lost_.fetch_add(static_cast<std::uint64_t>(lines), std::memory_order_relaxed);
      TANDEM_WARN_LIMITED("cannot write the access log: {}", std::strerror(errno));
      return;
    }
    left.remove_prefix(static_cast<std::size_t>(n));
  }
}

// --- a worker's end -----------------------------------------------------------------------------

void AccessLogBuffer::add(const AccessLine& line) {
  if (buffer_.size() + kAccessLineBytesMax > AccessLog::kBatchBytes) flush();
  char text[kAccessLineBytesMax];
  buffer_.append(text, format_access_line(line, log_->format(), text));
  ++lines_;
}

void AccessLogBuffer::flush() {
  if (buffer_.empty()) return;
  if (!log_->hand_over(buffer_)) {
    dropped_ += lines_;
    buffer_.clear();
  }
  buffer_.reserve(AccessLog::kBatchBytes);
  lines_ = 0;
}

}  // namespace tandem
