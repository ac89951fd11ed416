#include "server/core/stored_response.h"

#include <algorithm>

#include "common/http/build.h"
#include "common/http/chars.h"
#include "common/http/date.h"
#include "common/http/edit.h"
#include "common/http/etag_list.h"
#include "common/http/forward.h"

namespace tandem {
namespace {

using http::Field;
using http::FieldId;

constexpr std::string_view kCacheStatus = "Cache-Status";

// What belongs to one message, not to the stored response.
constexpr FieldId kOfOneMessage[] = {FieldId::kContentLength, FieldId::kTransferEncoding,
                                     FieldId::kTrailer, FieldId::kAge, FieldId::kProxyAuthenticate};
// Metadata of the representation, of no use to whoever has the representation (RFC 9110, 15.4.5).
constexpr FieldId kOfContent[] = {FieldId::kContentType, FieldId::kContentEncoding,
                                  FieldId::kContentRange, FieldId::kAcceptRanges};
// What a 304 must not change of the content that it is not about (RFC 9111, 3.2).
bool stays(const Field& field, std::string_view name) {
  return field.id == FieldId::kContentEncoding || field.id == FieldId::kContentType ||
         field.id == FieldId::kContentRange || field.id == FieldId::kContentLength ||
         http::same_word(name, kCacheStatus);
}

void cut_named(http::HeadEdit& edit, const http::Head& head, std::string_view name) {
  for (const Field& field : head.fields()) {
    if (field.id == FieldId::kOther && http::same_word(head.name(field), name)) edit.cut(field);
  }
}

}  // namespace

StoredResponse store_head(const http::ResponseHead& head, const CacheTerms& terms, std::string vary,
                          UnixSeconds wall) {
  StoredResponse stored;
  stored.status = head.status();
  stored.reason = head.reason();
  stored.vary = std::move(vary);
  stored.etag = head.value(FieldId::kEtag);
  stored.last_modified = head.value(FieldId::kLastModified);
  stored.terms = terms;
  stored.body = std::make_shared<const std::string>();
  http::HeadEdit edit;
  http::forward_response(edit, head, {});
  for (const FieldId id : kOfOneMessage) edit.cut_all(id);
  cut_named(edit, head, kCacheStatus);
  if (!head.has(FieldId::kDate)) {
    const http::DateText date = http::format_date(wall);
    edit.add("Date", {{date.data(), date.size()}});
  }
  stored.fields = edit.field_lines();
  for (const FieldId id : kOfContent) edit.cut_all(id);
  if (!stored.etag.empty()) edit.cut_all(FieldId::kLastModified);
  stored.fields_of_304 = edit.field_lines();
  return stored;
}

bool is_validated_by(const StoredResponse& stored, const http::ResponseHead& not_modified) {
  http::EntityTag theirs;
  if (!http::parse_entity_tag(not_modified.value(FieldId::kEtag), theirs)) return true;
  http::EntityTag ours;
  return http::parse_entity_tag(stored.etag, ours) && ours.opaque == theirs.opaque;
}

std::string freshened_head(const StoredResponse& stored, const http::ResponseHead& not_modified) {
  std::string text;
  http::HeadBuilder(text).status(stored.status, stored.reason);
  const std::string_view fields = stored.fields;
  for (std::size_t at = 0; at < fields.size();) {
    const std::size_t end = fields.find("\r\n", at) + 2;
    const std::string_view line = fields.substr(at, end - at);
    const Field* newer = not_modified.find(line.substr(0, line.find(':')));
    if (newer == nullptr || stays(*newer, not_modified.name(*newer))) text += line;
    at = end;
  }
  for (const Field& field : not_modified.fields()) {
    if (stays(field, not_modified.name(field))) continue;
    text +=
        not_modified.buffer().substr(field.name_at, not_modified.line_end(field) - field.name_at);
  }
  text += "\r\n";
  return text;
}

}  // namespace tandem
