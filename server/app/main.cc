// tandem-server: a session node between balancer and data source.
#include <utility>

#include "common/config/program.h"
#include "common/net/descriptor_limit.h"
#include "server/app/server.h"

int main(int argc, char** argv) {
  auto start = tandem::start_program(
      argc, argv, {"tandem-server", "A session node between balancer and data source."},
      tandem::server::schema());
  if (start.exit) return *start.exit;
  tandem::raise_descriptor_limit();
  tandem::server::Server server(start.file, std::move(*start.loaded));
  if (const std::string complaints = server.open(); !complaints.empty()) {
    return tandem::say_complaints(complaints);
  }
  server.run();
  return 0;
}
