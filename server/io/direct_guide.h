// What clients that go direct are told: who serves their session, of which view that is, and the
// list of servers. One thread.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/cluster/direct_fields.h"
#include "common/cluster/server_list.h"
#include "common/cluster/view.h"
#include "common/http/head.h"
#include "common/session/token.h"

namespace tandem::server {

// What a client's Tandem-Direct says; its servers by id. Nothing: it does not go direct.
struct DirectClient {
  std::vector<ServerId> unreachable;
  bool by_type = false;  // it wants the item, and no session

  static std::optional<DirectClient> of(const http::RequestHead& head);
};

class DirectGuide {
 public:
  // `types`: how the data is shared out, if it is.
  explicit DirectGuide(std::optional<ListedTypes> types = {}) : types_(std::move(types)) {}

  // From now on by this view; null: there is none yet. The same one again costs nothing.
  void use(const ViewPtr& view);

  // The line Tandem-Where for a session with this token, its line end included.
  std::string where(const SessionToken& token) const;
  // As GET kServerListPath answers (common/cluster/server_list.h).
  const std::string& server_list();

 private:
  const std::optional<ListedTypes> types_;
  ViewPtr view_;
  std::unordered_map<ServerId, const ServerRecord*> servers_;  // in view_
  std::string listed_;                                         // made when it is asked for
};

}  // namespace tandem::server
