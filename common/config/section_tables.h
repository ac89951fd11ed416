// The schemas of the sections that every program's conf has, and rules that they share.
#pragma once

#include <string>
#include <vector>

#include "common/config/schema.h"
#include "common/config/sections.h"

namespace tandem {

Table<AdminConf> admin_table();
Table<LogConf> log_table();
Table<HttpLimitsConf> http_limits_table();

// A threshold that the file does not name is 80 % of the capacity; one over the capacity is
// complained of. `path` is the table's, with its dot: "" or "server[0].".
void settle_threshold(const std::string& path, std::uint32_t capacity, std::uint32_t& threshold,
                      Rules& rules);

// Complains of an address (port 0 aside) that is listened on twice.
struct ListenPlace {
  std::string path;
  Address address;
};
void complain_of_duplicates(const std::vector<ListenPlace>& listeners, Rules& rules);

}  // namespace tandem
