// What one response of the source says about freshness, from the request to the end of the body,
// when it is told to the node.
#pragma once

#include <optional>

#include "common/http/head.h"
#include "server/core/node.h"

namespace tandem::server {

class FreshNote {
 public:
  FreshNote() = default;
  // Before the source is asked, of which `version` is the state. An unsafe method invalidates.
  // `has_versions`: if it does not tell it now, nothing that it promises counts.
  FreshNote(Freshness& freshness, Instant now, const http::RequestHead& request, ItemKey key,
            std::optional<std::uint64_t> version, bool has_versions = false);

  void on_response(Instant now, const http::ResponseHead& response);
  // No response will come, or not all of it: what was to change may have changed.
  void on_unknown(Instant now);
  // What was promised of a body that goes to the node.
  std::optional<Promised> promised() const;
  // A body that does not is whole: the response's own tag counts.
  void on_complete();

 private:
  Freshness* freshness_ = nullptr;
  ItemKey key_;
  bool counts_ = false;
  bool changes_ = false;  // an unsafe method
  std::optional<Validator> tag_;
  Promised promised_;
};

}  // namespace tandem::server
