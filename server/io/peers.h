// The peer wire: one channel to each other server of the view. Of two servers the one whose name
// sorts first connects, the other accepts.
//
// A channel to a server that the view calls offline is closed, even if TCP still holds it: a server
// that was frozen meanwhile then meets its peers anew, and learns what it has lost. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/net/channel_client.h"
#include "common/net/channel_server.h"
#include "common/net/resolver.h"
#include "server/io/buddies.h"
#include "server/io/node_driver.h"

namespace tandem::server {

struct PeersOptions {
  Hello self;
  std::shared_ptr<const TlsContext> accepting;
  ContextChoice connecting;
  // How long the answer to a mirror batch may wait for others, to leave with them. Nobody waits
  // for it, unless the batch was urgent.
  Duration answer_delay = 20ms;
  // Where another server answered than was meant: so long until it is tried again. That one takes
  // the attempt for a new link of ours, and drops the one that it has.
  Duration misled_pause = 10s;
};

// Since the start, of links that are gone, too.
struct PeerTraffic {
  std::uint64_t bytes_sent = 0;  // through the sockets, TLS included
  std::uint64_t bytes_received = 0;
};

class Peers final : public PeerCarrier, private ChannelHandler {
 public:
  // All must outlive the peers; the driver's carrier is set.
  Peers(EventLoop& loop, Resolver& resolver, NodeDriver& driver, PeersOptions options);
  ~Peers();

  Result<void> listen(const SocketAddress& at) { return server_.listen(at); }
  const SocketAddress& address() const { return server_.address(); }

  // Other keys, for peers that connect from now on.
  void set_accepting(std::shared_ptr<const TlsContext> context) {
    server_.set_context(std::move(context));
  }
  // Told of all links (not that one was replaced by another), and before the node of what comes on
  // them. It outlives its use, which remove_listener() ends.
  void add_listener(PeerListener& listener) { listeners_.push_back(&listener); }
  void remove_listener(PeerListener& listener) { std::erase(listeners_, &listener); }
  // Connects to new servers, leaves those that are gone or offline, then tells the node.
  void on_view(const ViewPtr& view);
  void send(ServerId to, const Message& message) override;
  void stop();

  std::size_t links() const { return links_.size(); }
  std::uint64_t refused() const { return refused_; }  // doubles of a living name
  std::uint64_t garbled() const { return garbled_; }  // links closed for what came
  // Answers by another server than the one that the view has at the address.
  std::uint64_t misdirected() const { return misdirected_; }
  PeerTraffic traffic() const;

 private:
  // An open channel, and who keeps it: a client of ours, or (null) the accepting server.
  struct Link {
    Channel* channel = nullptr;
    std::uint64_t incarnation = 0;
  };

  void on_channel_open(Channel& channel) override;
  void on_channel_message(Channel& channel, Message message) override;
  void on_channel_closed(Channel& channel, const Error& why) override;
  // The name that our client of this channel connects to; null: the server accepted it.
  const std::string* wanted_on(const Channel& channel) const;
  void close_accepted(Channel& channel);
  void unlink(ServerId peer);
  void forget(ServerId peer);  // another link takes its place, or none
  void leave(const std::string& name);
  void try_misled();

  EventLoop& loop_;
  Resolver& resolver_;
  NodeDriver& driver_;
  std::vector<PeerListener*> listeners_;
  PeersOptions options_;
  ChannelServer server_;
  std::map<std::string, std::unique_ptr<ChannelClient>> clients_;  // by the peer's name
  std::set<std::string> misled_;                                   // of clients_: another answered
  Timer misled_timer_;
  std::map<ServerId, Link> links_;
  std::uint64_t refused_ = 0;
  std::uint64_t garbled_ = 0;
  std::uint64_t misdirected_ = 0;
  PeerTraffic past_;              // of links that are gone
  bool answers_at_once_ = false;  // while an urgent batch is being answered
};

}  // namespace tandem::server
