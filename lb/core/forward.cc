#include "lb/core/forward.h"

#include <algorithm>

#include "common/http/chars.h"
#include "common/session/group_fields.h"
#include "common/session/token_codec.h"
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

// Walks over the pairs of a Cookie field's value.
class CookiePairs {
 public:
  explicit CookiePairs(std::string_view value) : rest_(value) {}
  bool next() {
    while (!rest_.empty()) {
      const std::size_t semicolon = rest_.find(';');
      pair_ = http::trim(rest_.substr(0, semicolon));
      rest_.remove_prefix(semicolon == rest_.npos ? rest_.size() : semicolon + 1);
      if (!pair_.empty()) return true;
    }
    return false;
  }
  std::string_view pair() const { return pair_; }
  bool is(std::string_view name) const {
    return pair_.size() > name.size() && pair_[name.size()] == '=' && pair_.starts_with(name);
  }

 private:
  std::string_view rest_;
  std::string_view pair_;
};

// Is this cookie the one that carries tokens, or that of a group?
bool is_ours(const CookiePairs& pairs, std::string_view name, const Routes* routes) {
  if (pairs.is(name)) return true;
  if (routes == nullptr || routes->empty() || !pairs.pair().starts_with(name)) return false;
  const std::string_view rest = pairs.pair().substr(name.size());
  const std::size_t equals = rest.find('=');
  return rest.starts_with('-') && equals != rest.npos &&
         routes->routed(rest.substr(1, equals - 1)).has_value();
}

bool has_ours(std::string_view value, std::string_view name, const Routes* routes) {
  for (CookiePairs pairs(value); pairs.next();) {
    if (is_ours(pairs, name, routes)) return true;
  }
  return false;
}

// What is left of a Cookie field when every cookie of ours is cut out; no field if nothing is.
void put_cookies_without(std::string_view value, std::string_view name, const Routes* routes,
                         Writer& out) {
  bool begun = false;
  for (CookiePairs pairs(value); pairs.next();) {
    if (is_ours(pairs, name, routes)) continue;
    out.put(begun ? "; " : "Cookie: ");
    out.put(pairs.pair());
    begun = true;
  }
  if (begun) out.put("\r\n");
}

}  // namespace

std::optional<std::string_view> find_cookie(std::string_view field_value, std::string_view name) {
  for (CookiePairs pairs(field_value); pairs.next();) {
    if (pairs.is(name)) return http::trim(pairs.pair().substr(name.size() + 1));
  }
  return std::nullopt;
}

std::size_t find_affinity_mark(std::string_view value) {
  constexpr std::size_t kSuffix = kAffinityMark.size() + kTokenLength;
  if (value.size() < kSuffix) return value.npos;
  const std::size_t at = value.size() - kSuffix;
  if (value.substr(at, kAffinityMark.size()) != kAffinityMark) return value.npos;
  const std::string_view token = value.substr(at + kAffinityMark.size());
  const bool plausible = std::all_of(token.begin(), token.end(), [](char c) {
    return http::is(http::kLetterChar, c) || http::is(http::kDigitChar, c) || c == '-' || c == '_';
  });
  return plausible ? at : value.npos;
}

std::string cookie_name(const std::string& name, std::string_view group) {
  return group.empty() ? name : name + "-" + std::string(group);
}

ClientClaim client_claim(const http::RequestHead& head, const AffinityOptions& affinity,
                         std::string_view group) {
  ClientClaim claim;
  if (head.has(FieldId::kTandemSession) || head.has(FieldId::kTandemCache)) {
    claim.with_library = true;
    claim.token = head.value(FieldId::kTandemSession);
    // One token alone is that of pool 0, as it stands.
    const bool alone = group.empty() && claim.token.size() <= kTokenLength;
    if (!alone) claim.token = find_session(claim.token, group);
    return claim;
  }
  if (!affinity.header.empty()) {
    for (const Field& f : head.fields()) {
      if (!is_affinity_field(head, f, affinity)) continue;
      const std::string_view value = head.value(f);
      const std::size_t mark = find_affinity_mark(value);
      if (mark == value.npos) continue;
      claim.token = value.substr(mark + kAffinityMark.size());
      break;
    }
    return claim;
  }
  if (!head.has(FieldId::kCookie)) return claim;
  for (const Field& f : head.fields()) {
    if (f.id != FieldId::kCookie) continue;
    if (const auto value = find_cookie(head.value(f), affinity.cookie.name)) {
      claim.token = *value;
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
  // HTTP/1.0 has no expectations (RFC 9110, 10.1.1); this becomes an HTTP/1.1 request.
  if (head.version_minor() == 0) drop |= bits({FieldId::kExpect});
  const AffinityOptions& affinity = *edits.affinity;
  const bool by_header = !affinity.header.empty();
  copy_fields(head, out, [&](const Field& f, auto&& flush) {
    if (in(drop, f.id)) {
      flush();
      return true;
    }
    if (by_header) {
      if (!is_affinity_field(head, f, affinity)) return false;
      const std::string_view value = head.value(f);
      const std::size_t mark = find_affinity_mark(value);
      if (mark == value.npos) return false;
      flush();
      out.put(head.name(f));
      out.field(": ", value.substr(0, mark));
      return true;
    }
    if (f.id != FieldId::kCookie) return false;
    const std::string_view value = head.value(f);
    if (!has_ours(value, affinity.cookie.name, edits.routes)) return false;
    flush();
    put_cookies_without(value, affinity.cookie.name, edits.routes, out);
    return true;
  });
  if (head.upgrades()) out.put("Connection: upgrade\r\n");
  put_forwarded_for(head, edits.client_host, out);
  out.put(edits.tls ? "X-Forwarded-Proto: https\r\n" : "X-Forwarded-Proto: http\r\n");
  const std::string_view host = head.authority();
  if (!head.has(FieldId::kHost)) out.field("Host: ", host.empty() ? edits.server_address : host);
  if (!host.empty()) out.field("X-Forwarded-Host: ", host);
  out.put(head.version_minor() == 1 ? "Via: 1.1 tandem\r\n" : "Via: 1.0 tandem\r\n");
  if (!edits.session_token.empty()) out.field("Tandem-Session: ", edits.session_token);
  if (edits.known_only && edits.to_tandem) out.put("Tandem-Lost: reject\r\n");
  out.put("\r\n");
  return out.size();
}

}  // namespace tandem
