// The names of things, as the machines and wires know them. Plain values, ordered and hashable.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "common/base/hash.h"

namespace tandem {

// A server (or balancer), from its configured name, so that any process can route a token without
// a table of numbers. Two living servers whose names collide are told apart at registration: the
// second is refused. 0 is nobody.
struct ServerId {
  std::uint32_t value = 0;

  static constexpr ServerId of(std::string_view name) {
    const auto h = static_cast<std::uint32_t>(stable_hash(name));
    return ServerId{h == 0 ? 1 : h};
  }
  explicit constexpr operator bool() const { return value != 0; }
  auto operator<=>(const ServerId&) const = default;
};

// 128 random bits: one client's stay. All zero is none.
struct SessionId {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  explicit constexpr operator bool() const { return (high | low) != 0; }
  auto operator<=>(const SessionId&) const = default;
};

// One client cache, chosen at random by the client library. 0 is none.
struct CacheId {
  std::uint64_t value = 0;

  explicit constexpr operator bool() const { return value != 0; }
  auto operator<=>(const CacheId&) const = default;
};

// An item as mirrors name it: the stable hash of its request target (path and query). A collision
// costs a failed comparison or a validation by digest, never a wrong answer.
struct ItemKey {
  std::uint64_t value = 0;

  static constexpr ItemKey of(std::string_view target) { return ItemKey{stable_hash(target)}; }
  auto operator<=>(const ItemKey&) const = default;
};

}  // namespace tandem

template <>
struct std::hash<tandem::ServerId> {
  std::size_t operator()(tandem::ServerId id) const noexcept { return id.value; }
};
template <>
struct std::hash<tandem::SessionId> {
  std::size_t operator()(const tandem::SessionId& id) const noexcept { return id.high ^ id.low; }
};
template <>
struct std::hash<tandem::CacheId> {
  std::size_t operator()(tandem::CacheId id) const noexcept { return id.value; }
};
template <>
struct std::hash<tandem::ItemKey> {
  std::size_t operator()(tandem::ItemKey key) const noexcept { return key.value; }
};
