#include "server/core/session_exchange.h"

namespace tandem {

ExchangeRuling rule_on_entry(ServerId from, const SessionExchange::Entry& entry,
                             const Session* session, std::optional<Epoch> noted) {
  if (session == nullptr) {
    if (!noted || *noted == entry.epoch) return ExchangeRuling::kAgree;
    return *noted > entry.epoch ? ExchangeRuling::kTellNewer : ExchangeRuling::kNoteNewer;
  }
  if (session->epoch < entry.epoch) return ExchangeRuling::kLost;
  if (session->epoch > entry.epoch) return ExchangeRuling::kTellNewer;
  if (session->serves()) {
    const bool wanted = entry.primary || session->feeds(from);
    return wanted ? ExchangeRuling::kAgree : ExchangeRuling::kRelease;
  }
  const bool primary_is_back = entry.primary && from == session->primary;
  return primary_is_back && session->stream.target ? ExchangeRuling::kReleaseThird
                                                   : ExchangeRuling::kAgree;
}

}  // namespace tandem
