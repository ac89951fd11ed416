// The driver of the scripts (cache_world.h); what it can complain of is tried here.
#include "tests/unit/server/core/cache_world.h"

#include <gtest/gtest.h>

#include <vector>

#include "common/http/date.h"
#include "common/http/etag_list.h"
#include "common/http/head_parser.h"
#include "common/http/number.h"
#include "server/core/cache_answer.h"

namespace tandem {
namespace {

using http::FieldId;

template <class Head>
Head parsed(const std::string& text) {
  http::HeadParser parser({.start_line_bytes_max = text.size(),
                           .head_bytes_max = text.size(),
                           .fields_max = http::kFieldsMax});
  Head head;
  EXPECT_EQ(parser.parse(text, head), http::Progress::kDone) << text;
  return head;
}

std::string_view cut(std::string_view& rest, std::string_view mark) {
  const std::size_t at = rest.find(mark);
  const std::string_view part = http::trim(rest.substr(0, at));
  rest = at == rest.npos ? std::string_view{} : http::trim(rest.substr(at + mark.size()));
  return part;
}

// The words of an expectation; parentheses may hold spaces.
std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (!(text = http::trim(text)).empty()) {
    const std::size_t space = std::min(text.find(' '), text.size());
    const std::size_t open = text.find('(');
    std::size_t end = space;
    if (open < space) end = std::min(text.find(')', open), text.size() - 1) + 1;
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return words;
}

}  // namespace

UnixSeconds CacheWorld::wall() const {
  return 1'700'000'000 +
         std::chrono::duration_cast<std::chrono::seconds>(now_.time_since_epoch()).count();
}

std::string CacheWorld::date_in(std::int64_t seconds) const {
  const http::DateText text = http::format_date(wall() + seconds);
  return {text.data(), text.size()};
}

std::string CacheWorld::with_dates(std::string_view text) const {
  const std::size_t at = text.find('@');
  if (at == text.npos) return std::string(text);
  return std::string(text.substr(0, at)) + date_in(std::stoll(std::string(text.substr(at + 1))));
}

void CacheWorld::set_origin(std::string_view text) {
  origin_ = {};
  origin_.status = cut(text, "|");
  origin_.down = origin_.status == "down";
  while (!text.empty()) {
    const std::string_view field = cut(text, "|");
    if (field == "no-date") {
      origin_.dates = false;
    } else {
      origin_.fields += with_dates(field) + "\r\n";
    }
  }
  origin_.body = "b" + std::to_string(++bodies_);
}

// False: it does not answer.
bool CacheWorld::ask(const std::string& request, std::string& head, std::string& body) {
  seen_ = request;
  if (origin_.down) return false;
  head = "HTTP/1.1 " + origin_.status + " X\r\n" + origin_.fields;
  if (origin_.dates && head.find("\r\nDate:") == head.npos) head += "Date: " + date_in(0) + "\r\n";
  body = origin_.body;
  const auto asked = parsed<http::RequestHead>(request);
  const std::string plain = head + "\r\n";
  const auto answer = parsed<http::ResponseHead>(plain);
  http::EntityTag tag;
  const bool same_tag = http::parse_entity_tag(answer.value(FieldId::kEtag), tag) &&
                        http::matches_weakly(asked, FieldId::kIfNoneMatch, tag);
  const bool same_date =
      answer.has(FieldId::kLastModified) &&
      asked.value(FieldId::kIfModifiedSince) == answer.value(FieldId::kLastModified) &&
      !asked.has(FieldId::kIfNoneMatch);
  if (origin_.status == "200" && (same_tag || same_date)) {
    head.replace(0, head.find("\r\n"), "HTTP/1.1 304 Not Modified");
    body.clear();
  } else if (origin_.status != "204" && origin_.status != "304" &&
             head.find("Transfer-Encoding") == head.npos) {
    head += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  }
  head += "\r\n";
  return true;
}

void CacheWorld::serve(Answer& answer, const http::RequestHead& head, const StoredResponse& stored,
                       const CacheOutcome& outcome) {
  const CacheAnswer from = answer_from_stored(answer.head, head, stored, now_, "c", outcome);
  answer.status = from.status;
  answer.body = from.content;
}

void CacheWorld::pass(Answer& answer, const http::RequestHead& head, const std::string& text,
                      bool invalidates) {
  ++answer.asked;
  const bool came = ask(text, answer.head, answer.body);
  if (!came) answer.status = 502;
  const auto response = came ? parsed<http::ResponseHead>(answer.head) : http::ResponseHead();
  if (came) answer.status = response.status();
  if (invalidates) cache_.on_passed(head, came ? &response : nullptr);
}

// A flight from its beginning to its end.
void CacheWorld::fly(Answer& answer, const http::RequestHead& head, DataCache::Verdict verdict) {
  using Do = DataCache::Landing::Do;
  const Stored* validates = verdict.stored != nullptr ? &verdict.stored : nullptr;
  for (;;) {
    std::string response_text, body;
    ++answer.asked;
    if (!ask(fetch_head(head, validates ? validates->get() : nullptr), response_text, body)) {
      const auto death = cache_.on_failure(verdict.flight, now_, head);
      answer.status = 502;
      if (death.stored != nullptr) serve(answer, head, *death.stored, death.outcome);
      return;
    }
    const auto response = parsed<http::ResponseHead>(response_text);
    const auto framing = http::response_framing(response, http::Method::kGet, false);
    ASSERT_TRUE(framing.has_value());
    answer.validated = response.status() == 304;
    const auto landing = cache_.on_response(verdict.flight, now_, wall(), head, response, *framing);
    if (landing.what == Do::kAskAgain) {
      validates = nullptr;
      continue;
    }
    if (landing.what == Do::kServe) return serve(answer, head, *landing.stored, landing.outcome);
    answer.head = response_text;
    answer.head.insert(answer.head.size() - 2,
                       "Cache-Status: " + cache_status("c", landing.outcome) + "\r\n");
    answer.status = response.status();
    answer.body = body;
    if (landing.what == Do::kCollect) {
      const auto whole = std::make_shared<const std::string>(body);
      cache_.on_complete(verdict.flight, head, whole);
    }
    return;
  }
}

CacheWorld::Answer CacheWorld::request(std::string_view text) {
  using Do = DataCache::Verdict::Do;
  std::string_view rest = text;
  std::string_view line = cut(rest, "|");
  std::string method(cut(line, " "));
  for (char& c : method) c = static_cast<char>(std::toupper(c));
  std::string head_text = method + " " + std::string(line) + " HTTP/1.1\r\n";
  if (text.find("| Host:") == text.npos) head_text += "Host: h\r\n";
  while (!rest.empty()) head_text += with_dates(cut(rest, "|")) + "\r\n";
  head_text += "\r\n";
  const auto head = parsed<http::RequestHead>(head_text);
  Answer answer;
  auto verdict = cache_.on_request({now_, head, std::nullopt}, 1, {});
  switch (verdict.what) {
    case Do::kPass:
      pass(answer, head, head_text, verdict.invalidates);
      break;
    case Do::kServe:
      serve(answer, head, *verdict.stored, verdict.outcome);
      if (verdict.flight != 0) {
        Answer behind;
        fly(behind, head, verdict);
        answer.behind = behind.asked;
      }
      break;
    case Do::kFetch:
      fly(answer, head, std::move(verdict));
      break;
    case Do::kGatewayTimeout:
      answer.status = 504;
      break;
    case Do::kWait:
    case Do::kUnavailable:
      answer.status = -1;
      break;
  }
  EXPECT_EQ(cache_.flights(), 0u);
  return answer;
}

std::string CacheWorld::complaint(const Answer& answer, std::string_view expected) const {
  std::string out;
  for (const std::string_view word : words_of(expected)) {
    const std::size_t open = std::min(word.find('('), word.size());
    const std::string_view name = word.substr(0, open);
    const std::string_view inner =
        open == word.size() ? "" : word.substr(open + 1, word.size() - open - 2);
    bool holds = false;
    if (word == "hit") {
      holds = answer.asked == 0 && answer.behind == 0;
    } else if (word == "asked") {
      holds = answer.asked > 0 && !answer.validated;
    } else if (word == "validated") {
      holds = answer.asked == 1 && answer.validated;
    } else if (word == "behind") {
      holds = answer.asked == 0 && answer.behind == 1;
    } else if (word.starts_with("age=")) {
      holds =
          answer.head.find("\r\nAge: " + std::string(word.substr(4)) + "\r\n") != std::string::npos;
    } else if (word == "no-age") {
      holds = answer.head.find("\r\nAge:") == std::string::npos;
    } else if (name == "has" || name == "lacks") {
      holds = (answer.head.find(inner) != std::string::npos) == (name == "has");
    } else if (name == "saw" || name == "unseen") {
      holds = (seen_.find(inner) != std::string::npos) == (name == "saw");
    } else if (word.starts_with("b")) {
      holds = answer.body == word;
    } else if (word == "empty") {
      holds = answer.body.empty();
    } else {
      holds = std::to_string(answer.status) == word;
    }
    if (!holds) out += " not " + std::string(word) + ";";
  }
  if (out.empty()) return out;
  return out + " asked " + std::to_string(answer.asked) + ", behind " +
         std::to_string(answer.behind) + ", body " + answer.body + "\n" + answer.head;
}

std::string CacheWorld::run(std::string_view script) {
  std::string out;
  while (!script.empty()) {
    std::string_view line = cut(script, "\n");
    if (line.empty() || line.starts_with('#')) continue;
    const std::string whole(line);
    std::string_view rest = line;
    const std::string_view verb = cut(rest, " ");
    if (verb == "origin") {
      set_origin(rest);
    } else if (verb == "wait") {
      now_ += std::chrono::seconds(std::stoll(std::string(rest)));
    } else {
      const std::string_view asked = cut(line, "->");
      const std::string wrong = complaint(request(asked), line);
      if (!wrong.empty()) out += whole + ":" + wrong + "\n";
    }
  }
  return out;
}

namespace {

TEST(CacheWorldTest, SaysWhatIsNotAsExpected) {
  CacheWorld world;
  EXPECT_EQ(world.run("origin 200 | Cache-Control: max-age=5\n get /a -> asked 200 b1"), "");
  EXPECT_NE(world.run("get /a -> asked"), "");
  EXPECT_NE(world.run("get /a -> 404"), "");
  EXPECT_NE(world.run("get /a -> b2"), "");
  EXPECT_NE(world.run("get /a -> age=1"), "");
  EXPECT_NE(world.run("get /a -> has(Set-Cookie)"), "");
  EXPECT_NE(world.run("get /b -> hit"), "");
}

}  // namespace
}  // namespace tandem
