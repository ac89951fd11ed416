// Cache-Control (RFC 9111, 5.2): its directives one by one, and those that Tandem heeds together.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "common/http/head.h"

namespace tandem::http {

// Walks over a list of name["=" (token / quoted-string)], commas in quoted strings included.
class DirectiveList {
 public:
  explicit DirectiveList(std::string_view value) : rest_(value) {}

  bool next();
  std::string_view text() const { return text_; }    // all of the directive
  std::string_view name() const { return name_; }    // compare with same_word()
  std::string_view value() const { return value_; }  // without quotes; escapes left as they are

 private:
  std::string_view rest_;
  std::string_view text_;
  std::string_view name_;
  std::string_view value_;
};

// Directives of a request or response. A directive that names fields (`private="Set-Cookie"`) is
// taken as if it meant all of the response. Seconds that are no number count as 0, the careful
// reading, and of several the smallest counts; of min-fresh it is the other way round.
struct CacheControl {
  bool no_store = false;
  bool no_cache = false;
  bool is_private = false;
  bool is_public = false;
  bool must_revalidate = false;  // or proxy-revalidate
  bool no_transform = false;
  bool only_if_cached = false;
  bool must_understand = false;
  std::optional<std::uint64_t> max_age;
  std::optional<std::uint64_t> s_maxage;
  std::optional<std::uint64_t> min_fresh;
  std::optional<std::uint64_t> max_stale;               // kLengthMax: however stale
  std::optional<std::uint64_t> stale_if_error;          // RFC 5861
  std::optional<std::uint64_t> stale_while_revalidate;  // RFC 5861
};

// All Cache-Control fields of a head together.
CacheControl cache_control(const Head& head);
CacheControl cache_control(std::string_view value);

}  // namespace tandem::http
