#include "common/net/connector.h"

#include <utility>

#include "common/net/socket_error.h"

namespace tandem {

Connector::Connector(EventLoop& loop, Resolver& resolver, ConnectHandler& handler)
    : loop_(loop), resolver_(resolver), handler_(handler), timer_(loop, [this] { on_timeout(); }) {}

Connector::~Connector() { cancel(); }

void Connector::cancel() {
  busy_ = false;
  if (self_) *self_ = nullptr;
  self_.reset();
  stream_.reset();
  timer_.cancel();
}

void Connector::begin(Duration timeout, std::string what) {
  cancel();
  busy_ = true;
  what_ = std::move(what);
  next_ = 0;
  addresses_.clear();
  last_error_ = Error::peer("no address");
  self_ = std::make_shared<Connector*>(this);
  timer_.set_after(timeout);
}

void Connector::start(const Address& to, Duration timeout) {
  begin(timeout, to.text());
  // A numeric answer comes before resolve() returns; the handler is promised to be called later.
  loop_.defer([self = self_, to] {
    if (*self == nullptr) return;
    (*self)->resolver_.resolve(to, [self](Result<Addresses> addresses) {
      if (*self != nullptr) (*self)->on_resolved(std::move(addresses));
    });
  });
}

void Connector::start(const SocketAddress& to, Duration timeout) {
  begin(timeout, to.text());
  loop_.defer([self = self_, to] {
    if (*self != nullptr) (*self)->on_resolved(Addresses{to});
  });
}

void Connector::on_resolved(Result<Addresses> addresses) {
  if (!addresses) return give_up(addresses.error());
  addresses_ = std::move(*addresses);
  try_next();
}

void Connector::try_next() {
  stream_.reset();
  while (next_ < addresses_.size()) {
    auto stream = Stream::connect(loop_, addresses_[next_++], this);
    if (stream) {
      stream_ = std::move(*stream);
      return;
    }
    note(stream.error());
  }
  give_up(last_error_);
}

void Connector::note(Error error) {
  last_error_ =
      next_ == 1 ? std::move(error) : telling_error(std::move(last_error_), std::move(error));
}

void Connector::on_stream(bool, bool) {
  if (stream_->failed()) {
    note(stream_->error());
    return try_next();
  }
  auto stream = std::move(stream_);
  stream->set_handler(nullptr);
  cancel();
  handler_.on_connected(std::move(stream));
}

void Connector::on_timeout() { give_up(Error{Side::kPeer, Retry::kLater, "no answer in time"}); }

void Connector::give_up(Error error) {
  error.message = what_ + ": " + error.message;
  cancel();
  handler_.on_connect_failed(std::move(error));
}

}  // namespace tandem
