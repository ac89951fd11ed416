#include "common/net/tls_session.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>

#include "common/base/error.h"

namespace tandem {
namespace {

int bio_read(BIO* bio, char* into, int size) {
  BIO_clear_retry_flags(bio);
  const int n = static_cast<TlsSession*>(BIO_get_data(bio))->bio_read(into, size);
  if (n == -1) BIO_set_retry_read(bio);
  return n;
}

int bio_write(BIO* bio, const char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  return static_cast<TlsSession*>(BIO_get_data(bio))->bio_write(bytes, size);
}

long bio_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return static_cast<TlsSession*>(BIO_get_data(bio))->bio_end();
  return 0;
}

// OpenSSL answers key updates within a read, as many as there are.
void on_message(int write, int, int type, const void* bytes, std::size_t size, SSL*,
                void* session) {
  if (write != 0 || type != SSL3_RT_HANDSHAKE || size == 0) return;
  if (*static_cast<const unsigned char*>(bytes) != SSL3_MT_KEY_UPDATE) return;
  static_cast<TlsSession*>(session)->on_key_update();
}

const BIO_METHOD* stream_bio() {
  static const BIO_METHOD* method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "tandem stream");
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_ctrl(made, bio_control);
    return made;
  }();
  return method;
}

// One buffer a thread serves all streams, so that a stream owns one only while its socket is full.
std::string& spare_buffer() {
  static thread_local std::string spare;
  return spare;
}

}  // namespace

TlsSession::TlsSession(Stream& stream, const TlsContext& context, const std::string& server_name)
    : stream_(stream), ssl_(SSL_new(context.native())) {
  TANDEM_CHECK(ssl_ != nullptr);
  BIO* bio = BIO_new(stream_bio());
  TANDEM_CHECK(bio != nullptr);
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_msg_callback(ssl_, on_message);
  SSL_set_msg_callback_arg(ssl_, this);
  if (context.is_server()) {
    SSL_set_accept_state(ssl_);
    return;
  }
  SSL_set_connect_state(ssl_);
  if (server_name.empty()) return;
  const auto numeric = SocketAddress::numeric(Address{server_name, 0});
  if (!numeric) SSL_set_tlsext_host_name(ssl_, server_name.c_str());
  if (!context.verifies()) return;
  if (numeric) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), server_name.c_str());
  } else {
    SSL_set1_host(ssl_, server_name.c_str());
  }
}

TlsSession::~TlsSession() { SSL_free(ssl_); }

// -1: would block. 0: the end. -2: an error that the stream remembers.
int TlsSession::bio_read(char* into, int size) {
  if (key_updates_ > kKeyUpdatesMax) return -2;
  if (!stream_.may_read_) return -1;
  const IoResult got = stream_.raw_read({into, static_cast<std::size_t>(size)});
  if (got.ok()) return static_cast<int>(got.bytes);
  if (got.would_block()) return -1;
  end_ = true;
  return 0;
}

void TlsSession::on_key_update() { ++key_updates_; }

int TlsSession::bio_write(const char* bytes, int size) {
  out_.append(bytes, static_cast<std::size_t>(size));
  return size;
}

bool TlsSession::has_pending() const {
  return handshaken_ && SSL_has_pending(ssl_) != 0 && !blocked_;
}

std::string_view TlsSession::version() const { return SSL_get_version(ssl_); }

void TlsSession::on_ready() {
  blocked_ = false;
  if (!handshaken_) {
    advance();
  } else {
    flush();
  }
}

bool TlsSession::advance() {
  if (handshaken_) return true;
  if (stream_.failed()) return false;
  ERR_clear_error();
  const int status = SSL_do_handshake(ssl_);
  if (status == 1) {
    handshaken_ = true;
  } else if (SSL_get_error(ssl_, status) != SSL_ERROR_WANT_READ) {
    fail("handshake failed");
  }
  flush();  // an alert, too
  return handshaken_;
}

bool TlsSession::flush() {
  if (!stream_.connected()) return out_.empty();
  while (sent_ < out_.size() && stream_.may_write_) {
    const iovec rest{out_.data() + sent_, out_.size() - sent_};
    const IoResult put = stream_.raw_writev({&rest, 1});
    if (!put.ok()) break;
    sent_ += put.bytes;
  }
  if (sent_ < out_.size()) return false;
  sent_ = 0;
  out_.clear();
  if (out_.capacity() > spare_buffer().capacity()) spare_buffer().swap(out_);
  out_ = std::string();
  return true;
}

IoResult TlsSession::fail(const char* what) {
  if (stream_.errno_ != 0) return {IoResult::Kind::kError, 0};  // the socket's error says more
  const unsigned long code = ERR_get_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  stream_.tls_error_ = what;
  const long verify = SSL_get_verify_result(ssl_);
  if (verify != X509_V_OK) {
    stream_.tls_error_ += std::string(": ") + X509_verify_cert_error_string(verify);
  } else if (reason != nullptr) {
    stream_.tls_error_ += std::string(": ") + reason;
  } else if (end_) {
    stream_.tls_error_ += ": the connection has ended";
  }
  ERR_clear_error();
  return {IoResult::Kind::kError, 0};
}

// Reads records until the buffer is full or there is none: one call of the user's, as few of ours.
IoResult TlsSession::read(std::span<char> into) {
  if (!advance()) {
    return {stream_.failed() ? IoResult::Kind::kError : IoResult::Kind::kWouldBlock, 0};
  }
  std::size_t total = 0;
  while (total < into.size()) {
    ERR_clear_error();
    std::size_t n = 0;
    if (SSL_read_ex(ssl_, into.data() + total, into.size() - total, &n) == 1) {
      total += n;
      key_updates_ = 0;
      continue;
    }
    const int error = SSL_get_error(ssl_, 0);
    if (error == SSL_ERROR_WANT_READ) blocked_ = true;  // what is pending is part of a record
    if (error == SSL_ERROR_WANT_READ) break;
    if (total > 0) {
      stream_.may_read_ = true;  // the end or the error, which the next read tells
      break;
    }
    // Without close_notify the end may be an attacker's cut, but half the world ends TLS like that,
    // and nearly all that is sent tells its length. What does not asks Stream::cut().
    if (error == SSL_ERROR_ZERO_RETURN || (end_ && stream_.errno_ == 0)) {
      cut_ = error != SSL_ERROR_ZERO_RETURN;
      ERR_clear_error();
      return {IoResult::Kind::kEnd, 0};
    }
    return fail(key_updates_ > kKeyUpdatesMax ? "too many key updates" : "read failed");
  }
  if (!out_.empty()) flush();  // answers to key updates
  if (total == 0) return {IoResult::Kind::kWouldBlock, 0};
  return {IoResult::Kind::kOk, total};
}

IoResult TlsSession::writev(std::span<const iovec> parts) {
  if (!advance()) {
    return {stream_.failed() ? IoResult::Kind::kError : IoResult::Kind::kWouldBlock, 0};
  }
  if (!flush()) {
    return {stream_.write_failed() ? IoResult::Kind::kError : IoResult::Kind::kWouldBlock, 0};
  }
  // Small parts (a head and its body) share a record; large ones are sealed a batch at a time,
  // until the socket is full: taking less than given means, as for plain streams, that it would
  // block.
  static thread_local std::string plain;
  const std::uint64_t sent_before = stream_.bytes_sent();
  std::size_t total = 0, part = 0, offset = 0;
  do {
    plain.clear();
    for (; part < parts.size() && plain.size() < kBatchBytes; offset = 0, ++part) {
      const auto* bytes = static_cast<const char*>(parts[part].iov_base) + offset;
      const std::size_t n = std::min(parts[part].iov_len - offset, kBatchBytes - plain.size());
      plain.append(bytes, n);
      if (offset + n < parts[part].iov_len) {
        offset += n;
        break;
      }
    }
    if (plain.empty()) break;
    out_.swap(spare_buffer());
    out_.clear();
    ERR_clear_error();
    std::size_t n = 0;
    if (SSL_write_ex(ssl_, plain.data(), plain.size(), &n) != 1) return fail("write failed");
    total += n;
  } while (flush());
  // Where some of it has left it may be acted on, and must not be taken for unsent: the next write
  // tells the error.
  if (stream_.write_failed() && stream_.bytes_sent() == sent_before) {
    return {IoResult::Kind::kError, 0};
  }
  return {IoResult::Kind::kOk, total};
}

void TlsSession::shutdown_write() {
  if (handshaken_ && !stream_.write_failed()) {
    ERR_clear_error();
    SSL_shutdown(ssl_);
    flush();
    ERR_clear_error();
  } else {
    ::shutdown(stream_.fd(), SHUT_WR);
  }
}

}  // namespace tandem
