// tandem-lb: the balancer.
#include <sys/resource.h>

#include <cstdio>
#include <utility>

#include "common/config/program.h"
#include "lb/app/balancer.h"

namespace {

// A connection needs two descriptors: take as many as the system grants.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  auto start = tandem::start_program(
      argc, argv, {"tandem-lb", "A reverse proxy whose sessions survive their server."},
      tandem::lb::schema());
  if (start.exit) return *start.exit;
  raise_descriptor_limit();
  tandem::Balancer balancer(start.file, std::move(*start.loaded));
  if (const std::string complaints = balancer.open(); !complaints.empty()) {
    return tandem::say_complaints(complaints);
  }
  balancer.run();
  return 0;
}
