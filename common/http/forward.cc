#include "common/http/forward.h"

#include <algorithm>
#include <string>

#include "common/http/cache_control.h"
#include "common/http/chars.h"
#include "common/http/list.h"

namespace tandem::http {
namespace {

bool named_by_connection(const Head& head, std::string_view name) {
  for (const Field& field : head.fields()) {
    if (field.id == FieldId::kConnection && list_contains(head.value(field), name)) return true;
  }
  return false;
}

// Concerns one connection only. Upgrade is asked about apart.
bool hop_by_hop(const Head& head, const Field& field) {
  switch (field.id) {
    case FieldId::kConnection:
    case FieldId::kHttp2Settings:
    case FieldId::kKeepAlive:
    case FieldId::kProxyConnection:
    case FieldId::kTe:
      return true;
    case FieldId::kOther:
      return head.names_fields() && named_by_connection(head, head.name(field));
    default:
      return false;
  }
}

// A status line may have come without the space before its (then empty) reason.
bool has_reason_space(const ResponseHead& head) {
  return head.reason().data() != head.status_text().data() + head.status_text().size();
}

// A Via member is [name "/"] version RWS received-by [RWS comment].
bool names_gateway(std::string_view member, std::string_view name) {
  const std::size_t space = std::min(member.find_first_of(" \t"), member.size());
  const std::string_view rest = trim(member.substr(space));
  return same_word(rest.substr(0, rest.find_first_of(" \t(")), name);
}

// Members are split at commas outside of comments.
bool via_contains(std::string_view value, std::string_view name) {
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t i = 0; i <= value.size(); ++i) {
    const char c = i < value.size() ? value[i] : ',';
    if (c == '(') ++depth;
    if (c == ')' && depth > 0) --depth;
    if (c == '\\' && depth > 0) ++i;
    if (i >= value.size() || (c == ',' && depth == 0)) {
      if (names_gateway(trim(value.substr(begin, i - begin)), name)) return true;
      begin = std::min(i + 1, value.size());
    }
  }
  return false;
}

void add_via(HeadEdit& edit, const Head& head, std::string_view name) {
  if (!name.empty()) edit.add("Via", {head.version_minor() == 0 ? "1.0 " : "1.1 ", name});
}

void forward_request_line(HeadEdit& edit, const RequestHead& head) {
  const bool absolute = head.form() == TargetForm::kAbsolute;
  if (!absolute && head.version_minor() == 1) return;
  const std::string_view path = head.path();
  if (absolute && path.empty() && head.method() == Method::kOptions) {
    return edit.replace_start_line({"OPTIONS * HTTP/1.1"});  // RFC 9112, 3.2.4
  }
  const bool rooted = !absolute || (!path.empty() && path.front() == '/');
  edit.replace_start_line({head.method_name(), rooted ? " " : " /", path, " HTTP/1.1"});
}

// Appends to the last X-Forwarded-For, so that the list stays in order.
void add_forwarded_for(HeadEdit& edit, const RequestHead& head, std::string_view address) {
  if (address.empty()) return;
  const Field* last = head.find(FieldId::kXForwardedFor);
  if (last == nullptr) return edit.add("X-Forwarded-For", {address});
  for (const Field& field : head.fields()) {
    if (field.id == FieldId::kXForwardedFor) last = &field;
  }
  if (last->value_size == 0) return edit.replace_value(*last, {address});
  edit.append_value(*last, {", ", address});
}

bool removed_from_request(const RequestHead& head, const Field& field, const ForwardRequest& how) {
  switch (field.id) {
    case FieldId::kUpgrade:
      return !how.pass_upgrade;
    case FieldId::kExpect:
      return head.version_minor() == 0;  // means nothing there, but would in what is forwarded
    case FieldId::kTandemCache:
      return !how.pass_tandem_cache;
    case FieldId::kXForwardedProto:
    case FieldId::kXForwardedHost:
      return !how.scheme.empty();
    default:
      return is_tandem_field(field.id) || hop_by_hop(head, field);
  }
}

bool removed_from_response(const ResponseHead& head, const Field& field,
                           const ForwardResponse& how) {
  switch (field.id) {
    case FieldId::kUpgrade:
      return !how.pass_upgrade;
    case FieldId::kTandemReuse:
    case FieldId::kTandemServer:
      return !how.pass_tandem;
    case FieldId::kTandemSession:
      return !how.pass_tandem_session;
    default:
      return is_tandem_field(field.id) || hop_by_hop(head, field);
  }
}

}  // namespace

void forward_request(HeadEdit& edit, const RequestHead& head, const ForwardRequest& how) {
  edit.begin(head);
  forward_request_line(edit, head);
  for (const Field& field : head.fields()) {
    if (removed_from_request(head, field, how)) edit.cut(field);
  }
  add_forwarded_for(edit, head, how.client_address);
  std::string_view host = head.authority();
  if (!head.has(FieldId::kHost)) {
    if (host.empty()) host = how.host_if_missing;
    edit.add("Host", {host});
  }
  if (!how.scheme.empty()) {
    edit.add("X-Forwarded-Proto", {how.scheme});
    edit.add("X-Forwarded-Host", {host});
  }
  add_via(edit, head, how.via_name);
  if (how.pass_upgrade) edit.add("Connection", {"upgrade"});
}

void forward_response(HeadEdit& edit, const ResponseHead& head, const ForwardResponse& how) {
  edit.begin(head);
  if (head.version_minor() == 0 || !has_reason_space(head)) {
    edit.replace_start_line({"HTTP/1.1 ", head.status_text(), " ", head.reason()});
  }
  for (const Field& field : head.fields()) {
    if (removed_from_response(head, field, how)) edit.cut(field);
  }
  add_via(edit, head, how.via_name);
  if (how.pass_upgrade) edit.add("Connection", {"upgrade"});
  if (how.connection == ConnectionOption::kClose) edit.add("Connection", {"close"});
  if (how.connection == ConnectionOption::kKeepAlive) edit.add("Connection", {"keep-alive"});
}

bool passed_through(const Head& head, std::string_view name) {
  if (!head.has(FieldId::kVia)) return false;
  for (const Field& field : head.fields()) {
    if (field.id == FieldId::kVia && via_contains(head.value(field), name)) return true;
  }
  return false;
}

void make_private(HeadEdit& edit, const ResponseHead& head) {
  if (!head.has(FieldId::kCacheControl)) return edit.add("Cache-Control", {"private"});
  const CacheControl control = cache_control(head);
  if (control.is_private || control.no_store) return;
  std::string kept = "private";
  for (const Field& field : head.fields()) {
    if (field.id != FieldId::kCacheControl) continue;
    for (DirectiveList list(head.value(field)); list.next();) {
      if (same_word(list.name(), "public") || same_word(list.name(), "s-maxage")) continue;
      kept.append(", ").append(list.text());
    }
  }
  edit.cut_all(FieldId::kCacheControl);
  edit.add("Cache-Control", {kept});
}

}  // namespace tandem::http
