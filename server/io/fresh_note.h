// What one response of the source says about freshness, from the request to the end of the body,
// when it is told to the node.
#pragma once

#include <optional>

#include "common/http/head.h"
#include "server/core/freshness.h"

namespace tandem::server {

class FreshNote {
 public:
  FreshNote() = default;
  // Before the source is asked, of which `version` is the state. An unsafe method invalidates.
  FreshNote(Freshness& freshness, Instant now, const http::RequestHead& request, ItemKey key,
            std::optional<std::uint64_t> version);

  void on_response(const http::ResponseHead& response);
  // The body is whole, and its validator is ours; without one the response's own tag counts.
  void on_complete(const Validator& validator);
  void on_complete();

 private:
  Freshness* freshness_ = nullptr;
  Instant asked_{};
  Freshness::Host host_ = 0;
  ItemKey key_;
  std::uint64_t mark_ = 0;
  bool counts_ = false;
  bool changes_ = false;  // an unsafe method
  std::optional<Validator> tag_;
  Freshness::Promise promise_;
};

}  // namespace tandem::server
