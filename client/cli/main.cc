// tandem-get: fetches URLs with the client library, and tells what it could reuse.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "client/cli/get.h"
#include "common/config/command_line.h"
#include "common/config/units.h"
#include "common/http/chars.h"

namespace {

struct Words {
  std::vector<std::string> headers;
  std::string data;
  std::string max_time = "30";
  std::string connect_timeout = "5";
  std::string attempt_timeout = "3";
  std::string validate_after = "60";
  std::uint64_t cache_bytes = 64 << 20;
  std::string duration = "10";
  std::uint32_t rate = 0;
  std::uint32_t retries = 3;
  bool head = false;
  bool insecure = false;
};

void declare(tandem::CommandLine& line, tandem::GetOptions& get, Words& words) {
  line.positionals("URL", get.urls, "What to fetch.");
  line.flag("-v,--verbose", get.verbose,
            "Say for each item how it came: fetched, reused by mirror, reused by validator.");
  line.flag("-r,--recursive", get.recursive,
            "Follow the links of pages on the same origin; contents are kept, not written.");
  line.option("--limit", get.items_max, 1, 1'000'000, "With -r: the most items (1000).");
  line.option("--depth", get.depth_max, 0, 1'000, "With -r: the most links in a row (16).");
  line.option("-o,--output", "FILE", get.output, "Write the content to FILE.");
  line.flag("-O,--remote-name", get.remote_name, "Write to a file named as the URL's last part.");
  line.flag("-i,--include", get.include, "Write the response's head, too.");
  line.option("-X,--request", "METHOD", get.method, "The method; GET, or POST with -d.");
  line.option("-d,--data", "DATA", words.data, "Send DATA, or with @FILE what FILE holds.");
  line.option("-H,--header", "'NAME: VALUE'", words.headers, "Send this header field, too.");
  line.flag("-I,--head", words.head, "The head alone.");
  line.flag("-L,--location", get.follow_redirects, "Follow redirects.");
  line.flag("-f,--fail", get.fail, "Exit with 22 when the status is 400 or more.");
  line.flag("-s,--silent", get.silent, "No error messages.");
  line.option("-m,--max-time", "SECONDS", words.max_time,
              "The time that each item may take (30); with a unit, \"500ms\", not in seconds.");
  line.option("--connect-timeout", "SECONDS", words.connect_timeout,
              "The time that connecting may take (5).");
  line.option("--retry", words.retries, 0, 100, "Repeat as often what may be repeated (3).");
  line.option("--cache", "FILE", get.client.cache_file,
              "Keep session and items in FILE for the next time.");
  line.size("--cache-size", words.cache_bytes, "The most that is kept of each origin (64MiB).");
  line.flag("--fresh", get.client.reuse_fresh, "Do not ask about copies that are still fresh.");
  line.option("--validate-after", "SECONDS", words.validate_after,
              "With --fresh: validate all copies in one request after so long without an answer, "
              "and when another server answers (60); 0: never.");
  line.flag("--direct", get.client.direct,
            "Talk to the servers with no balancer between, where their conf allows it.");
  line.flag("--by-type", get.client.by_type,
            "As --direct, but ask the server that owns each item's type, without a session, where "
            "the data is shared out.");
  line.option(
      "--attempt-timeout", "SECONDS", words.attempt_timeout,
      "With --direct: leave a server that says nothing for so long, and does not say how it "
      "is either, for another (3); 0: never.");
  line.flag("--stats", get.stats, "Say at the end what the client did, and who serves it.");
  line.flag("--bench", get.bench,
            "Get the URLs again and again, and say how long it took; closed loop.");
  line.option("--rate", words.rate, 0, 1'000'000,
              "With --bench: so many calls a second, whatever becomes of them; open loop.");
  line.option("--concurrency", get.load.concurrency, 1, 10'000,
              "With --bench: so many calls at a time (10).");
  line.option("--duration", "SECONDS", words.duration, "With --bench: for so long (10).");
  line.option("--cacert", "FILE", get.client.ca_file, "https: trust these certificates.");
  line.flag("-k,--insecure", words.insecure, "https: trust anybody.");
}

// "Name: value"; false if it is not that.
bool add_header(const std::string& text, tandem::HeaderFields& headers) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos || colon == 0) return false;
  headers.emplace_back(text.substr(0, colon), tandem::http::trim(text.substr(colon + 1)));
  return true;
}

// Seconds as curl takes them, "1.5"; or with a unit, as in conf files. 0 is for the caller to
// judge.
bool read_time(const std::string& text, std::chrono::milliseconds& time) {
  using std::chrono::duration_cast;
  if (!text.empty() && text.find_first_not_of("0123456789.") == text.npos) {
    const double seconds = std::strtod(text.c_str(), nullptr);
    time = duration_cast<std::chrono::milliseconds>(
        std::chrono::duration<double>(std::min(seconds, 1e6)));
    return true;
  }
  const auto parsed = tandem::parse_duration(text);
  if (parsed) time = duration_cast<std::chrono::milliseconds>(*parsed);
  return parsed.has_value();
}

bool read_data(const std::string& data, tandem::GetOptions& get) {
  if (data.empty()) return true;
  get.has_data = true;
  get.data = data;
  if (data.front() != '@') return true;
  if (data == "@-") {
    get.data.assign(std::istreambuf_iterator<char>(std::cin), {});
    return true;
  }
  std::ifstream file(data.substr(1), std::ios::binary);
  get.data.assign(std::istreambuf_iterator<char>(file), {});
  return file.is_open();
}

int refuse(const std::string& what) {
  fmt::print(stderr, "tandem-get: {}\n", what);
  return tandem::kExitUsage;
}

}  // namespace

int main(int argc, char** argv) {
  tandem::GetOptions get;
  Words words;
  tandem::CommandLine line("tandem-get", "Fetches with a session and a cache that survive.");
  declare(line, get, words);
  if (const auto exit = line.parse(argc, argv)) return *exit;
  for (const std::string& header : words.headers) {
    if (!add_header(header, get.headers)) return refuse(fmt::format("-H {}: no colon", header));
  }
  if (!read_data(words.data, get)) return refuse(fmt::format("-d {}: cannot be read", words.data));
  if (words.head) {
    get.method = "HEAD";
    get.include = true;
  }
  if (!read_time(words.max_time, get.client.timeout) || get.client.timeout.count() == 0) {
    return refuse(fmt::format("-m {}: no time", words.max_time));
  }
  if (!read_time(words.connect_timeout, get.client.connect_timeout) ||
      get.client.connect_timeout.count() == 0) {
    return refuse(fmt::format("--connect-timeout {}: no time", words.connect_timeout));
  }
  if (!read_time(words.attempt_timeout, get.client.attempt_timeout)) {
    return refuse(fmt::format("--attempt-timeout {}: no time", words.attempt_timeout));
  }
  if (!read_time(words.validate_after, get.client.validate_after)) {
    return refuse(fmt::format("--validate-after {}: no time", words.validate_after));
  }
  std::chrono::milliseconds duration;
  if (!read_time(words.duration, duration) || duration.count() == 0) {
    return refuse(fmt::format("--duration {}: no time", words.duration));
  }
  get.load.duration = duration;
  get.load.rate = words.rate;
  get.client.attempts_max = words.retries + 1;
  get.client.cache_bytes = words.cache_bytes;
  get.client.verify_peer = !words.insecure;
  get.client.user_agent = "tandem-get/" TANDEM_VERSION;
  return tandem::Get(get, stdout, stderr).run();
}
