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

std::uint64_t write_session_fields(const ClientState& state, const Introduction& as,
                                   std::string& head) {
  const auto out = std::back_inserter(head);
  if (as.by_type) {
    const DirectRequest direct{state.locator.map_version(), {}, true};
    fmt::format_to(out, "{}: {}\r\n", kDirectField, direct.text());
    return 0;
  }
  if (!as.token.empty()) fmt::format_to(out, "Tandem-Session: {}\r\n", as.token);
  fmt::format_to(out, "Tandem-Cache: {:016x}", state.cache_id.value);
  const std::vector<ItemKey> evicted = state.cache.evicted(kAnnouncedEvictionsMax);
  const char* separator = ";evicted=";
  for (const ItemKey key : evicted) {
    fmt::format_to(out, "{}{:016x}", std::exchange(separator, ","), key.value);
  }
  head += "\r\n";
  if (as.direct) {
    const DirectRequest direct{
        state.locator.map_version(), {as.failed.begin(), as.failed.end()}, false};
    fmt::format_to(out, "{}: {}\r\n", kDirectField, direct.text());
  }
  return state.cache.eviction_mark(evicted.size());
}

void learn(ClientState& state, const Destination& from, const HeaderFields& response,
           const Introduced& as, Instant now) {
  state.cache.evictions_heard(as.evictions);
  const std::string_view token = field_of(response, "Tandem-Session");
  if (token == kNoToken) {
    if (state.token == as.token) state.token.clear();
  } else if (is_token_text(token)) {
    state.token = token;
  }
  const std::string_view server = field_of(response, "Tandem-Server");
  if (!from.by_type) state.validation.heard(server, now);
  state.locator.on_answer(from, server, Whereabouts::parse(field_of(response, kWhereField)));
}

}  // namespace tandem
