// The connections of an HttpClient: all of them, and those that wait for another request. Private
// to common/net.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>

#include "common/net/http_connection.h"

namespace tandem {

struct HttpClient::Pool {
  explicit Pool(HttpClient& owner) : client(owner) {}

  // A waiting connection to there that may carry this request, or null.
  HttpConnection* take(const std::string& key, bool repeatable);
  HttpConnection& add(const HttpDestination& to);
  void give_back(HttpConnection& connection);
  void drop_idle(HttpConnection& connection);
  void remove(HttpConnection& connection);  // destroyed at the end of the round

  HttpClient& client;
  std::unordered_map<HttpConnection*, std::unique_ptr<HttpConnection>> all;
  std::unordered_map<std::string, std::deque<HttpConnection*>> idle;  // youngest last
  std::size_t idle_count = 0;
};

}  // namespace tandem
