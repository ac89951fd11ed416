// Answers that are noted and given again (server/core/noted_answers.h). Private to type_source.
#pragma once

#include <memory>
#include <string>

#include "server/io/type_source.h"

namespace tandem::server {

// A request that is answered from memory, at the end of the round. The handler outlives it.
class NotedCall final : public SourceCall, private RoundEnd {
 public:
  NotedCall(EventLoop& loop, HttpCallHandler& handler, http::Method method, std::string head,
            ContentStore::Bytes content);
  ~NotedCall() override;

  bool send_body(std::string_view) override { return true; }
  void end_body() override {}
  void pause() override { paused_ = true; }
  void resume() override;
  HttpCall::Tunnel take_tunnel() override { return {}; }

 private:
  void on_round_end() override;
  void later();

  EventLoop& loop_;
  HttpCallHandler& handler_;
  http::Method method_;
  std::string head_;
  ContentStore::Bytes content_;
  bool scheduled_ = false;
  bool paused_ = false;
  bool head_given_ = false;
  bool body_given_ = false;
  bool over_ = false;
  bool* gone_ = nullptr;  // set by the destructor, for who is on the stack
};

// A request whose answer is noted as it passes, if it is fit for that. Its source outlives it.
class NotingCall final : public SourceCall, private HttpCallHandler {
 public:
  NotingCall(TypeSource& source, NotedAnswer answer, HttpCallHandler& handler)
      : source_(source), handler_(handler), answer_(std::move(answer)) {}
  // Once it is where it belongs.
  HttpCallHandler& handler() { return *this; }
  void set(std::unique_ptr<SourceCall> call) { call_ = std::move(call); }

  bool send_body(std::string_view bytes) override { return call_->send_body(bytes); }
  void end_body() override { call_->end_body(); }
  void pause() override { call_->pause(); }
  void resume() override { call_->resume(); }
  HttpCall::Tunnel take_tunnel() override { return call_->take_tunnel(); }

 private:
  void on_response(const http::ResponseHead& head, const http::Framing& framing) override;
  void on_interim(const http::ResponseHead& head) override { handler_.on_interim(head); }
  void on_body(std::string_view bytes) override { handler_.on_body(bytes); }
  void on_complete() override;
  void on_failure(const HttpFailure& failure) override { handler_.on_failure(failure); }
  void on_writable() override { handler_.on_writable(); }

  TypeSource& source_;
  HttpCallHandler& handler_;
  NotedAnswer answer_;
  bool fit_ = false;
  std::unique_ptr<SourceCall> call_;
};

}  // namespace tandem::server
