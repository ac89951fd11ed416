// Why a client is where it is: its token, what the servers know of its session, and whether these
// agree. Pure; the shell (lb/io/explainer) asks the servers and prints.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"
#include "common/cluster/view.h"
#include "common/session/token.h"
#include "common/wire/messages.h"

namespace tandem {

struct ExplanationInput {
  SessionId session;
  std::optional<SessionToken> token;  // if the client's token was given
  UnixSeconds wall = 0;
  UnixSeconds token_ttl = 0;
  ViewPtr view;  // not null
  // Every tandem-server that was asked; without an account it did not answer.
  struct Answer {
    ServerId server;
    std::optional<SessionAccount> account;
  };
  std::vector<Answer> answers;
};

struct Explanation {
  // Of the mirrors on primary and alternate.
  enum class Mirrors : std::uint8_t {
    kNone,      // there are no two that could be compared
    kAgree,     // both hold the same
    kBehind,    // the alternate's follows
    kDisagree,  // they differ although the alternate has acknowledged everything
  };
  ServerId primary;    // who serves the session, by the newest epoch; nobody: nobody does
  ServerId alternate;  // who would take it over; nobody: nobody could, warm
  Epoch epoch;
  Mirrors mirrors = Mirrors::kNone;
  std::uint64_t items = 0;   // in the primary's mirror
  std::uint64_t behind = 0;  // changes that the alternate is yet to be sent
  ServerId next;             // who gets the client's next request; nobody: whoever is chosen then
  std::vector<std::string> sentences;
};
const char* name_of(Explanation::Mirrors mirrors);  // "none", "agree", "behind", "disagree"
const char* name_of(SessionAccount::As as);
const char* name_of(SessionAccount::Came came);

Explanation explain(const ExplanationInput& input);

// A session's id as administrators write it: 32 hexadecimal digits.
std::string to_text(SessionId session);
std::optional<SessionId> parse_session_id(std::string_view text);

}  // namespace tandem
