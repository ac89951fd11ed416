// What the admin listener tells of groups and routes (common/cluster/routes.h).
#pragma once

#include <string>

#include "common/base/json_writer.h"
#include "common/base/metrics_text.h"
#include "lb/io/admin.h"

namespace tandem {

// "routes": [{"host", "path", "group"}], and "groups": of each that has servers or a route, whether
// a route names it, its servers, those online, and whether it is N+1-safe.
void write_groups(JsonWriter& json, const AdminSnapshot& snapshot);
void write_groups(MetricsText& text, const AdminSnapshot& snapshot);
// For people; empty where there is but one group, and no route.
std::string groups_table(const AdminSnapshot& snapshot);

}  // namespace tandem
