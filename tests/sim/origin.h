// The data source behind all servers: items that change from time to time, what it has promised of
// them, and the orders (POST) that it was given, each of which may be executed once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "common/base/random.h"
#include "common/base/time.h"
#include "common/session/validator.h"

namespace tandem::sim {

class Origin {
 public:
  Origin(std::size_t items, Random random) : random_(random), versions_(items), contents_(items) {
    for (std::size_t item = 0; item < items; ++item) change(item);
  }
  std::size_t items() const { return versions_.size(); }
  void change_one() { change(random_.below(versions_.size())); }
  std::uint64_t version(std::size_t item) const { return versions_[item]; }
  std::shared_ptr<const std::string> content(std::size_t item) const { return contents_[item]; }
  static std::string target(std::size_t item) { return "/item/" + std::to_string(item); }

  // The content of this validator is said to be current for so long. Items differ.
  static Duration lifetime(std::size_t item) { return std::chrono::seconds(5 + 5 * (item % 6)); }
  void promise(Instant now, std::size_t item, const Validator& validator) {
    Instant& until = promised_[validator];
    until = std::max(until, now + lifetime(item));
  }
  // How long that was said of it, whenever it was.
  Instant promised_until(const Validator& validator) const {
    const auto found = promised_.find(validator);
    return found == promised_.end() ? Instant{} : found->second;
  }

  // False: it was executed before.
  bool execute(std::uint64_t order) { return executed_.insert(order).second; }
  std::size_t executed() const { return executed_.size(); }

 private:
  void change(std::size_t item) {
    std::string text = target(item) + " version " + std::to_string(++versions_[item]) + "\n";
    text.append(50 + random_.below(400), static_cast<char>('a' + item % 26));
    contents_[item] = std::make_shared<const std::string>(std::move(text));
  }
  Random random_;
  std::vector<std::uint64_t> versions_;
  std::vector<std::shared_ptr<const std::string>> contents_;
  std::unordered_map<Validator, Instant, ValidatorHash> promised_;  // contents name their items
  std::unordered_set<std::uint64_t> executed_;
};

}  // namespace tandem::sim
