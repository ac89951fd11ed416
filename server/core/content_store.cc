#include "server/core/content_store.h"

#include <cstring>

#include "common/base/error.h"
#include "common/base/hash.h"

namespace tandem {

std::size_t ValidatorHash::operator()(const Validator& validator) const noexcept {
  std::uint64_t some = 0;
  std::memcpy(&some, validator.digest.data(), sizeof some);
  return mix64(some ^ (std::uint64_t{validator.crc} << 32) ^ validator.length);
}

ContentStore::Reference::Reference(ContentStore* store, Item* item) : store_(store), item_(item) {
  if (item_->references++ == 0) ++store_->referred_;
}

ContentStore::Reference& ContentStore::Reference::operator=(Reference&& other) noexcept {
  if (this == &other) return *this;
  release();
  store_ = std::exchange(other.store_, nullptr);
  item_ = std::exchange(other.item_, nullptr);
  return *this;
}

void ContentStore::Reference::release() {
  if (item_ == nullptr) return;
  if (--item_->references == 0) --store_->referred_;
  store_->forget_if_useless(*item_);
  item_ = nullptr;
}

const Validator& ContentStore::Reference::validator() const { return *item_->validator; }

ContentStore::Bytes ContentStore::Reference::bytes() const {
  if (item_ == nullptr || item_->bytes == nullptr) return nullptr;
  store_->touch(*item_);
  return item_->bytes;
}

ContentStore::Reference ContentStore::refer(const Validator& validator, Bytes bytes) {
  Item& item = item_of(validator);
  Reference reference(this, &item);  // first: filling may drop others, and must not forget this one
  if (bytes != nullptr) fill(item, std::move(bytes));
  return reference;
}

void ContentStore::put(const Validator& validator, Bytes bytes) {
  if (bytes != nullptr) refer(validator, std::move(bytes));
}

ContentStore::Bytes ContentStore::find(const Validator& validator) {
  const auto found = items_.find(validator);
  if (found == items_.end() || found->second.bytes == nullptr) return nullptr;
  touch(found->second);
  return found->second.bytes;
}

ContentStore::Item& ContentStore::item_of(const Validator& validator) {
  const auto [at, added] = items_.try_emplace(validator);
  if (added) at->second.validator = &at->first;
  return at->second;
}

void ContentStore::fill(Item& item, Bytes bytes) {
  if (item.bytes != nullptr) return touch(item);
  if (bytes->size() + kOverheadBytes > bytes_max_) return;
  item.bytes = std::move(bytes);
  item.age = ages_.insert(ages_.end(), item.validator);
  bytes_ += cost(item);
  while (bytes_ > bytes_max_) {
    Item& oldest = items_.at(*ages_.front());
    TANDEM_CHECK(&oldest != &item);
    drop_bytes(oldest);
    ++dropped_;
    forget_if_useless(oldest);
  }
}

void ContentStore::drop_bytes(Item& item) {
  bytes_ -= cost(item);
  ages_.erase(item.age);
  item.bytes = nullptr;
}

void ContentStore::forget_if_useless(Item& item) {
  if (item.references == 0 && item.bytes == nullptr) items_.erase(Validator(*item.validator));
}

}  // namespace tandem
