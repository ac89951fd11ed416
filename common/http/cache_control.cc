#include "common/http/cache_control.h"

#include <algorithm>

#include "common/http/chars.h"
#include "common/http/number.h"

namespace tandem::http {
namespace {

// Where the directive ends: at a comma outside of quoted strings.
std::size_t directive_size(std::string_view text) {
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (text[i] == ',' && !quoted) {
      return i;
    }
  }
  return text.size();
}

std::string_view unquote(std::string_view text) {
  const bool quoted = text.size() >= 2 && text.front() == '"' && text.back() == '"';
  return quoted ? text.substr(1, text.size() - 2) : text;
}

// What is no number is `otherwise`; too many digits are the most there is.
std::uint64_t seconds_of(std::string_view text, std::uint64_t otherwise) {
  std::uint64_t n = otherwise;
  if (!parse_decimal(text, n) && !text.empty() && all(kDigitChar, text)) n = kLengthMax;
  return n;
}

void keep_smallest(std::optional<std::uint64_t>& seconds, std::string_view text) {
  const std::uint64_t n = seconds_of(text, 0);
  seconds = std::min(seconds.value_or(n), n);
}

void keep_largest(std::optional<std::uint64_t>& seconds, std::string_view text) {
  const std::uint64_t n = seconds_of(text, kLengthMax);
  seconds = std::max(seconds.value_or(n), n);
}

void collect_seconds(const DirectiveList& one, CacheControl& out) {
  const std::string_view name = one.name();
  const std::string_view value = one.value();
  if (same_word(name, "max-age")) keep_smallest(out.max_age, value);
  if (same_word(name, "s-maxage")) keep_smallest(out.s_maxage, value);
  if (same_word(name, "min-fresh")) keep_largest(out.min_fresh, value);
  if (same_word(name, "stale-if-error")) keep_smallest(out.stale_if_error, value);
  if (same_word(name, "stale-while-revalidate")) keep_smallest(out.stale_while_revalidate, value);
  if (!same_word(name, "max-stale")) return;
  const bool any = one.text().size() == name.size();  // no value at all
  if (any) {
    out.max_stale = out.max_stale.value_or(kLengthMax);
  } else {
    keep_smallest(out.max_stale, value);
  }
}

void collect(std::string_view value, CacheControl& out) {
  for (DirectiveList list(value); list.next();) {
    const std::string_view name = list.name();
    out.no_store |= same_word(name, "no-store");
    out.no_cache |= same_word(name, "no-cache");
    out.is_private |= same_word(name, "private");
    out.is_public |= same_word(name, "public");
    out.must_revalidate |=
        same_word(name, "must-revalidate") || same_word(name, "proxy-revalidate");
    out.no_transform |= same_word(name, "no-transform");
    out.only_if_cached |= same_word(name, "only-if-cached");
    out.must_understand |= same_word(name, "must-understand");
    collect_seconds(list, out);
  }
}

}  // namespace

bool DirectiveList::next() {
  while (!rest_.empty()) {
    const std::size_t size = directive_size(rest_);
    text_ = trim(rest_.substr(0, size));
    rest_.remove_prefix(std::min(size + 1, rest_.size()));
    if (text_.empty()) continue;
    const std::size_t equals = std::min(text_.find('='), text_.size());
    name_ = trim(text_.substr(0, equals));
    value_ = unquote(trim(text_.substr(std::min(equals + 1, text_.size()))));
    return true;
  }
  return false;
}

CacheControl cache_control(std::string_view value) {
  CacheControl out;
  collect(value, out);
  return out;
}

CacheControl cache_control(const Head& head) {
  CacheControl out;
  if (!head.has(FieldId::kCacheControl)) return out;
  for (const Field& field : head.fields()) {
    if (field.id == FieldId::kCacheControl) collect(head.value(field), out);
  }
  return out;
}

}  // namespace tandem::http
