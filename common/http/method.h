// Request methods (RFC 9110, 9; RFC 5789).
#pragma once

#include <cstdint>
#include <string_view>

namespace tandem::http {

enum class Method : std::uint8_t {
  kOther,  // a method that is not listed; its name is in the request head
  kGet,
  kHead,
  kPost,
  kPut,
  kDelete,
  kConnect,
  kOptions,
  kTrace,
  kPatch,
};

// Case matters: "get" is kOther.
Method method_of(std::string_view name);
std::string_view method_name(Method method);  // empty for kOther

constexpr bool is_safe(Method m) {
  return m == Method::kGet || m == Method::kHead || m == Method::kOptions || m == Method::kTrace;
}
// May a request whose fate is unknown be sent again? Unknown methods may not.
constexpr bool is_idempotent(Method m) {
  return is_safe(m) || m == Method::kPut || m == Method::kDelete;
}

}  // namespace tandem::http
