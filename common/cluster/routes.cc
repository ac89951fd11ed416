#include "common/cluster/routes.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "common/base/text.h"

namespace tandem {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (lower(c) >= 'a' && lower(c) <= 'f') return lower(c) - 'a' + 10;
  return -1;
}

bool is_wildcard(std::string_view host) { return host.starts_with("*."); }

// What may stand in a host's name, or between the brackets of an IPv6 address.
bool is_host_character(char c, bool bracketed) {
  const char small = lower(c);
  if (bracketed) return hex_value(c) >= 0 || c == ':' || c == '.';
  return (small >= 'a' && small <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.';
}

// Host without port and the dot of a whole name.
std::string_view name_of(std::string_view host) {
  const bool bracketed = host.starts_with('[');
  host = host.substr(0, host.find(':', bracketed ? std::min(host.find(']'), host.size()) : 0));
  if (host.ends_with('.')) host.remove_suffix(1);
  return host;
}

using PathBuffer = std::array<char, Routes::kPathBytesMax + 1>;

// The path of a target, percent-decoded, as far as a route can tell the difference. What is no
// encoding stands as it is.
std::string_view decoded(std::string_view target, PathBuffer& buffer) {
  const std::string_view path = target.substr(0, target.find_first_of("?#"));
  if (path.find('%') == std::string_view::npos) return path;
  std::size_t size = 0;
  for (std::size_t at = 0; at < path.size() && size < buffer.size(); ++at) {
    char byte = path[at];
    if (byte == '%' && at + 2 < path.size()) {
      const int high = hex_value(path[at + 1]), low = hex_value(path[at + 2]);
      if (high >= 0 && low >= 0) {
        byte = static_cast<char>(high * 16 + low);
        at += 2;
      }
    }
    buffer[size++] = byte;
  }
  return {buffer.data(), size};
}

// Does a route's path hold for a path that begins with it?
bool ends_segment(std::string_view route, std::string_view path) {
  return route.size() == path.size() || route.empty() || route.back() == '/' ||
         path[route.size()] == '/';
}

}  // namespace

std::string Routes::complaint_of_host(std::string_view host) {
  if (host.empty()) return {};
  std::string_view name = is_wildcard(host) ? host.substr(2) : host;
  if (name.ends_with('.')) name.remove_suffix(1);
  const bool bracketed = name.size() > 2 && name.front() == '[' && name.back() == ']';
  if (bracketed && name.size() == host.size()) name = name.substr(1, name.size() - 2);
  const bool sound = !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
    return is_host_character(c, bracketed);
  });
  const bool empty_label = name.starts_with('.') || name.find("..") != std::string_view::npos;
  if (!sound || (!bracketed && empty_label)) {
    return "must be a name such as \"shop.example\" or \"*.shop.example\", or an address, without "
           "a port";
  }
  if (host.size() > kHostBytesMax) {
    return "has more than " + std::to_string(kHostBytesMax) + " bytes";
  }
  return {};
}

std::string Routes::complaint_of_path(std::string_view path) {
  if (path.empty()) return {};
  if (!path.starts_with('/')) return "must begin with \"/\"";
  if (path.find_first_of("?#") != std::string_view::npos) {
    return "must have no \"?\" and no \"#\": the query is no part of it";
  }
  if (!is_utf8(path)) return "must be UTF-8";
  if (path.size() > kPathBytesMax) {
    return "has more than " + std::to_string(kPathBytesMax) + " bytes";
  }
  return {};
}

// It stands in headers: Tandem-Session, and the name of a cookie.
std::string Routes::complaint_of_group(std::string_view group) {
  if (group.empty()) return "must not be empty";
  return is_name(group) ? "" : "must be a name";
}

RouteRule Routes::normal(RouteRule rule) {
  std::transform(rule.host.begin(), rule.host.end(), rule.host.begin(), lower);
  if (rule.host.ends_with('.')) rule.host.pop_back();
  if (rule.path == "/") rule.path.clear();
  return rule;
}

Result<Routes> Routes::make(std::vector<RouteRule> rules) {
  if (rules.size() > kRoutesMax) {
    return fail(Error::conf("more than " + std::to_string(kRoutesMax) + " routes"));
  }
  Routes routes;
  for (RouteRule& rule : rules) {
    std::string what = complaint_of_group(rule.group);
    if (!what.empty()) return fail(Error::conf("the group of a route " + what));
    what = complaint_of_host(rule.host);
    if (!what.empty()) return fail(Error::conf("the host of a route " + what));
    what = complaint_of_path(rule.path);
    if (!what.empty()) return fail(Error::conf("the path of a route " + what));
    routes.rules_.push_back(normal(std::move(rule)));
  }
  for (const RouteRule& rule : routes.rules_) routes.groups_.push_back(rule.group);
  std::sort(routes.groups_.begin(), routes.groups_.end());
  routes.groups_.erase(std::unique(routes.groups_.begin(), routes.groups_.end()),
                       routes.groups_.end());
  if (routes.groups_.size() > kGroupsMax + 1) {
    return fail(Error::conf("routes to more than " + std::to_string(kGroupsMax) + " groups"));
  }
  if (!routes.build()) return fail(Error::conf("two routes of one host and path"));
  return routes;
}

bool Routes::build() {
  std::vector<const RouteRule*> sorted;
  for (const RouteRule& rule : rules_) sorted.push_back(&rule);
  std::sort(sorted.begin(), sorted.end(), [](const RouteRule* a, const RouteRule* b) {
    return std::tie(a->host, a->path) < std::tie(b->host, b->path);
  });
  Host* host = nullptr;
  const std::string* named = nullptr;
  for (const RouteRule* rule : sorted) {
    const auto at = static_cast<std::uint32_t>(paths_.size());
    if (named == nullptr || *named != rule->host) {
      named = &rule->host;
      const bool wildcard = is_wildcard(rule->host);
      auto& hosts = wildcard ? wildcards_ : exact_;
      host = rule->host.empty() ? &any_ : &hosts.emplace_back();
      *host = {rule->host.substr(wildcard ? 1 : 0), at, at};
    }
    if (at > host->begin && paths_.back().path == rule->path) return false;
    Path path{rule->path, pool_of(rule->group), at > host->begin ? at - 1 : kNone};
    while (path.parent != kNone && !path.path.starts_with(paths_[path.parent].path)) {
      path.parent = paths_[path.parent].parent;
    }
    paths_.push_back(std::move(path));
    host->end = at + 1;
  }
  return true;
}

PoolNumber Routes::pool_of(std::string_view group) const { return routed(group).value_or(0); }

std::optional<PoolNumber> Routes::routed(std::string_view group) const {
  const auto at = std::lower_bound(groups_.begin() + 1, groups_.end(), group);
  if (at == groups_.end() || *at != group) return std::nullopt;
  return static_cast<PoolNumber>(at - groups_.begin());
}

PoolNumber Routes::match(std::string_view host, std::string_view target) const {
  PathBuffer path_buffer;
  const std::string_view path = decoded(target, path_buffer);
  std::array<char, kHostBytesMax> name_buffer;
  const std::string_view written = name_of(host);
  const Path* found = nullptr;
  if (!written.empty() && written.size() <= name_buffer.size()) {
    std::transform(written.begin(), written.end(), name_buffer.begin(), lower);
    const std::string_view name(name_buffer.data(), written.size());
    found = find(exact_, name, path);
    if (!wildcards_.empty()) {
      for (std::size_t dot = name.find('.', 1); found == nullptr && dot != name.npos;
           dot = name.find('.', dot + 1)) {
        found = find(wildcards_, name.substr(dot), path);
      }
    }
  }
  if (found == nullptr) found = longest(any_, path);
  return found == nullptr ? 0 : found->pool;
}

const Routes::Path* Routes::find(const std::vector<Host>& hosts, std::string_view name,
                                 std::string_view path) const {
  const auto at = std::lower_bound(hosts.begin(), hosts.end(), name,
                                   [](const Host& a, std::string_view b) { return a.name < b; });
  return at == hosts.end() || at->name != name ? nullptr : longest(*at, path);
}

// All that `path` begins with are the last one that is not behind it, and that one's parents.
const Routes::Path* Routes::longest(const Host& host, std::string_view path) const {
  const auto begin = paths_.begin() + host.begin, end = paths_.begin() + host.end;
  const auto behind = std::upper_bound(
      begin, end, path, [](std::string_view a, const Path& b) { return a < b.path; });
  if (behind == begin) return nullptr;
  for (auto at = static_cast<std::uint32_t>(behind - paths_.begin() - 1); at != kNone;
       at = paths_[at].parent) {
    const std::string& route = paths_[at].path;
    if (path.starts_with(route) && ends_segment(route, path)) return &paths_[at];
  }
  return nullptr;
}

}  // namespace tandem
