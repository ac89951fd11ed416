// Drives Membership: hands it the time, what servers say and what probes find, and carries out what
// it wants: probes, messages to servers, views for the workers. Belongs to control's thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/net/event_loop.h"
#include "common/net/resolver.h"
#include "lb/core/event_log.h"
#include "lb/core/membership.h"
#include "lb/io/address_book.h"
#include "lb/io/check.h"
#include "lb/io/directory.h"
#include "lb/io/front_options.h"

namespace tandem {

// Where messages to registered servers go (lb/io/control).
class ControlSender {
 public:
  virtual void send(const std::vector<ConnectionId>& to, const Message& message) = 0;
  virtual void close(ConnectionId connection) = 0;

 protected:
  ~ControlSender() = default;
};

class Cluster {
 public:
  // Who routes by the view.
  class Audience {
   public:
    virtual void on_view(RoutedViewPtr view) = 0;
    virtual void on_status(const StatusUpdate& update) = 0;

   protected:
    ~Audience() = default;
  };
  // Told of what servers say of a session (lb/io/explainer).
  class AccountListener {
   public:
    virtual void on_account(ServerId from, const SessionAccount& account) = 0;

   protected:
    ~AccountListener() = default;
  };
  // Told of what is seen here, to tell the master (lb/io/master_link).
  class Upward {
   public:
    virtual void on_seen(std::uint64_t version) = 0;  // Membership::seen_version()
    virtual void on_status_seen(const StatusUpdate& update) = 0;
    virtual void on_failure(const FailureReport& report) = 0;

   protected:
    ~Upward() = default;
  };
  struct Options {
    Membership::Options membership;
    Checker::Options check;
    Duration resolve_interval = 10s;
    RoutesPtr routes{};  // null: none
  };

  Cluster(EventLoop& loop, Resolver& resolver, const Options& options, Audience& audience);

  // Null (at first): changes are stored nowhere. It must outlive this, or be taken away.
  void set_directory(Directory* directory) { directory_ = directory; }
  // As Membership::restore().
  void restore(const DirectoryContents& contents);
  // As Membership::configure(). Other routes are told to the audience at once.
  Result<void> configure(const Options& options, const std::vector<PlainServer>& plain);
  // Null (at first): there are no registered servers to send to.
  void set_sender(ControlSender* sender) { sender_ = sender; }

  // Null (at first): nobody wants accounts.
  void set_account_listener(AccountListener* listener) { account_listener_ = listener; }
  // Null (at first): this balancer follows nobody.
  void set_upward(Upward* upward) { upward_ = upward; }
  // As Membership's.
  void follow(const View& view);
  void follow_status(const StatusUpdate& update);
  void act_alone();
  // Sends the message to every registered server; says to whom.
  std::vector<ServerId> tell_all(const Message& message);

  void on_message(ConnectionId from, const Message& message);
  void on_connection_lost(ConnectionId connection);
  void on_server_failed(ServerId server);
  void on_plain_count(ServerId server, std::uint32_t primaries, std::uint32_t alternates);
  DrainOrder set_drain(std::string_view name, bool draining);
  // An administrator wants the server contacted; `done` is called later, once. One that does not
  // answer is reported as failed. False: no such server.
  using OnVerified = std::function<void(bool answered, const std::string& detail)>;
  bool verify(std::string_view name, OnVerified done);

  const Membership& membership() const { return machine_; }
  const RoutesPtr& routes() const { return routes_; }
  const EventLog& events() const { return events_; }
  SocketAddress address_of(const std::string& address) { return addresses_.find(address); }
  const Checker& checker() const { return checker_; }

 private:
  void pump();
  void carry_out(MembershipAction& action);
  void store(DirectoryChange change);
  void on_probe_result(ServerId server, std::uint64_t serial, ProbeResult result,
                       const std::string& detail);
  void report_failure(ServerId server);
  void tell_view();
  void tell_upward(const StatusUpdate& update);

  EventLoop& loop_;
  Audience& audience_;
  ControlSender* sender_ = nullptr;
  Directory* directory_ = nullptr;
  AccountListener* account_listener_ = nullptr;
  Upward* upward_ = nullptr;
  Membership machine_;
  EventLog events_;
  // By the serial of the probe, counted from kVerifications: machine_'s are less.
  static constexpr std::uint64_t kVerifications = std::uint64_t{1} << 63;
  std::map<std::uint64_t, OnVerified> verifications_;
  std::uint64_t last_verification_ = kVerifications;
  Checker checker_;
  AddressBook addresses_;
  RoutesPtr routes_;
  ViewPtr view_;
  MembershipActions actions_;
  Timer timer_;
};

}  // namespace tandem
