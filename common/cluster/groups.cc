#include "common/cluster/groups.h"

#include <algorithm>
#include <iterator>

namespace tandem {
namespace {

template <class Belongs>
View part(const View& view, Belongs belongs) {
  View result;
  result.version = view.version;
  result.balancers = view.balancers;
  result.maker = view.maker;
  result.stand_in = view.stand_in;
  std::copy_if(view.servers.begin(), view.servers.end(), std::back_inserter(result.servers),
               belongs);
  return result;
}

}  // namespace

ViewPtr part_of_group(const ViewPtr& view, std::string_view group, ServerId self) {
  const auto belongs = [&](const ServerRecord& server) { return server.group == group; };
  if (std::all_of(view->servers.begin(), view->servers.end(), belongs)) return view;
  View result =
      part(*view, [&](const ServerRecord& server) { return belongs(server) || server.id == self; });
  for (ServerRecord& server : result.servers) server.group = group;
  return std::make_shared<const View>(std::move(result));
}

View part_of_pool(const View& view, const Routes& routes, PoolNumber pool) {
  return part(view,
              [&](const ServerRecord& server) { return routes.pool_of(server.group) == pool; });
}

}  // namespace tandem
