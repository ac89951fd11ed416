// What a cache says: the answer to a request from a stored response (RFC 9111, 4.3.2; RFC 9110, 13
// and 14), and the request with which it asks the source for a whole item.
#pragma once

#include <string>
#include <string_view>

#include "common/base/time.h"
#include "common/http/head.h"
#include "server/core/cache_status.h"
#include "server/core/stored_response.h"

namespace tandem {

struct CacheAnswer {
  int status = 200;
  std::string_view content;  // all or part of the stored body; empty for HEAD, too
};

// `cache_name` and `outcome` are for Cache-Status. Writes the head to `head`, in place of what was
// there: the stored one with Age and Cache-Status, or 304, 206 or 416 as the request's conditions
// and range have it. A range of which If-Range says that it is of another representation, and
// several ranges, get the whole.
CacheAnswer answer_from_stored(std::string& head, const http::RequestHead& request,
                               const StoredResponse& stored, Instant now,
                               std::string_view cache_name, const CacheOutcome& outcome);

// The head of the request for the whole item: this one's without its conditions and range, with
// those that validate `stored`, if there is one.
std::string fetch_head(const http::RequestHead& request, const StoredResponse* stored);

}  // namespace tandem
