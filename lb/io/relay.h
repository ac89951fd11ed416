// One request on its way: the shell around Exchange. It turns what the client and the upstream say
// into events for the exchange, and the exchange's verdicts into sending, resending, answering and
// aborting. Every decision is in lb/core.
//
// Recycled through FrontState::spare_relays; its buffers keep their capacity up to kKeepBytesMax.
// The client connection may recycle it from within response_done(), send() and abort(): whoever
// calls these touches nothing of the relay afterwards unless they say that it lives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/http/body.h"
#include "lb/core/exchange.h"
#include "lb/core/forward.h"
#include "lb/io/client_connection.h"
#include "lb/io/front_state.h"
#include "lb/io/server_pool.h"
#include "lb/io/upstream.h"

namespace tandem {

class Relay final : private UpstreamHandler {
 public:
  explicit Relay(FrontState& state) : state_(state) {}

  // --- the client connection's side -------------------------------------------------------------
  // Input comes in two steps. The first takes it and sends nothing: then the client connection puts
  // what belongs to the next request out of the scratch buffer. The second does what follows, and
  // may read a server's bytes into that very buffer.
  //
  // A request's head, and what came behind it; returns how much of that belongs to the request. All
  // that is needed of both is copied.
  std::size_t begin(ClientConnection& client, http::RequestHead& head, std::string_view behind);
  void go();
  // More of the request's body, or of a tunnel's input; returns how much belongs to it, and that is
  // then given to on_input().
  std::size_t take_input(std::string_view bytes);
  void on_input(std::string_view bytes);
  // Does it want more input now?
  bool wants_input() const;
  bool input_whole() const { return !tunnel_ && request_body_.done(); }
  // The client has ended its side in order. False: the request cannot be completed any more.
  bool on_input_end();
  // The client has taken all that was sent.
  void on_client_writable();
  // Everything is dropped: the client is gone (`by_client`), or is to be sent away.
  void abandon(bool by_client);
  // The client connection's deadline, which the relay sets, has passed.
  void on_deadline();
  // Now and then: has the server's end gone unnoticed?
  void on_sweep(Instant now);
  // Ready for the next request.
  void recycle();

 private:
  enum class Stage : std::uint8_t {
    kConnecting,  // no bytes sent to this server yet
    kSending,     // connected; the request is not whole yet
    kWaiting,     // for the response
    kResponding,  // the response has begun
  };
  static constexpr std::size_t kKeepBytesMax = 16 * 1024;

  // Is there nothing left of the request to send?
  bool request_sent() const { return request_body_.done() && unsent_.empty() && !write_broken_; }

  // UpstreamHandler
  void on_upstream_ready() override;
  void on_upstream_writable() override;
  void on_upstream_failed(UpstreamFault fault) override;
  void on_server_offline() override;
  void on_response_head(const http::ResponseHead& head, http::Framing framing, std::span<char> body,
                        bool complete) override;
  void on_response_body(std::string_view bytes, bool complete) override;

  // relay.cc: the request
  const http::RequestHead& head();
  bool refused(const http::RequestHead& head);
  bool bad_body() const { return request_body_.error() != nullptr; }
  bool is_validation(const http::RequestHead& head);
  PoolNumber pool_number();
  Assignment& assignment() { return state_.assignments.assignment(pool_number()); }
  const AffinityOptions& affinity() { return state_.affinities[pool_number()]; }
  std::string_view group() { return state_.routes->group(pool_number()); }
  void attempt(ServerPool::Want want);
  void send_request();
  void keep_body(std::string_view bytes);
  bool send(std::span<const iovec> parts);
  void on_write_broken();
  void after_sending();
  void carry_out(Verdict verdict);
  void take_over();
  void set_deadline(Duration wait);
  Duration body_patience() const;
  ServerPool::Want wanted() const;

  // relay_session.cc: tokens and routes
  void read_claim(const http::RequestHead& head);
  void route_first();
  void prepare_token();
  std::string_view session_token() const;
  std::string_view token_for_client(const http::ResponseHead& head);
  std::string_view lasting_token(const http::ResponseHead& head);
  std::string_view seal_lasting(std::string_view text);
  std::string_view seal_plain_token(bool lasting);
  void reject_lost();
  const SessionToken* client_token() const { return has_token_ ? &client_token_ : nullptr; }
  const SessionToken* newest_token() const { return has_token_ ? &newest_token_ : nullptr; }

  // relay_reserved.cc: what is answered here
  void answer_reserved(const http::RequestHead& head);
  void answer_report(std::string_view query);
  void answer_json(const std::string& json);

  // relay_response.cc: the response
  void pass_head(const http::ResponseHead& head, http::Framing framing, std::span<char> body,
                 bool complete);
  void pass_interim(const http::ResponseHead& head);
  bool pass_payload(std::string_view chunks);
  void refer(std::string_view token, bool complete);
  void on_output_end();
  void answer(int status, std::string_view text = {}, std::string_view allow = {});
  void finish();
  void account();

  FrontState& state_;
  ClientConnection* client_ = nullptr;
  Upstream* upstream_ = nullptr;  // of the current attempt; null: none
  ServerPool* pool_ = nullptr;    // of the current attempt or the last one

  // The request
  Exchange exchange_;
  std::string head_bytes_;
  std::string body_;    // what came of it, to be sent again if need be
  std::string unsent_;  // what the upstream has not taken, from unsent_at_ on
  std::size_t unsent_at_ = 0;
  http::BodyReader request_body_;
  std::uint32_t target_at_ = 0;  // in head_bytes_, for the access log
  std::uint32_t target_size_ = 0;
  std::uint32_t method_size_ = 0;
  std::uint32_t method_at_ = 0;
  Instant began_ = {};
  Instant checked_ = {};
  http::Method method_ = http::Method::kGet;
  std::uint8_t client_minor_ = 1;
  Stage stage_ = Stage::kConnecting;
  bool idempotent_ = true;
  bool validates_ = false;  // a whole-cache validation
  bool client_persists_ = true;
  bool upgrade_asked_ = false;
  bool tunnel_ = false;
  bool write_broken_ = false;  // the server takes no more of it, but may have answered
  bool input_ended_ = false;   // of a tunnel: the client has ended its side
  bool output_ended_ = false;  // of a tunnel: the server has
  bool must_serve_ = false;    // its body cannot be kept for a referral
  bool impatient_ = false;     // its server is offline, and the client can ask again

  // The session
  PoolNumber pool_number_ = 0;           // see pool_number()
  std::uint32_t routes_generation_ = 0;  // of pool_number_; 0: not looked for yet
  bool library_ = false;
  bool has_token_ = false;
  bool seal_request_ = false;  // request_token_ is to be sent, not the client's own
  bool referred_ = false;      // request_token_ is a referral's
  bool forget_token_ = false;  // our own answer takes the client's token back
  Route route_;
  SessionId fresh_;
  SessionToken client_token_;
  SessionToken newest_token_;  // the same, or what a referral said of the session
  SealedToken client_text_{};
  SealedToken request_token_{};
  SealedToken response_token_{};

  // The response
  std::unique_ptr<http::BodyReader> unchunk_;  // HTTP/1.0 clients get no chunks
  std::uint64_t bytes_out_ = 0;
  int status_ = 0;
  bool keep_ = false;
};

}  // namespace tandem
