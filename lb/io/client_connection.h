// A client's connection: reads requests one after the other, hands each to a relay, and carries
// what the relay gives back. Owns no buffer while it is idle.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "common/net/stream.h"
#include "lb/io/front_state.h"

namespace tandem {

inline constexpr std::size_t kReadAheadMax = 64 * 1024;  // bytes read beyond a request

class ClientConnection final : private StreamHandler, public Disposable {
 public:
  // `proxied`: a PROXY header comes first, and says whose connection it is.
  ClientConnection(FrontState& state, Descriptor socket, const SocketAddress& peer, bool tls,
                   bool proxied, AddressLimit::Place counted = {});
  ~ClientConnection() override;

  // --- the relay's side
  // --------------------------------------------------------------------------- Sends, and keeps
  // what the socket does not take: the relay must then stop its source (blocked()) until
  // on_client_writable(). False: the client is gone, and so is this connection.
  bool send(std::string_view bytes);
  bool blocked() const { return !out_.empty(); }
  // Would closing lose something of what was sent? Sealed bytes go out by themselves.
  bool owes() const { return blocked() || (stream_->has_unsent() && !stream_->write_failed()); }
  // The relay is done with its request. `keep`: another may follow on this connection; else it is
  // closed once all is sent. `unread`: the client may still be sending, and would lose the response
  // to a reset: what it sends is read and dropped for a while.
  void response_done(bool keep, bool unread);
  // Nothing more will be sent, though the client may still send: of a tunnel.
  void end_output();
  // The response cannot be completed: the client must see that. Closes with a reset.
  void abort();
  // Reads on, after the relay has refused bytes (Relay::wants_input()).
  void resume_input();

  bool tls() const { return tls_; }
  std::string_view host() const { return {host_, host_size_}; }
  // Have bytes of a further request come while this one is being answered?
  bool more_came() const { return !input().empty() || stream_->may_read(); }
  void set_deadline(Instant deadline) { deadline_ = deadline; }

  // What the last token on this connection was, so that it is not looked up again.
  struct LastToken {
    SealedToken text{};
    SessionToken token;
    std::uint32_t generation = 0;  // of the codec's keys; 0: none
  };
  LastToken& last_token() { return last_token_; }
  // The session that was made for a request on this connection; requests that had come before its
  // token was sent belong to it.
  struct NewSession {
    SessionId id;
    ServerId server;
    bool overlaps = false;
  };
  NewSession& new_session() { return new_session_; }

  // --- the front's side
  // --------------------------------------------------------------------------- What came with the
  // connection is read at once.
  void begin() { process(); }
  void sweep(Instant now);
  // Idle: closes. Busy: closes once the responses to what has come are sent.
  void drain();
  std::size_t place = 0;  // in FrontState::clients

 private:
  enum class Phase : std::uint8_t {
    kProxyHeader,  // waits for what a load balancer before us says of the connection
    kRequest,      // waits for, or reads, a head
    kRelay,        // a relay is at work
    kFlush,        // what is left to send, then closes
    kDrop,         // reads and drops what comes, then closes
    kClosed,
  };
  static constexpr Duration kDropTime = 2s;

  void on_stream(bool readable, bool writable) override;
  void set_host(std::string_view host);
  void process();
  bool read_proxy_header();
  bool take_client(const IpAddress& client);
  bool read_request();
  bool nothing_came();
  bool head_begun() const;
  bool parse_request(std::string_view bytes, bool from_input);
  void start_relay(http::RequestHead& head, std::string_view behind, bool from_input);
  bool feed_relay();
  bool read_ahead();
  bool drop_input();
  bool flush();
  void refuse(http::HeadError error);  // by value: it may come from partial_
  void input_ended();
  void after_output();
  bool takes_sealed(Instant now);
  void close(bool by_client = true);
  void recycle_relay();
  std::string_view input() const { return std::string_view(input_).substr(input_at_); }
  void consume_input(std::size_t bytes);

  FrontState& state_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Relay> relay_;
  std::unique_ptr<PartialHead<http::RequestHead>> partial_;
  std::string input_;  // read, not yet looked at from input_at_ on: pipelined requests
  std::size_t input_at_ = 0;
  std::string out_;  // not yet taken by the socket, from out_at_ on
  std::size_t out_at_ = 0;
  Instant deadline_ = kNever;
  std::uint64_t sent_at_deadline_ = 0;  // what had left at the last one
  LastToken last_token_;
  NewSession new_session_;
  Phase phase_ = Phase::kRequest;
  bool processing_ = false;
  bool input_ended_ = false;     // the client has ended its side
  bool drop_after_ = false;      // after kFlush: kDrop
  bool end_output_ = false;      // once out_ is sent
  bool served_ = false;          // a request has been read on this connection
  AddressLimit::Place counted_;  // its place among those of its address
  bool tls_;                     // spoken, or to be spoken after the PROXY header
  std::uint8_t host_size_ = 0;
  char host_[46];
};

}  // namespace tandem
