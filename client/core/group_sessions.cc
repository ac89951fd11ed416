#include "client/core/group_sessions.h"

#include <algorithm>

#include "common/http/chars.h"

namespace tandem {

bool GroupSessions::is_token(std::string_view text) {
  return !text.empty() && text.size() <= kTokenBytesMax && http::is_token(text);
}

std::optional<std::string_view> GroupSessions::name_in(std::string_view group_field) {
  if (group_field.empty()) return group_field;
  if (group_field.size() > kNameBytesMax || !http::is_token(group_field)) return std::nullopt;
  return group_field;
}

void GroupSessions::set_validation(const ValidationPolicy& policy) {
  validation_ = policy;
  for (GroupSession& session : sessions_) session.validation = policy;
}

void GroupSessions::absent(Duration since) {
  validation_.absent(since);
  for (GroupSession& session : sessions_) session.validation.absent(since);
}

const GroupSession* GroupSessions::find(std::string_view group) const {
  for (const GroupSession& session : sessions_) {
    if (session.group == group) return &session;
  }
  return nullptr;
}

std::string_view GroupSessions::token(std::string_view group) const {
  const GroupSession* session = find(group);
  return session == nullptr ? std::string_view() : session->token;
}

std::vector<GroupSession>::iterator GroupSessions::place_of(std::string_view group) {
  const auto known =
      std::find_if(sessions_.begin(), sessions_.end(),
                   [group](const GroupSession& session) { return session.group == group; });
  if (known != sessions_.end()) return known;
  if (sessions_.size() == kMax) sessions_.pop_back();
  sessions_.push_back({.group = std::string(group), .validation = validation_});
  return std::prev(sessions_.end());
}

GroupSession& GroupSessions::of(std::string_view group) { return *place_of(group); }

GroupSession& GroupSessions::answered(std::string_view group) {
  const auto place = place_of(group);
  if (latest_ != group) latest_ = group;
  std::rotate(sessions_.begin(), place, std::next(place));
  return sessions_.front();
}

void GroupSessions::take_token(std::string_view group, std::string_view token) {
  GroupSession& session = of(group);
  if (session.token == token) return;
  session.token = token;
  session.since = ++changes_;
  session.sessionless = false;
}

void GroupSessions::lose_token(std::string_view group, std::uint64_t mark) {
  GroupSession& session = of(group);
  if (session.token.empty() || session.since > mark) return;
  session.token.clear();
  session.since = ++changes_;
}

std::string GroupSessions::tokens() const {
  std::string all;
  for (const GroupSession& session : sessions_) {
    if (!session.token.empty()) append_session(all, session.token, session.group);
  }
  return all;
}

}  // namespace tandem
