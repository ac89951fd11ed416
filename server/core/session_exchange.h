// What two servers that meet (again) have to tell each other of a session. A pure formula; the
// newer epoch wins.
#pragma once

#include <cstdint>
#include <optional>

#include "common/base/ids.h"
#include "common/wire/messages.h"
#include "server/core/session.h"

namespace tandem {

enum class ExchangeRuling : std::uint8_t {
  kAgree,         // the same, or nothing is known here
  kNoteNewer,     // we no longer have it, and our note of where it went is older
  kLost,          // theirs is newer: ours is dropped
  kTellNewer,     // ours is newer: they are told
  kRelease,       // they hold a copy that is no longer wanted
  kReleaseThird,  // their primary is back: our third copy is no longer needed
};

ExchangeRuling rule_on_entry(ServerId from, const SessionExchange::Entry& entry,
                             const Session* session, std::optional<Epoch> noted);

}  // namespace tandem
