#include "common/session/validation.h"

#include <algorithm>

#include "common/session/byte_codec.h"

namespace tandem {
namespace {

constexpr std::uint8_t kVersion = 1;

// Sections of a request; one that is empty is left out.
enum Section : std::uint8_t {
  kRest = 1,
  kExcluded = 2,
  kLists = 4,
  kLoose = 8,
  kExplore = 16,
  kAllSections = 31,
};

enum class ItemKind : std::uint8_t { kCrc, kDigest, kForeign };

// The least that each takes: what bounds a count before anything is reserved for it.
constexpr std::size_t kNodeBytesMin = 1;
constexpr std::size_t kHintsBytesMin = kNodeBytesMin + 2;
constexpr std::size_t kListBytesMin = kNodeBytesMin + 1;
constexpr std::size_t kItemBytesMin = 8 + 1 + 4 + 1;
constexpr std::size_t kKeyBytes = 8;

void write_node(ByteWriter& out, KeyNode node) {
  out.byte(node.depth);
  for (unsigned i = 0; i < (node.depth + 1u) / 2; ++i) {
    out.byte(static_cast<std::uint8_t>(node.first >> (56 - 8 * i)));
  }
}

bool read_node(ByteReader& in, KeyNode& node) {
  node = {in.byte(), 0};
  if (node.depth > KeyNode::kDepthMax) return false;
  for (unsigned i = 0; i < (node.depth + 1u) / 2; ++i) {
    node.first |= static_cast<std::uint64_t>(in.byte()) << (56 - 8 * i);
  }
  return in.ok() && node.valid();
}

void write_hints(ByteWriter& out, const NodeHints& hints) {
  write_node(out, hints.node);
  std::uint16_t mask = 0;
  for (unsigned i = 0; i < KeyNode::kChildren; ++i) {
    if (hints.children[i] != 0) mask = static_cast<std::uint16_t>(mask | 1u << i);
  }
  out.number16(mask);
  for (const std::uint32_t hint : hints.children) {
    if (hint != 0) out.number32(hint);
  }
}

bool read_hints(ByteReader& in, NodeHints& hints) {
  if (!read_node(in, hints.node) || hints.node.depth >= KeyNode::kDepthMax) return false;
  const std::uint16_t mask = in.number16();
  for (unsigned i = 0; i < KeyNode::kChildren; ++i) {
    if ((mask & 1u << i) == 0) continue;
    hints.children[i] = in.number32();
    if (hints.children[i] == 0) return false;
  }
  return in.ok();
}

void write_item(ByteWriter& out, const HeldItem& item) {
  const Validator& validator = item.validator;
  out.number64(item.key.value);
  if (validator.is_foreign()) {
    out.byte(static_cast<std::uint8_t>(ItemKind::kForeign));
    return out.bytes(validator.digest);
  }
  const auto kind = validator.has_digest ? ItemKind::kDigest : ItemKind::kCrc;
  out.byte(static_cast<std::uint8_t>(kind));
  out.number32(validator.crc);
  out.varint(validator.length);
  if (validator.has_digest) out.bytes(validator.digest);
}

bool read_item(ByteReader& in, HeldItem& item) {
  item.key.value = in.number64();
  const std::uint8_t kind = in.byte();
  Validator& validator = item.validator;
  if (kind == static_cast<std::uint8_t>(ItemKind::kForeign)) {
    validator = Validator::of_foreign({});
    in.bytes(validator.digest);
    return in.ok();
  }
  if (kind > static_cast<std::uint8_t>(ItemKind::kDigest)) return false;
  validator.crc = in.number32();
  validator.length = in.varint();
  validator.has_digest = kind == static_cast<std::uint8_t>(ItemKind::kDigest);
  if (validator.has_digest) in.bytes(validator.digest);
  return in.ok() && !validator.is_foreign();
}

template <class Range, class Write>
void write_all(ByteWriter& out, const Range& range, Write write) {
  out.varint(range.size());
  for (const auto& each : range) write(out, each);
}

// A count and so many of them; false if there cannot be so many, or `read` says so of one.
template <class Element, class Read>
bool read_all(ByteReader& in, std::size_t bytes_min, std::vector<Element>& out, Read read) {
  const std::uint64_t count = in.varint();
  if (!in.ok() || count > in.left() / bytes_min) return false;
  out.resize(count);
  return std::all_of(out.begin(), out.end(), [&](Element& each) { return read(in, each); });
}

bool ascend(const std::vector<HeldItem>& items) {
  const auto not_before = [](const HeldItem& a, const HeldItem& b) { return a.key >= b.key; };
  return std::adjacent_find(items.begin(), items.end(), not_before) == items.end();
}

void write_list(ByteWriter& out, const ValidationRequest::List& list) {
  write_node(out, list.node);
  write_all(out, list.items, write_item);
}

bool read_list(ByteReader& in, ValidationRequest::List& list) {
  return read_node(in, list.node) && read_all(in, kItemBytesMin, list.items, read_item) &&
         ascend(list.items) &&
         std::all_of(list.items.begin(), list.items.end(),
                     [&](const HeldItem& item) { return list.node.contains(item.key); });
}

void write_key(ByteWriter& out, ItemKey key) { out.number64(key.value); }

bool read_key(ByteReader& in, ItemKey& key) {
  key.value = in.number64();
  return in.ok();
}

void write_bits(ByteWriter& out, const std::vector<bool>& bits) {
  out.varint(bits.size());
  for (std::size_t at = 0; at < bits.size(); at += 8) {
    std::uint8_t byte = 0;
    for (std::size_t i = at; i < std::min(at + 8, bits.size()); ++i) {
      if (bits[i]) byte = static_cast<std::uint8_t>(byte | 1u << (i - at));
    }
    out.byte(byte);
  }
}

bool read_bits(ByteReader& in, std::vector<bool>& bits) {
  const std::uint64_t count = in.varint();
  if (!in.ok() || count / 8 > in.left()) return false;
  bits.resize(count);
  for (std::size_t at = 0; at < bits.size(); at += 8) {
    const std::uint8_t byte = in.byte();
    const std::size_t end = std::min(at + 8, bits.size());
    for (std::size_t i = at; i < end; ++i) bits[i] = (byte >> (i - at) & 1) != 0;
    if (end - at < 8 && byte >> (end - at) != 0) return false;
  }
  return in.ok();
}

}  // namespace

NodeHints NodeHints::of(const DigestTree& tree, KeyNode node) {
  NodeHints hints{node, {}};
  for (unsigned i = 0; i < KeyNode::kChildren; ++i) hints.children[i] = tree.hint(node.child(i));
  return hints;
}

KeyNodes ValidationRequest::named() const {
  std::vector<KeyNode> nodes = excluded;
  for (const List& list : lists) nodes.push_back(list.node);
  return KeyNodes(std::move(nodes));
}

std::string ValidationRequest::encode() const {
  ByteWriter out;
  out.byte(kVersion);
  out.byte(static_cast<std::uint8_t>((rest ? kRest : 0) | (excluded.empty() ? 0 : kExcluded) |
                                     (lists.empty() ? 0 : kLists) | (loose.empty() ? 0 : kLoose) |
                                     (explore.empty() ? 0 : kExplore)));
  if (rest) {
    out.varint(rest->items);
    out.number64(rest->sum.low);
    out.number64(rest->sum.high);
  }
  if (!excluded.empty()) write_all(out, excluded, write_node);
  if (!lists.empty()) write_all(out, lists, write_list);
  if (!loose.empty()) write_all(out, loose, write_item);
  if (!explore.empty()) write_all(out, explore, write_hints);
  return out.take();
}

std::optional<ValidationRequest> ValidationRequest::decode(std::string_view bytes) {
  ValidationRequest request;
  ByteReader in(bytes);
  if (bytes.size() > kBytesMax || in.byte() != kVersion) return std::nullopt;
  const std::uint8_t sections = in.byte();
  if (!in.ok() || (sections & ~kAllSections) != 0) return std::nullopt;
  if ((sections & kRest) != 0) {
    CacheDigest& digest = request.rest.emplace();
    digest.items = in.varint();
    digest.sum.low = in.number64();
    digest.sum.high = in.number64();
  }
  const auto section = [&](Section which, std::size_t bytes_min, auto& out, auto read) {
    if ((sections & which) == 0) return true;
    return read_all(in, bytes_min, out, read) && !out.empty();
  };
  const bool well_formed = section(kExcluded, kNodeBytesMin, request.excluded, read_node) &&
                           section(kLists, kListBytesMin, request.lists, read_list) &&
                           section(kLoose, kItemBytesMin, request.loose, read_item) &&
                           section(kExplore, kHintsBytesMin, request.explore, read_hints);
  if (!well_formed || !in.at_end() || !ascend(request.loose) ||
      request.explore.size() > kExploreMax || request.named().overlap()) {
    return std::nullopt;
  }
  return request;
}

std::string ValidationAnswer::encode() const {
  ByteWriter out;
  out.byte(kVersion);
  out.varint(fresh_s);
  out.byte(static_cast<std::uint8_t>(rest));
  if (rest == Rest::kAllBut || rest == Rest::kOnly) write_all(out, keys, write_key);
  if (rest == Rest::kBits) write_bits(out, bits);
  if (rest == Rest::kDiffers) write_hints(out, hints);
  if (listed.empty() && differing.empty()) return out.take();  // the usual case is the short one
  write_bits(out, listed);
  if (!differing.empty()) write_all(out, differing, write_hints);
  return out.take();
}

std::optional<ValidationAnswer> ValidationAnswer::decode(std::string_view bytes) {
  ValidationAnswer answer;
  ByteReader in(bytes);
  if (bytes.size() > kBytesMax || in.byte() != kVersion) return std::nullopt;
  answer.fresh_s = in.varint();
  const std::uint8_t rest = in.byte();
  if (!in.ok() || rest > static_cast<std::uint8_t>(Rest::kUseless)) return std::nullopt;
  answer.rest = static_cast<Rest>(rest);
  bool well_formed = true;
  if (answer.rest == Rest::kAllBut || answer.rest == Rest::kOnly) {
    well_formed = read_all(in, kKeyBytes, answer.keys, read_key);
  }
  if (answer.rest == Rest::kBits) well_formed = read_bits(in, answer.bits);
  if (answer.rest == Rest::kDiffers) {
    well_formed = read_hints(in, answer.hints) && answer.hints.node == KeyNode{};
  }
  if (!well_formed) return std::nullopt;
  if (in.at_end()) return answer;
  if (!read_bits(in, answer.listed)) return std::nullopt;
  if (in.at_end()) return answer.listed.empty() ? std::nullopt : std::optional(std::move(answer));
  if (!read_all(in, kHintsBytesMin, answer.differing, read_hints) || answer.differing.empty() ||
      !in.at_end()) {
    return std::nullopt;
  }
  return answer;
}

}  // namespace tandem
