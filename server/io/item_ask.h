// One request that another server is asked to process; in the end this one may have to. Belongs to
// whoever started it; its TypeSource outlives it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "server/io/type_source.h"

namespace tandem::server {

class ItemAsk final : public SourceCall {
 public:
  // A request's body up to here is kept, so that another server may have it.
  static constexpr std::size_t kReplayBytesMax = 64 << 10;

  ItemAsk(TypeSource& source, HttpRequest request, HttpCallHandler& handler,
          const TypeAccess::Request& of, const TypeAccess::Step& step);
  ~ItemAsk() override;

  bool send_body(std::string_view bytes) override;
  void end_body() override;
  void pause() override;
  void resume() override;
  HttpCall::Tunnel take_tunnel() override;

  // What has come for it.
  void on_taken();
  void on_credit(std::uint32_t bytes);
  void on_response(const ItemResponse& response);
  void on_body(const ItemBody& body);
  void on_end(const ItemEnd& end);
  void on_lost();
  void on_deadline();
  void on_changed();
  ServerId asked() const { return type_.asked; }
  bool waits() const { return type_.waits; }

 private:
  class Body;

  void take(const TypeAccess::Step& step);
  void ask(const TypeAccess::Step& step);
  void process_here();
  void fail_asking(TypeAccess::Failure why, std::uint64_t since = 0);
  bool may_be_done_again() const;
  void leave(bool tell);  // the asked one
  void deliver();
  void deliver_held(const http::ResponseHead& head);
  void give_credit(std::size_t used);
  void complete();
  void fail(HttpFailure::Kind kind, bool sent, std::string text);
  template <class Work>
  void later(Work work);

  TypeSource& source_;
  HttpRequest request_;
  HttpCallHandler& handler_;
  TypeAccess::Request type_;
  std::uint64_t number_ = 0;
  bool taken_ = false;     // the asked one has it
  bool answered_ = false;  // its final head has been told
  bool over_ = false;      // the handler has been told all
  bool paused_ = false;
  bool held_back_ = false;  // send_body() said false
  // The request's body, as far as it has come.
  std::string replay_;
  bool replayable_ = true;
  bool body_sent_ = false;
  bool body_ended_;
  std::unique_ptr<Body> body_;  // on its way to the asked one
  // The answer's.
  std::string arrived_;
  bool arrived_last_ = false;
  std::uint64_t window_ = 0;  // what may still come
  std::uint64_t used_ = 0;    // and has not been given back
  ContentStore::Bytes held_;  // what was told to the asked one
  std::optional<Validator> held_as_;
  std::unique_ptr<SourceCall> local_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace tandem::server
