#include "common/session/validation_rounds.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace tandem {
namespace {

using Rest = ValidationAnswer::Rest;

// No more than a list takes in a request, and what is around it.
constexpr std::size_t kListBytes = 1 + 8 + 5;
constexpr std::size_t kNodeBytes = 1 + 8;
constexpr std::size_t kHeadBytes = 64;

// The most that an item takes.
std::size_t item_bytes(const HeldItem& item) {
  std::size_t length_bytes = 1;
  for (auto rest = item.validator.length >> 7; rest > 0; rest >>= 7) ++length_bytes;
  return 8 + 1 + 4 + length_bytes + 16;
}

std::size_t list_bytes(std::span<const HeldItem> items) {
  std::size_t bytes = kListBytes;
  for (const HeldItem& item : items) bytes += item_bytes(item);
  return bytes;
}

}  // namespace

ValidationRounds::ValidationRounds(DigestTree tree, std::vector<HeldItem> loose)
    : tree_(std::move(tree)), loose_(std::move(loose)) {
  std::sort(loose_.begin(), loose_.end(),
            [](const HeldItem& a, const HeldItem& b) { return a.key < b.key; });
  loose_.erase(std::unique(loose_.begin(), loose_.end(),
                           [](const HeldItem& a, const HeldItem& b) { return a.key == b.key; }),
               loose_.end());
  prepare();
}

bool ValidationRounds::on_answer(const ValidationAnswer& answer) {
  ++rounds_;
  if (finished_ || !fits(answer)) {
    finished_ = true;
    return false;
  }
  take_listed(answer);
  take_rest(answer);
  for (const NodeHints& theirs : answer.differing) descend(theirs);
  if (answer.rest == Rest::kUseless || rounds_ >= kRoundsMax) finished_ = true;
  if (!finished_) prepare();
  return true;
}

bool ValidationRounds::fits(const ValidationAnswer& answer) const {
  std::size_t listed = request_.loose.size();
  for (const auto& list : request_.lists) listed += list.items.size();
  if (answer.listed.size() != listed) return false;
  if (request_.rest.has_value() == (answer.rest == Rest::kNotAsked)) return false;
  if (answer.rest == Rest::kBits && answer.bits.size() != request_.rest->items) return false;
  return std::all_of(answer.differing.begin(), answer.differing.end(), [&](const NodeHints& one) {
    return std::any_of(request_.explore.begin(), request_.explore.end(), [&](const NodeHints& of) {
      return one.node.depth == of.node.depth + 1 && of.node.contains(ItemKey{one.node.first});
    });
  });
}

void ValidationRounds::take_listed(const ValidationAnswer& answer) {
  std::size_t at = 0;
  const auto take = [&](const HeldItem& item) {
    if (answer.listed[at++]) vouched_.push_back({item.key, answer.fresh_s, item.validator});
  };
  for (const auto& list : request_.lists) std::for_each(list.items.begin(), list.items.end(), take);
  std::for_each(request_.loose.begin(), request_.loose.end(), take);
}

void ValidationRounds::take_rest(const ValidationAnswer& answer) {
  if (answer.rest == Rest::kNotAsked || answer.rest == Rest::kUseless) return;
  const bool first = !std::exchange(rest_settled_, true);
  if (answer.rest == Rest::kDiffers) {
    if (first && tree_.items().size() <= kListMax) {
      to_list_.push_back({});
    } else if (first) {
      descend(answer.hints);
    }
    return;
  }
  rest_asked_ = true;
  const std::unordered_set<ItemKey> named(answer.keys.begin(), answer.keys.end());
  const KeyNodes left_out = request_.named();
  std::size_t at = 0;
  for (const HeldItem& item : tree_.items()) {
    if (left_out.contains(item.key)) continue;
    bool current = answer.rest == Rest::kAll;
    if (answer.rest == Rest::kAllBut) current = !named.contains(item.key);
    if (answer.rest == Rest::kOnly) current = named.contains(item.key);
    if (answer.rest == Rest::kBits) current = answer.bits[at];
    if (current) vouched_.push_back({item.key, answer.fresh_s, item.validator});
    ++at;
  }
}

// Where the children of a node differ, they are explored further or, if they are small, listed.
void ValidationRounds::descend(const NodeHints& theirs) {
  for (unsigned i = 0; i < KeyNode::kChildren; ++i) {
    const KeyNode child = theirs.node.child(i);
    if (tree_.hint(child) == theirs.children[i]) continue;
    const bool small = theirs.children[i] == 0 || tree_.items(child).size() <= kListMax ||
                       child.depth + 1u >= KeyNode::kDepthMax;
    (small ? to_list_ : to_explore_).push_back(child);
  }
}

void ValidationRounds::prepare() {
  request_ = {};
  std::size_t room = ValidationRequest::kBytesMax - kHeadBytes;
  if (!rest_settled_) {
    request_.rest = tree_.digest();
    return add_loose(room, kLooseFirst);
  }
  if (!to_explore_.empty()) {
    const std::size_t count = std::min(to_explore_.size(), ValidationRequest::kExploreMax);
    for (std::size_t i = 0; i < count; ++i) {
      request_.explore.push_back(NodeHints::of(tree_, to_explore_[i]));
    }
    to_explore_.erase(to_explore_.begin(),
                      to_explore_.begin() + static_cast<std::ptrdiff_t>(count));
    return;
  }
  // The digest of all that does not differ goes first: repairs may make the mirror forget others.
  const bool asks_rest = !std::exchange(rest_asked_, true);
  if (asks_rest) split_large_lists();
  if (asks_rest && to_list_.size() * kNodeBytes < room / 2) {
    room -= to_list_.size() * kNodeBytes;
    CacheDigest rest = tree_.digest();
    for (const KeyNode node : to_list_) rest -= tree_.digest(node);
    if (rest.items > 0) request_.rest = rest;
  }
  add_lists(room);
  if (request_.rest) {
    request_.excluded.assign(to_list_.begin() + static_cast<std::ptrdiff_t>(lists_sent_),
                             to_list_.end());
  }
  add_loose(room, loose_.size());
  finished_ = !request_.rest && request_.lists.empty() && request_.loose.empty();
}

// In place of a node whose items do not fit into one request, its children are listed.
void ValidationRounds::split_large_lists() {
  for (std::size_t at = 0; at < to_list_.size();) {
    const KeyNode node = to_list_[at];
    if (list_bytes(tree_.items(node)) <= ValidationRequest::kBytesMax / 4 ||
        node.depth == KeyNode::kDepthMax) {
      ++at;
      continue;
    }
    to_list_.erase(to_list_.begin() + static_cast<std::ptrdiff_t>(at));
    for (unsigned i = 0; i < KeyNode::kChildren; ++i) to_list_.push_back(node.child(i));
  }
}

void ValidationRounds::add_lists(std::size_t& room) {
  for (; lists_sent_ < to_list_.size(); ++lists_sent_) {
    const KeyNode node = to_list_[lists_sent_];
    const auto items = tree_.items(node);
    const std::size_t bytes = list_bytes(items);
    if (bytes > room) return;
    room -= bytes;
    request_.lists.push_back({node, {items.begin(), items.end()}});
  }
}

void ValidationRounds::add_loose(std::size_t& room, std::size_t count_max) {
  for (std::size_t count = 0; count < count_max && loose_sent_ < loose_.size(); ++count) {
    const std::size_t bytes = item_bytes(loose_[loose_sent_]);
    if (bytes > room) return;
    room -= bytes;
    request_.loose.push_back(loose_[loose_sent_++]);
  }
}

}  // namespace tandem
