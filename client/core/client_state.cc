#include "client/core/client_state.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "client/core/cache_rules.h"
#include "common/http/chars.h"
#include "common/session/token_codec.h"

namespace tandem {
namespace {

bool is_token_text(std::string_view text) {
  return !text.empty() && text.size() <= kTokenBytesMax && http::is_token(text);
}

}  // namespace

std::size_t write_session_fields(const ClientState& state, std::string& head) {
  const auto out = std::back_inserter(head);
  if (!state.token.empty()) fmt::format_to(out, "Tandem-Session: {}\r\n", state.token);
  fmt::format_to(out, "Tandem-Cache: {:016x}", state.cache_id.value);
  const std::vector<ItemKey> evicted = state.cache.evicted(kAnnouncedEvictionsMax);
  const char* separator = ";evicted=";
  for (const ItemKey key : evicted) {
    fmt::format_to(out, "{}{:016x}", std::exchange(separator, ","), key.value);
  }
  head += "\r\n";
  return evicted.size();
}

void learn(ClientState& state, const HeaderFields& response, std::size_t evictions, Instant now) {
  state.cache.evictions_heard(evictions);
  const std::string_view token = field_of(response, "Tandem-Session");
  if (token == kNoToken) {
    state.token.clear();
  } else if (is_token_text(token)) {
    state.token = token;
  }
  state.validation.heard(field_of(response, "Tandem-Server"), now);
}

}  // namespace tandem
