// One client of the library, driven line by line: a target on standard input, "PUT TARGET BODY" or
// "DELETE TARGET", what became of it as a line of JSON on standard output; or "?servers", and what
// servers there are; or "?stats". For integration tests. Not installed.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <string>
#include <string_view>

#include "client/include/tandem/client.h"
#include "common/base/json_writer.h"

namespace {

tandem::Reply call(tandem::Client& client, const std::string& line) {
  constexpr std::string_view kPut = "PUT ", kDelete = "DELETE ";
  if (line.starts_with(kDelete)) return client.remove(line.substr(kDelete.size()));
  if (!line.starts_with(kPut)) return client.get(line);
  const auto blank = line.find(' ', kPut.size());
  return client.put(line.substr(kPut.size(), blank - kPut.size()), line.substr(blank + 1));
}

}  // namespace

int main(int argc, char** argv) {
  tandem::ClientOptions options;
  std::int64_t validate_after_ms = options.validate_after.count();
  CLI::App app("One client of the library, driven line by line.");
  app.add_option("URL", options.balancer)->required();
  app.add_flag("--fresh", options.reuse_fresh);
  app.add_option("--validate-after-ms", validate_after_ms);
  app.add_option("--cache", options.cache_file);
  std::int64_t retry_after_ms = options.retry_after.count();
  app.add_flag("--direct", options.direct);
  app.add_flag("--by-type", options.by_type);
  app.add_option("--cacert", options.ca_file);
  app.add_option("--retry-after-ms", retry_after_ms);
  std::int64_t attempt_timeout_ms = options.attempt_timeout.count();
  app.add_option("--attempt-timeout-ms", attempt_timeout_ms);
  CLI11_PARSE(app, argc, argv);
  options.retry_after = std::chrono::milliseconds(retry_after_ms);
  options.attempt_timeout = std::chrono::milliseconds(attempt_timeout_ms);
  options.validate_after = std::chrono::milliseconds(validate_after_ms);
  tandem::Client client(options);
  for (std::string target; std::getline(std::cin, target);) {
    if (target == "?servers") {
      const tandem::ActiveServers active = client.servers();
      tandem::JsonWriter json;
      json.begin_object().member("message", active.message).member("version", active.version);
      json.key("servers").begin_object();
      for (const tandem::ActiveServer& one : active.servers) json.member(one.name, one.online);
      fmt::print("{}\n", json.end_object().end_object().text());
      std::fflush(stdout);
      continue;
    }
    if (target == "?stats") {
      const tandem::ClientStats stats = client.stats();
      tandem::JsonWriter json;
      json.begin_object().member("direct", stats.direct).member("referrals", stats.referrals);
      json.member("maps", stats.maps_fetched).member("map_version", stats.map_version);
      json.member("servers", stats.servers).member("primary", stats.primary);
      json.member("alternate", stats.alternate).member("entered", stats.failovers_entered);
      json.member("left", stats.failovers_left).member("notices", stats.notices_sent);
      json.member("notices_failed", stats.notices_failed);
      fmt::print("{}\n", json.end_object().text());
      std::fflush(stdout);
      continue;
    }
    const tandem::Reply reply = call(client, target);
    tandem::JsonWriter json;
    json.begin_object().member("ok", static_cast<bool>(reply)).member("status", reply.status);
    json.member("message", reply.message).member("server", reply.server);
    json.member("source", tandem::name_of(reply.source)).member("attempts", reply.attempts);
    json.member("direct", reply.direct).member("group", reply.group);
    json.member("token", client.session_token(reply.group));
    json.member("bytes", reply.body().size()).member("held", client.cached_items());
    const tandem::ValidationReport& validation = reply.validation;
    json.key("validation").begin_object().member("requests", validation.requests);
    json.member("known", validation.known).member("items", validation.items);
    json.member("vouched", validation.vouched).member("bytes_sent", validation.bytes_sent);
    json.member("bytes_received", validation.bytes_received).end_object().end_object();
    fmt::print("{}\n", json.text());
    std::fflush(stdout);
  }
  return 0;
}
