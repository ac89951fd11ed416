#include "common/session/token_codec.h"

#include <span>

#include "common/base/error.h"
#include "common/crypto/base64url.h"

namespace tandem {
namespace {

using Plain = std::array<std::uint8_t, kTokenPlainBytes>;
using Sealed = std::array<std::uint8_t, kTokenSealedBytes>;

// The fields in the order of their layout, little-endian whatever the machine.
class FieldWriter {
 public:
  explicit FieldWriter(std::uint8_t* next) : next_(next) {}
  template <class Integer>
  FieldWriter& put(Integer value) {
    for (std::size_t i = 0; i < sizeof value; ++i) {
      *next_++ = static_cast<std::uint8_t>(value >> (8 * i));
    }
    return *this;
  }

 private:
  std::uint8_t* next_;
};

class FieldReader {
 public:
  explicit FieldReader(const std::uint8_t* next) : next_(next) {}
  template <class Integer>
  FieldReader& get(Integer& value) {
    value = 0;
    for (std::size_t i = 0; i < sizeof value; ++i) {
      value = static_cast<Integer>(value | static_cast<Integer>(*next_++) << (8 * i));
    }
    return *this;
  }

 private:
  const std::uint8_t* next_;
};

Plain layout(const SessionToken& token, std::uint32_t issued) {
  Plain plain;
  FieldWriter(plain.data())
      .put(token.session.high)
      .put(token.session.low)
      .put(token.epoch.counter)
      .put(token.epoch.server.value)
      .put(token.primary.value)
      .put(token.alternate.value)
      .put(issued)
      .put(token.flags);
  return plain;
}

SessionToken fields(const Plain& plain) {
  SessionToken token;
  std::uint32_t issued = 0;
  FieldReader(plain.data())
      .get(token.session.high)
      .get(token.session.low)
      .get(token.epoch.counter)
      .get(token.epoch.server.value)
      .get(token.primary.value)
      .get(token.alternate.value)
      .get(issued)
      .get(token.flags);
  token.issued = issued;
  return token;
}

}  // namespace

const char* name_of(TokenFault fault) {
  switch (fault) {
    case TokenFault::kNone:
      return "none";
    case TokenFault::kMalformed:
      return "malformed";
    case TokenFault::kForged:
      return "forged";
    case TokenFault::kExpired:
      return "expired";
    case TokenFault::kFlagged:
      return "flagged";
  }
  return "none";
}

bool token_is_young(UnixSeconds issued, std::uint8_t flags, UnixSeconds now, UnixSeconds ttl) {
  if (issued - now > kClockSkewMax) return false;
  const bool request = is_for_one_request(flags);
  if (!request && (flags & kLasting) != 0) return true;
  return now - issued <= (request ? kRequestTokenLife : ttl) + kClockSkewMax;
}

TokenCodec::TokenCodec(const ClusterKeys& keys) { replace_keys(keys); }

void TokenCodec::replace_keys(const ClusterKeys& keys) {
  keys_.clear();
  for (const ClusterKey& key : keys.keys()) {
    keys_.push_back({static_cast<std::uint8_t>(key.id()), key.seals_from, Sealer(key.token_key())});
  }
  ++generation_;
}

TokenCodec::KeyInUse& TokenCodec::sealing_key(UnixSeconds now) {
  std::size_t index = keys_.size() - 1;
  while (index > 0 && keys_[index].seals_from > now) --index;
  return keys_[index];
}

SealedToken TokenCodec::seal(const SessionToken& token, UnixSeconds now) {
  KeyInUse& key = sealing_key(now);
  Sealed sealed;
  sealed[0] = key.hint;
  key.sealer.seal(layout(token, static_cast<std::uint32_t>(now)), std::span(sealed).subspan(1));
  SealedToken result;
  base64url_encode(sealed, result.text.data());
  return result;
}

TokenCodec::Opened TokenCodec::open(std::string_view text, UnixSeconds now, UnixSeconds ttl) {
  Sealed sealed;
  if (!base64url_decode(text, sealed)) return {.token = {}, .fault = TokenFault::kMalformed};
  for (KeyInUse& key : keys_) {  // hints of two keys may be equal: then both are tried
    Plain plain;
    if (key.hint != sealed[0] || !key.sealer.open(std::span(sealed).subspan(1), plain)) continue;
    const SessionToken token = fields(plain);
    const bool young = token_is_young(token.issued, token.flags, now, ttl);
    return {.token = token, .fault = young ? TokenFault::kNone : TokenFault::kExpired};
  }
  return {.token = {}, .fault = TokenFault::kForged};
}

}  // namespace tandem
