// tandem-server, put together: the node, its front, its source, its peers and balancers, the admin
// listener. One thread, one loop.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/config/reader.h"
#include "common/net/admin_server.h"
#include "common/net/cluster_tls.h"
#include "common/net/event_loop.h"
#include "common/net/key_file_watch.h"
#include "common/net/resolver.h"
#include "common/net/signals.h"
#include "server/conf/conf.h"
#include "server/io/admin.h"
#include "server/io/balancer_links.h"
#include "server/io/buddies.h"
#include "server/io/fenced_source.h"
#include "server/io/front.h"
#include "server/io/item_database.h"
#include "server/io/node_driver.h"
#include "server/io/peers.h"
#include "server/io/source.h"
#include "server/io/source_cached.h"
#include "server/io/source_guard.h"
#include "server/io/type_source.h"

namespace tandem::server {

class Server final : private AdminTarget, private ViewFollower {
 public:
  Server(std::string conf_file, Loaded<Conf> loaded);
  ~Server();

  // Reads the key, opens the source, binds all listeners. Complaints, rendered; empty: ready.
  std::string open();
  // Serves until SIGTERM or SIGINT, then leaves in order: new sessions are refused, requests under
  // way finish, mirrors catch up, the balancers are told (a second signal ends at once). SIGHUP:
  // reload.
  void run();

 private:
  // In order; see begin_leaving().
  enum class Phase { kServing, kFinishing, kLeft, kClosing };

  AdminSnapshot snapshot() override;
  void count_buddies(AdminSnapshot& snapshot);
  void on_view(const ViewPtr& view) override;
  void on_drain(bool draining) override;

  std::string open_source();
  void open_chain();
  std::string open_front();
  std::string open_tls_front();
  std::string open_peers();
  std::string open_buddies();
  std::string open_admin();
  BalancerLinksOptions links_options();
  ContextChoice connecting();
  void use_keys(ClusterKeys keys);
  void reload();
  void on_signal(int number);
  void watch_drain();
  void begin_leaving();
  void go_on_leaving();
  bool copied() const;

  std::string conf_file_;
  Conf conf_;
  Places places_;
  std::optional<ClusterKeys> keys_;    // set by open()
  std::optional<ClusterTls> key_tls_;  // with keys_; before what connects
  EventLoop loop_;
  Signals signals_;
  Resolver resolver_;
  Hello self_;
  NodeDriver driver_;
  Buddies buddies_;
  std::unique_ptr<ItemDatabase> items_;  // null: the source is an HTTP origin
  std::unique_ptr<Source> origin_;       // behind source_, if that is the guard of one
  SourceGuard* guard_ = nullptr;         // source_, or null
  std::unique_ptr<Source> source_;
  SqliteSource* sqlite_ = nullptr;        // it, if it is one
  std::unique_ptr<CachedSource> cached_;  // before source_; null: nothing is cached
  std::unique_ptr<FencedSource> fenced_;  // with types_
  std::unique_ptr<TypeSource> types_;     // null: the data is not partitioned
  Source* first_ = nullptr;               // of these
  std::unique_ptr<Front> front_;
  std::unique_ptr<Peers> peers_;
  std::unique_ptr<BalancerLinks> links_;
  std::unique_ptr<AdminServer> admin_;
  std::optional<KeyFileWatch> key_watch_;  // of conf_.key_file
  Timer leave_timer_;
  Timer drain_timer_;  // while draining, until it is over
  Instant started_;
  Instant leave_by_ = kNever;     // the end of this phase
  Instant mirrored_by_ = kNever;  // how long mirrors are waited for
  Phase phase_ = Phase::kServing;
  bool serving_ = false;
  bool left_ = false;  // the view says that we are offline
};

}  // namespace tandem::server
