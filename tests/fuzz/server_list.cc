// Any bytes are a list of servers or an error; a list is bounded, and its routes can be.
#include "common/cluster/server_list.h"

#include <cstdint>
#include <string_view>

#include "common/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem;
  const auto read = parse_server_list(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!read) return 0;
  TANDEM_CHECK(read->servers.size() <= kListedServersMax);
  if (!read->routes) return 0;
  const auto routes = Routes::make(*read->routes);
  TANDEM_CHECK(routes && routes->rules().size() == read->routes->size());
  for (const RouteRule& rule : *read->routes) {
    TANDEM_CHECK(routes->pool(rule.host, rule.path) < routes->pools());
  }
  // What a balancer tells is read as it was.
  const auto again = parse_server_list(server_list_json(View{}, nullptr, &*routes));
  TANDEM_CHECK(again && again->routes == routes->rules());
  return 0;
}
