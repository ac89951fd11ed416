// The flags of packed operations (common/wire/packing.h says what follows each). Private to the
// two halves of the packing.
#pragma once

#include <cstdint>

namespace tandem::packing {

// The kind, in every operation.
inline constexpr std::uint8_t kNumberedBatch = 0, kUnnumberedBatch = 1, kAnswers = 2;
inline constexpr std::uint8_t kKindMask = 3;

// Of a batch.
inline constexpr std::uint8_t kNewSession = 1 << 2, kHead = 1 << 3, kNumber = 1 << 4,
                              kSnapshot = 1 << 5, kUrgent = 1 << 6, kOneChange = 1 << 7;
// Beside the number of formers.
inline constexpr std::uint8_t kOtherPrimary = 128, kEnds = 64;

// Of a change.
inline constexpr std::uint8_t kEvicted = 1 << 0, kCache = 1 << 1, kNewKey = 1 << 2,
                              kValidator = 1 << 3, kDigest = 1 << 4, kFresh = 1 << 5,
                              kHost = 1 << 6, kAsOf = 1 << 7;

// Of answers.
inline constexpr std::uint8_t kSkip = 1 << 4, kEpoch = 1 << 5, kRun = 1 << 6;
inline constexpr unsigned kAnswerShift = 2;
inline constexpr std::uint8_t kAnswerMask = 3;
inline constexpr std::uint8_t kAnswerFlags = 127;

}  // namespace tandem::packing
