#include "common/net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "common/base/error.h"

namespace tandem {
namespace {

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using ContextPtr = std::unique_ptr<SSL_CTX, FreeContext>;

std::string last_reason() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return reason == nullptr ? "unknown error" : reason;
}

ContextPtr make_context(bool server, int version_min) {
  ContextPtr context(SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()));
  TANDEM_CHECK(context != nullptr);
  SSL_CTX_set_min_proto_version(context.get(), version_min);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // Idle connections give their buffers back; one recv may fetch more than a record.
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context.get(), 1);
  return context;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return result;
}

// The DNS names that a certificate is for; the common name only where there is no alternative name
// (RFC 9525).
std::vector<std::string> names_of(X509* certificate) {
  std::vector<std::string> names;
  auto* alternatives = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(alternatives); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(alternatives, i);
    if (name->type != GEN_DNS) continue;
    names.push_back(lower({reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                           static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName))}));
  }
  const bool has_alternatives = alternatives != nullptr;
  GENERAL_NAMES_free(alternatives);
  char common[256];
  if (!has_alternatives && X509_NAME_get_text_by_NID(X509_get_subject_name(certificate),
                                                     NID_commonName, common, sizeof common) > 0) {
    names.push_back(lower(common));
  }
  return names;
}

Result<ContextPtr> load_certificate(const std::string& file, bool tls12) {
  ERR_clear_error();
  ContextPtr context = make_context(true, tls12 ? TLS1_2_VERSION : TLS1_3_VERSION);
  if (SSL_CTX_use_certificate_chain_file(context.get(), file.c_str()) != 1) {
    return fail(Error::conf("cannot use the certificate in " + file + ": " + last_reason()));
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), file.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context.get()) != 1) {
    return fail(Error::conf("cannot use the private key in " + file + ": " + last_reason()));
  }
  // Resumption by tickets; the id only has to be the same for all contexts of this listener.
  static constexpr unsigned char kSessionContext[] = "tandem";
  SSL_CTX_set_session_id_context(context.get(), kSessionContext, sizeof kSessionContext - 1);
  return context;
}

int index_of_details() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

}  // namespace

struct TlsContext::Details {
  // The certificates beside the default one, and by which names they are chosen. "*.example.org" is
  // kept as ".example.org".
  std::vector<ContextPtr> contexts;
  std::unordered_map<std::string, SSL_CTX*> exact;
  std::unordered_map<std::string, SSL_CTX*> wildcard;
  std::vector<TlsPsk> psks;

  void add_names(SSL_CTX* context) {
    for (const std::string& name : names_of(SSL_CTX_get0_certificate(context))) {
      if (name.starts_with("*.")) {
        wildcard.emplace(name.substr(1), context);
      } else {
        exact.emplace(name, context);
      }
    }
  }

  SSL_CTX* choose(const std::string& name) const {
    if (const auto at = exact.find(name); at != exact.end()) return at->second;
    const auto dot = name.find('.');  // a wildcard stands for one label
    if (dot == std::string::npos) return nullptr;
    const auto at = wildcard.find(name.substr(dot));
    return at == wildcard.end() ? nullptr : at->second;
  }

  static const Details& of(SSL* ssl) {
    return *static_cast<const Details*>(
        SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), index_of_details()));
  }

  static int on_server_name(SSL* ssl, int*, void* argument) {
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
    if (SSL_CTX* chosen = static_cast<Details*>(argument)->choose(lower(name))) {
      SSL_set_SSL_CTX(ssl, chosen);
    }
    return SSL_TLSEXT_ERR_OK;
  }

  // TLS 1.3 takes an external key as a session that never was (RFC 8446, 2.2).
  static SSL_SESSION* psk_session(SSL* ssl, const TlsPsk& psk) {
    static constexpr unsigned char kAes128GcmSha256[] = {0x13, 0x01};
    const SSL_CIPHER* cipher = SSL_CIPHER_find(ssl, kAes128GcmSha256);
    SSL_SESSION* session = SSL_SESSION_new();
    TANDEM_CHECK(cipher != nullptr && session != nullptr);
    SSL_SESSION_set1_master_key(session, reinterpret_cast<const unsigned char*>(psk.key.data()),
                                psk.key.size());
    SSL_SESSION_set_cipher(session, cipher);
    SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION);
    return session;
  }

  static int on_find_psk(SSL* ssl, const unsigned char* identity, std::size_t size,
                         SSL_SESSION** session) {
    const Details& self = of(ssl);
    const std::string_view asked(reinterpret_cast<const char*>(identity), size);
    const auto known = std::find_if(self.psks.begin(), self.psks.end(),
                                    [&](const TlsPsk& psk) { return psk.identity == asked; });
    *session = known == self.psks.end() ? nullptr : psk_session(ssl, *known);
    return 1;  // none: the handshake goes on, and fails for want of a certificate
  }

  static int on_use_psk(SSL* ssl, const EVP_MD*, const unsigned char** identity, std::size_t* size,
                        SSL_SESSION** session) {
    const TlsPsk& psk = of(ssl).psks.front();
    *identity = reinterpret_cast<const unsigned char*>(psk.identity.data());
    *size = psk.identity.size();
    *session = psk_session(ssl, psk);
    return 1;
  }
};

TlsContext::TlsContext(ssl_ctx_st* native, bool server)
    : native_(native), server_(server), details_(std::make_unique<Details>()) {
  SSL_CTX_set_ex_data(native_, index_of_details(), details_.get());
}

TlsContext::~TlsContext() { SSL_CTX_free(native_); }

Result<std::shared_ptr<const TlsContext>> TlsContext::server(const TlsServerOptions& options) {
  std::shared_ptr<TlsContext> made;
  for (const std::string& file : options.certificate_files) {
    auto context = load_certificate(file, options.tls12);
    if (!context) return fail(context.error());
    SSL_CTX* native = context->get();
    if (made == nullptr) {
      made.reset(new TlsContext(context->release(), true));
    } else {
      made->details_->contexts.push_back(std::move(*context));
    }
    made->details_->add_names(native);
  }
  if (made == nullptr) return fail(Error::conf("TLS needs a certificate"));
  SSL_CTX_set_tlsext_servername_callback(made->native_, Details::on_server_name);
  SSL_CTX_set_tlsext_servername_arg(made->native_, made->details_.get());
  return std::shared_ptr<const TlsContext>(std::move(made));
}

Result<std::shared_ptr<const TlsContext>> TlsContext::client(const TlsClientOptions& options) {
  std::shared_ptr<TlsContext> made(
      new TlsContext(make_context(false, TLS1_2_VERSION).release(), false));
  made->verify_ = options.verify;
  if (!options.verify) return std::shared_ptr<const TlsContext>(std::move(made));
  SSL_CTX_set_verify(made->native_, SSL_VERIFY_PEER, nullptr);
  ERR_clear_error();
  const int loaded = options.ca_file.empty() ? SSL_CTX_set_default_verify_paths(made->native_)
                                             : SSL_CTX_load_verify_locations(
                                                   made->native_, options.ca_file.c_str(), nullptr);
  if (loaded != 1) {
    return fail(
        Error::conf("cannot load the certificates in " + options.ca_file + ": " + last_reason()));
  }
  return std::shared_ptr<const TlsContext>(std::move(made));
}

std::shared_ptr<const TlsContext> TlsContext::psk_server(std::vector<TlsPsk> keys) {
  std::shared_ptr<TlsContext> made(
      new TlsContext(make_context(true, TLS1_3_VERSION).release(), true));
  made->details_->psks = std::move(keys);
  SSL_CTX_set_ciphersuites(made->native_, "TLS_AES_128_GCM_SHA256");
  SSL_CTX_set_psk_find_session_callback(made->native_, Details::on_find_psk);
  SSL_CTX_set_num_tickets(made->native_, 0);  // the key is all that resumes
  SSL_CTX_set_session_cache_mode(made->native_, SSL_SESS_CACHE_OFF);
  return made;
}

std::shared_ptr<const TlsContext> TlsContext::psk_client(TlsPsk key) {
  std::shared_ptr<TlsContext> made(
      new TlsContext(make_context(false, TLS1_3_VERSION).release(), false));
  made->details_->psks.push_back(std::move(key));
  SSL_CTX_set_ciphersuites(made->native_, "TLS_AES_128_GCM_SHA256");
  SSL_CTX_set_psk_use_session_callback(made->native_, Details::on_use_psk);
  // No certificate is ever accepted: a server that does not take the key is refused.
  SSL_CTX_set_verify(made->native_, SSL_VERIFY_PEER, nullptr);
  return made;
}

}  // namespace tandem
