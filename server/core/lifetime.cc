#include "server/core/lifetime.h"

#include <algorithm>

#include "common/http/cache_control.h"
#include "common/http/date.h"
#include "common/http/list.h"
#include "common/http/number.h"

namespace tandem {
namespace {

using http::FieldId;

constexpr std::uint64_t kSecondsMax = 31'536'000;  // a year: no more was ever meant

Duration at_most_a_year(std::uint64_t seconds) {
  return std::chrono::seconds(std::min(seconds, kSecondsMax));
}

bool varies_by_more_than_encoding(const http::ResponseHead& response) {
  for (const http::Field& field : response.fields()) {
    if (field.id != FieldId::kVary) continue;
    for (http::TokenList list(response.value(field)); list.next();) {
      if (!http::same_word(list.member(), "Accept-Encoding")) return true;
    }
  }
  return false;
}

}  // namespace

// Expires and Date that cannot be read mean that it has expired (RFC 9111, 5.3).
std::optional<Duration> stated_lifetime(const http::ResponseHead& response,
                                        const http::CacheControl& control,
                                        std::optional<UnixSeconds> received) {
  if (control.s_maxage) return at_most_a_year(*control.s_maxage);
  if (control.max_age) return at_most_a_year(*control.max_age);
  if (!response.has(FieldId::kExpires)) return std::nullopt;
  const auto expires = http::parse_date(response.value(FieldId::kExpires));
  const auto date =
      response.has(FieldId::kDate) ? http::parse_date(response.value(FieldId::kDate)) : received;
  if (!expires || !date || *expires <= *date) return Duration{0};
  return at_most_a_year(static_cast<std::uint64_t>(*expires - *date));
}

Duration stated_age(const http::ResponseHead& response) {
  std::uint64_t age = 0;
  if (!response.has(FieldId::kAge)) return Duration{0};
  const bool readable = http::parse_decimal(response.value(FieldId::kAge), age);
  return at_most_a_year(readable ? age : kSecondsMax);
}

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
  const Duration lifetime = stated_lifetime(response, control, std::nullopt).value_or(Duration{0});
  return std::max(lifetime - stated_age(response), Duration{0});
}

}  // namespace tandem
