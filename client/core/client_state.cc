#include "client/core/client_state.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "client/core/cache_rules.h"
#include "common/session/token_codec.h"

namespace tandem {

std::string_view ClientState::group_for(std::string_view host, std::string_view target) const {
  if (const auto routed = locator.group_of(host, target)) return *routed;
  if (const auto former = cache.group_of(target)) return *former;
  return groups.latest();
}

Introduced write_session_fields(const ClientState& state, const Introduction& as,
                                std::string& head) {
  Introduced introduced{std::string(as.group), 0, state.groups.mark()};
  const auto out = std::back_inserter(head);
  if (as.by_type) {
    const DirectRequest direct{state.locator.map_version(), {}, true};
    fmt::format_to(out, "{}: {}\r\n", kDirectField, direct.text());
    return introduced;
  }
  std::string tokens(as.refer_token);
  if (tokens.empty()) {
    tokens = as.direct ? state.groups.token(as.group) : state.groups.tokens();
  }
  if (!tokens.empty()) fmt::format_to(out, "Tandem-Session: {}\r\n", tokens);
  fmt::format_to(out, "Tandem-Cache: {:016x}", state.cache_id.value);
  const ItemCache::Evictions evicted = state.cache.evicted(kAnnouncedEvictionsMax, as.group);
  introduced.evictions = evicted.mark;
  const char* separator = ";evicted=";
  for (const ItemKey key : evicted.keys) {
    fmt::format_to(out, "{}{:016x}", std::exchange(separator, ","), key.value);
  }
  head += "\r\n";
  if (as.direct) {
    const DirectRequest direct{
        state.locator.map_version(), {as.failed.begin(), as.failed.end()}, false};
    fmt::format_to(out, "{}: {}\r\n", kDirectField, direct.text());
  }
  return introduced;
}

std::optional<std::string_view> group_of(const Destination& from, const HeaderFields& response) {
  if (from.direct()) return from.group;
  return GroupSessions::name_in(field_of(response, kGroupField));
}

bool hears_evictions(int status, const HeaderFields& response) {
  if (status < 400) return true;  // plain servers do not name themselves, and need none
  return status != 421 && has_field(response, "Tandem-Server");
}

void learn(ClientState& state, const Destination& from, const HeaderFields& response,
           const Introduced& as, Instant now) {
  const auto group = group_of(from, response);
  if (!group) return;
  // Those of another group's items mean nothing to who has heard them.
  if (*group == as.group) state.cache.evictions_heard(as.evictions, as.group);
  GroupSession& session = state.groups.answered(*group);
  const std::string_view server = field_of(response, "Tandem-Server");
  const bool tells_group = !group->empty() || !server.empty();  // else it may be nobody's
  if (!from.direct() && tells_group && *group != as.group) state.locator.on_other_group();
  if (!from.by_type) session.validation.heard(server, now);
  const std::string_view token = field_of(response, "Tandem-Session");
  if (token == kNoToken) {
    state.groups.lose_token(*group, as.sessions);
  } else if (GroupSessions::is_token(token)) {
    state.groups.take_token(*group, token);
  }
  state.locator.on_answer(from, *group, server,
                          Whereabouts::parse(field_of(response, kWhereField)));
}

}  // namespace tandem
