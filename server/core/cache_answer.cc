#include "server/core/cache_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "common/http/build.h"
#include "common/http/date.h"
#include "common/http/edit.h"
#include "common/http/etag_list.h"
#include "common/http/range.h"

namespace tandem {
namespace {

using http::FieldId;
using Kind = http::ByteRange::Kind;

bool is_not_modified(const http::RequestHead& request, const StoredResponse& stored) {
  if (request.has(FieldId::kIfNoneMatch)) {
    if (http::is_any(request.value(FieldId::kIfNoneMatch))) return true;
    http::EntityTag tag;
    return http::parse_entity_tag(stored.etag, tag) &&
           http::matches_weakly(request, FieldId::kIfNoneMatch, tag);
  }
  if (!request.has(FieldId::kIfModifiedSince) || stored.last_modified.empty()) return false;
  const auto since = http::parse_date(request.value(FieldId::kIfModifiedSince));
  const auto modified = http::parse_date(stored.last_modified);
  return since && modified && *modified <= *since;
}

// Is the range of the representation that is stored (RFC 9110, 13.1.5)?
bool range_applies(const http::RequestHead& request, const StoredResponse& stored) {
  if (!request.has(FieldId::kIfRange)) return true;
  const std::string_view value = request.value(FieldId::kIfRange);
  http::EntityTag theirs, ours;
  if (http::parse_entity_tag(value, theirs)) {
    return http::parse_entity_tag(stored.etag, ours) && !theirs.weak && !ours.weak &&
           theirs.opaque == ours.opaque;
  }
  return !stored.last_modified.empty() && value == stored.last_modified;
}

http::ByteRange range_of(const http::RequestHead& request, const StoredResponse& stored) {
  const bool asks = request.method() == http::Method::kGet && request.has(FieldId::kRange) &&
                    !request.repeated(FieldId::kRange) && range_applies(request, stored);
  return asks ? http::parse_range(request.value(FieldId::kRange), stored.body->size())
              : http::ByteRange{};
}

}  // namespace

CacheAnswer answer_from_stored(std::string& head, const http::RequestHead& request,
                               const StoredResponse& stored, Instant now,
                               std::string_view cache_name, const CacheOutcome& outcome) {
  CacheAnswer answer{stored.status, *stored.body};
  http::ByteRange range;
  if (stored.status == 200) {
    if (is_not_modified(request, stored)) {
      answer = {304, {}};
    } else {
      range = range_of(request, stored);
    }
  }
  if (range.kind == Kind::kPart) answer = {206, answer.content.substr(range.first, range.size)};
  if (range.kind == Kind::kUnsatisfiable) answer = {416, {}};

  head.clear();
  http::HeadBuilder builder(head);
  if (answer.status == stored.status) {
    builder.status(answer.status, stored.reason);
  } else {
    builder.status(answer.status);
  }
  const bool whole_fields = answer.status != 304 && answer.status != 416;
  head += whole_fields ? stored.fields : stored.fields_of_304;
  const auto out = std::back_inserter(head);
  const std::size_t length = stored.body->size();
  if (answer.status == 206) {
    fmt::format_to(out, "Content-Range: bytes {}-{}/{}\r\n", range.first,
                   range.first + range.size - 1, length);
  } else if (answer.status == 416) {
    fmt::format_to(out, "Content-Range: bytes */{}\r\n", length);
  }
  if (answer.status != 304 && answer.status != 204) {
    builder.field("Content-Length", answer.content.size());
  }
  const auto age =
      std::chrono::duration_cast<std::chrono::seconds>(outcome.age.value_or(stored.terms.age(now)));
  builder.field("Age", static_cast<std::uint64_t>(std::max<std::int64_t>(age.count(), 0)));
  head += "Cache-Status: ";
  append_cache_status(head, cache_name, outcome);
  head += "\r\n";
  builder.finish();
  if (request.method() == http::Method::kHead) answer.content = {};
  return answer;
}

std::string fetch_head(const http::RequestHead& request, const StoredResponse* stored) {
  http::HeadEdit edit;
  edit.begin(request);
  for (const FieldId id :
       {FieldId::kIfNoneMatch, FieldId::kIfModifiedSince, FieldId::kRange, FieldId::kIfRange}) {
    edit.cut_all(id);
  }
  if (stored != nullptr && !stored->etag.empty()) edit.add("If-None-Match", {stored->etag});
  if (stored != nullptr && !stored->last_modified.empty()) {
    edit.add("If-Modified-Since", {stored->last_modified});
  }
  std::string text;
  edit.append_to(text);
  return text;
}

}  // namespace tandem
