// The other servers, as this one sees them: the view's tandem-servers with the newest status of
// each, and this server's own record with its status as it is.
#pragma once

#include <string>
#include <unordered_map>

#include "common/base/ids.h"
#include "common/cluster/view.h"
#include "common/wire/messages.h"

namespace tandem {

class Cluster {
 public:
  Cluster(ServerId self, std::string zone) : self_(self), zone_(std::move(zone)) {}

  // Takes the place of the former view: of one group. A status that is newer than the view's is
  // kept.
  void apply(const View& view);
  void apply(const StatusUpdate& update);
  void set_own(const Status& status);

  // Oneself is always online, whatever the view says.
  bool online(ServerId server) const;
  // May it be chosen for sessions, as primary or alternate?
  bool takes_sessions(ServerId server) const;
  // Does it stand in this server's zone? Not where zones are not named.
  bool shares_zone(ServerId server) const;
  const View& view() const { return view_; }
  // Has a view come? A server that has just started knows of nobody.
  bool has_view() const { return has_view_; }
  // Does the view say that this server is offline? Then others may have taken over its sessions.
  bool thought_dead() const { return thought_dead_; }

 private:
  const ServerRecord* find(ServerId server) const;
  void add_own_record();

  ServerId self_;
  std::string zone_;
  View view_;
  std::unordered_map<ServerId, std::size_t> index_;  // into view_.servers
  bool has_view_ = false;
  bool thought_dead_ = false;
};

}  // namespace tandem
