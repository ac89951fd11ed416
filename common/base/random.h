// A small seeded generator (xoshiro256**, Blackman and Vigna 2018) for decisions that need dice:
// the start of round robin, jitter, the simulator. Never for secrets; those come from the system
// (common/net/entropy.h). Decisions get a Random& passed in and own none themselves.
#pragma once

#include <array>
#include <cstdint>

#include "common/base/hash.h"

namespace tandem {

class Random {
 public:
  explicit constexpr Random(std::uint64_t seed) {
    for (auto& word : state_) word = mix64(seed += 0x9e3779b97f4a7c15ULL);
  }

  constexpr std::uint64_t next() {
    const std::uint64_t result = rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotl(state_[3], 45);
    return result;
  }

  // Uniform in [0, bound); bound > 0. Bias below 2^-32 for the bounds in use here.
  constexpr std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  constexpr double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  constexpr bool chance(double probability) { return unit() < probability; }

  // A generator of its own for a part, so that adding a part does not shift the others' dice.
  constexpr Random fork(std::uint64_t label) { return Random(mix64(label) ^ next()); }

 private:
  static constexpr std::uint64_t rotl(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace tandem
