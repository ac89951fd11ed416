#include "lb/io/address_book.h"

#include <algorithm>
#include <utility>

#include "common/base/log.h"

namespace tandem {

AddressBook::AddressBook(EventLoop& loop, Resolver& resolver, Duration interval,
                         std::function<void()> on_change)
    : loop_(loop),
      resolver_(resolver),
      interval_(interval),
      on_change_(std::move(on_change)),
      timer_(loop, [this] { resolve_all(); }),
      self_(std::make_shared<AddressBook*>(this)) {
  timer_.set_after(interval_);
}

SocketAddress AddressBook::find(const std::string& address) {
  const auto [it, is_new] = entries_.try_emplace(address);
  it->second.round = round_;
  if (!is_new) return it->second.known;
  const auto parsed = Address::parse(address);
  if (!parsed) return {};
  if (const auto numeric = SocketAddress::numeric(*parsed)) {
    it->second.known = *numeric;
  } else {
    it->second.is_name = true;
    resolve(address);
  }
  return it->second.known;
}

void AddressBook::end_round() {
  std::erase_if(entries_, [this](const auto& entry) { return entry.second.round != round_; });
}

void AddressBook::set_interval(Duration interval) {
  interval_ = interval;
  timer_.set_after(interval_);
}

void AddressBook::resolve(const std::string& address) {
  // Later, as a callback before this returns would find the entry half made.
  loop_.defer([self = self_, address] {
    const auto parsed = Address::parse(address);
    if (*self == nullptr || !parsed) return;
    (*self)->resolver_.resolve(*parsed, [self, address](const Result<Addresses>& addresses) {
      if (*self != nullptr) (*self)->on_resolved(address, addresses);
    });
  });
}

void AddressBook::on_resolved(const std::string& address, const Result<Addresses>& addresses) {
  const auto it = entries_.find(address);
  if (it == entries_.end()) return;
  if (!addresses) {
    TANDEM_WARN_LIMITED("cannot resolve {}: {}", address, addresses.error().message);
    return;  // the last address known is the best guess
  }
  SocketAddress& known = it->second.known;
  // While the address in use is still among them there is no reason to move.
  if (std::find(addresses->begin(), addresses->end(), known) != addresses->end()) return;
  known = addresses->front();
  log::info("{} is at {}", address, known.text());
  on_change_();
}

void AddressBook::resolve_all() {
  for (const auto& [address, entry] : entries_) {
    if (entry.is_name) resolve(address);
  }
  timer_.set_after(interval_);
}

}  // namespace tandem
