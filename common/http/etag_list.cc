#include "common/http/etag_list.h"

#include <algorithm>

#include "common/http/chars.h"

namespace tandem::http {
namespace {

// The size of the entity tag that `text` begins with; 0: it begins with none.
std::size_t take_entity_tag(std::string_view text, EntityTag& out) {
  out.weak = text.substr(0, 2) == "W/";
  const std::size_t open = out.weak ? 2 : 0;
  if (open >= text.size() || text[open] != '"') return 0;
  const std::size_t close = text.find('"', open + 1);
  if (close == text.npos) return 0;
  out.opaque = text.substr(open + 1, close - open - 1);
  return all(kEtagChar, out.opaque) ? close + 1 : 0;
}

template <class Equal>
bool matches(const Head& head, FieldId id, Equal equal) {
  if (!head.has(id)) return false;
  for (const Field& field : head.fields()) {
    if (field.id != id) continue;
    if (is_any(head.value(field))) return true;
    for (EntityTagList list(head.value(field)); list.next();) {
      if (equal(list.tag())) return true;
    }
  }
  return false;
}

}  // namespace

bool parse_entity_tag(std::string_view text, EntityTag& out) {
  const std::size_t size = take_entity_tag(text, out);
  return size != 0 && size == text.size();
}

bool EntityTagList::next() {
  while (!rest_.empty() && (is_space(rest_.front()) || rest_.front() == ','))
    rest_.remove_prefix(1);
  if (rest_.empty()) return false;
  const std::size_t size = take_entity_tag(rest_, tag_);
  const std::string_view after = trim(rest_.substr(size));
  if (size == 0 || (!after.empty() && after.front() != ',')) {
    malformed_ = true;
    rest_ = {};
    return false;
  }
  rest_ = after;
  return true;
}

bool is_any(std::string_view value) { return trim(value) == "*"; }

bool matches_weakly(const Head& head, FieldId id, const EntityTag& tag) {
  return matches(head, id, [&](const EntityTag& other) { return other.opaque == tag.opaque; });
}

bool matches_strongly(const Head& head, FieldId id, const EntityTag& tag) {
  return matches(head, id, [&](const EntityTag& other) {
    return !tag.weak && !other.weak && other.opaque == tag.opaque;
  });
}

}  // namespace tandem::http
