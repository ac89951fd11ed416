// Where items come from: the seam between tandem-server's front and its data sources.
//
// A source takes an HTTP request and tells an HttpCallHandler (common/net/http_client.h) of the
// response, whether an HTTP origin is asked over a socket or a database in this process. Sources
// stand in a chain: one that asks another passes on what it does not decide itself.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "common/base/ids.h"
#include "common/net/http_client.h"
#include "common/session/validator.h"

namespace tandem::server {

// One request under way; destroying it cancels. The doors are those of HttpCall.
class SourceCall {
 public:
  virtual ~SourceCall() = default;

  virtual bool send_body(std::string_view bytes) = 0;
  virtual void end_body() = 0;
  virtual void pause() = 0;
  virtual void resume() = 0;
  virtual HttpCall::Tunnel take_tunnel() = 0;  // after a 101 only
};

class Source {
 public:
  virtual ~Source() = default;

  // Never calls the handler before it returns. The handler must outlive the call.
  virtual std::unique_ptr<SourceCall> start(HttpRequest request, HttpCallHandler& handler) = 0;

  // Another number whenever any item may have changed, by whomever. Nothing: this source does not
  // know (an HTTP origin), or cannot say now.
  virtual std::optional<std::uint64_t> version() { return std::nullopt; }
  // Does it have such numbers at all? What it says while it cannot tell its number is of an unknown
  // time, so nobody keeps it.
  virtual bool has_versions() const { return false; }
  // Does it decide conditions on writes by our own entity tags?
  virtual bool knows_our_tags() const { return false; }

  // --- what a source keeps of earlier answers: a cache; the others keep nothing ---

  // Drops what is kept of the item, at any host. An answer that is under way is not kept either,
  // and is given to nobody who asks from now on. Called before a write is acknowledged.
  virtual void invalidate(ItemKey) {}
  // The same for all items whose target (path and query) is one of these: those of a type whose
  // owner is back, say. Looks at everything that is kept.
  using Targets = std::function<bool(std::string_view target)>;
  virtual void forget(const Targets&) {}

  // The front has sent this content of the item; it may be among the contents of the mirrors.
  virtual void note_content(ItemKey, const Validator&) {}
};

}  // namespace tandem::server
