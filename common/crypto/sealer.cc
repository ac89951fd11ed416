#include "common/crypto/sealer.h"

#include <openssl/evp.h>

#include <algorithm>

#include "common/base/error.h"

namespace tandem {
namespace {

struct FreeCipher {
  void operator()(EVP_CIPHER* cipher) const { EVP_CIPHER_free(cipher); }
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

CipherContext make_context() {
  CipherContext context(EVP_CIPHER_CTX_new());
  TANDEM_CHECK(context);
  return context;
}

}  // namespace

// libcrypto lets an SIV context be used once for each keying, and keying costs three times as much
// as copying a context that is keyed. So templates are keyed once, and copied for each use.
struct Sealer::Contexts {
  CipherContext seal_template = make_context();
  CipherContext open_template = make_context();
  CipherContext work = make_context();
};

Sealer::Sealer(const Key& key) : contexts_(std::make_unique<Contexts>()) {
  const std::unique_ptr<EVP_CIPHER, FreeCipher> cipher(
      EVP_CIPHER_fetch(nullptr, "AES-256-SIV", nullptr));
  TANDEM_CHECK(cipher);
  TANDEM_CHECK(EVP_EncryptInit_ex2(contexts_->seal_template.get(), cipher.get(), key.data(),
                                   nullptr, nullptr) == 1);
  TANDEM_CHECK(EVP_DecryptInit_ex2(contexts_->open_template.get(), cipher.get(), key.data(),
                                   nullptr, nullptr) == 1);
}

Sealer::~Sealer() = default;
Sealer::Sealer(Sealer&&) noexcept = default;
Sealer& Sealer::operator=(Sealer&&) noexcept = default;

void Sealer::seal(std::span<const std::uint8_t> plain, std::span<std::uint8_t> sealed) {
  TANDEM_CHECK(!plain.empty() && sealed.size() == plain.size() + kTagBytes);
  EVP_CIPHER_CTX* work = contexts_->work.get();
  int written = 0;
  TANDEM_CHECK(EVP_CIPHER_CTX_copy(work, contexts_->seal_template.get()) == 1 &&
               EVP_EncryptUpdate(work, sealed.data() + kTagBytes, &written, plain.data(),
                                 static_cast<int>(plain.size())) == 1 &&
               EVP_CIPHER_CTX_ctrl(work, EVP_CTRL_AEAD_GET_TAG, kTagBytes, sealed.data()) == 1);
}

bool Sealer::open(std::span<const std::uint8_t> sealed, std::span<std::uint8_t> plain) {
  TANDEM_CHECK(!plain.empty());
  if (sealed.size() != plain.size() + kTagBytes) return false;
  EVP_CIPHER_CTX* work = contexts_->work.get();
  std::array<std::uint8_t, kTagBytes> tag;
  std::copy_n(sealed.begin(), kTagBytes, tag.begin());
  int written = 0;
  TANDEM_CHECK(EVP_CIPHER_CTX_copy(work, contexts_->open_template.get()) == 1 &&
               EVP_CIPHER_CTX_ctrl(work, EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag.data()) == 1);
  return EVP_DecryptUpdate(work, plain.data(), &written, sealed.data() + kTagBytes,
                           static_cast<int>(plain.size())) == 1;
}

}  // namespace tandem
