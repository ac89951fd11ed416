// The cluster key: one secret that all balancers and servers share, and what is derived from it.
//
// A key file is text, one key a line, so that keys rotate without loss: all that are listed open,
// and the newest whose time has come seals. Blank lines and lines that begin with # are ignored.
//
//     tandem-key-1 SEALS-FROM BASE64URL      # seconds since 1970 UTC; 32 bytes as 43 characters
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/crypto/sealer.h"

namespace tandem {

struct ClusterKey {
  using Secret = std::array<std::uint8_t, 32>;
  using Psk = std::array<std::uint8_t, 32>;

  Secret secret{};             // from the system's generator, by the shell
  UnixSeconds seals_from = 0;  // before this time it only opens

  // Seals session tokens.
  Sealer::Key token_key() const;
  // The external pre-shared key of TLS 1.3 on the control and peer wires.
  Psk psk() const;
  // Names the key without telling anything of it: the same in every process that has the key. Its
  // lowest byte is the key hint of tokens.
  std::uint64_t id() const;

  std::string name() const;  // id() in hexadecimal: the identity of the PSK

  // Its line in a key file, with the line's end.
  std::string line() const;

  bool operator==(const ClusterKey&) const = default;
};

// What may be told of a key.
struct ClusterKeyName {
  std::string name;
  UnixSeconds seals_from = 0;
};

// The keys of a file: at least one, at most kKeysMax, in the order of their times.
class ClusterKeys {
 public:
  static constexpr std::size_t kKeysMax = 16;

  // Made in code; the bounds and that no secret occurs twice are the caller's to keep.
  explicit ClusterKeys(std::vector<ClusterKey> keys);
  // Parses the text of a key file. The error is one complaint, FILE:LINE:COLUMN: what is wrong.
  static Result<ClusterKeys> parse(std::string_view text, std::string_view file_name);

  const std::vector<ClusterKey>& keys() const { return keys_; }
  std::vector<ClusterKeyName> names() const;
  // The newest key whose time has come; the first if none has.
  const ClusterKey& sealing(UnixSeconds now) const { return keys_[sealing_index(now)]; }
  std::size_t sealing_index(UnixSeconds now) const;

  // With `fresh` as the newest key, and without those that seal no more since `keep` seconds: what
  // they sealed has expired, if `keep` is more than the longest ttl of a token. `fresh` seals from
  // its own time on, but never before the keys that are listed. An error if that were too many
  // keys.
  Result<ClusterKeys> rotated(ClusterKey fresh, UnixSeconds now, UnixSeconds keep) const;

  bool operator==(const ClusterKeys&) const = default;

 private:
  std::vector<ClusterKey> keys_;
};

}  // namespace tandem
