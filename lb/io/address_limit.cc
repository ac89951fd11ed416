#include "lb/io/address_limit.h"

#include <algorithm>
#include <cstring>

#include "common/base/error.h"
#include "common/base/hash.h"

namespace tandem {
namespace {

constexpr std::size_t kV6NetworkBytes = 8;

// Who counts as one.
IpAddress client_of(const IpAddress& address) {
  if (address.is_v4()) return address;
  std::array<std::uint8_t, 16> bytes{};
  std::copy_n(address.bytes().begin(), kV6NetworkBytes, bytes.begin());
  return IpAddress(bytes);
}

}  // namespace

AddressLimit::AddressLimit(std::uint32_t max, std::uint64_t seed) : max_(max), hash_{seed} {
  TANDEM_CHECK(max > 0);
  for (auto& shard : shards_) shard = std::make_unique<Shard>(hash_);
}

std::size_t AddressLimit::Hash::operator()(const IpAddress& address) const noexcept {
  std::uint64_t high = 0, low = 0;
  std::memcpy(&high, address.bytes().data(), sizeof high);
  std::memcpy(&low, address.bytes().data() + sizeof high, sizeof low);
  return mix64(mix64(high ^ seed) + low);
}

AddressLimit::Shard& AddressLimit::shard_of(const IpAddress& address) {
  return *shards_[(hash_(address) >> 32) % kShards];
}

AddressLimit::Place AddressLimit::take(const IpAddress& client) {
  const IpAddress counted = client_of(client);
  Shard& shard = shard_of(counted);
  const std::lock_guard lock(shard.mutex);
  std::uint32_t& count = shard.counts[counted];
  if (count >= max_) return {};
  ++count;
  return Place(this, counted);
}

void AddressLimit::leave(const IpAddress& address) {
  Shard& shard = shard_of(address);
  const std::lock_guard lock(shard.mutex);
  const auto counted = shard.counts.find(address);
  TANDEM_CHECK(counted != shard.counts.end());
  if (--counted->second == 0) shard.counts.erase(counted);
}

}  // namespace tandem
