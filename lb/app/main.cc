// tandem-lb: the balancer.
#include <utility>

#include "common/config/program.h"
#include "common/net/descriptor_limit.h"
#include "lb/app/balancer.h"

int main(int argc, char** argv) {
  auto start = tandem::start_program(
      argc, argv, {"tandem-lb", "A reverse proxy whose sessions survive their server."},
      tandem::lb::schema());
  if (start.exit) return *start.exit;
  tandem::raise_descriptor_limit();
  tandem::Balancer balancer(start.file, std::move(*start.loaded));
  if (const std::string complaints = balancer.open(); !complaints.empty()) {
    return tandem::say_complaints(complaints);
  }
  balancer.run();
  return 0;
}
