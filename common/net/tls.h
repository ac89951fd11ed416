// TLS contexts: what a listener or a client speaks TLS with. OpenSSL stays inside tls*.cc.
//
// A context is immutable once made; loops on several threads may share it. It must outlive the
// streams that use it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"

struct ssl_ctx_st;

namespace tandem {

struct TlsServerOptions {
  // PEM files, each a certificate with its chain and its private key. The first is the default; the
  // others are chosen by the name that the client asks for (SNI), exact names before wildcards.
  std::vector<std::string> certificate_files;
  bool tls12 = true;  // else TLS 1.3 alone
};

struct TlsClientOptions {
  bool verify = true;
  std::string ca_file{};  // empty: the system's
};

struct TlsPsk {
  std::string identity;  // public: names the key
  std::string key;       // 32 bytes
};

class TlsContext {
 public:
  static Result<std::shared_ptr<const TlsContext>> server(const TlsServerOptions& options);
  static Result<std::shared_ptr<const TlsContext>> client(const TlsClientOptions& options);
  // TLS 1.3 with an external pre-shared key and nothing else: both ends prove that they know the
  // key, and no certificate is involved. A server takes any of its keys, a client uses one.
  static std::shared_ptr<const TlsContext> psk_server(std::vector<TlsPsk> keys);
  static std::shared_ptr<const TlsContext> psk_client(TlsPsk key);
  ~TlsContext();

  bool is_server() const { return server_; }
  bool verifies() const { return verify_; }
  ssl_ctx_st* native() const { return native_; }

 private:
  struct Details;
  TlsContext(ssl_ctx_st* native, bool server);
  ssl_ctx_st* native_;
  bool server_;
  bool verify_ = false;
  std::unique_ptr<Details> details_;
};

}  // namespace tandem
