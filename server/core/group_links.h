// Who counts for the node: the servers of its group, which stand in for each other. Of the others
// it is told nothing: no view has them, no link with them stands, what they say of sessions is not
// heard. So nothing that the node does with its peers leaves the group.
//
// A peer that no view has named yet counts until one does: without balancers there are no views,
// and two servers tell each other of their sessions all the same. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/cluster/view.h"

namespace tandem {

class GroupLinks {
 public:
  GroupLinks(ServerId self, std::string group) : self_(self), group_(std::move(group)) {}

  // A link stands. Is the node told?
  bool on_connected(ServerId peer, std::uint64_t incarnation);
  // It is gone. Had the node been told of it?
  bool on_disconnected(ServerId peer);
  // Is what it says of sessions for the node?
  bool counts(ServerId peer) const;

  // A view has come. The node is told first `view`, then that the links with `left` are gone, then
  // that those with `joined` stand.
  struct Change {
    struct Joined {
      ServerId peer;
      std::uint64_t incarnation = 0;

      bool operator==(const Joined&) const = default;
    };
    ViewPtr view;  // of the group
    std::vector<ServerId> left;
    std::vector<Joined> joined;
  };
  Change on_view(const ViewPtr& view);

 private:
  struct Link {
    std::uint64_t incarnation = 0;
    bool told = false;
  };
  bool is_member(ServerId peer) const;

  ServerId self_;
  std::string group_;
  ViewPtr view_;  // the whole; null: none has come
  std::map<ServerId, Link> links_;
};

}  // namespace tandem
