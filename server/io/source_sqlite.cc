#include "server/io/source_sqlite.h"

#include <optional>
#include <utility>

#include "common/base/log.h"
#include "common/http/build.h"
#include "common/session/validator.h"

namespace tandem::server {
namespace {

constexpr std::uint64_t kRetryAfterSeconds = 1;
constexpr const char* kDefaultType = "application/octet-stream";

// A response before it has a head.
struct Answer {
  int status = 200;
  std::string content_type = {};
  std::string body = {};
  std::string etag = {};
  bool item = false;  // the body is one
};

Answer plain(int status, std::string text) { return {status, "text/plain", std::move(text)}; }

Answer unavailable(const Error& error) {
  TANDEM_WARN_LIMITED("a request is answered 503: {}", error.message);
  return plain(503, "the database is unavailable\n");
}

Answer not_found() { return plain(404, "no such item\n"); }

Answer answer_read(Result<std::optional<Item>> item) {
  if (!item) return unavailable(item.error());
  if (!*item) return not_found();
  return {200, std::move((*item)->content_type), std::move((*item)->body), {}, true};
}

Answer answer_write(const Result<WriteOutcome>& outcome, const std::string& etag) {
  using Kind = WriteOutcome::Kind;
  if (!outcome) return unavailable(outcome.error());
  switch (outcome->kind) {
    case Kind::kCreated:
      return {201, {}, {}, etag};
    case Kind::kReplaced:
      return {204, {}, {}, etag};
    case Kind::kRemoved:
      return {204};
    case Kind::kMissing:
      return not_found();
    case Kind::kPreconditionFailed:
      return plain(412, "the item is not what the request expects\n");
    case Kind::kFenced:
      break;
  }
  return plain(503, "another server has become the owner of the item's type\n");
}

}  // namespace

// Gathers the body, asks the database, then tells the handler.
class ItemCall final : public SourceCall {
 public:
  ItemCall(SqliteSource& source, HttpRequest request, HttpCallHandler& handler)
      : source_(source), request_(std::move(request)), handler_(handler) {
    if (!request_.streams) end_body();
  }
  ~ItemCall() override { *alive_ = false; }

  bool send_body(std::string_view bytes) override {
    if (too_large_ || request_.body.size() + bytes.size() > SqliteSource::kItemBytesMax) {
      too_large_ = true;
      request_.body.clear();
    } else {
      request_.body += bytes;
    }
    return true;
  }
  void end_body() override {
    later([this] { act(); });
  }
  void pause() override { paused_ = true; }
  void resume() override {
    paused_ = false;
    if (std::exchange(waiting_, false)) later([this] { deliver(); });
  }
  HttpCall::Tunnel take_tunnel() override { return {}; }  // never answers 101

 private:
  template <class Work>
  void later(Work work) {
    source_.loop_.defer([alive = alive_, work] {
      if (*alive) work();
    });
  }

  void act() {
    http::HeadParser parser({.start_line_bytes_max = request_.head.size(),
                             .head_bytes_max = request_.head.size(),
                             .fields_max = http::kFieldsMax});
    http::RequestHead head;
    TANDEM_CHECK(parser.parse(request_.head, head) == http::Progress::kDone);
    if (too_large_) return respond(plain(413, "the item is too large\n"));
    auto name = ItemName::parse(head.path());
    if (!name) return respond(plain(404, "items are at /TYPE/KEY\n"));
    switch (head.method()) {
      case http::Method::kGet:
      case http::Method::kHead:
        return read(std::move(*name));
      case http::Method::kPut: {
        std::string type(head.value(http::FieldId::kContentType));
        if (type.empty()) type = kDefaultType;
        return write(head, {std::move(*name), Item{std::move(type), std::move(request_.body)}});
      }
      case http::Method::kDelete:
        return write(head, {std::move(*name), std::nullopt});
      default:
        return respond(plain(405, "an item takes GET, HEAD, PUT and DELETE\n"));
    }
  }

  void read(ItemName name) {
    source_.database_.read(std::move(name),
                           [this, alive = alive_](Result<std::optional<Item>> item) {
                             if (*alive) respond(answer_read(std::move(item)));
                           });
  }

  void write(const http::RequestHead& head, ItemWrite write) {
    write.conditions = WriteConditions::of(head);
    std::string etag;
    if (write.item) etag = Validator::of(write.item->body, source_.options_.digests).etag();
    auto then = [this, alive = alive_, etag](const Result<WriteOutcome>& outcome) {
      if (*alive) respond(answer_write(outcome, etag));
    };
    if (source_.writer_ != nullptr) {
      source_.writer_->write(head.path(), std::move(write), std::move(then));
    } else {
      source_.database_.write(std::move(write), std::move(then));
    }
  }

  std::string head_of(const Answer& answer) const {
    std::string text;
    http::HeadBuilder builder(text);
    builder.status(answer.status);
    if (answer.status == 405) builder.field("Allow", "GET, HEAD, PUT, DELETE");
    if (answer.status == 503) builder.field("Retry-After", kRetryAfterSeconds);
    if (!answer.content_type.empty()) builder.field("Content-Type", answer.content_type);
    if (!answer.etag.empty()) builder.field("ETag", answer.etag);
    if (answer.item && !source_.options_.cache_control.empty()) {
      builder.field("Cache-Control", source_.options_.cache_control);
    }
    if (answer.status != 204) builder.field("Content-Length", answer.body.size());
    builder.finish();
    return text;
  }

  void respond(Answer answer) {
    answer_ = std::move(answer);
    const std::string text = head_of(answer_);
    http::HeadParser parser;
    http::ResponseHead response;
    // A content type that another program wrote to the file may be no field value.
    if (parser.parse(text, response) != http::Progress::kDone) {
      handler_.on_failure({HttpFailure::Kind::kMalformed, false,
                           Error::peer("the item's content type is no field value")});
      return;
    }
    auto framing = http::response_framing(response, request_.method, false);
    TANDEM_CHECK(framing.has_value());
    if (framing->kind == http::BodyKind::kNone) answer_.body.clear();
    auto alive = alive_;
    handler_.on_response(response, *framing);
    if (*alive) deliver();
  }

  void deliver() {
    waiting_ = paused_;
    if (paused_) return;
    auto alive = alive_;
    if (!answer_.body.empty()) handler_.on_body(answer_.body);
    if (!*alive) return;
    answer_.body.clear();
    handler_.on_complete();
  }

  SqliteSource& source_;
  HttpRequest request_;
  HttpCallHandler& handler_;
  Answer answer_;
  bool too_large_ = false;
  bool paused_ = false;
  bool waiting_ = false;  // there is something to deliver, once resumed
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

SqliteSource::SqliteSource(EventLoop& loop, ItemDatabase& database, Options options)
    : loop_(loop), database_(database), options_(std::move(options)) {}

std::unique_ptr<SourceCall> SqliteSource::start(HttpRequest request, HttpCallHandler& handler) {
  return std::make_unique<ItemCall>(*this, std::move(request), handler);
}

}  // namespace tandem::server
