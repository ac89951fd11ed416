#include "server/core/same_origin.h"

#include <algorithm>

#include "common/http/chars.h"

namespace tandem {
namespace {

// Takes "http:" or "https:" away; false: it has another scheme.
bool take_scheme(std::string_view& reference) {
  const std::size_t colon = reference.find(':');
  if (colon == reference.npos || reference.find_first_of("/?#") < colon) return true;
  const std::string_view scheme = reference.substr(0, colon);
  reference.remove_prefix(colon + 1);
  return http::same_word(scheme, "http") || http::same_word(scheme, "https");
}

}  // namespace

std::optional<std::string> same_origin_target(const http::RequestHead& request,
                                              std::string_view reference) {
  reference = reference.substr(0, reference.find('#'));
  if (reference.empty() || !take_scheme(reference)) return std::nullopt;
  if (reference.starts_with("//")) {
    reference.remove_prefix(2);
    const std::size_t end = std::min(reference.find_first_of("/?"), reference.size());
    if (!http::same_word(reference.substr(0, end), request.authority())) return std::nullopt;
    reference.remove_prefix(end);
    const bool has_path = reference.starts_with('/');
    return has_path ? std::string(reference) : "/" + std::string(reference);
  }
  if (reference.starts_with('/')) return std::string(reference);
  const std::string_view path = request.path().substr(0, request.path().find('?'));
  if (reference.starts_with('?')) return std::string(path) + std::string(reference);
  const std::size_t slash = path.rfind('/');
  const std::string_view folder = slash == path.npos ? "/" : path.substr(0, slash + 1);
  return std::string(folder) + std::string(reference);
}

}  // namespace tandem
