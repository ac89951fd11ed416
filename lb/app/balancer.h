// tandem-lb, put together: one control thread (this one: membership, checks, admin, reload) and N
// workers.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/config/reader.h"
#include "common/net/admin_server.h"
#include "common/net/cluster_tls.h"
#include "common/net/event_loop.h"
#include "common/net/key_file_watch.h"
#include "common/net/resolver.h"
#include "common/net/signals.h"
#include "lb/app/worker_group.h"
#include "lb/conf/conf.h"
#include "lb/io/access_log.h"
#include "lb/io/admin.h"
#include "lb/io/cluster.h"
#include "lb/io/control.h"
#include "lb/io/directory.h"
#include "lb/io/explainer.h"
#include "lb/io/master_link.h"

namespace tandem {

class Balancer final : private AdminTarget, private WorkerGroup::Owner, private Cluster::Audience {
 public:
  // Before any other thread is started.
  Balancer(std::string conf_file, Loaded<lb::Conf> loaded);
  ~Balancer();

  // Reads keys and certificates and binds all listeners. Complaints, rendered; empty: ready.
  std::string open();
  // Serves until SIGTERM or SIGINT, and then until all requests under way are done or
  // drain_timeout is over (a second signal ends at once). SIGHUP: reload. SIGUSR1: the access log's
  // file is opened again.
  void run();

 private:
  // AdminTarget
  AdminSnapshot snapshot() override;
  std::vector<MembershipEvent> events(std::int64_t after) override {
    return cluster_->events().after(after);
  }
  DrainOrder drain(const std::string& server, bool on) override;
  std::string reload() override;
  // WorkerGroup::Owner
  void on_server_failed(ServerId server) override { cluster_->on_server_failed(server); }
  void on_plain_sessions() override { count_sessions(); }
  void on_drained() override { loop_.stop(); }
  // Cluster::Audience
  void on_view(RoutedViewPtr view) override { workers_->post_view(view); }
  void on_status(const StatusUpdate& update) override { workers_->post_status(update); }

  std::string complaint(const std::string& path, const std::string& message) const;
  std::string key_file(const lb::Conf& conf) const;
  Result<ClusterKeys> read_keys(const lb::Conf& conf) const;
  std::string open_workers();
  std::string open_front(const std::string& path, const std::vector<Address>& addresses, bool tls);
  std::string open_cluster();
  std::optional<DirectoryContents> open_directory();
  std::string open_control();
  void open_master();
  void tell_views(AdminSnapshot& snapshot);
  std::string open_admin();
  void answer_verify(const AdminRequest& request, AdminServer::Reply reply);
  Cluster::Options cluster_options() const;
  void use_keys(ClusterKeys keys);
  void watch_key_file();
  void count_sessions();
  void on_signal(int number);
  void begin_drain();

  std::string conf_file_;
  lb::Conf conf_;
  Places places_;
  std::optional<ClusterKeys> keys_;        // set by open()
  std::optional<ClusterTls> control_tls_;  // with keys_
  EventLoop loop_;
  Signals signals_;
  Resolver resolver_;
  std::unique_ptr<AccessLog> access_log_;  // null: off
  std::unique_ptr<WorkerGroup> workers_;
  std::unique_ptr<Directory> directory_;  // null: none
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Control> control_;    // null: plain servers alone
  std::unique_ptr<MasterLink> master_;  // null: this one follows nobody
  std::unique_ptr<Explainer> explainer_;
  std::unique_ptr<AdminServer> admin_;
  std::vector<std::string> front_, tls_;   // as bound
  std::optional<KeyFileWatch> key_watch_;  // of key_file()
  Timer count_timer_;
  Timer drain_timer_;
  Instant started_;
  std::uint64_t first_version_;  // of the view: the time in ms
  std::uint64_t maker_;          // of views: this process
  std::uint64_t assigned_ = 0;   // when sessions were last counted
  bool serving_ = false;
  bool draining_ = false;
  std::uint64_t reloads_ = 0;
  std::uint64_t reloads_refused_ = 0;
};

}  // namespace tandem
