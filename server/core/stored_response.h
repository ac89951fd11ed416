// One response that a cache holds: immutable, so that whoever is being answered from it is not
// disturbed when it is freshened or dropped.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/http/head.h"
#include "server/core/cache_policy.h"

namespace tandem {

struct StoredResponse {
  // What one costs besides its texts; counted, so that tiny ones are bounded as well.
  static constexpr std::uint64_t kOverheadBytes = 512;

  using Body = std::shared_ptr<const std::string>;

  int status = 200;
  std::string reason;
  // Whole lines, with Date; without those of one connection, Content-Length, Age, and Cache-Status
  // (the caches that it passed have no part in a hit). The second are those of a 304.
  std::string fields;
  std::string fields_of_304;
  std::string vary;  // server/core/cache_key.h
  std::string etag;  // as received; empty: none
  std::string last_modified;
  CacheTerms terms;
  Body body;  // never null

  bool can_be_validated() const { return !etag.empty() || !last_modified.empty(); }
  std::uint64_t cost() const {
    return kOverheadBytes + fields.size() + fields_of_304.size() + vary.size() + body->size();
  }
};

using Stored = std::shared_ptr<const StoredResponse>;

// All of a response but its body. `wall`: its Date if it has none.
StoredResponse store_head(const http::ResponseHead& head, const CacheTerms& terms, std::string vary,
                          UnixSeconds wall);

// Does a 304 speak of this one (RFC 9111, 4.3.4)? Not if it names another entity tag.
bool is_validated_by(const StoredResponse& stored, const http::ResponseHead& not_modified);
// The field lines of `stored` with those of the 304 in place of its own (3.2), as a whole head: to
// be parsed, and stored again with what it says now.
std::string freshened_head(const StoredResponse& stored, const http::ResponseHead& not_modified);

}  // namespace tandem
