#include "common/config/section_tables.h"

#include <fmt/format.h>

#include <algorithm>

namespace tandem {

Table<AdminConf> admin_table() {
  Table<AdminConf> table("The admin listener: health, metrics and status over HTTP.");
  table
      .option("listen", &AdminConf::listen, maybe(listen_address()),
              "Where to listen. Keep it away from clients: whoever reaches it may do all that it "
              "offers.")
      .defaults_to("no admin listener")
      .example("\"127.0.0.1:7480\"");
  return table;
}

Table<LogConf> log_table() {
  Table<LogConf> table("What is logged.");
  table.option("access", &LogConf::access, path_or({"off", "stdout"}),
               "Where access lines go, one for each request.");
  table.option("format", &LogConf::format,
               choice<LogFormat>({{"text", LogFormat::kText}, {"json", LogFormat::kJson}}),
               "How access lines are written.");
  return table;
}

Table<HttpLimitsConf> http_limits_table() {
  Table<HttpLimitsConf> table("What a client may take.");
  table.option("header_timeout", &HttpLimitsConf::header_timeout, duration(10ms, 1h),
               "A request's head must be complete so long after its first byte.");
  table.option("keepalive_timeout", &HttpLimitsConf::keepalive_timeout, duration(10ms, 24h),
               "A connection that is idle between two requests is closed after this time.");
  table.option("body_timeout", &HttpLimitsConf::body_timeout, duration(10ms, 24h),
               "A request is given up when no byte of a body has moved, in either direction, for "
               "this time; so is a tunnel.");
  table.option("head_bytes_max", &HttpLimitsConf::head_bytes_max, size(1024, kHttpHeadBytesMax),
               "The largest head of a request: its first line and all fields. A larger one is "
               "answered 431.");
  table.option("fields_max", &HttpLimitsConf::fields_max, integer(10, kHttpFieldsMax),
               "The most fields in the head of a request.");
  table.option(
      "connections_max", &HttpLimitsConf::connections_max, integer(1, 1000000),
      "The most connections of clients at a time; more are closed at once, by a server after a "
      "503. A balancer divides them among its workers.");
  return table;
}

void settle_threshold(const std::string& path, std::uint32_t capacity, std::uint32_t& threshold,
                      Rules& rules) {
  if (!rules.given(path + "threshold")) {
    threshold = std::max<std::uint32_t>(1, static_cast<std::uint32_t>(capacity * 0.8));
  } else if (threshold > capacity && rules.sound(path + "threshold") &&
             rules.sound(path + "capacity")) {
    rules.complain(path + "threshold",
                   fmt::format("{} is over the capacity ({})", threshold, capacity));
  }
}

void complain_of_duplicates(const std::vector<ListenPlace>& listeners, Rules& rules) {
  for (auto it = listeners.begin(); it != listeners.end(); ++it) {
    if (it->address.port == 0 || !rules.sound(it->path)) continue;
    const auto first = std::find_if(listeners.begin(), it, [&](const ListenPlace& other) {
      return other.address == it->address && rules.sound(other.path);
    });
    if (first != it) {
      rules.complain(it->path, fmt::format("{} is already listened on by {}", it->address.text(),
                                           first->path));
    }
  }
}

}  // namespace tandem
