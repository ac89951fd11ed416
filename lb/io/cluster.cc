#include "lb/io/cluster.h"

#include <chrono>
#include <utility>

#include "common/base/log.h"
#include "common/net/clock.h"

namespace tandem {
namespace {

bool same_routes(const RoutesPtr& one, const RoutesPtr& other) {
  if (one == nullptr || other == nullptr) return one == other;
  return one->rules() == other->rules();
}

}  // namespace

Cluster::Cluster(EventLoop& loop, Resolver& resolver, const Options& options, Audience& audience)
    : loop_(loop),
      audience_(audience),
      machine_(loop.now(), options.membership),
      checker_(
          loop, resolver, options.check,
          [this](ServerId server, std::uint64_t serial, ProbeResult result,
                 const std::string& detail) { on_probe_result(server, serial, result, detail); }),
      addresses_(loop, resolver, options.resolve_interval, [this] { tell_view(); }),
      routes_(options.routes),
      timer_(loop, [this] { pump(); }) {}

Result<void> Cluster::configure(const Options& options, const std::vector<PlainServer>& plain) {
  auto result = machine_.configure(loop_.now(), options.membership, plain);
  if (result) checker_.set_options(options.check);
  const bool rerouted = result && !same_routes(routes_, options.routes);
  if (rerouted) routes_ = options.routes;
  pump();
  if (rerouted) tell_view();
  return result;
}

void Cluster::restore(const DirectoryContents& contents) {
  events_.restore(contents.events);
  machine_.restore(loop_.now(), contents);
  if (view_ != nullptr) pump();  // else configure() does
}

std::vector<ServerId> Cluster::tell_all(const Message& message) {
  std::vector<ServerId> servers;
  if (sender_ == nullptr) return servers;
  std::vector<ConnectionId> connections;
  for (const Membership::Registered& one : machine_.registered_servers()) {
    servers.push_back(one.server);
    connections.push_back(one.connection);
  }
  sender_->send(connections, message);
  return servers;
}

void Cluster::follow(const View& view) {
  machine_.follow(loop_.now(), view);
  pump();
}

void Cluster::follow_status(const StatusUpdate& update) {
  machine_.follow_status(update, actions_);
  pump();
}

void Cluster::act_alone() {
  machine_.act_alone(loop_.now());
  pump();
}

void Cluster::on_message(ConnectionId from, const Message& message) {
  if (const auto* report = std::get_if<FailureReport>(&message);
      report != nullptr && upward_ != nullptr && machine_.listens(from)) {
    FailureReport said = *report;
    if (!machine_.can_witness(loop_.now(), from)) said.seen = Seen::kUnknown;
    upward_->on_failure(said);
  }
  if (const auto* account = std::get_if<SessionAccount>(&message)) {
    if (account_listener_ == nullptr) return;
    for (const Membership::Registered& one : machine_.registered_servers()) {
      if (one.connection == from) return account_listener_->on_account(one.server, *account);
    }
    return;
  }
  machine_.on_message(loop_.now(), from, message, actions_);
  pump();
}

void Cluster::on_connection_lost(ConnectionId connection) {
  machine_.on_connection_lost(loop_.now(), connection, actions_);
  pump();
}

void Cluster::on_server_failed(ServerId server) {
  report_failure(server);
  pump();
}

void Cluster::report_failure(ServerId server) {
  if (upward_ != nullptr) upward_->on_failure({server, 0, Seen::kUnknown});
  machine_.on_failure_report(loop_.now(), server, actions_);
}

void Cluster::on_plain_count(ServerId server, std::uint32_t primaries, std::uint32_t alternates) {
  machine_.on_plain_count(loop_.now(), server, primaries, alternates);
  pump();
}

DrainOrder Cluster::set_drain(std::string_view name, bool draining) {
  const DrainOrder order = machine_.set_drain(loop_.now(), name, draining, actions_);
  pump();
  return order;
}

bool Cluster::verify(std::string_view name, OnVerified done) {
  const View view = machine_.view();
  for (const ServerRecord& server : view.servers) {
    if (server.name != name) continue;
    const std::uint64_t serial = ++last_verification_;
    verifications_[serial] = std::move(done);
    checker_.start({server.id, server.kind, server.data_address, serial});
    return true;
  }
  return false;
}

void Cluster::on_probe_result(ServerId server, std::uint64_t serial, ProbeResult result,
                              const std::string& detail) {
  const auto wanted = verifications_.find(serial);
  if (wanted == verifications_.end()) {
    machine_.on_probe_result(loop_.now(), server, serial, result, detail, actions_);
  } else {
    const bool answered = result == ProbeResult::kAnswered;
    const OnVerified done = std::move(wanted->second);
    verifications_.erase(wanted);
    if (!answered) report_failure(server);
    done(answered, detail);
  }
  pump();
}

void Cluster::pump() {
  machine_.on_deadline(loop_.now(), actions_);
  for (MembershipAction& action : std::exchange(actions_, {})) carry_out(action);
  timer_.set(machine_.next_deadline());
  if (upward_ != nullptr) upward_->on_seen(machine_.seen_version());
}

void Cluster::carry_out(MembershipAction& action) {
  if (auto* probe = std::get_if<StartProbe>(&action)) {
    checker_.start(*probe);
  } else if (auto* published = std::get_if<PublishView>(&action)) {
    view_ = std::move(published->view);
    tell_view();
  } else if (auto* status = std::get_if<PublishStatus>(&action)) {
    audience_.on_status(status->update);
    if (upward_ != nullptr) tell_upward(status->update);
  } else if (auto* changed = std::get_if<StoreChange>(&action)) {
    store(std::move(changed->change));
  } else if (auto* note = std::get_if<Note>(&action)) {
    if (note->error) {
      log::error("{}", note->text);
    } else {
      log::info("{}", note->text);
    }
  } else if (sender_ == nullptr) {
    return;
  } else if (auto* message = std::get_if<SendMessage>(&action)) {
    sender_->send({message->to}, message->message);
  } else if (auto* broadcast = std::get_if<Broadcast>(&action)) {
    sender_->send(broadcast->to, broadcast->message);
  } else if (auto* close = std::get_if<CloseConnection>(&action)) {
    sender_->close(close->connection);
  }
}

// What our own servers told us; the rest came from above.
void Cluster::tell_upward(const StatusUpdate& update) {
  StatusUpdate ours;
  for (const StatusUpdate::Entry& entry : update.entries) {
    if (machine_.state_of(entry.server).connected) ours.entries.push_back(entry);
  }
  upward_->on_status_seen(ours);
}

// Events are logged by the clock on the wall, whether there is a directory or not.
void Cluster::store(DirectoryChange change) {
  for (MembershipEvent& event : change.events) {
    const auto age = std::chrono::duration_cast<std::chrono::microseconds>(loop_.now() - event.at);
    events_.add(event, unix_milliseconds() * 1000 - age.count());
  }
  if (directory_ != nullptr) directory_->push(std::move(change));
}

// A view, or where one of its servers is, has changed.
void Cluster::tell_view() {
  if (view_ == nullptr) return;
  auto routed = std::make_shared<RoutedView>();
  routed->view = view_;
  routed->routes = routes_;
  addresses_.begin_round();
  for (const ServerRecord& server : view_->servers) {
    routed->addresses.push_back(addresses_.find(server.data_address));
  }
  addresses_.end_round();
  audience_.on_view(std::move(routed));
}

}  // namespace tandem
