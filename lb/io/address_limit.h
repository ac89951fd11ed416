// How many connections each client address has, over all workers; and no more than a limit.
//
// An IPv6 client has a network of its own, so all of a /64 count as one (RFC 6177). The table holds
// those alone that have a connection, so it is bounded by connections_max. Thread-safe: a lock for
// each accepted connection, none for a request.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "common/base/ip.h"

namespace tandem {

class AddressLimit {
 public:
  // `max` connections of one address; not 0. `seed` is secret: who knows it can choose addresses
  // whose look-ups are slow.
  AddressLimit(std::uint32_t max, std::uint64_t seed);
  AddressLimit(const AddressLimit&) = delete;
  AddressLimit& operator=(const AddressLimit&) = delete;

  // A connection's place; given back when it is destroyed. The limit outlives it.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept
        : limit_(std::exchange(other.limit_, nullptr)), address_(other.address_) {}
    Place& operator=(Place&& other) noexcept {
      Place taken(std::move(other));
      std::swap(limit_, taken.limit_);
      std::swap(address_, taken.address_);
      return *this;
    }
    ~Place() {
      if (limit_ != nullptr) limit_->leave(address_);
    }
    explicit operator bool() const { return limit_ != nullptr; }

   private:
    friend class AddressLimit;
    Place(AddressLimit* limit, const IpAddress& address) : limit_(limit), address_(address) {}
    AddressLimit* limit_ = nullptr;
    IpAddress address_;
  };

  // False: it has its connections already.
  Place take(const IpAddress& client);
  std::uint32_t max() const { return max_; }

 private:
  static constexpr std::size_t kShards = 16;
  struct Hash {
    std::uint64_t seed;
    std::size_t operator()(const IpAddress& address) const noexcept;
  };
  struct Shard {
    explicit Shard(Hash hash) : counts(0, hash) {}
    std::mutex mutex;
    std::unordered_map<IpAddress, std::uint32_t, Hash> counts;
  };

  Shard& shard_of(const IpAddress& address);
  void leave(const IpAddress& address);

  const std::uint32_t max_;
  const Hash hash_;
  std::array<std::unique_ptr<Shard>, kShards> shards_;
};

}  // namespace tandem
