// The cluster key's file (format: common/crypto/cluster_key.h): read by every program, made by
// tandemctl and, for its own use, by a balancer with plain servers alone.
#pragma once

#include <string>

#include "common/base/result.h"
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

}  // namespace tandem
