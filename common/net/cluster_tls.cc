#include "common/net/cluster_tls.h"

#include <string>
#include <utility>

namespace tandem {
namespace {

TlsPsk psk_of(const ClusterKey& key) {
  const ClusterKey::Psk psk = key.psk();
  return {key.name(), std::string(psk.begin(), psk.end())};
}

}  // namespace

void ClusterTls::replace_keys(const ClusterKeys& keys) {
  std::vector<TlsPsk> psks;
  keys_.clear();
  for (auto key = keys.keys().rbegin(); key != keys.keys().rend(); ++key) {
    psks.push_back(psk_of(*key));
    keys_.push_back({key->seals_from, TlsContext::psk_client(psks.back())});
  }
  accepting_ = TlsContext::psk_server(std::move(psks));
}

const std::shared_ptr<const TlsContext>& ClusterTls::connecting(UnixSeconds now,
                                                                unsigned failures) const {
  std::size_t sealing = 0;
  while (sealing + 1 < keys_.size() && keys_[sealing].seals_from > now) ++sealing;
  const std::size_t turn = failures % keys_.size();
  if (turn == 0) return keys_[sealing].connecting;
  return keys_[turn <= sealing ? turn - 1 : turn].connecting;
}

}  // namespace tandem
