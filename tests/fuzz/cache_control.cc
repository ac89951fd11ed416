// Any field lines of a request and of a response: what the cache makes of them holds together. What
// is stored is found again by the request that it was stored for, is never of a kind that must not
// be, and is answered with a head that can be read.
//
// The input is the request's field lines, an empty line, and the response's.
#include "common/http/cache_control.h"

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/error.h"
#include "common/http/head_parser.h"
#include "server/core/cache_answer.h"
#include "server/core/cache_policy.h"
#include "server/core/cache_store.h"

namespace tandem {
namespace {

using http::FieldId;

constexpr Instant kNow = Instant{} + 1000s;
constexpr UnixSeconds kWall = 1'700'000'000;

template <class Head>
bool parse(const std::string& text, Head& head) {
  http::HeadParser parser({.start_line_bytes_max = text.size(),
                           .head_bytes_max = text.size(),
                           .fields_max = http::kFieldsMax});
  return parser.parse(text, head) == http::Progress::kDone && head.end() == text.size();
}

void check_answer(const http::RequestHead& request, const StoredResponse& stored) {
  std::string text;
  const CacheAnswer answer = answer_from_stored(text, request, stored, kNow + 5s, "c", {});
  http::ResponseHead head;
  if (!parse(text, head)) {
    TANDEM_CHECK(text.size() > stored.fields.size());  // fields were added: there may be too many
    return;
  }
  TANDEM_CHECK(head.status() == answer.status && head.has(FieldId::kAge));
  TANDEM_CHECK(!head.has(FieldId::kSetCookie) && !head.has(FieldId::kConnection));
  TANDEM_CHECK(answer.content.size() <= stored.body->size());
  http::ResponseHead freshened;
  const std::string fresh = freshened_head(stored, head);
  if (parse(fresh, freshened)) TANDEM_CHECK(freshened.status() == stored.status);
  http::RequestHead asked;
  TANDEM_CHECK(parse(fetch_head(request, &stored), asked) || request.fields().size() > 100);
}

void check(const http::RequestHead& request, const http::ResponseHead& response) {
  const http::CacheControl control = http::cache_control(response);
  const http::CacheControl asked = cache_directives(request);
  const auto terms = terms_to_store({}, request, response, {kNow, kNow, kWall}, std::nullopt);
  const auto vary = vary_text(response, request);
  if (vary) {
    std::string scratch;
    TANDEM_CHECK(vary_matches(*vary, request, scratch));
    TANDEM_CHECK(vary_text_like(*vary, request) == *vary);
    TANDEM_CHECK(vary->size() <= 2 * (request.end() + kVaryBytesMax));
  }
  if (!terms || !vary) return;
  TANDEM_CHECK(!control.is_private && (!control.no_store || control.must_understand));
  TANDEM_CHECK(!response.has(FieldId::kSetCookie) && !asked.no_store);
  const CacheUse use = cache_use(*terms, asked, false, kNow, std::nullopt);
  TANDEM_CHECK(use == CacheUse::kValidate || (!control.no_cache && !asked.no_cache));
  auto stored = std::make_shared<StoredResponse>(store_head(response, *terms, *vary, kWall));
  stored->body = std::make_shared<const std::string>("0123456789");
  CacheStore store(1 << 20);
  const CacheKey key = CacheKey::of(request);
  store.put(key, request, stored);
  TANDEM_CHECK(store.find(key, request) == stored);
  TANDEM_CHECK(store.bytes() == stored->cost());
  check_answer(request, *stored);
  store.drop_item(key.item);
  TANDEM_CHECK(store.bytes() == 0 && store.size() == 0);
}

}  // namespace
}  // namespace tandem

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  for (tandem::http::DirectiveList list(input); list.next();) {
    TANDEM_CHECK(list.value().size() <= list.text().size());
  }
  const std::size_t cut = std::min(input.find("\r\n\r\n"), input.size());
  const std::string_view rest = input.substr(std::min(cut + 4, input.size()));
  std::string asked = "GET /a HTTP/1.1\r\nHost: h\r\n", answered = "HTTP/1.1 200 OK\r\n";
  if (cut > 0) asked.append(input.substr(0, cut)).append("\r\n");
  asked += "\r\n";
  answered.append(rest).append("\r\n");
  tandem::http::RequestHead request;
  tandem::http::ResponseHead response;
  if (tandem::parse(asked, request) && tandem::parse(answered, response)) {
    tandem::check(request, response);
  }
  return 0;
}
