// Any bytes are a list of servers or an error, and a list is bounded.
#include "common/cluster/server_list.h"

#include <cstdint>
#include <string_view>

#include "common/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem;
  const auto read = parse_server_list(std::string_view(reinterpret_cast<const char*>(data), size));
  if (read) TANDEM_CHECK(read->servers.size() <= kListedServersMax);
  return 0;
}
