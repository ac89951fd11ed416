#include "server/core/write_conditions.h"

#include <algorithm>
#include <string>

#include "common/http/etag_list.h"

namespace tandem {
namespace {

using http::FieldId;

// A malformed list counts up to the fault.
std::optional<WriteConditions::Tags> tags_of(const http::Head& head, FieldId id, bool weak_too) {
  if (!head.has(id)) return std::nullopt;
  WriteConditions::Tags tags;
  for (const http::Field& field : head.fields()) {
    if (field.id != id) continue;
    if (http::is_any(head.value(field))) tags.any = true;
    http::EntityTagList list(head.value(field));
    while (list.next()) {
      if (list.tag().weak && !weak_too) continue;
      const auto validator = Validator::parse('"' + std::string(list.tag().opaque) + '"');
      if (validator) tags.validators.push_back(*validator);
    }
  }
  return tags;
}

}  // namespace

bool WriteConditions::Tags::match(std::string_view content) const {
  return any || std::any_of(validators.begin(), validators.end(), [&](const Validator& validator) {
           return matches(validator, content);
         });
}

WriteConditions WriteConditions::of(const http::RequestHead& head) {
  return {tags_of(head, FieldId::kIfMatch, false), tags_of(head, FieldId::kIfNoneMatch, true)};
}

bool WriteConditions::hold(const std::optional<std::string_view>& content) const {
  if (if_match && !(content && if_match->match(*content))) return false;
  return !(if_none_match && content && if_none_match->match(*content));
}

}  // namespace tandem
