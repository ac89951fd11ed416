#include "common/http/framing.h"

namespace tandem::http {
namespace {

Framing of_length(std::uint64_t length) {
  return length == 0 ? Framing{} : Framing{BodyKind::kLength, length};
}

bool announces_content(const ResponseHead& head) {
  return head.chunked() || head.content_length() > 0;
}

}  // namespace

Framing request_framing(const RequestHead& head) {
  if (head.chunked()) return {BodyKind::kChunked, 0};
  return of_length(head.content_length());
}

Result<Framing> response_framing(const ResponseHead& head, Method asked, bool upgrade_asked) {
  const int status = head.status();
  if (status == 101) {
    if (!upgrade_asked || !head.upgrades()) return fail(Error::peer("101 to no upgrade"));
    if (announces_content(head)) return fail(Error::peer("101 with content"));
    return Framing{BodyKind::kTunnel, 0};
  }
  if (status < 200 || status == 204) {
    if (announces_content(head)) return fail(Error::peer("content in a response that has none"));
    return Framing{};
  }
  if (asked == Method::kHead || status == 304) return Framing{};
  if (asked == Method::kConnect && status < 300) return Framing{BodyKind::kTunnel, 0};
  if (head.chunked()) return Framing{BodyKind::kChunked, 0};
  if (head.has_content_length()) return of_length(head.content_length());
  return Framing{BodyKind::kUntilClose, 0};
}

}  // namespace tandem::http
