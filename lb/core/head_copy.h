// How forward.cc and forward_response.cc copy heads: runs of kept field lines, and sets of fields.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string_view>

#include "common/http/chars.h"
#include "common/http/head.h"
#include "common/http/list.h"
#include "lb/core/forward.h"

namespace tandem::head_copy {

using http::Field;
using http::FieldId;
using http::Head;

inline constexpr std::size_t kFixedBytes = 512;  // more than all constant text that a head can gain

constexpr std::uint64_t bits(std::initializer_list<FieldId> ids) {
  std::uint64_t mask = 0;
  for (FieldId id : ids) mask |= std::uint64_t{1} << static_cast<unsigned>(id);
  return mask;
}
constexpr bool in(std::uint64_t mask, FieldId id) {
  return (mask >> static_cast<unsigned>(id) & 1) != 0;
}

inline constexpr std::uint64_t kHopByHop =
    bits({FieldId::kConnection, FieldId::kKeepAlive, FieldId::kProxyConnection, FieldId::kTe,
          FieldId::kUpgrade, FieldId::kHttp2Settings});
inline constexpr std::uint64_t kTandem =
    bits({FieldId::kTandemOther, FieldId::kTandemCache, FieldId::kTandemRefer,
          FieldId::kTandemReuse, FieldId::kTandemServer, FieldId::kTandemSession});
inline constexpr std::uint64_t kForwarding =
    bits({FieldId::kXForwardedFor, FieldId::kXForwardedProto, FieldId::kXForwardedHost});

// Is it the application's header that carries tokens?
inline bool is_affinity_field(const Head& head, const Field& f, const AffinityOptions& affinity) {
  return f.id == FieldId::kOther && f.name_size == affinity.header.size() &&
         http::same_word(head.name(f), affinity.header);
}

class Writer {
 public:
  explicit Writer(char* out) : begin_(out), at_(out) {}
  void put(std::string_view text) {
    if (text.empty()) return;  // it may be of nothing, which memcpy does not take
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  void field(std::string_view name_and_colon, std::string_view value) {
    put(name_and_colon);
    put(value);
    put("\r\n");
  }
  std::size_t size() const { return static_cast<std::size_t>(at_ - begin_); }

 private:
  char* begin_;
  char* at_;
};

// Does a Connection field name anything but the options that everyone uses?
inline bool names_fields(const Head& head) {
  if (!head.has(FieldId::kConnection)) return false;
  for (const Field& f : head.fields()) {
    if (f.id != FieldId::kConnection) continue;
    for (http::TokenList list(head.value(f)); list.next();) {
      const auto word = list.member();
      if (!http::same_word(word, "close") && !http::same_word(word, "keep-alive") &&
          !http::same_word(word, "upgrade") && !http::same_word(word, "te")) {
        return true;
      }
    }
  }
  return false;
}

// A field that we know is either of this hop, and goes in any case, or meant for all recipients,
// and may not be named (RFC 9110, 7.6.1): else a client could take Authorization, Cookie or Host
// out of a request on its way. So only fields that we do not know can be named.
inline bool named_by_connection(const Head& head, const Field& field) {
  if (field.id != FieldId::kOther) return false;
  for (const Field& f : head.fields()) {
    if (f.id == FieldId::kConnection && http::list_contains(head.value(f), head.name(field))) {
      return true;
    }
  }
  return false;
}

// Copies field lines in runs; `instead(field)` says whether a line goes (and may write another).
template <class Instead>
void copy_fields(const Head& head, Writer& out, Instead&& instead) {
  const char* base = head.buffer().data();
  const bool slow = names_fields(head);
  std::size_t run = head.fields_begin();
  for (const Field& f : head.fields()) {
    const auto flush = [&] {
      out.put({base + run, f.name_at - run});
      run = head.line_end(f);
    };
    if (instead(f, flush)) continue;
    if (slow && named_by_connection(head, f)) flush();
  }
  out.put({base + run, head.fields_end() - run});
}

}  // namespace tandem::head_copy
