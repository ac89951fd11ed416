// What one server or many at once suffer, and what must come of it. Each case is a cluster of its
// own and returns what was wrong, or nothing.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/membership/experiments.h"

namespace tandem::sim {

constexpr std::uint64_t kTransactionsMost = 2;  // in which all that die at once leave the ring

// `dead` neighbours of n, from a random place on the ring on, fall silent at one instant: no
// channel closes, no host refuses. They are offline once each, nobody else is, and those who are
// left are a whole ring in the order of before; all in two transactions.
std::string neighbours_die(std::uint32_t n, std::uint32_t dead, std::uint64_t seed);
// The same, of servers anywhere on the ring, with several gaps.
std::string any_die(std::uint32_t n, std::uint32_t dead, std::uint64_t seed);

// Every number of neighbours in every ring of 2 to `most`; the complaints.
std::vector<std::string> all_neighbours_die(std::uint32_t most, std::uint64_t seed);
// A random number in a ring of 13 to 1000; all but a few of them, every fourth time.
std::string many_neighbours_die(std::uint64_t seed);
// Any of 2 to `most`, as many as may be; and a random number of 13 to 200.
std::vector<std::string> any_of_few_die(std::uint32_t most, std::uint64_t seed);
std::string any_of_many_die(std::uint64_t seed);

// One server of several is ill for half an hour: three times as long as its returns are remembered.
enum class Illness : std::uint8_t {
  kHearsNothing,    // it misses both buddies, so it doubts itself and accuses nobody
  kIsNotHeard,      // it gets no answers
  kLosesMost,       // 80 % of all packets: late words of its own are heard again and again
  kLosesMostAmong,  // the same, but not to and from the master
  kFreezes,         // 20 s frozen, 20 s well
  kIsCutOff,        // 20 s cut off, 20 s well
};
constexpr Illness kIllnesses[] = {Illness::kHearsNothing, Illness::kIsNotHeard,
                                  Illness::kLosesMost,    Illness::kLosesMostAmong,
                                  Illness::kFreezes,      Illness::kIsCutOff};
std::string_view words_for(Illness illness);

// It is offline once, and stays so until it is well again; with `returns_free`, so often more as
// that lets it return. Whom only other servers do not reach stays online: it is reported all the
// time, in error, but it serves whoever comes from the balancer. Nobody else is ever offline.
std::string one_is_ill(Illness illness, std::uint32_t servers, std::uint32_t returns_free,
                       std::uint64_t seed);

}  // namespace tandem::sim
