// Seals and opens session tokens (layout: common/session/token.h).
//
// A token is kTokenLength characters of base64url. It opens only while it is young: an ordinary one
// for `ttl`, a request token for kRequestTokenLife, a lasting one whatever its age; the
// processes' clocks may differ by kClockSkewMax.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "common/crypto/cluster_key.h"
#include "common/crypto/sealer.h"
#include "common/session/token.h"

namespace tandem {

inline constexpr std::size_t kTokenPlainBytes = 16 + 8 + 4 + 4 + 4 + 1;
inline constexpr std::size_t kTokenSealedBytes = 1 + Sealer::kTagBytes + kTokenPlainBytes;
inline constexpr std::size_t kTokenLength = kTokenSealedBytes / 3 * 4;
static_assert(kTokenSealedBytes % 3 == 0);  // no spare bits in the base64url form

// The text of a token; a value, without allocation.
struct SealedToken {
  std::array<char, kTokenLength> text;
  std::string_view view() const { return {text.data(), text.size()}; }
};

// From a balancer to a tandem-server, with every request where [session] on_lost rejects: as
// kKnownOnly in a token. It takes away only, so it needs no seal, and the client's own token goes
// on as it came.
inline constexpr std::string_view kLostField = "Tandem-Lost";
inline constexpr std::string_view kLostReject = "reject";
// Instead of a token, in Tandem-Session of a response: the session is gone, forget its token. In
// Tandem-Refer: nobody knows the session.
inline constexpr std::string_view kNoToken = "none";

// Why a text is no token; counted by whoever meets it.
enum class TokenFault : std::uint8_t {
  kNone,
  kMalformed,  // not the length or the alphabet of a token
  kForged,     // no key that is listed opens it: forged, altered, or of another cluster
  kExpired,    // too old, or issued in the future
  kFlagged,    // a request token where only a client's own is taken
};
const char* name_of(TokenFault fault);

inline constexpr UnixSeconds kRequestTokenLife = 10;
inline constexpr UnixSeconds kClockSkewMax = 60;

// May a token that was issued at this time, with these flags, still be used?
bool token_is_young(UnixSeconds issued, std::uint8_t flags, UnixSeconds now, UnixSeconds ttl);

// Not for several threads at once; each has its own. Neither function allocates on our side.
class TokenCodec {
 public:
  struct Opened {
    SessionToken token;                    // meaningless unless fault is kNone or kExpired
    TokenFault fault = TokenFault::kNone;  // kFlagged never comes from here
    explicit operator bool() const { return fault == TokenFault::kNone; }
  };

  explicit TokenCodec(const ClusterKeys& keys);

  // Sealed with the newest key whose time has come. `token.issued` is not looked at: it becomes
  // now.
  SealedToken seal(const SessionToken& token, UnixSeconds now);
  // `ttl` in seconds.
  Opened open(std::string_view text, UnixSeconds now, UnixSeconds ttl);

  // Other keys from now on (a reload). What a TokenCache holds of earlier generations is void.
  void replace_keys(const ClusterKeys& keys);
  std::uint32_t generation() const { return generation_; }

 private:
  struct KeyInUse {
    std::uint8_t hint;
    UnixSeconds seals_from;
    Sealer sealer;
  };
  KeyInUse& sealing_key(UnixSeconds now);

  std::vector<KeyInUse> keys_;  // in the order of seals_from
  std::uint32_t generation_ = 0;
};

}  // namespace tandem
