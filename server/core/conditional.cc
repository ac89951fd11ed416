#include "server/core/conditional.h"

#include <optional>
#include <string>
#include <string_view>

#include "common/http/cache_control.h"
#include "common/http/chars.h"
#include "common/http/etag_list.h"

namespace tandem {
namespace {

using http::FieldId;

// One of our validators, as an entity tag in a list; weak comparison, so W/ does not matter.
std::optional<Validator> ours(const http::EntityTag& tag) {
  if (tag.opaque.size() + 2 > Validator::kEtagBytesMax) return std::nullopt;
  std::string quoted;
  quoted.reserve(Validator::kEtagBytesMax);
  quoted += '"';
  quoted += tag.opaque;
  quoted += '"';
  return Validator::parse(quoted);
}

struct TagCount {
  std::size_t ours = 0;
  std::size_t foreign = 0;
};

// Walks over all tags of the fields `id`; `each` gets those that are ours.
template <class Each>
TagCount walk(const http::Head& head, FieldId id, Each each) {
  TagCount count;
  for (const http::Field& field : head.fields()) {
    if (field.id != id) continue;
    http::EntityTagList list(head.value(field));
    while (list.next()) {
      if (auto validator = ours(list.tag())) {
        ++count.ours;
        each(*validator);
      } else {
        ++count.foreign;
      }
    }
  }
  return count;
}

bool is_read(http::Method method) {
  return method == http::Method::kGet || method == http::Method::kHead;
}

bool has_strong_etag(const http::ResponseHead& head) {
  http::EntityTag tag;
  return http::parse_entity_tag(head.value(FieldId::kEtag), tag) && !tag.weak;
}

// Server-sent events: each is to reach the client when it is sent, and the last may never come.
bool is_event_stream(const http::ResponseHead& head) {
  constexpr std::string_view kType = "text/event-stream";
  const std::string_view type = head.value(http::FieldId::kContentType);
  return http::same_word(type.substr(0, kType.size()), kType) &&
         (type.size() == kType.size() || type[kType.size()] == ';' || type[kType.size()] == ' ');
}

}  // namespace

RequestConditions request_conditions(EtagRule rule, const http::RequestHead& head,
                                     bool source_knows_ours) {
  RequestConditions out;
  const bool ours_only = rule == EtagRule::kContent;
  // The source cannot tell whether one of our tags is current, and a lost update is worse than a
  // refused one.
  const bool source_decides = source_knows_ours && !is_read(head.method());
  if (!source_decides && head.has(FieldId::kIfMatch) &&
      !http::is_any(head.value(FieldId::kIfMatch))) {
    const TagCount count = walk(head, FieldId::kIfMatch, [](const Validator&) {});
    out.precondition_failed = ours_only || (count.ours > 0 && count.foreign == 0);
  }
  if (!is_read(head.method())) return out;

  if (head.has(FieldId::kIfNoneMatch) && !http::is_any(head.value(FieldId::kIfNoneMatch))) {
    const TagCount count = walk(head, FieldId::kIfNoneMatch, [&](const Validator& validator) {
      if (head.method() == http::Method::kGet && out.announced_count < out.kAnnouncedMax) {
        out.announced_tags[out.announced_count++] = validator;
      }
    });
    // If-None-Match comes before If-Modified-Since (13.2.2): where the first is hidden, a 304 by
    // the second would answer a question that nobody asked.
    out.hide_if_none_match = ours_only || count.foreign == 0;
    out.hide_if_modified_since = out.hide_if_none_match;
  }
  if (head.has(FieldId::kIfRange)) {
    const std::string_view value = head.value(FieldId::kIfRange);
    http::EntityTag tag;
    // A tag that the source does not know never matches, and then the whole is due (13.1.5).
    out.hide_range = http::parse_entity_tag(value, tag) && (ours_only || ours(tag).has_value());
  }
  return out;
}

ResponsePlan plan_response(EtagRule rule, http::Method asked, const http::ResponseHead& head,
                           const http::Framing& framing, std::uint64_t validate_body_max) {
  ResponsePlan plan;
  plan.storable = !http::cache_control(head).no_store;
  plan.cut_etag = rule == EtagRule::kContent && is_read(asked);
  if (asked != http::Method::kGet || head.status() != 200 || !plan.storable) return plan;
  if (rule == EtagRule::kOrigin && has_strong_etag(head)) return plan;
  if (is_event_stream(head)) return plan;
  switch (framing.kind) {
    case http::BodyKind::kNone:
      plan.collect = true;
      break;
    case http::BodyKind::kLength:
      plan.collect = framing.length <= validate_body_max;
      break;
    case http::BodyKind::kChunked:
    case http::BodyKind::kUntilClose:
      plan.collect = validate_body_max > 0;
      break;
    case http::BodyKind::kTunnel:
      break;
  }
  return plan;
}

}  // namespace tandem
