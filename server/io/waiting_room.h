// Requests that wait for the node's word, while it asks its peers where their session is. Bounded
// in number; each keeps its head, its body stays with the kernel. One thread.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"
#include "common/net/http_server.h"
#include "common/session/token.h"
#include "server/core/cache_field.h"

namespace tandem::server {

class WaitingRoom {
 public:
  // A request that waits. Whose client leaves is gone from the room.
  class Waiting final : public HttpExchangeHandler {
   public:
    Waiting(WaitingRoom& room, HttpExchange& exchange, const http::RequestHead& head,
            const http::Framing& framing, const SessionToken& token);

    HttpExchange& exchange;
    http::RequestHead head;
    const http::Framing framing;
    const SessionToken token;

   private:
    void on_request_body(std::string_view) override {}  // it is paused
    void on_request_end() override {}
    void on_aborted() override { room_.remove(*this); }

    WaitingRoom& room_;
    const std::string text_;  // of the head
  };
  using Guests = std::vector<std::unique_ptr<Waiting>>;

  explicit WaitingRoom(std::size_t requests_max) : requests_max_(requests_max) {}

  // False: it is full.
  bool add(HttpExchange& exchange, const http::RequestHead& head, const http::Framing& framing,
           const SessionToken& token);
  // Those of the session, in the order in which they came.
  Guests take(SessionId session);

  std::size_t size() const { return size_; }

 private:
  void remove(const Waiting& waiting);

  const std::size_t requests_max_;
  std::size_t size_ = 0;
  std::unordered_map<SessionId, Guests> guests_;
};

}  // namespace tandem::server
