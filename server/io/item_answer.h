// One request that this server processes for another. Belongs to its TypeSource.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/io/type_source.h"

namespace tandem::server {

class ItemAnswer final : public Disposable, private HttpCallHandler, private ItemOutgoing {
 public:
  ItemAnswer(TypeSource& source, ServerId asker, const ItemRequest& request);
  // Once it is where it belongs.
  void start();

  TypeSource::AnswerId id() const { return {to(), number()}; }
  void on_body_of_request(const ItemBody& body);
  void on_credit(std::uint32_t bytes) { add_credit(bytes); }

 private:
  void on_response(const http::ResponseHead& head, const http::Framing& framing) override;
  void on_interim(const http::ResponseHead& head) override;
  void on_body(std::string_view bytes) override;
  void on_complete() override;
  void on_failure(const HttpFailure& failure) override;
  void on_writable() override;
  void on_room() override;

  bool is_held(const http::Framing& framing) const;
  void send_head(const Validator* held);
  void give_credit();
  void finish();

  TypeSource& source_;
  ItemRequest asked_;
  std::unique_ptr<SourceCall> call_;  // null: over
  std::string head_;                  // of the answer, until it is sent
  bool comparing_ = false;            // the body is gathered, since the asker may have it
  std::string gathered_;
  std::uint64_t window_ = kItemWindowBytes;  // what may still come of the request's body
  std::uint64_t used_ = 0;
  bool stalled_ = false;   // the source wants no more of it now
  bool complete_ = false;  // the source has said all
};

}  // namespace tandem::server
