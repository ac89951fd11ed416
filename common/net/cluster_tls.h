// TLS with the cluster key, for the control and peer wires, while keys rotate.
//
// The accepting side takes any key that is listed. The connecting side can offer only one: the key
// that seals now, and after a failure each of the others in turn, the newest first; so it reaches
// a process that has not got the newest key yet, and one that has dropped the oldest. Connections
// that stand stay as they are when keys change.
#pragma once

#include <memory>
#include <vector>

#include "common/base/time.h"
#include "common/crypto/cluster_key.h"
#include "common/net/tls.h"

namespace tandem {

// Belongs to one thread; the contexts do not.
class ClusterTls {
 public:
  explicit ClusterTls(const ClusterKeys& keys) { replace_keys(keys); }

  void replace_keys(const ClusterKeys& keys);

  const std::shared_ptr<const TlsContext>& accepting() const { return accepting_; }
  // For the attempt to connect after so many failures in a row.
  const std::shared_ptr<const TlsContext>& connecting(UnixSeconds now, unsigned failures) const;

 private:
  struct Key {
    UnixSeconds seals_from;
    std::shared_ptr<const TlsContext> connecting;
  };
  std::shared_ptr<const TlsContext> accepting_;
  std::vector<Key> keys_;  // the newest first
};

}  // namespace tandem
