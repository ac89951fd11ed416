#include "lb/core/explanation.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace tandem {
namespace {

using As = SessionAccount::As;
using Came = SessionAccount::Came;

std::string ago(std::uint64_t ms) {
  const std::uint64_t s = ms / 1000;
  if (s < 1) return fmt::format("{} ms ago", ms);
  if (s < 120) return fmt::format("{} s ago", s);
  if (s < 7200) return fmt::format("{} min ago", s / 60);
  return fmt::format("{} h ago", s / 3600);
}

bool serves(const SessionAccount& account) {
  return account.as == As::kPrimary || account.as == As::kProvisional;
}

// Collects the findings; each step adds what it has to say.
class Explainer {
 public:
  explicit Explainer(const ExplanationInput& input) : in_(input) {}

  Explanation run() {
    find_primary();
    find_alternate();
    tell_plain();
    if (primary_ != nullptr) tell_primary();
    if (primary_ != nullptr) tell_alternate();
    tell_token();
    tell_next();
    tell_others();
    return std::move(out_);
  }

 private:
  const SessionAccount* account_of(ServerId server) const {
    for (const auto& answer : in_.answers) {
      if (answer.server == server && answer.account) return &*answer.account;
    }
    return nullptr;
  }
  std::string name(ServerId server) const {
    if (!server) return "nobody";
    const ServerRecord* record = in_.view->find(server);
    return record != nullptr ? record->name
                             : fmt::format("#{:08x}, which is not known here", server.value);
  }
  bool online(ServerId server) const {
    const ServerRecord* record = server ? in_.view->find(server) : nullptr;
    return record != nullptr && record->online;
  }
  bool plain(ServerId server) const {
    const ServerRecord* record = server ? in_.view->find(server) : nullptr;
    return record != nullptr && record->kind == ServerKind::kPlain;
  }
  template <class... Args>
  void say(fmt::format_string<Args...> text, Args&&... args) {
    out_.sentences.push_back(fmt::format(text, std::forward<Args>(args)...));
  }

  void find_primary() {
    for (const auto& answer : in_.answers) {
      if (!answer.account || !serves(*answer.account)) continue;
      if (primary_ != nullptr && answer.account->epoch <= primary_->epoch) continue;
      primary_ = &*answer.account;
      out_.primary = answer.server;
    }
    if (primary_ == nullptr) return;
    out_.epoch = primary_->epoch;
    out_.items = primary_->items;
    out_.behind = primary_->behind;
  }

  // Of the holders of a copy the one that the primary feeds; without a primary the newest.
  void find_alternate() {
    for (const auto& answer : in_.answers) {
      if (!answer.account || answer.account->as != As::kCopy) continue;
      const bool fed = primary_ != nullptr && primary_->alternate == answer.server;
      const bool newest = copy_ == nullptr || answer.account->epoch > copy_->epoch;
      if (primary_ != nullptr ? !fed : !newest) continue;
      copy_ = &*answer.account;
      out_.alternate = answer.server;
    }
    if (primary_ == nullptr || copy_ == nullptr) return;
    const bool same = copy_->digest_high == primary_->digest_high &&
                      copy_->digest_low == primary_->digest_low && copy_->items == primary_->items;
    out_.mirrors = same                 ? Explanation::Mirrors::kAgree
                   : primary_->complete ? Explanation::Mirrors::kDisagree
                                        : Explanation::Mirrors::kBehind;
  }

  // Of a plain server nobody keeps a session: the token is all there is.
  void tell_plain() {
    if (primary_ != nullptr || !in_.token || !plain(in_.token->primary)) return;
    out_.primary = in_.token->primary;
    out_.alternate = in_.token->alternate;
    out_.epoch = in_.token->epoch;
    say("{} is its primary, a plain server: the balancer chose it, and the token alone says so.",
        name(out_.primary));
    if (out_.alternate) say("{} would take over, without a mirror.", name(out_.alternate));
    if (!out_.alternate) say("It has no alternate: its token has not come back yet.");
  }

  void tell_primary() {
    const std::string who = name(out_.primary);
    const std::string when = ago(primary_->since_ms);
    switch (primary_->came) {
      case Came::kAssigned:
        say("{} serves it: it came there as a new session {}.", who, when);
        break;
      case Came::kTakenOver:
        say("{} serves it: it took it over {}, from its copy, when its primary was gone.", who,
            when);
        break;
      case Came::kFoundLost:
        say("{} serves it: it came there {}, and nobody had it any more; it started empty.", who,
            when);
        break;
      case Came::kSwapped:
        say("{} serves it: its former primary handed it over {}, with its mirror.", who, when);
        break;
      case Came::kUnknown:
        say("{} serves it.", who);
        break;
    }
    if (primary_->as == As::kProvisional) {
      say("It is provisional: no alternate and no mirror until the client sends its token back.");
    }
  }

  void tell_alternate() {
    if (primary_->as == As::kProvisional) return;
    const ServerId fed = primary_->alternate;
    if (!fed) return say("It has no alternate: no other server takes sessions.");
    const std::string who = name(fed);
    if (copy_ == nullptr) {
      return say("{} is its alternate, but does not say that it has a copy.", who);
    }
    switch (out_.mirrors) {
      case Explanation::Mirrors::kAgree:
        say("{} is its alternate, warm: both mirrors hold the same {} item(s).", who, out_.items);
        break;
      case Explanation::Mirrors::kDisagree:
        say("{} is its alternate, but its mirror differs: {} item(s) there, {} here. What differs "
            "costs a validation, no more.",
            who, copy_->items, out_.items);
        break;
      default:
        say("{} is its alternate, and its mirror follows: {} of {} item(s), {} change(s) to come.",
            who, copy_->items, out_.items, out_.behind);
    }
  }

  void tell_token() {
    if (!in_.token) return;
    const SessionToken& token = *in_.token;
    const UnixSeconds age = in_.wall - token.issued;
    say("The token names {} as primary and {} as alternate, in epoch {} of {}; it was issued {}.",
        name(token.primary), name(token.alternate), token.epoch.counter, name(token.epoch.server),
        ago(static_cast<std::uint64_t>(std::max<UnixSeconds>(age, 0)) * 1000));
    if (age >= in_.token_ttl) {
      say("It has expired (ttl is {} s): the client gets a new session.", in_.token_ttl);
    } else if (primary_ != nullptr && token.epoch < primary_->epoch) {
      say("It is older than what {} knows: the next response brings the client a new one.",
          name(out_.primary));
    }
  }

  void tell_next() {
    if (in_.token && in_.wall - in_.token->issued >= in_.token_ttl) return;
    const ServerId first = in_.token ? in_.token->primary : out_.primary;
    const ServerId second = in_.token ? in_.token->alternate : out_.alternate;
    out_.next = online(first) ? first : online(second) ? second : ServerId{};
    if (!first && !second) return;
    if (!out_.next) {
      return say(
          "{} and {} are both gone: the next request goes to any server of their group, which asks "
          "who has the session.",
          name(first), name(second));
    }
    if (out_.next != first)
      say("{} is not online: {} gets the next request.", name(first), name(second));
    if (primary_ == nullptr || out_.next == out_.primary) return;
    const SessionAccount* there = account_of(out_.next);
    const bool knows = there != nullptr && there->as != As::kNothing;
    if (out_.next == out_.alternate && !online(first)) return;  // it takes over
    say("{} {}, and refers the client to {}.", name(out_.next),
        knows ? "gets the next request, knows where the session went"
              : "gets the next request, does not know the session",
        knows ? name(out_.primary) : std::string("whoever has it"));
  }

  void tell_others() {
    std::size_t silent = 0;
    bool anybody = false;
    for (const auto& answer : in_.answers) {
      silent += !answer.account;
      if (!answer.account || answer.account->as == As::kNothing) continue;
      anybody = true;
      if (answer.server == out_.primary || answer.server == out_.alternate) continue;
      const SessionAccount& other = *answer.account;
      if (serves(other)) {
        say("{} serves it, too, under an older epoch, and drops it when it meets {}.",
            name(answer.server), name(out_.primary));
      } else if (other.as == As::kCopy) {
        say("{} has a copy as well, of epoch {}.", name(answer.server), other.epoch.counter);
      }
    }
    if (!anybody && !plain(out_.primary)) say("No server that answered knows the session.");
    if (silent > 0) say("{} server(s) did not answer.", silent);
  }

  const ExplanationInput& in_;
  Explanation out_;
  const SessionAccount* primary_ = nullptr;
  const SessionAccount* copy_ = nullptr;
};

std::optional<std::uint64_t> parse_hex(std::string_view digits) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), value, 16);
  if (error != std::errc{} || end != digits.end()) return std::nullopt;
  return value;
}

}  // namespace

const char* name_of(Explanation::Mirrors mirrors) {
  switch (mirrors) {
    case Explanation::Mirrors::kAgree:
      return "agree";
    case Explanation::Mirrors::kBehind:
      return "behind";
    case Explanation::Mirrors::kDisagree:
      return "disagree";
    default:
      return "none";
  }
}

const char* name_of(SessionAccount::As as) {
  switch (as) {
    case As::kProvisional:
      return "provisional";
    case As::kPrimary:
      return "primary";
    case As::kCopy:
      return "copy";
    case As::kNote:
      return "note";
    default:
      return "nothing";
  }
}

const char* name_of(SessionAccount::Came came) {
  switch (came) {
    case Came::kAssigned:
      return "assigned";
    case Came::kTakenOver:
      return "taken over";
    case Came::kFoundLost:
      return "found lost";
    case Came::kSwapped:
      return "swapped";
    default:
      return "unknown";
  }
}

Explanation explain(const ExplanationInput& input) { return Explainer(input).run(); }

std::string to_text(SessionId session) {
  return fmt::format("{:016x}{:016x}", session.high, session.low);
}

std::optional<SessionId> parse_session_id(std::string_view text) {
  if (text.size() != 32) return std::nullopt;
  const auto high = parse_hex(text.substr(0, 16)), low = parse_hex(text.substr(16));
  if (!high || !low) return std::nullopt;
  return SessionId{*high, *low};
}

}  // namespace tandem
