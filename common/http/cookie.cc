#include "common/http/cookie.h"

#include <algorithm>

#include "common/http/chars.h"

namespace tandem::http {
namespace {

std::string_view between(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}
const char* end_of(std::string_view text) { return text.data() + text.size(); }

// Before the first pair that stays, a cut reaches from its pair to the next one; after it, from the
// end of the pair before to the end of its own. So separators stay where pairs stay.
void cut_from_field(HeadEdit& edit, const Head& head, const Field& field, std::string_view name) {
  const std::string_view value = head.value(field);
  const char* kept_end = nullptr;   // of the last pair that stays
  const char* cut_begin = nullptr;  // of the cuts before any pair that stays
  for (CookieList list(value); list.next();) {
    const bool cut = list.name() == name;
    if (!cut) {
      if (cut_begin != nullptr) edit.cut_part(between(cut_begin, list.pair().data()));
      cut_begin = nullptr;
      kept_end = end_of(list.pair());
    } else if (kept_end != nullptr) {
      edit.cut_part(between(kept_end, end_of(list.pair())));
      kept_end = end_of(list.pair());
    } else if (cut_begin == nullptr) {
      cut_begin = list.pair().data();
    }
  }
  if (cut_begin != nullptr) edit.cut(field);
}

}  // namespace

bool CookieList::next() {
  while (!rest_.empty()) {
    const std::size_t size = std::min(rest_.find(';'), rest_.size());
    pair_ = trim(rest_.substr(0, size));
    rest_.remove_prefix(std::min(size + 1, rest_.size()));
    if (pair_.empty()) continue;
    const std::size_t equals = pair_.find('=');
    name_ = equals == pair_.npos ? std::string_view{} : trim(pair_.substr(0, equals));
    value_ = equals == pair_.npos ? pair_ : trim(pair_.substr(equals + 1));
    return true;
  }
  return false;
}

std::string_view find_cookie(const Head& head, std::string_view name) {
  if (!head.has(FieldId::kCookie)) return {};
  for (const Field& field : head.fields()) {
    if (field.id != FieldId::kCookie) continue;
    for (CookieList list(head.value(field)); list.next();) {
      if (list.name() == name) return list.value();
    }
  }
  return {};
}

void cut_cookie(HeadEdit& edit, const Head& head, std::string_view name) {
  if (!head.has(FieldId::kCookie)) return;
  for (const Field& field : head.fields()) {
    if (field.id == FieldId::kCookie) cut_from_field(edit, head, field, name);
  }
}

}  // namespace tandem::http
