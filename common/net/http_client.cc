#include "common/net/http_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "common/net/http_pool.h"

namespace tandem {

// --- the pool
// -------------------------------------------------------------------------------------

HttpConnection* HttpClient::Pool::take(const std::string& key, bool repeatable) {
  const auto at = idle.find(key);
  if (at == idle.end()) return nullptr;
  HttpConnection* connection = at->second.back();
  const Duration idled = client.loop_.now() - connection->idle_since();
  // What could not be sent again is worth a system call.
  if (!connection->reusable() || (!repeatable && !connection->still_open())) {
    drop_idle(*connection);
    return take(key, repeatable);
  }
  // The youngest is too old for what could not be sent again: so are all others.
  if (!repeatable && idled > client.options_.unsafe_idle_max) return nullptr;
  at->second.pop_back();
  --idle_count;
  if (at->second.empty()) idle.erase(at);
  return connection;
}

HttpConnection& HttpClient::Pool::add(const HttpDestination& to) {
  auto made = std::make_unique<HttpConnection>(client, to);
  HttpConnection& connection = *made;
  all.emplace(&connection, std::move(made));
  return connection;
}

void HttpClient::Pool::give_back(HttpConnection& connection) {
  auto& waiting = idle[connection.key()];
  waiting.push_back(&connection);
  ++idle_count;
  if (waiting.size() > client.options_.idle_connections_max) drop_idle(*waiting.front());
}

void HttpClient::Pool::drop_idle(HttpConnection& connection) {
  const auto at = idle.find(connection.key());
  if (at != idle.end()) {
    const auto where = std::find(at->second.begin(), at->second.end(), &connection);
    if (where != at->second.end()) {
      at->second.erase(where);
      --idle_count;
    }
    if (at->second.empty()) idle.erase(at);
  }
  connection.abandon();
}

void HttpClient::Pool::remove(HttpConnection& connection) {
  const auto at = all.find(&connection);
  if (at == all.end()) return;
  client.loop_.dispose(std::move(at->second));
  all.erase(at);
}

// --- the client
// -----------------------------------------------------------------------------------

HttpClient::HttpClient(EventLoop& loop, Resolver& resolver, HttpClientOptions options)
    : loop_(loop), resolver_(resolver), options_(options), pool_(std::make_unique<Pool>(*this)) {}

HttpClient::~HttpClient() = default;

std::unique_ptr<HttpCall> HttpClient::start(HttpDestination to, HttpRequest request,
                                            HttpCallHandler& handler) {
  std::unique_ptr<HttpCall> call(new HttpCall(*this, std::move(to), std::move(request), handler));
  begin(*call, false);
  return call;
}

void HttpClient::begin(HttpCall& call, bool fresh) {
  const bool repeatable = http::is_idempotent(call.request_.method) && !call.request_.streams;
  if (!fresh) {
    if (auto* waiting = pool_->take(HttpConnection::key_of(call.to_), repeatable)) {
      return waiting->carry(call);
    }
  }
  if (pool_->all.size() >= options_.connections_max && pool_->idle_count > 0) {
    pool_->drop_idle(*pool_->idle.begin()->second.front());  // makes room
  }
  const bool room = pool_->all.size() < options_.connections_max;
  HttpConnection& connection = pool_->add(call.to_);
  room ? connection.carry(call) : connection.refuse(call);
}

std::size_t HttpClient::connections() const { return pool_->all.size(); }

std::size_t HttpClient::idle_connections() const { return pool_->idle_count; }

void HttpClient::close_idle() {
  while (!pool_->idle.empty()) pool_->drop_idle(*pool_->idle.begin()->second.front());
}

// --- a call
// ---------------------------------------------------------------------------------------

HttpCall::HttpCall(HttpClient& client, HttpDestination to, HttpRequest request,
                   HttpCallHandler& handler)
    : client_(client),
      handler_(handler),
      to_(std::move(to)),
      request_(std::move(request)),
      body_ended_(!request_.streams) {}

HttpCall::~HttpCall() {
  if (connection_ != nullptr) connection_->abandon();
}

bool HttpCall::send_body(std::string_view bytes) {
  if (connection_ == nullptr) return true;
  std::string& out = connection_->out;
  if (!bytes.empty()) {
    if (request_.chunked) fmt::format_to(std::back_inserter(out), "{:x}\r\n", bytes.size());
    out += bytes;
    if (request_.chunked) out += "\r\n";
  }
  connection_->resume();
  return out.size() < client_.options_.body_buffer_bytes;
}

void HttpCall::end_body() {
  if (body_ended_) return;
  body_ended_ = true;
  if (connection_ == nullptr) return;
  if (request_.chunked) connection_->out += "0\r\n\r\n";
  connection_->resume();
}

void HttpCall::pause() { paused_ = true; }

void HttpCall::resume() {
  if (!paused_) return;
  paused_ = false;
  if (connection_ != nullptr) connection_->resume();
}

HttpCall::Tunnel HttpCall::take_tunnel() { return connection_->take_tunnel(); }

}  // namespace tandem
