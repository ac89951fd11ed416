#include "common/base/error.h"

#include <cstdio>
#include <cstdlib>

namespace tandem {

void die(const char* file, int line, const char* what) {
  std::fprintf(stderr, "%s:%d: invariant broken: %s\n", file, line, what);
  std::abort();
}

}  // namespace tandem
