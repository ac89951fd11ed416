#include "server/io/source_sqlite.h"

#include <optional>
#include <string>
#include <utility>

#include "common/base/log.h"
#include "common/http/build.h"

namespace tandem::server {
namespace {

constexpr std::uint64_t kRetryAfterSeconds = 1;
constexpr const char* kDefaultType = "application/octet-stream";

// A response before it has a head.
struct Answer {
  int status = 200;
  std::string content_type;
  std::string body;
};

Answer failure(const ItemName& name, const Error& error) {
  TANDEM_WARN_LIMITED("item {}/{}: {}", name.type, name.key, error.message);
  if (error.retry == Retry::kLater) return {503, "text/plain", "the database is busy\n"};
  return {500, "text/plain", "the database failed\n"};
}

Answer not_found() { return {404, "text/plain", "no such item\n"}; }

Answer read_item(ItemTable& table, const ItemName& name) {
  auto item = table.get(name);
  if (!item) return failure(name, item.error());
  if (!*item) return not_found();
  return {200, std::move((*item)->content_type), std::move((*item)->body)};
}

Answer write_item(ItemTable& table, const ItemName& name, Item item) {
  auto is_new = table.put(name, item);
  if (!is_new) return failure(name, is_new.error());
  return {*is_new ? 201 : 204, "", ""};
}

Answer remove_item(ItemTable& table, const ItemName& name) {
  auto there = table.remove(name);
  if (!there) return failure(name, there.error());
  return *there ? Answer{204, "", ""} : not_found();
}

Answer answer(ItemTable& table, const http::RequestHead& head, std::string body) {
  const auto name = ItemName::parse(head.path());
  if (!name) return {404, "text/plain", "items are at /TYPE/KEY\n"};
  switch (head.method()) {
    case http::Method::kGet:
    case http::Method::kHead:
      return read_item(table, *name);
    case http::Method::kPut: {
      std::string type(head.value(http::FieldId::kContentType));
      if (type.empty()) type = kDefaultType;
      return write_item(table, *name, {std::move(type), std::move(body)});
    }
    case http::Method::kDelete:
      return remove_item(table, *name);
    default:
      return {405, "text/plain", "an item takes GET, HEAD, PUT and DELETE\n"};
  }
}

std::string head_of(const Answer& answer) {
  std::string text;
  http::HeadBuilder builder(text);
  builder.status(answer.status);
  if (answer.status == 405) builder.field("Allow", "GET, HEAD, PUT, DELETE");
  if (answer.status == 503) builder.field("Retry-After", kRetryAfterSeconds);
  if (!answer.content_type.empty()) builder.field("Content-Type", answer.content_type);
  if (answer.status != 204) builder.field("Content-Length", answer.body.size());
  builder.finish();
  return text;
}

// Gathers the body, asks the table at the end of the round, then tells the handler.
class ItemCall final : public SourceCall {
 public:
  ItemCall(EventLoop& loop, ItemTable& table, HttpRequest request, HttpCallHandler& handler)
      : loop_(loop), table_(table), request_(std::move(request)), handler_(handler) {
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
    later([this] { respond(); });
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
    loop_.defer([alive = alive_, work] {
      if (*alive) work();
    });
  }

  void respond() {
    http::HeadParser request_parser({.start_line_bytes_max = request_.head.size(),
                                     .head_bytes_max = request_.head.size(),
                                     .fields_max = http::kFieldsMax});
    http::RequestHead head;
    TANDEM_CHECK(request_parser.parse(request_.head, head) == http::Progress::kDone);
    answer_ = too_large_ ? Answer{413, "text/plain", "the item is too large\n"}
                         : answer(table_, head, std::move(request_.body));

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

  EventLoop& loop_;
  ItemTable& table_;
  HttpRequest request_;
  HttpCallHandler& handler_;
  Answer answer_;
  bool too_large_ = false;
  bool paused_ = false;
  bool waiting_ = false;  // there is something to deliver, once resumed
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

SqliteSource::SqliteSource(EventLoop& loop, ItemTable table)
    : loop_(loop), table_(std::move(table)) {}

std::unique_ptr<SourceCall> SqliteSource::start(HttpRequest request, HttpCallHandler& handler) {
  return std::make_unique<ItemCall>(loop_, table_, std::move(request), handler);
}

}  // namespace tandem::server
