// What tandem-get does once its command line is read: fetches, writes, follows, and says how.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "client/cli/bench.h"
#include "client/core/url.h"
#include "client/include/tandem/client.h"

namespace tandem {

struct GetOptions {
  std::vector<std::string> urls{};
  std::string method{};  // empty: GET, or POST with data
  std::string data{};    // the request's content
  bool has_data = false;
  HeaderFields headers{};
  bool verbose = false;  // a line for each item on standard error
  bool silent = false;   // no error messages
  bool fail = false;     // a status of 400 or more is a failure, and its body not written
  bool include = false;  // the response's head before its body
  bool follow_redirects = false;
  bool recursive = false;  // the site's links, too; contents are not written
  std::uint32_t items_max = 1000;
  std::uint32_t depth_max = 16;
  bool remote_name = false;  // write to a file named as the URL's last part
  std::string output{};      // write to this file; empty: standard output
  bool stats = false;        // what each client did, on standard error
  bool bench = false;        // load instead of contents, by `load`
  BenchOptions load{};
  ClientOptions client{};  // its balancer is taken from each URL
};

// Exit statuses, as curl has them.
enum ExitStatus : int {
  kExitOk = 0,
  kExitBadUse = 2,
  kExitBadUrl = 3,
  kExitResolve = 6,
  kExitConnect = 7,
  kExitStrangeReply = 8,
  kExitHttpStatus = 22,
  kExitWrite = 23,
  kExitTimeout = 28,
  kExitTls = 35,
  kExitRedirects = 47,
  kExitSend = 55,
  kExitReceive = 56,
};
ExitStatus exit_status_of(ClientFailure failure);

class Get {
 public:
  static constexpr int kRedirectsMax = 10;

  // Contents go to `out` where no file is named, all else to `err`.
  Get(const GetOptions& options, std::FILE* out, std::FILE* err)
      : options_(options), out_(out), err_(err) {}

  // The exit status: that of the last failure, or kExitOk.
  int run();

 private:
  struct Tally {
    std::uint64_t items = 0, failed = 0, fetched = 0, by_mirror = 0, by_validator = 0, local = 0;
    std::uint64_t bytes_received = 0;
  };

  Client& client_of(const Url& url);
  int fetch(const Url& url);
  Reply ask(const Url& url, std::string_view method, std::string_view data);
  int judge(const Url& url, const Reply& reply);
  int write(const Url& url, const Reply& reply);
  int follow_links(const Url& start);
  int bench();
  void add_links(const Url& page, const Reply& reply, std::vector<Url>& found) const;
  void say_item(const Url& url, const Reply& reply);
  void say_validation(const ValidationReport& validation);
  void say_tally();
  void complain(const std::string& what);

  const GetOptions& options_;
  std::FILE* out_;
  std::FILE* err_;
  std::map<std::string, Client> clients_;  // by origin: each has a session of its own
  Tally tally_;
};

}  // namespace tandem
