#include "server/core/cache_policy.h"

#include <algorithm>
#include <array>

#include "common/http/chars.h"
#include "common/http/date.h"
#include "common/http/list.h"
#include "server/core/lifetime.h"

namespace tandem {
namespace {

using http::CacheControl;
using http::FieldId;
using std::chrono::seconds;

constexpr std::uint64_t kYearSeconds = 31'536'000;

Duration as_duration(std::uint64_t of_seconds) {
  return seconds(std::min(of_seconds, kYearSeconds));
}

// RFC 9110, 15.1; without 206, which is not stored here.
bool heuristically_cacheable(int status) {
  constexpr std::array kStatuses = {200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501};
  return std::find(kStatuses.begin(), kStatuses.end(), status) != kStatuses.end();
}

// Those whose caching we know to be nothing special.
bool understood(int status) {
  constexpr std::array kOthers = {302, 303, 307, 400, 401, 402, 403, 406, 408, 409,
                                  411, 412, 413, 415, 416, 417, 421, 422, 426, 428,
                                  429, 431, 451, 500, 502, 503, 504, 505};
  return heuristically_cacheable(status) ||
         std::find(kOthers.begin(), kOthers.end(), status) != kOthers.end();
}

// RFC 9111, 3.
bool may_be_stored(const CacheControl& control, const http::RequestHead& request,
                   const http::ResponseHead& response) {
  const int status = response.status();
  if (status < 200 || status == 206 || status == 304) return false;
  if (control.must_understand ? !understood(status) : control.no_store) return false;
  if (control.is_private || response.has(FieldId::kSetCookie)) return false;
  return !http::cache_control(request).no_store;
}

// RFC 9111, 3.5.
bool allows_authorized(const CacheControl& control) {
  return control.is_public || control.must_revalidate || control.s_maxage.has_value();
}

// RFC 9111, 4.2.3.
Duration initial_age(const http::ResponseHead& response, const CacheTimes& times) {
  Duration apparent{0};
  if (const auto date = http::parse_date(response.value(FieldId::kDate))) {
    const auto passed = std::clamp<UnixSeconds>(times.wall - *date, 0, kYearSeconds);
    apparent = seconds(passed);
  }
  return std::max(apparent, stated_age(response) + (times.received - times.asked));
}

// RFC 9111, 4.2.2.
Duration guessed_lifetime(const CacheRules& rules, const http::RequestHead& request,
                          const http::ResponseHead& response, UnixSeconds wall) {
  if (request.has(FieldId::kCookie) || request.has(FieldId::kAuthorization)) return Duration{0};
  const auto modified = http::parse_date(response.value(FieldId::kLastModified));
  const auto date = http::parse_date(response.value(FieldId::kDate)).value_or(wall);
  if (!modified || *modified >= date) return Duration{0};
  const Duration part = as_duration(static_cast<std::uint64_t>(date - *modified)) / 100;
  return std::min(part * rules.heuristic_percent, rules.heuristic_max);
}

}  // namespace

CacheCourse cache_course(const http::RequestHead& request) {
  const http::Method method = request.method();
  if (!http::is_safe(method)) return CacheCourse::kInvalidate;
  const bool asks_for_item = method == http::Method::kGet || method == http::Method::kHead;
  // What only the origin decides (RFC 9111, 4.3.2).
  const bool for_origin =
      request.has(FieldId::kIfMatch) || request.has(FieldId::kIfUnmodifiedSince);
  const bool has_body = request.chunked() || request.content_length() > 0;
  const bool passes = !asks_for_item || for_origin || has_body || request.upgrades();
  return passes ? CacheCourse::kPass : CacheCourse::kLookUp;
}

CacheControl cache_directives(const http::RequestHead& request) {
  CacheControl control = http::cache_control(request);
  if (!request.has(FieldId::kCacheControl) && request.has(FieldId::kPragma)) {
    control.no_cache = http::list_contains(request.value(FieldId::kPragma), "no-cache");
  }
  return control;
}

std::optional<CacheTerms> terms_to_store(const CacheRules& rules, const http::RequestHead& request,
                                         const http::ResponseHead& response,
                                         const CacheTimes& times,
                                         std::optional<std::uint64_t> version) {
  const CacheControl control = http::cache_control(response);
  if (!may_be_stored(control, request, response)) return std::nullopt;
  CacheTerms terms;
  terms.for_authorized = allows_authorized(control);
  if (request.has(FieldId::kAuthorization) && !terms.for_authorized) return std::nullopt;
  terms.received = times.received;
  terms.initial_age = initial_age(response, times);
  terms.no_cache = control.no_cache;
  terms.must_revalidate = control.must_revalidate;
  terms.by_s_maxage = control.s_maxage.has_value();
  if (control.stale_if_error) terms.stale_if_error = as_duration(*control.stale_if_error);
  terms.stale_while_revalidate = as_duration(control.stale_while_revalidate.value_or(0));
  const auto stated = stated_lifetime(response, control, times.wall);
  const bool may_guess = heuristically_cacheable(response.status()) || control.is_public;
  if (!stated && !may_guess) return std::nullopt;
  terms.version = version;
  if (stated) {
    terms.lifetime = *stated;
  } else if (!version) {
    terms.heuristic = true;
    terms.lifetime = guessed_lifetime(rules, request, response, times.wall);
  }
  const bool can_be_validated =
      response.has(FieldId::kEtag) || response.has(FieldId::kLastModified);
  const bool is_fresh = !terms.no_cache && terms.fresh(times.received, version);
  const bool has_stale_use =
      may_use_on_error(terms, rules, {}, false, times.received + terms.lifetime) ||
      (terms.stale_while_revalidate > Duration{0} && !terms.must_revalidate && !terms.no_cache);
  if (!is_fresh && !can_be_validated && !has_stale_use) return std::nullopt;
  return terms;
}

CacheUse cache_use(const CacheTerms& terms, const CacheControl& asked, bool authorized, Instant now,
                   std::optional<std::uint64_t> version) {
  if (terms.no_cache || asked.no_cache) return CacheUse::kValidate;
  if (authorized && !terms.for_authorized) return CacheUse::kValidate;
  const Duration age = terms.age(now);
  if (asked.max_age && age > as_duration(*asked.max_age)) return CacheUse::kValidate;
  const bool fresh = terms.fresh(now, version);
  if (terms.version) return fresh ? CacheUse::kFresh : CacheUse::kValidate;
  if (asked.min_fresh && terms.lifetime - age < as_duration(*asked.min_fresh)) {
    return CacheUse::kValidate;
  }
  if (fresh) return CacheUse::kFresh;
  if (terms.must_revalidate) return CacheUse::kValidate;
  const Duration stale = age - terms.lifetime;
  if (stale < terms.stale_while_revalidate) return CacheUse::kStaleBehind;
  const bool takes_stale = asked.max_stale && stale <= as_duration(*asked.max_stale);
  return takes_stale && !terms.by_s_maxage ? CacheUse::kStale : CacheUse::kValidate;
}

bool may_use_on_error(const CacheTerms& terms, const CacheRules& rules, const CacheControl& asked,
                      bool authorized, Instant now) {
  if (terms.no_cache || terms.must_revalidate || asked.no_cache) return false;
  if (authorized && !terms.for_authorized) return false;
  Duration allowed = terms.stale_if_error.value_or(Duration{0});
  if (!terms.by_s_maxage) {
    if (asked.stale_if_error) allowed = std::max(allowed, as_duration(*asked.stale_if_error));
    if (!terms.stale_if_error) allowed = std::max(allowed, rules.stale_if_error);
  }
  const Duration age = terms.age(now);
  if (asked.max_age && age > as_duration(*asked.max_age) + allowed) return false;
  return age < terms.lifetime + allowed;
}

}  // namespace tandem
