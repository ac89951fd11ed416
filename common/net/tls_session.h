// The TLS half of a Stream. Private to common/net.
//
// OpenSSL reads and writes through a BIO of ours: reads obey the stream's knowledge of what the
// socket has (no system call to learn that it is empty), writes go to a buffer that never blocks
// and that is sent in as few calls as possible.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "common/net/stream.h"
#include "common/net/tls.h"

struct ssl_st;

namespace tandem {

class TlsSession {
 public:
  TlsSession(Stream& stream, const TlsContext& context, const std::string& server_name);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  void on_ready();  // the socket may be ready: goes on with the handshake, sends what waits
  IoResult read(std::span<char> into);
  IoResult writev(std::span<const iovec> parts);
  void shutdown_write();
  bool handshaken() const { return handshaken_; }
  bool has_pending() const;
  bool has_unsent() const { return !out_.empty(); }
  bool cut() const { return cut_; }  // the end came without the peer's close_notify
  std::string_view version() const;

  // For the BIO.
  int bio_read(char* into, int size);
  int bio_write(const char* bytes, int size);
  bool bio_end() const { return end_; }
  void on_key_update();

  static constexpr std::size_t kBatchBytes = 64 * 1024;  // plain bytes sealed before one send
  // Each costs us work and an answer. A peer has reason for one in 2^24 records.
  static constexpr int kKeyUpdatesMax = 32;  // in a row, with no data between them

 private:
  bool advance();  // the handshake; true when done
  bool flush();    // true if nothing waits any more
  IoResult fail(const char* what);

  Stream& stream_;
  ssl_st* ssl_ = nullptr;
  bool handshaken_ = false;
  bool end_ = false;  // the peer has ended the TCP side
  bool cut_ = false;
  bool blocked_ = false;
  int key_updates_ = 0;  // since the last data
  std::string out_;      // sealed bytes that the socket has not taken yet
  std::size_t sent_ = 0;
};

}  // namespace tandem
