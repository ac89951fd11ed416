#include "server/io/source_sqlite.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "common/http/build.h"
#include "common/session/validator.h"

namespace tandem::server {
namespace {

struct Seen : HttpCallHandler {
  explicit Seen(EventLoop& l) : loop(l) {}
  virtual ~Seen() = default;
  void on_response(const http::ResponseHead& head, const http::Framing&) override {
    status = head.status();
    type = head.value(http::FieldId::kContentType);
    allow = head.value(http::FieldId::kAllow);
    etag = head.value(http::FieldId::kEtag);
    retry_after = head.value(http::FieldId::kRetryAfter);
    cache_control = head.value(http::FieldId::kCacheControl);
  }
  void on_body(std::string_view bytes) override { body += bytes; }
  void on_complete() override { loop.stop(); }
  void on_failure(const HttpFailure& f) override {
    failure = f.error.message;
    loop.stop();
  }

  EventLoop& loop;
  int status = 0;
  std::string type, allow, etag, retry_after, cache_control, body, failure;
};

class SqliteSourceTest : public testing::Test {
 protected:
  SqliteSourceTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tandem-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    ItemDatabase::Options options;
    options.path = folder_ / "items.db";
    options.lock_timeout = 10ms;
    options.retry = 0ms;
    auto database = ItemDatabase::open(loop_, options);
    TANDEM_CHECK(database.has_value());
    database_ = std::move(*database);
    source_.emplace(loop_, *database_, SqliteSource::Options{true, "max-age=0"});
  }
  ~SqliteSourceTest() override {
    database_.reset();
    std::filesystem::remove_all(folder_);
  }

  static HttpRequest request(http::Method method, std::string_view name, std::string_view target,
                             std::string_view type = {}, std::string_view if_match = {}) {
    HttpRequest out;
    http::HeadBuilder builder(out.head);
    builder.request(name, target).field("Host", "items");
    if (!type.empty()) builder.field("Content-Type", type);
    if (!if_match.empty()) builder.field("If-Match", if_match);
    builder.finish();
    out.method = method;
    return out;
  }
  Seen ask(HttpRequest what) {
    Seen seen(loop_);
    auto call = source_->start(std::move(what), seen);
    EXPECT_EQ(seen.status, 0) << "told before start() returned";
    loop_.run();
    return seen;
  }
  Seen put(std::string_view target, std::string body, std::string_view type = "text/plain",
           std::string_view if_match = {}) {
    HttpRequest what = request(http::Method::kPut, "PUT", target, type, if_match);
    what.body = std::move(body);
    return ask(std::move(what));
  }
  Seen get(std::string_view target) { return ask(request(http::Method::kGet, "GET", target)); }

  EventLoop loop_;
  std::filesystem::path folder_;
  std::unique_ptr<ItemDatabase> database_;
  std::optional<SqliteSource> source_;
};

TEST_F(SqliteSourceTest, PutsGetsAndDeletes) {
  EXPECT_EQ(get("/book/1").status, 404);
  EXPECT_EQ(put("/book/1", "one").status, 201);
  EXPECT_EQ(put("/book/1", "two", "text/html").status, 204);
  const Seen seen = get("/book/1");
  EXPECT_EQ(seen.status, 200);
  EXPECT_EQ(seen.type, "text/html");
  EXPECT_EQ(seen.body, "two");
  const Seen head = ask(request(http::Method::kHead, "HEAD", "/book/1"));
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
  EXPECT_EQ(ask(request(http::Method::kDelete, "DELETE", "/book/1")).status, 204);
  EXPECT_EQ(get("/book/1").status, 404);
}

TEST_F(SqliteSourceTest, AStreamedBodyIsGathered) {
  Seen seen(loop_);
  HttpRequest what = request(http::Method::kPut, "PUT", "/t/k");
  what.streams = true;
  auto call = source_->start(std::move(what), seen);
  EXPECT_TRUE(call->send_body("ab"));
  EXPECT_TRUE(call->send_body("cd"));
  call->end_body();
  loop_.run();
  EXPECT_EQ(seen.status, 201);
  EXPECT_EQ(get("/t/k").body, "abcd");
  EXPECT_EQ(get("/t/k").type, "application/octet-stream");
}

TEST_F(SqliteSourceTest, OtherMethodsNamesAndSizesAreRefused) {
  const Seen post = ask(request(http::Method::kPost, "POST", "/t/k"));
  EXPECT_EQ(post.status, 405);
  EXPECT_EQ(post.allow, "GET, HEAD, PUT, DELETE");
  EXPECT_EQ(get("/").status, 404);
  Seen seen(loop_);
  HttpRequest what = request(http::Method::kPut, "PUT", "/t/k");
  what.streams = true;
  auto call = source_->start(std::move(what), seen);
  call->send_body(std::string(SqliteSource::kItemBytesMax, 'x'));
  call->send_body("x");
  call->end_body();
  loop_.run();
  EXPECT_EQ(seen.status, 413);
  EXPECT_EQ(get("/t/k").status, 404);
}

TEST_F(SqliteSourceTest, APausedCallWaitsAndADestroyedOneIsSilent) {
  put("/t/k", "body");
  struct Pausing : Seen {
    using Seen::Seen;
    void on_response(const http::ResponseHead& head, const http::Framing& framing) override {
      Seen::on_response(head, framing);
      call->pause();
      loop.defer([this] { loop.stop(); });
    }
    SourceCall* call = nullptr;
  } seen(loop_);
  auto call = source_->start(request(http::Method::kGet, "GET", "/t/k"), seen);
  seen.call = call.get();
  loop_.run();
  EXPECT_EQ(seen.body, "");
  call->resume();
  call->pause();
  call->resume();
  loop_.run();
  EXPECT_EQ(seen.body, "body");

  Seen silent(loop_);
  source_->start(request(http::Method::kGet, "GET", "/t/k"), silent).reset();
  get("/t/k");  // answered after it
  EXPECT_EQ(silent.status, 0);
}

TEST_F(SqliteSourceTest, WritesObeyTheirConditions) {
  const Seen made = put("/t/k", "one");
  EXPECT_EQ(made.etag, Validator::of("one").etag());
  EXPECT_EQ(put("/t/k", "two", "text/plain", Validator::of("two").etag()).status, 412);
  EXPECT_EQ(put("/t/k", "two", "text/plain", made.etag).status, 204);
  EXPECT_EQ(put("/t/k", "three", "text/plain", made.etag).status, 412);
  EXPECT_EQ(put("/t/new", "x", "text/plain", "*").status, 412);
  EXPECT_EQ(get("/t/k").body, "two");
  EXPECT_EQ(get("/t/k").cache_control, "max-age=0");
  EXPECT_EQ(get("/t/new").cache_control, "");
  EXPECT_EQ(ask(request(http::Method::kDelete, "DELETE", "/t/k", {}, made.etag)).status, 412);
  EXPECT_EQ(ask(request(http::Method::kDelete, "DELETE", "/t/k", {}, "*")).status, 204);
}

TEST_F(SqliteSourceTest, WithoutTheDatabaseTheAnswerIs503) {
  put("/t/k", "one");
  {
    auto other = Database::open(folder_ / "items.db");
    auto lock = Transaction::begin(*other);
    ASSERT_TRUE(lock);
    const Seen refused = put("/t/k", "two");
    EXPECT_EQ(refused.status, 503);
    EXPECT_EQ(refused.retry_after, "1");
    EXPECT_EQ(get("/t/k").body, "one") << "who reads does not wait for who writes";
  }
  EXPECT_EQ(put("/t/k", "three").status, 204);
  std::filesystem::rename(folder_ / "items.db", folder_ / "away.db");
  EXPECT_EQ(get("/t/k").status, 503);
  EXPECT_EQ(put("/t/k", "four").status, 503);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "items.db")) << "made anew, empty";
  std::filesystem::rename(folder_ / "away.db", folder_ / "items.db");
  EXPECT_EQ(get("/t/k").body, "three");
}

}  // namespace
}  // namespace tandem::server
