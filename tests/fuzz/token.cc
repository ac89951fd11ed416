// Any text is either no token or the one text of its fields; and the validator's entity tags alike.
#include <cstdint>
#include <string_view>

#include "common/base/error.h"
#include "common/session/token_cache.h"
#include "common/session/validator.h"

namespace tandem {
namespace {

constexpr UnixSeconds kNow = 1'700'000'000;

ClusterKeys keys() {
  std::vector<ClusterKey> all(2);
  all[0].secret.fill(1);
  all[1].secret.fill(2);
  return ClusterKeys(std::move(all));
}

void check_text(std::string_view text) {
  static TokenCodec codec{keys()};
  static TokenCache cache{codec, {.ttl = 1800, .entries_max = 64}};
  const auto opened = codec.open(text, kNow, 1800);
  const auto cached = cache.open(text, kNow);
  TANDEM_CHECK(opened.fault == cached.fault);
  // Nothing forges a seal of 128 bits by chance.
  TANDEM_CHECK(opened.fault == TokenFault::kMalformed || opened.fault == TokenFault::kForged);
  if (const auto validator = Validator::parse(text)) TANDEM_CHECK(validator->etag() == text);
  if (const auto parsed = ClusterKeys::parse(text, "f")) {
    std::string again;
    for (const ClusterKey& key : parsed->keys()) again += key.line();
    TANDEM_CHECK(ClusterKeys::parse(again, "f")->keys() == parsed->keys());
  }
}

// A token with these very fields opens as it was sealed, and with one byte changed not at all.
void check_fields(const std::uint8_t* data, std::size_t size) {
  if (size < 8) return;
  static TokenCodec codec{keys()};
  SessionToken token;
  token.session = {data[0] * 0x0101010101010101ull, data[1] * 0x0101010101010101ull};
  token.epoch = {data[2] * 0x01010101u, ServerId{data[3] * 0x01010101u}};
  token.primary = ServerId{data[4] * 0x01010101u};
  token.alternate = ServerId{data[4] + data[5] * 0x100u};
  token.flags = data[5] & 15;
  token.issued = kNow;
  SealedToken sealed = codec.seal(token, kNow);
  TANDEM_CHECK(codec.open(sealed.view(), kNow, 1800).token == token);
  char& changed = sealed.text[data[6] % kTokenLength];
  if (changed == static_cast<char>(data[7])) return;
  changed = static_cast<char>(data[7]);
  TANDEM_CHECK(!codec.open(sealed.view(), kNow, 1800));
}

}  // namespace
}  // namespace tandem

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tandem::check_text({reinterpret_cast<const char*>(data), size});
  tandem::check_fields(data, size);
  return 0;
}
