// The HTTP source: an origin, asked over pooled connections.
#pragma once

#include <memory>

#include "server/io/source.h"

namespace tandem::server {

class HttpSource final : public Source {
 public:
  // The loop and the resolver must outlive the source.
  HttpSource(EventLoop& loop, Resolver& resolver, HttpDestination origin,
             HttpClientOptions options);

  std::unique_ptr<SourceCall> start(HttpRequest request, HttpCallHandler& handler) override;

 private:
  HttpDestination origin_;
  HttpClient client_;
};

}  // namespace tandem::server
