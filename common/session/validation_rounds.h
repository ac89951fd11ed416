// The client's side of a whole-cache validation: which requests to send, and what their answers
// vouch for. Pure; the shell carries the bodies.
//
//     ValidationRounds rounds(DigestTree(cache, items), loose);
//     while (!rounds.finished()) {
//       send rounds.request().encode(), decode the answer
//       if (!rounds.on_answer(answer)) break;    // it does not fit the request
//     }
//     use(rounds.vouched());
//
// One round where the server's mirror is complete, a second and third where it is not; more only
// where what differs does not fit into one request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/session/validation.h"

namespace tandem {

class ValidationRounds {
 public:
  static constexpr unsigned kRoundsMax = 12;      // what is then left is not vouched for
  static constexpr std::size_t kListMax = 16;     // items of a node that is listed, not explored
  static constexpr std::size_t kLooseFirst = 64;  // sent before it is known whether it is of use

  // `loose` are items with entity tags that are not ours; in any order.
  ValidationRounds(DigestTree tree, std::vector<HeldItem> loose);

  bool finished() const { return finished_; }
  unsigned rounds() const { return rounds_; }
  // The request that is to be sent now; the same until its answer is there.
  const ValidationRequest& request() const { return request_; }
  // False: this is no answer to it, nothing of it counts, and the validation is over.
  bool on_answer(const ValidationAnswer& answer);

  // What a server has called current so far, and for how long from when it answered.
  struct Vouched {
    ItemKey key;
    std::uint64_t fresh_s = 0;
    Validator validator{};  // of the content that is current
  };
  const std::vector<Vouched>& vouched() const { return vouched_; }

 private:
  bool fits(const ValidationAnswer& answer) const;
  void take_rest(const ValidationAnswer& answer);
  void take_listed(const ValidationAnswer& answer);
  void descend(const NodeHints& theirs);
  void prepare();
  void split_large_lists();
  void add_lists(std::size_t& room);
  void add_loose(std::size_t& room, std::size_t count_max);

  const DigestTree tree_;
  std::vector<HeldItem> loose_;
  std::size_t loose_sent_ = 0;
  std::vector<KeyNode> to_explore_;
  std::vector<KeyNode> to_list_;  // where we differ
  std::size_t lists_sent_ = 0;
  bool rest_settled_ = false;  // whether the digests differ is known
  bool rest_asked_ = false;    // after that, without what differs
  ValidationRequest request_;
  std::vector<Vouched> vouched_;
  unsigned rounds_ = 0;
  bool finished_ = false;
};

}  // namespace tandem
