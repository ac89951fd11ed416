// The cluster key's file (format: common/crypto/cluster_key.h): read by every program, made by
// tandemctl and, for its own use, by a balancer with plain servers alone.
#pragma once

#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/crypto/cluster_key.h"
#include "common/net/tls.h"

namespace tandem {

inline constexpr std::size_t kKeyFileBytesMax = 64 * 1024;

// Reads and parses the file. Warns in the log if others than its owner may read it.
Result<ClusterKeys> load_keys(const std::string& file);

// Makes a key from the system's randomness and writes it to a file of its own that only the owner
// may read (mode 0600). Never overwrites: an existing file is an error.
Result<ClusterKey> create_key_file(const std::string& file);

// load_keys(), or create_key_file() if there is no such file.
Result<ClusterKeys> load_or_create_keys(const std::string& file);

// TLS with the cluster key, for the control and peer wires. The accepting side takes any key that
// is listed, the connecting side uses the one that seals now: keys rotate without a broken
// connection.
std::shared_ptr<const TlsContext> accepting_context(const ClusterKeys& keys);
std::shared_ptr<const TlsContext> connecting_context(const ClusterKeys& keys, UnixSeconds now);

}  // namespace tandem
