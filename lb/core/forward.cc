#include "lb/core/forward.h"

#include "common/http/chars.h"
#include "lb/core/head_copy.h"

namespace tandem {

using namespace head_copy;

namespace {

void put_request_line(const http::RequestHead& head, Writer& out) {
  if (head.form() == http::TargetForm::kOrigin && head.version_minor() == 1) {
    out.put(head.buffer().substr(head.begin(), head.fields_begin() - head.begin()));
    return;
  }
  out.put(head.method_name());
  out.put(" ");
  const std::string_view path = head.path();
  if (head.form() == http::TargetForm::kAbsolute && (path.empty() || path.front() != '/')) {
    out.put(path.empty() && head.method() == http::Method::kOptions ? "*" : "/");
  }
  out.put(path);
  out.put(" HTTP/1.1\r\n");
}

void put_forwarded_for(const http::RequestHead& head, std::string_view client, Writer& out) {
  out.put("X-Forwarded-For: ");
  if (head.has(FieldId::kXForwardedFor)) {
    for (const Field& f : head.fields()) {
      if (f.id != FieldId::kXForwardedFor || f.value_size == 0) continue;
      out.put(head.value(f));
      out.put(", ");
    }
  }
  out.put(client);
  out.put("\r\n");
}

}  // namespace

CookiePlace find_cookie(std::string_view field_value, std::string_view name) {
  std::size_t at = 0;
  while (at < field_value.size()) {
    const std::size_t semicolon = field_value.find(';', at);
    const std::size_t end = semicolon == field_value.npos ? field_value.size() : semicolon;
    const std::string_view pair = http::trim(field_value.substr(at, end - at));
    if (pair.size() > name.size() && pair[name.size()] == '=' && pair.starts_with(name)) {
      CookiePlace place{true, http::trim(pair.substr(name.size() + 1)), at, end};
      // The separator goes with it: the one behind, or, for the last pair, the one before.
      if (end < field_value.size()) {
        place.cut_end = end + 1;
        while (place.cut_end < field_value.size() && http::is_space(field_value[place.cut_end])) {
          ++place.cut_end;
        }
        while (place.cut_begin < end && http::is_space(field_value[place.cut_begin])) {
          ++place.cut_begin;
        }
      } else if (at > 0) {
        place.cut_begin = at - 1;
      }
      return place;
    }
    at = end + 1;
  }
  return CookiePlace{};
}

ClientClaim client_claim(const http::RequestHead& head, std::string_view cookie_name) {
  ClientClaim claim;
  if (head.has(FieldId::kTandemSession) || head.has(FieldId::kTandemCache)) {
    claim.library = true;
    claim.token = head.value(FieldId::kTandemSession);
    return claim;
  }
  if (!head.has(FieldId::kCookie)) return claim;
  for (const Field& f : head.fields()) {
    if (f.id != FieldId::kCookie) continue;
    const CookiePlace place = find_cookie(head.value(f), cookie_name);
    if (place.found) {
      claim.token = place.value;
      break;
    }
  }
  return claim;
}

std::size_t request_head_bound(const http::RequestHead& head, const RequestEdits& edits) {
  return 2 * head.end() + head.authority().size() + edits.session_token.size() +
         edits.client_host.size() + edits.server_address.size() + kFixedBytes;
}

std::size_t write_request_head(const http::RequestHead& head, const RequestEdits& edits,
                               char* out_bytes) {
  Writer out(out_bytes);
  put_request_line(head, out);
  std::uint64_t drop = kHopByHop | kTandem | kForwarding;
  if (edits.to_tandem) drop &= ~bits({FieldId::kTandemCache});
  if (head.upgrades()) drop &= ~bits({FieldId::kUpgrade});
  copy_fields(head, out, [&](const Field& f, auto&& flush) {
    if (in(drop, f.id)) {
      flush();
      return true;
    }
    if (f.id != FieldId::kCookie) return false;
    const std::string_view value = head.value(f);
    const CookiePlace place = find_cookie(value, edits.cookie_name);
    if (!place.found) return false;
    flush();
    if (place.cut_end - place.cut_begin < value.size()) {
      out.put("Cookie: ");
      out.put(value.substr(0, place.cut_begin));
      out.field("", value.substr(place.cut_end));
    }
    return true;
  });
  if (head.upgrades()) out.put("Connection: upgrade\r\n");
  if (!head.has(FieldId::kHost)) out.field("Host: ", edits.server_address);
  put_forwarded_for(head, edits.client_host, out);
  out.put(edits.tls ? "X-Forwarded-Proto: https\r\n" : "X-Forwarded-Proto: http\r\n");
  const std::string_view host = head.authority();
  if (!host.empty()) out.field("X-Forwarded-Host: ", host);
  out.put(head.version_minor() == 1 ? "Via: 1.1 tandem\r\n" : "Via: 1.0 tandem\r\n");
  if (!edits.session_token.empty()) out.field("Tandem-Session: ", edits.session_token);
  out.put("\r\n");
  return out.size();
}

}  // namespace tandem
