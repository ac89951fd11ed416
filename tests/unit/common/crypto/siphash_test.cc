#include "common/crypto/siphash.h"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
#include <vector>

namespace tandem {
namespace {

void put(std::uint64_t word, std::uint8_t* out) {
  for (int i = 0; i < 8; ++i) out[i] = static_cast<std::uint8_t>(word >> 8 * i);
}
std::uint64_t take(const std::uint8_t* in) {
  std::uint64_t word = 0;
  for (int i = 7; i >= 0; --i) word = word << 8 | in[i];
  return word;
}

// The same by libcrypto.
Hash128 reference(SipKey key, const std::vector<std::uint64_t>& words) {
  std::array<std::uint8_t, 16> secret{};
  put(key.low, secret.data());
  put(key.high, secret.data() + 8);
  std::vector<std::uint8_t> bytes(words.size() * 8 + 1);  // one more: data() of none may be null
  for (std::size_t i = 0; i < words.size(); ++i) put(words[i], bytes.data() + 8 * i);
  std::size_t size = 16;
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                               OSSL_PARAM_construct_end()};
  std::array<std::uint8_t, 16> out{};
  std::size_t out_size = 0;
  EVP_MAC* mac = EVP_MAC_fetch(nullptr, "SIPHASH", nullptr);
  EVP_MAC_CTX* context = EVP_MAC_CTX_new(mac);
  EXPECT_EQ(EVP_MAC_init(context, secret.data(), secret.size(), params), 1);
  EXPECT_EQ(EVP_MAC_update(context, bytes.data(), words.size() * 8), 1);
  EXPECT_EQ(EVP_MAC_final(context, out.data(), &out_size, out.size()), 1);
  EXPECT_EQ(out_size, 16u);
  EVP_MAC_CTX_free(context);
  EVP_MAC_free(mac);
  return {take(out.data()), take(out.data() + 8)};
}

TEST(SipHash, AgreesWithLibcrypto) {
  const SipKey key{0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
  std::vector<std::uint64_t> words;
  for (std::uint64_t i = 0; i < 40; ++i) {
    EXPECT_EQ(siphash(key, words), reference(key, words)) << words.size() << " words";
    words.push_back(i * 0x9e3779b97f4a7c15ULL);
  }
}

TEST(SipHash, DependsOnTheKey) {
  const std::array<std::uint64_t, 2> words{1, 2};
  EXPECT_NE(siphash({1, 2}, words), siphash({1, 3}, words));
}

}  // namespace
}  // namespace tandem
