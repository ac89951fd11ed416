// Answers a whole-cache validation (common/session/validation.h): which of the copies that a client
// announces are current, by the mirror, which knows what they are, and by Freshness. A pure
// function, and nothing is kept between two requests.
//
// Only what the client announced is ever called current: an item that it listed, or all items that
// its digest stands for, where the mirror's own digest is the same.
#pragma once

#include <optional>
#include <vector>

#include "common/session/validation.h"
#include "common/wire/messages.h"
#include "server/core/freshness.h"
#include "server/core/mirror.h"

namespace tandem {

struct ValidationContext {
  const Mirror* mirror;  // null: this cache is not mirrored
  CacheId cache;
  std::size_t entries_max = 0;  // of one mirrored cache
  const Freshness& freshness;
  Freshness::Host host = 0;
  std::optional<std::uint64_t> source_version;
  Instant now{};
};

struct Validation {
  // Items whose short remaining lives would shorten that of all others are left out: at most so
  // many, and at most one in kShortLivedShare.
  static constexpr std::size_t kShortLivedMax = 8;
  static constexpr std::size_t kShortLivedShare = 16;

  ValidationAnswer answer;
  std::vector<MirrorChange> repairs;  // that make the mirror what the client listed
  std::size_t items = 0;              // announced
  std::size_t current = 0;            // of them called current
};

Validation validate(const ValidationRequest& request, const ValidationContext& context);

}  // namespace tandem
