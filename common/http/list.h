// Comma-separated lists in field values (RFC 9110, 5.6.1).
#pragma once

#include <string_view>

#include "common/http/chars.h"

namespace tandem::http {

// Walks over the members of a list without quoted strings; empty members are skipped.
//   for (TokenList list(value); list.next();) use(list.member());
class TokenList {
 public:
  explicit constexpr TokenList(std::string_view value) : rest_(value) {}

  constexpr bool next() {
    while (!rest_.empty()) {
      const std::size_t comma = rest_.find(',');
      member_ = trim(rest_.substr(0, comma));
      rest_.remove_prefix(comma == rest_.npos ? rest_.size() : comma + 1);
      if (!member_.empty()) return true;
    }
    return false;
  }
  constexpr std::string_view member() const { return member_; }

 private:
  std::string_view rest_;
  std::string_view member_;
};

// Is `token` a member, without regard to case?
constexpr bool list_contains(std::string_view value, std::string_view token) {
  for (TokenList list(value); list.next();) {
    if (same_word(list.member(), token)) return true;
  }
  return false;
}

}  // namespace tandem::http
