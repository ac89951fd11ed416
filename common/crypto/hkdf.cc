#include "common/crypto/hkdf.h"

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <array>
#include <cstddef>
#include <memory>

#include "common/base/error.h"

namespace tandem {
namespace {

struct FreeKdf {
  void operator()(EVP_KDF* kdf) const { EVP_KDF_free(kdf); }
  void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
};

// OSSL_PARAM takes pointers to non-const, and reads through them only.
OSSL_PARAM octets(const char* key, const void* data, std::size_t size) {
  static char nothing = 0;  // a null pointer would mean that the parameter is absent
  return OSSL_PARAM_construct_octet_string(key, size == 0 ? &nothing : const_cast<void*>(data),
                                           size);
}

}  // namespace

void hkdf_sha256(std::span<const std::uint8_t> secret, std::string_view label,
                 std::span<std::uint8_t> derived) {
  hkdf_sha256(secret, {}, label, derived);
}

void hkdf_sha256(std::span<const std::uint8_t> secret, std::span<const std::uint8_t> salt,
                 std::string_view info, std::span<std::uint8_t> derived) {
  const std::unique_ptr<EVP_KDF, FreeKdf> kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  TANDEM_CHECK(kdf);
  const std::unique_ptr<EVP_KDF_CTX, FreeKdf> context(EVP_KDF_CTX_new(kdf.get()));
  TANDEM_CHECK(context);
  char digest[] = "SHA2-256";
  const std::array<OSSL_PARAM, 5> params = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      octets(OSSL_KDF_PARAM_KEY, secret.data(), secret.size()),
      octets(OSSL_KDF_PARAM_SALT, salt.data(), salt.size()),
      octets(OSSL_KDF_PARAM_INFO, info.data(), info.size()),
      OSSL_PARAM_construct_end(),
  };
  TANDEM_CHECK(EVP_KDF_derive(context.get(), derived.data(), derived.size(), params.data()) == 1);
}

}  // namespace tandem
