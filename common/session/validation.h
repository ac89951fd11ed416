// Whole-cache validation: what a client and a server say to each other so that one request
// validates all that the client holds (POST /.well-known/tandem/validate).
//
// The client sends the digest of its cache. A server whose mirror has the same digest knows every
// copy in it, and answers which of them are current: two bodies of some 30 bytes where all are.
// Where the digests differ, hints lead both to the parts of the key space that differ, several
// levels a round; there the client lists its items, which the server answers one by one and puts
// into its mirror. Each request stands for itself: the server keeps nothing between two of them.
//
// Binary, in place of text because it is small. Decoders take foreign bytes: strict, bounded by
// their input, one form for each message.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/session/cache_digest.h"

namespace tandem {

inline constexpr std::string_view kValidationPath = "/.well-known/tandem/validate";
inline constexpr std::string_view kValidationType = "application/vnd.tandem.validation";

// Few bits for each child of a node (DigestTree::hint); 0: no items there.
struct NodeHints {
  KeyNode node;  // of depth < KeyNode::kDepthMax
  std::array<std::uint32_t, KeyNode::kChildren> children{};

  static NodeHints of(const DigestTree& tree, KeyNode node);
  bool operator==(const NodeHints&) const = default;
};

struct ValidationRequest {
  // Less than a balancer keeps for sending a request again (limits.retry_buffer).
  static constexpr std::size_t kBytesMax = 48 << 10;
  static constexpr std::size_t kExploreMax = 64;

  // All items of this node. They need not be all of the client's: no other is in the node.
  struct List {
    KeyNode node;
    std::vector<HeldItem> items;  // by key, without doubles

    bool operator==(const List&) const = default;
  };

  // Of all items that are in none of `lists` and `excluded`, and not loose.
  std::optional<CacheDigest> rest;
  std::vector<KeyNode> excluded;
  std::vector<List> lists;      // of nodes that do not overlap
  std::vector<HeldItem> loose;  // with an entity tag that is not ours: in no mirror
  // Where do our digests differ? At most kExploreMax.
  std::vector<NodeHints> explore;

  // The parts of the key space that `rest` leaves out.
  KeyNodes named() const;

  std::string encode() const;
  static std::optional<ValidationRequest> decode(std::string_view bytes);
  bool operator==(const ValidationRequest&) const = default;
};

struct ValidationAnswer {
  static constexpr std::size_t kBytesMax = 1 << 20;
  enum class Rest : std::uint8_t {
    kNotAsked,
    kAll,      // every item of the rest is current
    kAllBut,   // ... but those in `keys`
    kOnly,     // those in `keys` alone
    kBits,     // those that `bits` names, of the rest by key
    kDiffers,  // the digests differ; `hints` are ours of all keys
    kUseless,  // nothing is known to be current here, whatever is asked
  };

  std::uint64_t fresh_s = 0;  // so long everything that is called current here may be used
  Rest rest = Rest::kNotAsked;
  std::vector<ItemKey> keys;
  std::vector<bool> bits;
  NodeHints hints;
  std::vector<bool> listed;          // of `lists` and then `loose`, in order
  std::vector<NodeHints> differing;  // children of `explore` that differ, with hints of our own

  std::string encode() const;
  static std::optional<ValidationAnswer> decode(std::string_view bytes);
  bool operator==(const ValidationAnswer&) const = default;
};

}  // namespace tandem
