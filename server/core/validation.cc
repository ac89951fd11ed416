#include "server/core/validation.h"

#include <algorithm>
#include <limits>

namespace tandem {
namespace {

using Rest = ValidationAnswer::Rest;
using Seconds = std::uint64_t;
constexpr Seconds kNotCurrent = std::numeric_limits<Seconds>::max();

class Validating {
 public:
  Validating(const ValidationRequest& request, const ValidationContext& context)
      : request_(request), context_(context) {}

  Validation run() {
    for (const auto& list : request_.lists) look_up(list.items, listed_);
    look_up(request_.loose, listed_);
    result_.items = listed_.size();
    if (request_.rest) announce_rest();
    choose_term();
    for (const Seconds seconds : listed_) result_.answer.listed.push_back(is_current(seconds));
    if (result_.answer.rest == Rest::kAll) name_rest();
    explore();
    repair();
    return std::move(result_);
  }

 private:
  const DigestTree& tree() {
    if (!tree_) {
      tree_.emplace(context_.cache, context_.mirror == nullptr
                                        ? std::vector<HeldItem>{}
                                        : context_.mirror->items(context_.cache));
    }
    return *tree_;
  }

  void look_up(std::span<const HeldItem> items, std::vector<Seconds>& out) const {
    for (const HeldItem& item : items) {
      const auto left =
          context_.freshness.current(context_.now, context_.host, item, context_.source_version);
      out.push_back(left ? static_cast<Seconds>(
                               std::chrono::duration_cast<std::chrono::seconds>(*left).count())
                         : kNotCurrent);
    }
  }

  // What the digest stands for, if it is ours as well.
  void announce_rest() {
    ValidationAnswer& answer = result_.answer;
    result_.items += request_.rest->items;
    if (context_.freshness.size() == 0) {
      answer.rest = Rest::kUseless;
      return;
    }
    CacheDigest own =
        context_.mirror == nullptr ? CacheDigest{} : context_.mirror->digest(context_.cache);
    const KeyNodes named = request_.named();
    for (const KeyNode node : named.nodes()) own -= tree().digest(node);
    if (own != *request_.rest) {
      answer.rest = Rest::kDiffers;
      answer.hints = NodeHints::of(tree(), KeyNode{});
      return;
    }
    answer.rest = Rest::kAll;
    for (const HeldItem& item : tree().items()) {
      if (named.contains(item.key)) continue;
      rest_.push_back(item.key);
      look_up({&item, 1}, rest_left_);
    }
  }

  // One term for all: the shortest, unless leaving out a few makes it at least twice as long.
  void choose_term() {
    std::vector<Seconds> all;
    for (const auto* of : {&listed_, &rest_left_}) {
      std::copy_if(of->begin(), of->end(), std::back_inserter(all),
                   [](Seconds seconds) { return seconds != kNotCurrent; });
    }
    if (all.empty()) return;
    const std::size_t leave_out =
        std::min(Validation::kShortLivedMax, all.size() / Validation::kShortLivedShare);
    std::nth_element(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(leave_out), all.end());
    const Seconds longer = all[leave_out];
    const Seconds shortest = *std::min_element(all.begin(), all.end());
    term_ = longer >= 2 * shortest ? longer : shortest;
    result_.answer.fresh_s = term_;
  }

  bool is_current(Seconds seconds) {
    const bool current = seconds != kNotCurrent && seconds >= term_;
    result_.current += current ? 1 : 0;
    return current;
  }

  // Which of the rest are current, in the shortest of the ways to say it.
  void name_rest() {
    ValidationAnswer& answer = result_.answer;
    std::vector<ItemKey> current, not_current;
    std::vector<bool> bits;
    for (std::size_t i = 0; i < rest_.size(); ++i) {
      bits.push_back(is_current(rest_left_[i]));
      (bits.back() ? current : not_current).push_back(rest_[i]);
    }
    if (not_current.empty()) return;
    const std::size_t key_bytes = 8 * std::min(current.size(), not_current.size());
    if (key_bytes > bits.size() / 8) {
      answer.rest = Rest::kBits;
      answer.bits = std::move(bits);
    } else if (current.size() < not_current.size()) {
      answer.rest = Rest::kOnly;
      answer.keys = std::move(current);
    } else {
      answer.rest = Rest::kAllBut;
      answer.keys = std::move(not_current);
    }
  }

  void explore() {
    for (const NodeHints& theirs : request_.explore) {
      for (unsigned i = 0; i < KeyNode::kChildren; ++i) {
        const KeyNode child = theirs.node.child(i);
        if (child.depth >= KeyNode::kDepthMax || tree().hint(child) == theirs.children[i]) continue;
        result_.answer.differing.push_back(NodeHints::of(tree(), child));
      }
    }
  }

  // A repair never pushes out another item: a cache that does not fit would be repaired for ever.
  void repair() {
    if (context_.mirror == nullptr) return;
    std::size_t held = request_.lists.empty() ? 0 : tree().items().size();
    for (const auto& list : request_.lists) {
      const auto ours = tree().items(list.node);
      for (const HeldItem& item : ours) {
        if (find(list.items, item.key) != nullptr) continue;
        result_.repairs.push_back({context_.cache, item.key, true, Validator{}});
        --held;
      }
      for (const HeldItem& item : list.items) {
        if (item.validator.is_foreign()) continue;
        const HeldItem* known = find(ours, item.key);
        if (known != nullptr && known->validator == item.validator) continue;
        if (known == nullptr && held >= context_.entries_max) continue;
        held += known == nullptr ? 1 : 0;
        result_.repairs.push_back({context_.cache, item.key, false, item.validator});
      }
    }
  }

  static const HeldItem* find(std::span<const HeldItem> items, ItemKey key) {
    const auto at =
        std::lower_bound(items.begin(), items.end(), key,
                         [](const HeldItem& item, ItemKey wanted) { return item.key < wanted; });
    return at != items.end() && at->key == key ? &*at : nullptr;
  }

  const ValidationRequest& request_;
  const ValidationContext& context_;
  Validation result_;
  std::optional<DigestTree> tree_;
  std::vector<Seconds> listed_;     // of lists and loose, in order
  std::vector<ItemKey> rest_;       // by key
  std::vector<Seconds> rest_left_;  // of rest_
  Seconds term_ = 0;
};

}  // namespace

Validation validate(const ValidationRequest& request, const ValidationContext& context) {
  return Validating(request, context).run();
}

}  // namespace tandem
