#include "server/core/noted_answers.h"

#include <algorithm>
#include <utility>

#include "common/base/error.h"
#include "common/http/build.h"
#include "common/http/chars.h"
#include "common/http/edit.h"
#include "common/http/forward.h"
#include "server/core/cache_policy.h"

namespace tandem {
namespace {

using http::FieldId;

constexpr std::string_view kCacheStatus = "Cache-Status";

// Whatever may make its answer another than that to anybody.
constexpr FieldId kUnusual[] = {FieldId::kAuthorization, FieldId::kProxyAuthorization,
                                FieldId::kCacheControl,  FieldId::kPragma,
                                FieldId::kRange,         FieldId::kIfRange,
                                FieldId::kIfNoneMatch,   FieldId::kIfModifiedSince};

// What belongs to one message.
constexpr FieldId kOfOneMessage[] = {
    FieldId::kContentLength, FieldId::kTransferEncoding,  FieldId::kTrailer,        FieldId::kAge,
    FieldId::kDate,          FieldId::kProxyAuthenticate, FieldId::kWwwAuthenticate};

// May the answer be one that a cache gave since its source had failed (detail=stale-if-error)?
// Several members are of several caches, of which we know nothing.
bool is_doubtful(std::string_view cache_status) {
  return cache_status.find("detail") != std::string_view::npos ||
         cache_status.find(',') != std::string_view::npos;
}

}  // namespace

bool NotedAnswers::is_plain(const http::RequestHead& request) {
  return cache_course(request) == CacheCourse::kLookUp &&
         std::none_of(std::begin(kUnusual), std::end(kUnusual),
                      [&](FieldId id) { return request.has(id); });
}

bool NotedAnswers::is_of(const NotedAnswer& answer, const http::RequestHead& request) {
  return answer.target == request.path() && answer.host == Freshness::host_of(request.authority());
}

// --- noting --------------------------------------------------------------------------------------

std::optional<NotedAnswer> NotedAnswers::begin(const http::RequestHead& request,
                                               const AnswerBasis& basis) {
  if (request.method() != http::Method::kGet || !is_plain(request)) return std::nullopt;
  const auto known = answers_.find(ItemKey::of(request.path()));
  if (known != answers_.end() && known->second->basis == basis && is_of(*known->second, request)) {
    ages_.splice(ages_.end(), ages_, known->second);
    return std::nullopt;
  }
  NotedAnswer answer;
  answer.basis = basis;
  answer.host = Freshness::host_of(request.authority());
  answer.target = request.path();
  return answer;
}

bool NotedAnswers::take_head(NotedAnswer& answer, const http::ResponseHead& head,
                             const http::Framing& framing) {
  if (head.status() != 200 || framing.kind != http::BodyKind::kLength) return false;
  if (head.has(FieldId::kVary) || head.has(FieldId::kContentRange)) return false;
  // Whoever is answered from here has no credentials and no directives (is_plain()).
  const std::optional<std::uint64_t> version = answer.basis.version;
  const auto terms = terms_to_store({}, http::RequestHead{}, head, {}, version);
  if (!terms || cache_use(*terms, {}, false, {}, version) != CacheUse::kFresh) return false;
  http::HeadEdit edit;
  http::forward_response(edit, head, {});
  for (const FieldId id : kOfOneMessage) edit.cut_all(id);
  int caches = 0;
  for (const http::Field& field : head.fields()) {
    if (field.id != FieldId::kOther || !http::same_word(head.name(field), kCacheStatus)) continue;
    if (++caches > 1 || is_doubtful(head.value(field))) return false;
    edit.cut(field);
  }
  answer.fields = edit.field_lines();
  answer.validator.length = framing.length;
  return true;
}

void NotedAnswers::put(NotedAnswer answer, const Validator& validator) {
  if (!validator.has_digest || validator.length != answer.validator.length) return;
  answer.validator = validator;
  const ItemKey item = ItemKey::of(answer.target);
  drop(item);
  const std::uint64_t cost = answer.cost();
  if (cost > options_.bytes_max || options_.answers_max == 0) return;
  while (bytes_ + cost > options_.bytes_max || answers_.size() >= options_.answers_max) {
    erase(answers_.find(ItemKey::of(ages_.front().target)));
    ++counters_.dropped;
  }
  answers_.emplace(item, ages_.insert(ages_.end(), std::move(answer)));
  bytes_ += cost;
  ++counters_.noted;
}

void NotedAnswers::drop(ItemKey item) {
  const auto known = answers_.find(item);
  if (known != answers_.end()) erase(known);
}

void NotedAnswers::erase(Answers::iterator at) {
  TANDEM_CHECK(at != answers_.end());
  bytes_ -= at->second->cost();
  ages_.erase(at->second);
  answers_.erase(at);
}

// --- using ---------------------------------------------------------------------------------------

const NotedAnswer* NotedAnswers::find(const http::RequestHead& request, const ActingEpoch& now,
                                      bool in_stead) {
  const auto known = answers_.find(ItemKey::of(request.path()));
  if (known == answers_.end()) return nullptr;
  const NotedAnswer& answer = *known->second;
  if (answer.basis.epoch == now && !in_stead) return nullptr;
  return is_of(answer, request) && is_plain(request) ? &answer : nullptr;
}

bool NotedAnswers::may_use(const NotedAnswer& answer, std::optional<std::uint64_t> version,
                           bool has_content) {
  const auto known = answers_.find(ItemKey::of(answer.target));
  TANDEM_CHECK(known != answers_.end() && &*known->second == &answer);
  if (!version) {
    ++counters_.unversioned;
    return false;
  }
  if (*version != answer.basis.version) {
    ++counters_.stale;
    erase(known);  // no version comes twice
    return false;
  }
  if (!has_content) {
    ++counters_.lacking;
    return false;
  }
  ++counters_.used;
  ages_.splice(ages_.end(), ages_, known->second);
  return true;
}

std::string noted_head(const NotedAnswer& answer, std::string_view cache_name) {
  std::string text;
  http::HeadBuilder builder(text);
  builder.status(200);
  text += answer.fields;
  builder.field("Content-Length", answer.validator.length);
  builder.field("Age", std::uint64_t{0});
  builder.field("Cache-Status", cache_status(cache_name, CacheOutcome{}));
  builder.finish();
  return text;
}

}  // namespace tandem
