#include "common/crypto/digest.h"

#include <openssl/evp.h>
#include <zlib.h>

#include <algorithm>
#include <memory>

#include "common/base/error.h"

namespace tandem {
namespace {

struct FreeDigestContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeDigestContext>;

DigestContext make_sha256_context() {
  DigestContext context(EVP_MD_CTX_new());
  EVP_MD* sha256 = EVP_MD_fetch(nullptr, "SHA2-256", nullptr);
  TANDEM_CHECK(context && sha256);
  TANDEM_CHECK(EVP_DigestInit_ex(context.get(), sha256, nullptr) == 1);
  EVP_MD_free(sha256);  // the context holds a reference of its own
  return context;
}

}  // namespace

Digest256 sha256(std::string_view bytes) {
  thread_local const DigestContext context = make_sha256_context();
  Digest256 digest;
  unsigned length = 0;
  // Without a digest named, the context begins again with the one that it has: no fetch, no
  // allocation.
  TANDEM_CHECK(EVP_DigestInit_ex(context.get(), nullptr, nullptr) == 1 &&
               EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) == 1 &&
               EVP_DigestFinal_ex(context.get(), digest.data(), &length) == 1 &&
               length == digest.size());
  return digest;
}

Digest128 sha256_128(std::string_view bytes) {
  const Digest256 whole = sha256(bytes);
  Digest128 cut;
  std::copy_n(whole.begin(), cut.size(), cut.begin());
  return cut;
}

std::uint32_t crc32_of(std::string_view bytes, std::uint32_t crc) {
  return static_cast<std::uint32_t>(
      crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace tandem
