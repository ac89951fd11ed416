#include "server/core/lifetime.h"

#include <algorithm>

#include "common/http/cache_control.h"
#include "common/http/date.h"
#include "common/http/list.h"
#include "common/http/number.h"

namespace tandem {
namespace {

using http::FieldId;

constexpr std::uint64_t kLifetimeMax = 31'536'000;  // a year: no more was ever meant

bool varies_by_more_than_encoding(const http::ResponseHead& response) {
  for (const http::Field& field : response.fields()) {
    if (field.id != FieldId::kVary) continue;
    for (http::TokenList list(response.value(field)); list.next();) {
      if (!http::same_word(list.member(), "Accept-Encoding")) return true;
    }
  }
  return false;
}

// Expires and Date that cannot be read mean that it has expired (RFC 9111, 5.3).
std::uint64_t seconds_by_date(const http::ResponseHead& response) {
  const auto expires = http::parse_date(response.value(FieldId::kExpires));
  const auto date = http::parse_date(response.value(FieldId::kDate));
  if (!expires || !date || *expires <= *date) return 0;
  return static_cast<std::uint64_t>(*expires - *date);
}

}  // namespace

bool counts_for_others(const http::RequestHead& request) {
  return request.method() == http::Method::kGet && !request.has(FieldId::kAuthorization) &&
         !request.has(FieldId::kRange) && !http::cache_control(request).no_store;
}

std::optional<Duration> shared_lifetime(const http::ResponseHead& response) {
  const http::CacheControl control = http::cache_control(response);
  if (control.no_store || control.no_cache || control.is_private ||
      response.has(FieldId::kSetCookie) || varies_by_more_than_encoding(response)) {
    return std::nullopt;
  }
  std::uint64_t seconds = 0;
  if (control.s_maxage) {
    seconds = *control.s_maxage;
  } else if (control.max_age) {
    seconds = *control.max_age;
  } else if (response.has(FieldId::kExpires)) {
    seconds = seconds_by_date(response);
  }
  std::uint64_t age = 0;
  const bool readable =
      !response.has(FieldId::kAge) || http::parse_decimal(response.value(FieldId::kAge), age);
  if (!readable || age >= seconds) return Duration{0};
  return std::chrono::seconds(std::min(seconds - age, kLifetimeMax));
}

}  // namespace tandem
