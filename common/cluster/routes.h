// Routes: which group of servers serves a request, by its host and path.
//
// A group is servers that stand in for each other. A *pool* is the servers that one kind of request
// may go to: pool 0 those of all groups that no route names, and of each routed group one of its
// own. A request that no route matches is pool 0's; without routes everything is.
//
// The most specific route decides, whatever their order: first by host (exact; *.name, the longest
// first; any), then by the longest path. A route whose host fits but whose path does not is none.
// A path is a prefix by segments: "/api" is /api, /api/x and /api?q, not /apix; "/api/" only what
// is beneath it. Percent-encoding makes no difference, as with types (ownership.h); letters' case
// does in paths, not in hosts. "*.shop.example" is all names beneath, however deep, not
// shop.example.
//
// Pure and immutable; a look-up allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace tandem {

struct RouteRule {
  std::string host;  // without port; empty: any
  std::string path;  // percent-decoded; empty: any
  std::string group;

  bool operator==(const RouteRule&) const = default;
};

// The number of a pool among those of one Routes. Another Routes may number them otherwise: what
// outlives it knows a pool by its group.
using PoolNumber = std::uint32_t;

class Routes {
 public:
  static constexpr std::size_t kRoutesMax = 1024;
  static constexpr std::size_t kGroupsMax = 64;  // that routes name
  static constexpr std::size_t kHostBytesMax = 253;
  static constexpr std::size_t kPathBytesMax = 512;

  // None.
  Routes() = default;
  // An error if a rule cannot be (complaint()), two are of one host and path, or there are too
  // many.
  static Result<Routes> make(std::vector<RouteRule> rules);

  // What is wrong with a host, a path or a group, as in "host WHAT"; empty: nothing.
  static std::string complaint_of_host(std::string_view host);
  static std::string complaint_of_path(std::string_view path);
  static std::string complaint_of_group(std::string_view group);
  // As routes are compared and told: the host in small letters without a dot at its end, the path
  // "/" as none.
  static RouteRule normal(RouteRule rule);

  bool empty() const { return rules_.empty(); }
  // Normal, in the order in which they were given.
  const std::vector<RouteRule>& rules() const { return rules_; }

  // At least 1.
  std::size_t pools() const { return groups_.size(); }
  // Of a routed group, in the order of names from 1 on; empty: pool 0.
  const std::string& group(PoolNumber pool) const { return groups_[pool]; }
  // Where the servers of a group are: 0 if no route names it.
  PoolNumber pool_of(std::string_view group) const;
  // Of a group that a route names; nothing if none does.
  std::optional<PoolNumber> routed(std::string_view group) const;

  // Whose a request is. `host` with or without a port; `target` the path, with or without a query
  // (of an absolute target: http::RequestHead::authority() and path()).
  PoolNumber pool(std::string_view host, std::string_view target) const {
    return rules_.empty() ? 0 : match(host, target);
  }

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  struct Path {
    std::string path;
    PoolNumber pool = 0;
    std::uint32_t parent = kNone;  // in paths_: the longest other one that this begins with
  };
  // One host's paths: paths_[begin] to paths_[end - 1], in the order of bytes.
  struct Host {
    std::string name;  // of a wildcard what follows the asterisk
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
  };

  bool build();  // false: two rules of one host and path
  PoolNumber match(std::string_view host, std::string_view target) const;
  const Path* longest(const Host& host, std::string_view path) const;
  const Path* find(const std::vector<Host>& hosts, std::string_view name,
                   std::string_view path) const;

  std::vector<RouteRule> rules_;
  std::vector<std::string> groups_ = {""};
  std::vector<Path> paths_;
  std::vector<Host> exact_;      // by name
  std::vector<Host> wildcards_;  // by name
  Host any_;
};

}  // namespace tandem
