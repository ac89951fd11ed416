#include "server/core/mail.h"

#include <algorithm>
#include <utility>

namespace tandem {

bool Mail::drain(const std::function<bool(ServerId)>& linked, Outbox<Message>& out) {
  for (; !releases_.empty(); releases_.pop_front()) {
    if (out.room() == 0) return false;
    auto& [peer, release] = releases_.front();
    if (linked(peer)) out.send(peer, release);
  }
  while (!told_.empty()) {
    auto& [peer, entries] = *told_.begin();
    while (!entries.empty() && linked(peer)) {
      if (out.room() == 0) return false;
      const std::size_t count = std::min(entries.size(), SessionExchange::kEntriesMax);
      SessionExchange part;
      part.entries.assign(entries.end() - static_cast<std::ptrdiff_t>(count), entries.end());
      entries.resize(entries.size() - count);
      part.last = entries.empty();
      counters_.exchange_entries_sent += count;
      out.send(peer, std::move(part));
    }
    told_.erase(told_.begin());
  }
  return true;
}

}  // namespace tandem
