// One request at the cache, and one fetch of it. Private to source_cached.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/http/head_parser.h"
#include "server/io/source_cached.h"

namespace tandem::server {

// One request, from the cache's verdict to the end of its response. It waits, is answered from what
// is stored, reads a flight along, or is passed on.
class CachedCall final : public SourceCall, private RoundEnd, private HttpCallHandler {
 public:
  CachedCall(CachedSource& source, HttpRequest request, HttpCallHandler& handler);
  ~CachedCall() override;

  void begin();
  // The flight that it waited for has ended.
  void again(DataCache::Release release);

  bool send_body(std::string_view bytes) override;
  void end_body() override;
  void pause() override;
  void resume() override;
  HttpCall::Tunnel take_tunnel() override { return inner_->take_tunnel(); }

  // --- of a flight that it began; each may destroy it ---
  void relay_head(const http::ResponseHead& head, const http::Framing& framing,
                  const CacheOutcome& outcome);
  void relay_interim(const http::ResponseHead& head) { handler_.on_interim(head); }
  // Gives what the flight has gathered since it was last called. True: all of it.
  bool read_along(std::string_view gathered);
  // What was gathered has been read and is dropped.
  void restart_reading() { given_ = 0; }
  // The flight is over: what has not been read of the body is read from here on.
  void finish(StoredResponse::Body body);
  void fail(const HttpFailure& failure);
  void serve(Stored stored, const CacheOutcome& outcome);

 private:
  void on_response(const http::ResponseHead& head, const http::Framing& framing) override;
  void on_interim(const http::ResponseHead& head) override { handler_.on_interim(head); }
  void on_body(std::string_view bytes) override { handler_.on_body(bytes); }
  void on_complete() override { handler_.on_complete(); }
  void on_failure(const HttpFailure& failure) override;
  void on_writable() override { handler_.on_writable(); }
  void on_round_end() override;

  void act(DataCache::Verdict verdict);
  void pass();
  void refuse(int status, std::string_view why);
  void later();
  void answer_head();
  void deliver();

  CachedSource& source_;
  HttpRequest request_;
  HttpCallHandler& handler_;
  http::RequestHead head_;  // of request_
  DataCache::Ticket ticket_ = 0;
  DataCache::Attempt attempt_;
  DataCache::FlightId waits_for_ = 0;
  CacheFlight* flight_ = nullptr;      // that it began and reads along
  std::unique_ptr<SourceCall> inner_;  // that it was passed on to
  bool invalidates_ = false;
  CacheOutcome outcome_;

  // The answer that is given from here.
  Stored stored_;
  StoredResponse::Body body_;  // keeps content_
  std::string_view content_;
  std::size_t given_ = 0;  // of content_, or of what a flight has gathered
  int refused_ = 0;        // a status, or 0
  std::string refusal_;
  bool answering_ = false;  // there is something to deliver
  bool head_given_ = false;
  bool scheduled_ = false;
  bool paused_ = false;
  bool* gone_ = nullptr;  // set by the destructor, for who is on the stack
};

// One fetch, of a whole item.
class CacheFlight final : public Disposable, private HttpCallHandler {
 public:
  // `leader` has begun it; null: nobody, it is fetched behind an answer.
  CacheFlight(CachedSource& source, const std::string& request, DataCache::FlightId id,
              CachedCall* leader);
  void start(const StoredResponse* validates);
  // The leader is gone.
  void leave();
  void resume();  // the leader reads on

 private:
  enum class Mode : std::uint8_t { kHead, kCollect, kRelay, kDrain };
  void on_response(const http::ResponseHead& head, const http::Framing& framing) override;
  void on_interim(const http::ResponseHead& head) override;
  void on_body(std::string_view bytes) override;
  void on_complete() override;
  void on_failure(const HttpFailure& failure) override;
  void outgrow();
  void relay(std::string_view bytes);
  void end();

  CachedSource& source_;
  std::string text_;
  http::RequestHead head_;  // of text_: the request that began it
  DataCache::FlightId id_;
  CachedCall* leader_;
  std::unique_ptr<SourceCall> inner_;
  Mode mode_ = Mode::kHead;
  std::string body_;  // kCollect: all of it; kRelay: what the leader has not taken
  bool ended_ = false;
};

}  // namespace tandem::server
