#include "client/cli/get.h"

#include <fmt/format.h>

#include <deque>
#include <memory>
#include <set>
#include <utility>

#include "client/cli/links.h"
#include "common/http/chars.h"

namespace tandem {
namespace {

// Links that are taken from one page.
constexpr std::size_t kLinksPerPageMax = 10'000;

bool is_html(const Reply& reply) {
  const std::string_view type = reply.header("Content-Type");
  return http::same_word(type.substr(0, 9), "text/html") ||
         http::same_word(type.substr(0, 21), "application/xhtml+xml");
}

bool is_redirect(const Reply& reply) {
  switch (reply.status) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
      return !reply.header("Location").empty();
    default:
      return false;
  }
}

// The last part of the path, "index.html" for a directory.
std::string file_name_of(const Url& url) {
  const std::string path = url.target.substr(0, url.target.find('?'));
  const std::string name = path.substr(path.rfind('/') + 1);
  return name.empty() ? "index.html" : name;
}

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

}  // namespace

ExitStatus exit_status_of(ClientFailure failure) {
  switch (failure) {
    case ClientFailure::kNone:
      return kExitOk;
    case ClientFailure::kOptions:
      return kExitBadUse;
    case ClientFailure::kResolve:
      return kExitResolve;
    case ClientFailure::kConnect:
      return kExitConnect;
    case ClientFailure::kTls:
      return kExitTls;
    case ClientFailure::kTimeout:
      return kExitTimeout;
    case ClientFailure::kSend:
      return kExitSend;
    case ClientFailure::kReceive:
      return kExitReceive;
    case ClientFailure::kProtocol:
      return kExitStrangeReply;
    case ClientFailure::kQueueFull:
    case ClientFailure::kCancelled:
      break;  // it makes one call at a time
  }
  return kExitBadUse;
}

int Get::run() {
  if (options_.bench) return bench();
  int status = kExitOk;
  for (const std::string& text : options_.urls) {
    // A bare name is taken for one of http, as browsers do.
    const auto url = Url::parse(text.find("://") == text.npos ? "http://" + text : text);
    int outcome = kExitBadUrl;
    if (!url) {
      complain(fmt::format("\"{}\" is not a URL of http or https", text));
    } else {
      outcome = options_.recursive ? follow_links(*url) : fetch(*url);
    }
    if (outcome != kExitOk) status = outcome;
  }
  if (options_.recursive) say_tally();
  if (options_.stats) {
    for (const auto& [origin, client] : clients_) say_stats(err_, origin, client.stats());
  }
  return status;
}

int Get::bench() {
  std::vector<std::string> targets;
  std::string origin;
  for (const std::string& text : options_.urls) {
    const auto url = Url::parse(text.find("://") == text.npos ? "http://" + text : text);
    if (!url || (!origin.empty() && url->origin() != origin)) {
      complain(fmt::format("\"{}\" is not a URL of {}", text,
                           origin.empty() ? "http or https" : origin));
      return kExitBadUrl;
    }
    origin = url->origin();
    targets.push_back(url->target);
  }
  ClientOptions client = options_.client;
  client.balancer = origin;
  const BenchResult result = run_bench(client, targets, options_.headers, options_.load);
  say_bench(out_, options_.load, result);
  if (options_.stats) say_stats(err_, origin, result.client);
  if (result.no_response > 0) return kExitReceive;
  return options_.fail && result.bad_status > 0 ? kExitHttpStatus : kExitOk;
}

Client& Get::client_of(const Url& url) {
  const std::string origin = url.origin();
  const auto known = clients_.find(origin);
  if (known != clients_.end()) return known->second;
  ClientOptions options = options_.client;
  options.balancer = origin;
  return clients_.emplace(origin, Client(std::move(options))).first->second;
}

Reply Get::ask(const Url& url, std::string_view method, std::string_view data) {
  Reply reply = client_of(url).request(method, url.target, std::string(data), options_.headers);
  say_item(url, reply);
  return reply;
}

// One URL of the command line, with its redirects.
int Get::fetch(const Url& url) {
  Url at = url;
  std::string method = options_.method;
  if (method.empty()) method = options_.has_data ? "POST" : "GET";
  std::string_view data = options_.data;
  for (int redirects = 0;; ++redirects) {
    const Reply reply = ask(at, method, data);
    if (reply && options_.follow_redirects && is_redirect(reply)) {
      if (redirects == kRedirectsMax) {
        complain(fmt::format("{}: more than {} redirects", url.text(), kRedirectsMax));
        return kExitRedirects;
      }
      const auto next = at.resolve(reply.header("Location"));
      if (!next) {
        complain(fmt::format("{}: redirected to what is no URL of http", at.text()));
        return kExitBadUrl;
      }
      at = *next;
      if (reply.status != 307 && reply.status != 308 && method != "GET" && method != "HEAD") {
        method = "GET";
        data = {};
      }
      continue;
    }
    const int status = judge(at, reply);
    return status == kExitOk ? write(at, reply) : status;
  }
}

// Is the reply what was wanted?
int Get::judge(const Url& url, const Reply& reply) {
  if (!reply) {
    complain(fmt::format("{}: {}", url.text(), reply.message));
    return exit_status_of(reply.failure);
  }
  if (options_.fail && reply.status >= 400) {
    complain(fmt::format("{}: the status is {}", url.text(), reply.status));
    return kExitHttpStatus;
  }
  return kExitOk;
}

int Get::write(const Url& url, const Reply& reply) {
  std::string name = options_.output;
  if (options_.remote_name) name = file_name_of(url);
  std::unique_ptr<std::FILE, CloseFile> file;
  std::FILE* to = out_;
  if (!name.empty() && name != "-") {
    file.reset(std::fopen(name.c_str(), "wb"));
    to = file.get();
  }
  bool written = to != nullptr;
  if (written && options_.include) {
    fmt::print(to, "HTTP/1.1 {}\r\n", reply.status);
    for (const auto& [field, value] : reply.headers) fmt::print(to, "{}: {}\r\n", field, value);
    fmt::print(to, "\r\n");
  }
  const std::string& body = reply.body();
  written = written && std::fwrite(body.data(), 1, body.size(), to) == body.size() &&
            std::fflush(to) == 0;
  if (!written) complain(fmt::format("{}: cannot be written", name.empty() ? "-" : name));
  return written ? kExitOk : kExitWrite;
}

// Breadth first, each item once, only this origin.
int Get::follow_links(const Url& start) {
  struct Step {
    Url url;
    std::uint32_t depth;
  };
  std::deque<Step> open = {{start, 0}};
  std::set<std::string> seen = {start.target};
  int status = kExitOk;
  while (!open.empty()) {
    const Step step = std::move(open.front());
    open.pop_front();
    const Reply reply = ask(step.url, "GET", {});
    if (const int outcome = judge(step.url, reply); outcome != kExitOk) status = outcome;
    if (!reply || step.depth == options_.depth_max) continue;
    std::vector<Url> found;
    add_links(step.url, reply, found);
    for (Url& url : found) {
      if (!url.same_origin(start) || seen.size() >= options_.items_max) continue;
      if (seen.insert(url.target).second) open.push_back({std::move(url), step.depth + 1});
    }
  }
  return status;
}

void Get::add_links(const Url& page, const Reply& reply, std::vector<Url>& found) const {
  if (is_redirect(reply)) {
    if (auto url = page.resolve(reply.header("Location"))) found.push_back(std::move(*url));
  } else if (reply.status == 200 && is_html(reply)) {
    for (const std::string& link : links_of(reply.body(), kLinksPerPageMax)) {
      if (auto url = page.resolve(link)) found.push_back(std::move(*url));
    }
  }
}

void Get::say_item(const Url& url, const Reply& reply) {
  ++tally_.items;
  tally_.bytes_received += reply.bytes_received;
  if (!reply || reply.status >= 400) {
    ++tally_.failed;
  } else {
    switch (reply.source) {
      case ReplySource::kFetched:
        ++tally_.fetched;
        break;
      case ReplySource::kByMirror:
        ++tally_.by_mirror;
        break;
      case ReplySource::kByValidator:
        ++tally_.by_validator;
        break;
      case ReplySource::kLocal:
        ++tally_.local;
        break;
    }
  }
  if (!options_.verbose) return;
  say_validation(reply.validation);
  const char* how = "fetched";
  if (!reply) {
    how = "failed";
  } else if (reply.source == ReplySource::kByMirror) {
    how = "reused by mirror";
  } else if (reply.source == ReplySource::kByValidator) {
    how = "reused by validator";
  } else if (reply.source == ReplySource::kLocal) {
    how = "reused without asking";
  }
  const double ms = std::chrono::duration<double, std::milli>(reply.elapsed).count();
  fmt::print(err_, "* {}: {}, status {}, {} bytes, {} received, {:.1f} ms{}{}{}{}{}\n", url.text(),
             how, reply.status, reply.body().size(), reply.bytes_received, ms,
             reply.server.empty() ? "" : ", server ", reply.server,
             reply.group.empty() ? "" : ", group ", reply.group,
             reply.attempts > 1 ? fmt::format(", {} attempts", reply.attempts) : "");
}

void Get::say_validation(const ValidationReport& validation) {
  if (validation.requests == 0) return;
  if (!validation.known) {
    fmt::print(err_, "* the whole cache: not validated, the server cannot; item by item\n");
    return;
  }
  fmt::print(err_, "* the whole cache: {} of {} items validated by {} {}, {} bytes\n",
             validation.vouched, validation.items, validation.requests,
             validation.requests == 1 ? "request" : "requests",
             validation.bytes_sent + validation.bytes_received);
}

void Get::say_tally() {
  if (options_.silent) return;
  fmt::print(err_,
             "{} items: {} fetched, {} reused by mirror, {} by validator, {} without asking, "
             "{} failed; {} bytes received\n",
             tally_.items, tally_.fetched, tally_.by_mirror, tally_.by_validator, tally_.local,
             tally_.failed, tally_.bytes_received);
}

void Get::complain(const std::string& what) {
  if (!options_.silent) fmt::print(err_, "tandem-get: {}\n", what);
}

}  // namespace tandem
