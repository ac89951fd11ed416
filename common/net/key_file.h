// The cluster key's file (format: common/crypto/cluster_key.h): read by every program, made by
// tandemctl and, for its own use, by a balancer with plain servers alone.
#pragma once

#include <string>

#include "common/base/result.h"
#include "common/base/time.h"
#include "common/crypto/cluster_key.h"

namespace tandem {

inline constexpr std::size_t kKeyFileBytesMax = 64 * 1024;

// Reads and parses the file. Warns in the log if others than its owner may read it.
Result<ClusterKeys> load_keys(const std::string& file);

// Makes a key from the system's randomness and writes it to a file of its own that only the owner
// may read (mode 0600). Never overwrites: an existing file is an error.
Result<ClusterKey> create_key_file(const std::string& file);

// load_keys(), or create_key_file() if there is no such file.
Result<ClusterKeys> load_or_create_keys(const std::string& file);

// What a rotation did to the file.
struct KeyRotation {
  ClusterKey added;
  std::size_t dropped = 0;
  std::size_t listed = 0;
};
// Adds a new key, which seals from `now + delay`, and drops those that stopped to seal more than
// `keep` ago (ClusterKeys::rotated). The new file replaces the old one at once and whole, with its
// mode and owner; comments stay.
Result<KeyRotation> rotate_key_file(const std::string& file, UnixSeconds now, Duration delay,
                                    Duration keep);

}  // namespace tandem
