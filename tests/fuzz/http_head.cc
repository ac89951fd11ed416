// Any bytes are a head, the beginning of one, or an error: the same however they arrive. What is
// accepted means the same to whoever gets it forwarded, and nothing of it leaks out of its line.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/error.h"
#include "common/http/cache_control.h"
#include "common/http/chars.h"
#include "common/http/cookie.h"
#include "common/http/date.h"
#include "common/http/etag_list.h"
#include "common/http/forward.h"
#include "common/http/framing.h"
#include "common/http/head_parser.h"

namespace tandem::http {
namespace {

constexpr std::size_t kByteByByteMax = 300;  // longer inputs are cut into larger pieces
constexpr std::string_view kCookie = "tandem";

HeadLimits wide() {
  HeadLimits limits;
  limits.start_line_bytes_max = 1 << 20;
  limits.head_bytes_max = 1 << 20;
  limits.fields_max = kFieldsMax;
  return limits;
}

// Parses as the bytes grow, in a buffer that is exactly as large and elsewhere each time.
template <class H>
void check_pieces(std::string_view bytes, std::size_t piece, Progress progress,
                  const HeadParser& whole, const H& head) {
  HeadParser parser;
  H same;
  Progress last = Progress::kNeedMore;
  std::vector<char> buffer;
  for (std::size_t n = 0; n < bytes.size() && last == Progress::kNeedMore;) {
    n = std::min(n + piece, bytes.size());
    buffer = std::vector<char>(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
    last = parser.parse({buffer.data(), buffer.size()}, same);
  }
  TANDEM_CHECK(last == progress);
  TANDEM_CHECK(parser.error().status == whole.error().status);
  TANDEM_CHECK(parser.error().reason == whole.error().reason);
  if (progress == Progress::kDone) TANDEM_CHECK(same.buffer() == head.buffer());
}

// The lines lie side by side, and each is what a reader of single lines would take it for.
void check_lines(const Head& head) {
  std::size_t at = head.fields_begin();
  for (const Field& field : head.fields()) {
    TANDEM_CHECK(field.name_at == at);
    const std::string_view line = head.buffer().substr(at, head.line_end(field) - at);
    TANDEM_CHECK(line.size() > 2 && line.substr(line.size() - 2) == "\r\n");
    TANDEM_CHECK(line.find_first_of(std::string_view("\r\n\0", 3)) == line.size() - 2);
    TANDEM_CHECK(is_token(head.name(field)));
    TANDEM_CHECK(line.substr(0, line.find(':')) == head.name(field));
    const std::string_view value = line.substr(line.find(':') + 1);
    TANDEM_CHECK(trim(value.substr(0, value.size() - 2)) == head.value(field));
    TANDEM_CHECK(head.find(head.name(field)) != nullptr);
    at = head.line_end(field);
  }
  TANDEM_CHECK(at == head.fields_end());
  TANDEM_CHECK(head.buffer().substr(at) == "\r\n");
}

// Readers of single values survive any of them.
void read_values(const Head& head) {
  std::size_t length = 0;
  for (const Field& field : head.fields()) {
    const std::string_view value = head.value(field);
    for (EntityTagList list(value); list.next();) length += list.tag().opaque.size();
    for (DirectiveList list(value); list.next();) length += list.value().size();
    TANDEM_CHECK(length <= 2 * head.end());
    if (const auto when = parse_date(value)) {
      const DateText text = format_date(*when);
      TANDEM_CHECK(*when < 0 || parse_date({text.data(), text.size()}) == when);
    }
  }
}

std::vector<std::string> other_cookies(const Head& head) {
  std::vector<std::string> pairs;
  for (const Field& field : head.fields()) {
    if (field.id != FieldId::kCookie) continue;
    for (CookieList list(head.value(field)); list.next();) {
      if (list.name() != kCookie) pairs.emplace_back(list.pair());
    }
  }
  return pairs;
}

bool says_anything_of_its_connection(const Head& head) {
  return head.has(FieldId::kConnection) || head.has(FieldId::kKeepAlive) ||
         head.has(FieldId::kProxyConnection) || head.has(FieldId::kTe) ||
         head.has(FieldId::kUpgrade);
}

void check_forwarded(const RequestHead& head) {
  ForwardRequest how;
  how.via_name = "tandem";
  how.client_address = "192.0.2.1";
  how.scheme = "http";
  how.host_if_missing = "h";
  HeadEdit edit;
  forward_request(edit, head, how);
  cut_cookie(edit, head, kCookie);
  std::string text;
  edit.append_to(text);
  HeadParser parser(wide());
  RequestHead again;
  const Progress progress = parser.parse(text, again);
  if (progress == Progress::kError && parser.error().status == 431) return;  // fields were added
  TANDEM_CHECK(progress == Progress::kDone && again.end() == text.size());
  TANDEM_CHECK(again.method_name() == head.method_name() && again.version_minor() == 1);
  TANDEM_CHECK(request_framing(again) == request_framing(head));
  TANDEM_CHECK(!says_anything_of_its_connection(again));
  for (const Field& field : again.fields()) TANDEM_CHECK(!is_tandem_field(field.id));
  TANDEM_CHECK(passed_through(again, "tandem"));
  TANDEM_CHECK(find_cookie(again, kCookie).data() == nullptr);
  TANDEM_CHECK(other_cookies(again) == other_cookies(head));
  if (head.has(FieldId::kHost)) {
    TANDEM_CHECK(again.value(FieldId::kHost) == head.value(FieldId::kHost));
  }
}

void check_forwarded(const ResponseHead& head) {
  ForwardResponse how;
  how.via_name = "tandem";
  HeadEdit edit;
  forward_response(edit, head, how);
  make_private(edit, head);
  std::string text;
  edit.append_to(text);
  HeadParser parser(wide());
  ResponseHead again;
  const Progress progress = parser.parse(text, again);
  if (progress == Progress::kError && text.size() > head.end()) return;  // fields were added
  TANDEM_CHECK(progress == Progress::kDone && again.end() == text.size());
  TANDEM_CHECK(again.status() == head.status() && again.reason() == head.reason());
  TANDEM_CHECK(!says_anything_of_its_connection(again));
  const CacheControl control = cache_control(again);
  TANDEM_CHECK(control.is_private || control.no_store);
  for (Method asked : {Method::kGet, Method::kHead, Method::kConnect}) {
    const auto before = response_framing(head, asked, false);
    const auto after = response_framing(again, asked, false);
    TANDEM_CHECK(before.has_value() == after.has_value());
    if (before) TANDEM_CHECK(*before == *after);
  }
}

template <class H>
void check(std::string_view bytes) {
  HeadParser parser;
  H head;
  const Progress progress = parser.parse(bytes, head);
  check_pieces(bytes, bytes.size() <= kByteByByteMax ? 1 : bytes.size() / 7, progress, parser,
               head);
  check_pieces(bytes, bytes.size() / 2 + 1, progress, parser, head);
  if (progress != Progress::kDone) return;
  check_lines(head);
  read_values(head);
  check_forwarded(head);
  HeadParser early;
  H cut;
  TANDEM_CHECK(early.parse(bytes.substr(0, head.end() - 1), cut) == Progress::kNeedMore);
}

}  // namespace
}  // namespace tandem::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.empty()) return 0;
  tandem::http::check<tandem::http::RequestHead>(bytes);
  tandem::http::check<tandem::http::ResponseHead>(bytes);
  return 0;
}
