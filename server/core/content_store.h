// Contents that mirrors refer to: one copy, however many sessions have the item.
//
// A content is known by its validator. References are counted; the bytes are bounded, and the least
// recently used go first, referred to or not: what is dropped costs a validation, never a wrong
// answer. A content that nobody refers to stays while there is room, since the next session is
// likely to want it. One thread; the store outlives its references.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "common/session/validator.h"

namespace tandem {

struct ValidatorHash {
  std::size_t operator()(const Validator& validator) const noexcept;
};

class ContentStore {
 public:
  using Bytes = std::shared_ptr<const std::string>;
  // What a content costs besides its bytes; counted, so that tiny contents are bounded as well.
  static constexpr std::uint64_t kOverheadBytes = 256;

 private:
  struct Item;

 public:
  // Keeps the validator alive in the store; the bytes may go. Movable.
  class Reference {
   public:
    Reference() = default;
    Reference(Reference&& other) noexcept
        : store_(std::exchange(other.store_, nullptr)),
          item_(std::exchange(other.item_, nullptr)) {}
    Reference& operator=(Reference&& other) noexcept;
    ~Reference() { release(); }

    explicit operator bool() const { return item_ != nullptr; }
    const Validator& validator() const;  // only of a reference to something
    // Null if the bytes have been dropped.
    Bytes bytes() const;

   private:
    friend class ContentStore;
    Reference(ContentStore* store, Item* item);
    void release();
    ContentStore* store_ = nullptr;
    Item* item_ = nullptr;
  };

  explicit ContentStore(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}
  ContentStore(const ContentStore&) = delete;
  ContentStore& operator=(const ContentStore&) = delete;

  // With null bytes: whatever is there already.
  Reference refer(const Validator& validator, Bytes bytes = nullptr);
  // Keeps bytes that will be referred to. More than the whole bound is not kept.
  void put(const Validator& validator, Bytes bytes);
  // Would put() keep it, at the cost of others?
  bool would_keep(const Validator& validator) const {
    return bytes_max_ >= kOverheadBytes && validator.length <= bytes_max_ - kOverheadBytes;
  }
  // Null if there are none.
  Bytes find(const Validator& validator);

  std::size_t size() const { return items_.size(); }
  std::uint64_t bytes() const { return bytes_; }  // with overhead; at most the bound
  std::uint64_t dropped() const { return dropped_; }
  // Validators that are referred to, with or without bytes. Whoever refers bounds them.
  std::size_t referred() const { return referred_; }

 private:
  struct Item {
    Bytes bytes;
    std::uint32_t references = 0;
    std::list<const Validator*>::iterator age;  // in ages_, only with bytes
    const Validator* validator = nullptr;       // the key in items_
  };

  Item& item_of(const Validator& validator);
  void fill(Item& item, Bytes bytes);
  void touch(Item& item) { ages_.splice(ages_.end(), ages_, item.age); }
  void drop_bytes(Item& item);
  void forget_if_useless(Item& item);
  static std::uint64_t cost(const Item& item) { return item.bytes->size() + kOverheadBytes; }

  std::uint64_t bytes_max_;
  std::uint64_t bytes_ = 0;
  std::uint64_t dropped_ = 0;
  std::size_t referred_ = 0;
  std::unordered_map<Validator, Item, ValidatorHash> items_;
  std::list<const Validator*> ages_;  // of items with bytes; the least recently used in front
};

}  // namespace tandem
