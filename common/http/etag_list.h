// Entity tags and lists of them (RFC 9110, 8.8.3, 13.1.1, 13.1.2).
#pragma once

#include <string_view>

#include "common/http/head.h"

namespace tandem::http {

struct EntityTag {
  std::string_view opaque;  // what stands between the quotes
  bool weak = false;
};

// One entity tag, all of `text`. False: it is none.
bool parse_entity_tag(std::string_view text, EntityTag& out);

// Walks over a list such as If-None-Match carries. `*` is not a tag: see is_any().
class EntityTagList {
 public:
  explicit EntityTagList(std::string_view value) : rest_(value) {}

  bool next();  // false at the end and at the first thing that is no entity tag
  const EntityTag& tag() const { return tag_; }
  bool malformed() const { return malformed_; }

 private:
  std::string_view rest_;
  EntityTag tag_;
  bool malformed_ = false;
};

// Is the value `*`: any representation at all?
bool is_any(std::string_view value);

// The two comparisons (RFC 9110, 8.8.3.2) over all fields `id` of a head. `*` matches everything:
// call these only where there is a current representation. A malformed list matches nothing from
// the fault on.
bool matches_weakly(const Head& head, FieldId id, const EntityTag& tag);    // If-None-Match
bool matches_strongly(const Head& head, FieldId id, const EntityTag& tag);  // If-Match

}  // namespace tandem::http
