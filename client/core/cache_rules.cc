#include "client/core/cache_rules.h"

#include <algorithm>
#include <iterator>

#include "common/http/list.h"
#include "common/http/number.h"

namespace tandem {
namespace {

using http::same_word;

bool controls(const HeaderFields& fields, std::string_view directive) {
  return std::any_of(fields.begin(), fields.end(), [&](const auto& field) {
    return same_word(field.first, "Cache-Control") && http::list_contains(field.second, directive);
  });
}

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view one) { return same_word(one, name); });
}

std::uint64_t number_of(std::string_view text) {
  std::uint64_t number = 0;
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    text = text.substr(1, text.size() - 2);
  }
  return http::parse_decimal(text, number) ? number : 0;
}

}  // namespace

std::string_view field_of(const HeaderFields& fields, std::string_view name) {
  for (const auto& [field, value] : fields) {
    if (same_word(field, name)) return value;
  }
  return {};
}

bool has_field(const HeaderFields& fields, std::string_view name) {
  return std::any_of(fields.begin(), fields.end(),
                     [&](const auto& field) { return same_word(field.first, name); });
}

bool may_keep(const HeaderFields& request, const HeaderFields& response) {
  return has_field(response, "ETag") && !controls(response, "no-store") &&
         !controls(request, "no-store") && field_of(response, "Vary") != "*";
}

bool may_announce(const HeaderFields& request) {
  return std::none_of(request.begin(), request.end(),
                      [](const auto& field) {
                        return is_one_of(field.first,
                                         {"If-None-Match", "If-Match", "If-Modified-Since",
                                          "If-Unmodified-Since", "If-Range", "Range"});
                      }) &&
         !controls(request, "no-store");
}

bool asks_always(const HeaderFields& response) {
  return controls(response, "no-cache") || has_field(response, "Vary");
}

std::optional<UnixSeconds> fresh_for(const HeaderFields& response) {
  constexpr std::uint64_t kYear = 31'536'000;
  if (asks_always(response)) return std::nullopt;
  for (const auto& [name, value] : response) {
    if (!same_word(name, "Cache-Control")) continue;
    for (http::TokenList list(value); list.next();) {
      const std::string_view member = list.member();
      const std::size_t equals = std::min(member.find('='), member.size());
      if (equals == member.size() || !same_word(member.substr(0, equals), "max-age")) continue;
      const std::uint64_t age = number_of(field_of(response, "Age"));
      const std::uint64_t life = std::min(number_of(member.substr(equals + 1)), kYear);
      return age < life ? static_cast<UnixSeconds>(life - age) : 0;
    }
  }
  return std::nullopt;
}

HeaderFields kept_fields(const HeaderFields& response) {
  HeaderFields kept;
  std::copy_if(response.begin(), response.end(), std::back_inserter(kept), [](const auto& field) {
    return !is_one_of(field.first, {"Connection", "Keep-Alive", "Transfer-Encoding",
                                    "Tandem-Session", "Tandem-Reuse", "Tandem-Server"});
  });
  return kept;
}

HeaderFields refreshed(const HeaderFields& kept, const HeaderFields& response) {
  const auto replaced = [](std::string_view name) {
    return !is_one_of(
        name, {"Content-Length", "Content-Encoding", "Content-Type", "Content-Range",
               "Content-Language", "Transfer-Encoding", "Connection", "Keep-Alive", "ETag"});
  };
  HeaderFields result;
  for (const auto& field : kept) {
    if (!replaced(field.first) || !has_field(response, field.first)) result.push_back(field);
  }
  for (const auto& field : response) {
    if (replaced(field.first)) result.push_back(field);
  }
  return result;
}

}  // namespace tandem
