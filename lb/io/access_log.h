// The access log: one line a request, as text or JSON. Lines are formatted into a buffer of the
// worker's own, without allocation; full buffers and those of some age go to the one thread that
// writes. If it falls behind, lines are dropped and counted, and requests never wait.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/config/sections.h"

namespace tandem {

struct AccessLine {
  UnixSeconds wall = 0;
  std::string_view client;
  std::string_view method;
  std::string_view target;
  int status = 0;           // 0: the client left before there was one
  std::uint64_t bytes = 0;  // sent to the client, head included
  Duration duration{};
  std::string_view server;  // empty: none
  bool takeover = false;
  unsigned retries = 0;
  unsigned referrals = 0;
  unsigned sendings = 0;  // the request was handed to a server's connection so often
};

// Formats a line, its end included, into `out` of at least kAccessLineBytesMax; returns its size.
// Long targets are cut.
std::size_t format_access_line(const AccessLine& line, LogFormat format, char* out);
inline constexpr std::size_t kAccessLineBytesMax = 8 * 1024;

// The writer, shared by all workers.
class AccessLog {
 public:
  // `target`: "stdout" or a path, appended to. Opened at once.
  static Result<std::unique_ptr<AccessLog>> open(const std::string& target, LogFormat format);
  ~AccessLog();  // writes what it has been given
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  LogFormat format() const { return format_; }
  // From any thread. Takes the batch's bytes and leaves an empty string with capacity; false (and
  // the batch as it was) if kBatchesMax wait already.
  bool hand_over(std::string& batch);
  // Lines that could not be written: a full disk, a broken pipe. From any thread.
  std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }
  // After a rename of the file (log rotation): opens the path again. From any thread.
  void reopen();

  static constexpr std::size_t kBatchBytes = 64 * 1024;
  static constexpr std::size_t kBatchesMax = 64;

 private:
  AccessLog(int fd, std::string path, LogFormat format);
  void run();
  void write_all(const std::string& batch);

  int fd_;
  const std::string path_;  // empty: standard output
  const LogFormat format_;
  std::atomic<std::uint64_t> lost_{0};
  std::mutex mutex_;  // guards the rest
  std::condition_variable wake_;
  std::vector<std::string> waiting_;
  std::vector<std::string> spare_;
  bool reopen_ = false;
  bool ending_ = false;
  std::thread thread_;
};

// One worker's end of it.
class AccessLogBuffer {
 public:
  explicit AccessLogBuffer(AccessLog* log) : log_(log) {}
  ~AccessLogBuffer() { flush(); }

  bool enabled() const { return log_ != nullptr; }
  void add(const AccessLine& line);
  // Hands over what there is; now and then, so that lines do not wait for a full buffer.
  void flush();
  std::uint64_t dropped() const { return dropped_; }

 private:
  AccessLog* log_;
  std::string buffer_;
  std::uint64_t lines_ = 0;  // in the buffer
  std::uint64_t dropped_ = 0;
};

}  // namespace tandem
