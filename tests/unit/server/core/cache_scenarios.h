// One scenario a rule, as tables of scripts; their words are told in cache_world.h.
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "tests/unit/server/core/cache_world.h"

namespace tandem {

struct CacheScenario {
  const char* name;
  const char* script;
};

inline void PrintTo(const CacheScenario& scenario, std::ostream* out) { *out << scenario.name; }

class CacheScenarios : public ::testing::TestWithParam<CacheScenario> {
 protected:
  static std::string wrong() {
    CacheWorld world;
    return world.run(GetParam().script);
  }
};

}  // namespace tandem
