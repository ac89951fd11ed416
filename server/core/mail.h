// What is to be told to peers besides mirror batches: releases, and who has the newer epoch. Kept
// until there is room in an outbox; what is for a peer without a link is dropped, since meeting
// again tells it anew.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <vector>

#include "common/cluster/machine.h"
#include "common/wire/messages.h"
#include "server/core/node_options.h"

namespace tandem {

class Mail {
 public:
  explicit Mail(NodeCounters& counters) : counters_(counters) {}

  void post(ServerId peer, const MirrorRelease& release) { releases_.push_back({peer, release}); }
  void tell(ServerId peer, const SessionExchange::Entry& entry) { told_[peer].push_back(entry); }

  // Sends as much as `out` has room for; true if all is gone.
  bool drain(const std::function<bool(ServerId)>& linked, Outbox<Message>& out);
  bool empty() const { return releases_.empty() && told_.empty(); }

 private:
  NodeCounters& counters_;
  std::deque<std::pair<ServerId, MirrorRelease>> releases_;
  std::map<ServerId, std::vector<SessionExchange::Entry>> told_;
};

}  // namespace tandem
