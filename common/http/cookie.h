// Cookies in requests (RFC 6265, 4.2 and 5.4), as far as a gateway needs them: find one by name,
// cut it out. Names are compared with regard to case; values are taken as they are.
#pragma once

#include <string_view>

#include "common/http/edit.h"
#include "common/http/head.h"

namespace tandem::http {

// Walks over the name=value pairs of a Cookie field's value. A pair without "=" has no name.
class CookieList {
 public:
  explicit CookieList(std::string_view value) : rest_(value) {}

  bool next();
  std::string_view name() const { return name_; }
  std::string_view value() const { return value_; }
  std::string_view pair() const { return pair_; }  // from the name to the value's end

 private:
  std::string_view rest_;
  std::string_view name_;
  std::string_view value_;
  std::string_view pair_;
};

// The value of the first cookie of that name in any Cookie field; its data() is null if there is
// none.
std::string_view find_cookie(const Head& head, std::string_view name);

// Cuts all cookies of that name, and each Cookie field that has no other. What remains is
// well-formed: pairs apart by what stood between them.
void cut_cookie(HeadEdit& edit, const Head& head, std::string_view name);

}  // namespace tandem::http
