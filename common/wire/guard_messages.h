// What servers of a group tell each other so that nobody is served from a cache what a write has
// changed (server/core/item_guard.h; peer wire). A part of common/wire/messages.h, which includes
// it. Types are named by Types::key().
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/base/ids.h"

namespace tandem {

// Who acts for a type -> the others of the group: these items have changed. Keep nothing of them,
// not even what is on its way, then say Invalidated.
struct Invalidate {
  static constexpr std::size_t kKeysMax = 1024;
  std::uint64_t number = 0;
  std::uint64_t type = 0;
  std::vector<ItemKey> keys;

  bool operator==(const Invalidate&) const = default;
};

struct Invalidated {
  std::uint64_t number = 0;

  bool operator==(const Invalidated&) const = default;
};

// May I use for a while what I have cached of this type, which is yours?
struct LeaseAsk {
  std::uint64_t number = 0;  // the asker's, never used twice
  std::uint64_t type = 0;

  bool operator==(const LeaseAsk&) const = default;
};

// For so long, counted from when you asked. No answer: no.
struct LeaseGrant {
  std::uint64_t number = 0;  // of the question
  std::uint64_t type = 0;
  std::uint32_t left_ms = 0;
  std::uint64_t version = 0;  // of the epoch under which it is given; the sender acts

  bool operator==(const LeaseGrant&) const = default;
};

}  // namespace tandem
