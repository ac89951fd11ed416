#include "lb/io/explain_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/json_writer.h"

namespace tandem {
namespace {

// Empty for nobody.
std::string name(const View& view, ServerId server) {
  if (!server) return {};
  const ServerRecord* record = view.find(server);
  return record != nullptr ? record->name : fmt::format("#{:08x}", server.value);
}

std::string epoch_text(const View& view, const Epoch& epoch) {
  return fmt::format("{} of {}", epoch.counter, name(view, epoch.server));
}

void write_epoch(JsonWriter& json, const View& view, const Epoch& epoch) {
  json.key("epoch").begin_object().member("counter", epoch.counter);
  json.member("server", name(view, epoch.server)).end_object();
}

void write_token(JsonWriter& json, const View& view, const ExplanationInput& input) {
  const SessionToken& token = *input.token;
  const auto age = std::max<UnixSeconds>(input.wall - token.issued, 0);
  json.key("token").begin_object();
  json.member("primary", name(view, token.primary))
      .member("alternate", name(view, token.alternate));
  write_epoch(json, view, token.epoch);
  json.member("age_seconds", static_cast<std::uint64_t>(age));
  json.member("expired", age >= input.token_ttl).end_object();
}

void write_account(JsonWriter& json, const View& view, const SessionAccount& account) {
  json.member("knows", name_of(account.as));
  if (account.as == SessionAccount::As::kNothing) return;
  write_epoch(json, view, account.epoch);
  json.member("primary", name(view, account.primary));
  json.member("alternate", name(view, account.alternate));
  if (account.as == SessionAccount::As::kNote) return;
  json.member("came", name_of(account.came)).member("since_ms", account.since_ms);
  json.member("idle_ms", account.idle_ms).member("items", account.items);
  json.member("digest", fmt::format("{:016x}{:016x}", account.digest_high, account.digest_low));
  json.member("complete", account.complete).member("behind", account.behind);
}

}  // namespace

std::string explanation_json(const ExplanationInput& input, const Explanation& found) {
  const View& view = *input.view;
  JsonWriter json;
  json.begin_object().member("session", to_text(input.session));
  if (input.token) write_token(json, view, input);
  json.member("primary", name(view, found.primary));
  json.member("alternate", name(view, found.alternate));
  write_epoch(json, view, found.epoch);
  json.member("mirrors", name_of(found.mirrors)).member("items", found.items);
  json.member("behind", found.behind).member("next", name(view, found.next));
  json.key("why").begin_array();
  for (const std::string& sentence : found.sentences) json.value(sentence);
  json.end_array().key("servers").begin_array();
  for (const auto& answer : input.answers) {
    json.begin_object().member("name", name(view, answer.server));
    json.member("answered", answer.account.has_value());
    if (answer.account) write_account(json, view, *answer.account);
    json.end_object();
  }
  json.end_array().end_object();
  return json.text() + "\n";
}

std::string explanation_table(const ExplanationInput& input, const Explanation& found) {
  const View& view = *input.view;
  std::string text = fmt::format("session {}\n\n", to_text(input.session));
  for (const std::string& sentence : found.sentences) text += fmt::format("  {}\n", sentence);
  std::size_t names = 6;
  for (const auto& answer : input.answers)
    names = std::max(names, name(view, answer.server).size());
  if (input.answers.empty()) return text;
  text += fmt::format("\n{:<{}}  {:<11}  {:<16}  {:>7}  {:>7}  {:>9}\n", "SERVER", names, "KNOWS",
                      "EPOCH", "ITEMS", "BEHIND", "IDLE");
  for (const auto& answer : input.answers) {
    const std::string who = name(view, answer.server);
    if (!answer.account) {
      text += fmt::format("{:<{}}  did not answer\n", who, names);
      continue;
    }
    const SessionAccount& account = *answer.account;
    if (account.as == SessionAccount::As::kNothing) {
      text += fmt::format("{:<{}}  nothing\n", who, names);
      continue;
    }
    text += fmt::format("{:<{}}  {:<11}  {:<16}  {:>7}  {:>7}  {:>7.1f} s\n", who, names,
                        name_of(account.as), epoch_text(view, account.epoch), account.items,
                        account.behind, static_cast<double>(account.idle_ms) / 1000);
  }
  return text;
}

std::string if_dies_json(const View& view, const IfDies& loss) {
  JsonWriter json;
  json.begin_object().member("server", name(view, loss.server)).member("sessions", loss.sessions);
  if (const ServerRecord* dying = view.find(loss.server)) json.member("group", dying->group);
  json.member("unbacked", loss.unbacked).member("homeless", loss.homeless);
  json.member("over", loss.over()).key("heirs").begin_array();
  for (const IfDies::Heir& heir : loss.heirs) {
    json.begin_object().member("name", name(view, heir.server));
    json.member("sessions", heir.answers_for).member("inherits", heir.inherits);
    json.member("capacity", heir.capacity).member("over", heir.over()).end_object();
  }
  json.end_array().end_object();
  return json.text() + "\n";
}

std::string if_dies_table(const View& view, const IfDies& loss) {
  std::string text = fmt::format("If {} died, {} session(s) would need another server.\n",
                                 name(view, loss.server), loss.sessions);
  if (loss.unbacked > 0) {
    text += fmt::format("Of {} no copy is known: they would go wherever there is room.\n",
                        loss.unbacked);
  }
  const ServerRecord* dying = view.find(loss.server);
  const bool groups = std::any_of(view.servers.begin(), view.servers.end(), [&](const auto& other) {
    return dying != nullptr && other.group != dying->group;
  });
  if (groups) text += fmt::format("Only servers of its group stand in: {}.\n", dying->group);
  text += loss.over() == 0 ? "Every other server would stay within its capacity.\n"
                           : fmt::format("{} session(s) would be over capacity.\n", loss.over());
  std::size_t names = 6;
  for (const auto& heir : loss.heirs) names = std::max(names, name(view, heir.server).size());
  text += fmt::format("\n{:<{}}  {:>8}  {:>8}  {:>8}  {:>8}  {:>6}\n", "SERVER", names, "SESSIONS",
                      "INHERITS", "THEN", "CAPACITY", "OVER");
  for (const IfDies::Heir& heir : loss.heirs) {
    text += fmt::format("{:<{}}  {:>8}  {:>8}  {:>8}  {:>8}  {:>6}\n", name(view, heir.server),
                        names, heir.answers_for, heir.inherits, heir.answers_for + heir.inherits,
                        heir.capacity, heir.over());
  }
  return text;
}

}  // namespace tandem
