#include "lb/core/forward.h"

#include <gtest/gtest.h>

#include <memory>

#include "common/http/head_parser.h"
#include "common/session/token_codec.h"

namespace tandem {
namespace {

// --- cookies
// --------------------------------------------------------------------------------------

TEST(FindCookie, FindsItAnywhere) {
  for (const char* value :
       {"t=1", "t=1; a=2", "a=2; t=1", "a=2; t=1; b=3", "a=2;t=1;b=3", "a=2;  t=1 ", "; t=1;"}) {
    EXPECT_EQ(find_cookie(value, "t"), "1") << value;
  }
  EXPECT_EQ(find_cookie("t=", "t"), "");
  EXPECT_EQ(find_cookie("t=a=b", "t"), "a=b");
}

TEST(FindCookie, TakesNoOtherForIt) {
  for (const char* value : {"", "t", "T=1", "at=1", "ta=1", "a=t=1", ";;", "a=\"; b\""}) {
    EXPECT_FALSE(find_cookie(value, "t")) << value;
  }
}

// --- requests
// -------------------------------------------------------------------------------------

struct Request {
  explicit Request(std::string bytes) : text(std::move(bytes)) {
    http::HeadParser parser;
    EXPECT_EQ(parser.parse(text, head), http::Progress::kDone) << text;
  }
  std::string text;
  http::RequestHead head;
};

std::string written(const Request& request, const RequestEdits& edits) {
  const std::size_t bound = request_head_bound(request.head, edits);
  std::string out(bound, '\0');
  out.resize(write_request_head(request.head, edits, out.data()));
  EXPECT_LE(out.size(), bound);
  return out;
}

RequestEdits plain_edits() {
  RequestEdits edits;
  static const AffinityOptions kCookie;
  edits.affinity = &kCookie;
  edits.client_host = "10.0.0.1";
  edits.server_address = "server:80";
  return edits;
}

constexpr const char* kTail =
    "X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: h\r\n"
    "Via: 1.1 tandem\r\n\r\n";

TEST(WriteRequestHead, AbsoluteTargetsBecomePaths) {
  const std::pair<const char*, const char*> cases[] = {
      {"GET http://h/a?b", "GET /a?b"},  {"GET http://h", "GET /"},  {"GET http://h?q", "GET /?q"},
      {"OPTIONS http://h", "OPTIONS *"}, {"OPTIONS *", "OPTIONS *"}, {"GET /a", "GET /a"},
  };
  for (const auto& [given, expected] : cases) {
    const Request request(std::string(given) + " HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(written(request, plain_edits()),
              std::string(expected) + " HTTP/1.1\r\nHost: h\r\n" + kTail);
  }
}

TEST(WriteRequestHead, HopByHopFieldsGo) {
  const Request request(
      "GET / HTTP/1.1\r\nHost: h\r\nConnection: close, X-One\r\nX-One: 1\r\nKeep-Alive: x\r\n"
      "X-Two: 2\r\nConnection: x-three\r\nTE: trailers\r\nProxy-Connection: x\r\n"
      "X-Three: 3\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n");
  EXPECT_EQ(written(request, plain_edits()),
            std::string("GET / HTTP/1.1\r\nHost: h\r\nX-Two: 2\r\n") + kTail);
}

TEST(WriteRequestHead, NothingOfTandemComesInFromClients) {
  const Request request(
      "GET / HTTP/1.1\r\nHost: h\r\nTandem-Session: x\r\nTandem-Cache: c\r\nTandem-Refer: y\r\n"
      "Tandem-Anything: z\r\nCookie: tandem=q\r\nCookie: a=1; tandem=q; b=2\r\n\r\n");
  EXPECT_EQ(written(request, plain_edits()),
            std::string("GET / HTTP/1.1\r\nHost: h\r\nCookie: a=1; b=2\r\n") + kTail);
  RequestEdits edits = plain_edits();
  edits.to_tandem = true;
  edits.session_token = "TOKEN";
  const std::string out = written(request, edits);
  EXPECT_NE(out.find("\r\nTandem-Cache: c\r\n"), std::string::npos);
  EXPECT_NE(out.find("\r\nTandem-Session: TOKEN\r\n\r\n"), std::string::npos);
  EXPECT_EQ(out.find("Tandem-Session: x"), std::string::npos);
  EXPECT_EQ(out.find("Tandem-Anything"), std::string::npos);
}

TEST(WriteRequestHead, ATandemServerHearsThatALostSessionIsNotToBeBegunAnew) {
  const Request request("GET / HTTP/1.1\r\nHost: h\r\nTandem-Lost: any\r\n\r\n");
  RequestEdits edits = plain_edits();
  for (const bool known_only : {false, true}) {
    for (const bool to_tandem : {false, true}) {
      edits.known_only = known_only;
      edits.to_tandem = to_tandem;
      const std::string text = written(request, edits);
      EXPECT_EQ(text.find("Tandem-Lost: any"), std::string::npos) << "that is not the client's";
      EXPECT_EQ(text.find("Tandem-Lost: reject\r\n") != std::string::npos, known_only && to_tandem);
    }
  }
}

TEST(WriteRequestHead, ForwardingIsContinuedAndReplaced) {
  const Request request(
      "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: gopher\r\n"
      "X-Forwarded-For: 2.2.2.2\r\nX-Forwarded-Host: other\r\nVia: 1.0 x\r\n\r\n");
  RequestEdits edits = plain_edits();
  edits.tls = true;
  EXPECT_EQ(written(request, edits),
            "GET / HTTP/1.1\r\nHost: h\r\nVia: 1.0 x\r\n"
            "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 10.0.0.1\r\nX-Forwarded-Proto: https\r\n"
            "X-Forwarded-Host: h\r\nVia: 1.1 tandem\r\n\r\n");
}

TEST(WriteRequestHead, AConnectionFieldTakesNoFieldThatIsForAll) {
  const std::string kept =
      "Authorization: a\r\nCookie: c=1\r\nIf-None-Match: \"x\"\r\nContent-Length: 0\r\n"
      "Tandem-Cache: 1\r\n";
  const Request request("POST / HTTP/1.1\r\nHost: h\r\n" + kept +
                        "Connection: authorization, cookie, if-none-match, tandem-cache, host, "
                        "content-length\r\n\r\n");
  RequestEdits edits = plain_edits();
  edits.to_tandem = true;
  EXPECT_EQ(written(request, edits), "POST / HTTP/1.1\r\nHost: h\r\n" + kept + kTail);
}

TEST(WriteRequestHead, EveryCookieOfThatNameIsCutOut) {
  const std::pair<const char*, const char*> cases[] = {
      {"tandem=1; tandem=2", ""},
      {"tandem=1; a=2; tandem=3", "Cookie: a=2\r\n"},
      {"a=1; tandem=2; b=3; tandem=4; c=5", "Cookie: a=1; b=3; c=5\r\n"},
      {"a=1; tandem=2; tandem=3", "Cookie: a=1\r\n"},
  };
  for (const auto& [given, expected] : cases) {
    const Request request("GET / HTTP/1.1\r\nHost: h\r\nCookie: " + std::string(given) +
                          "\r\n\r\n");
    EXPECT_EQ(written(request, plain_edits()),
              std::string("GET / HTTP/1.1\r\nHost: h\r\n") + expected + kTail);
  }
}

TEST(WriteRequestHead, TheCookiesOfAllGroupsAreCutOut) {
  const auto routes = Routes::make({{"", "/api", "api"}, {"", "/s", "shop"}});
  ASSERT_TRUE(routes);
  const Request request(
      "GET / HTTP/1.1\r\nHost: h\r\nCookie: tandem-api=1; a=2; tandem-=3; tandem=4; tandem-x=5; "
      "tandem-shop=6; tandemapi=7\r\nCookie: tandem-shop=8\r\n\r\n");
  RequestEdits edits = plain_edits();
  edits.routes = &*routes;
  EXPECT_EQ(written(request, edits),
            std::string("GET / HTTP/1.1\r\nHost: h\r\nCookie: a=2; tandem-=3; tandem-x=5; "
                        "tandemapi=7\r\n") +
                kTail);
  edits.routes = nullptr;
  EXPECT_NE(written(request, edits).find("tandem-api=1"), std::string::npos);
}

TEST(WriteRequestHead, Http10BecomesHttp11) {
  const Request request(
      "PUT http://h/x HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(written(request, plain_edits()),
            "PUT /x HTTP/1.1\r\nContent-Length: 1\r\nX-Forwarded-For: 10.0.0.1\r\n"
            "X-Forwarded-Proto: http\r\nHost: h\r\nX-Forwarded-Host: h\r\n"
            "Via: 1.0 tandem\r\n\r\n");
}

TEST(WriteRequestHead, AnUpgradeIsPassedOn) {
  const Request request(
      "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n");
  EXPECT_EQ(written(request, plain_edits()),
            std::string("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
                        "Connection: upgrade\r\n") +
                kTail);
}

TEST(ClientClaim, TheHeaderComesBeforeTheCookie) {
  AffinityOptions affinity;
  affinity.cookie.name = "t";
  const Request library("GET / HTTP/1.1\r\nHost: h\r\nCookie: t=c\r\nTandem-Session: s\r\n\r\n");
  EXPECT_EQ(client_claim(library.head, affinity).token, "s");
  EXPECT_TRUE(client_claim(library.head, affinity).with_library);
  const Request browser("GET / HTTP/1.1\r\nHost: h\r\nCookie: a=b\r\nCookie: t=c\r\n\r\n");
  EXPECT_EQ(client_claim(browser.head, affinity).token, "c");
  EXPECT_FALSE(client_claim(browser.head, affinity).with_library);
  const Request first("GET / HTTP/1.1\r\nHost: h\r\nTandem-Cache: 1\r\n\r\n");
  EXPECT_EQ(client_claim(first.head, affinity).token, "");
  EXPECT_TRUE(client_claim(first.head, affinity).with_library);
}

TEST(ClientClaim, OfALibrarysTokensThatOfTheGroupIsTaken) {
  const std::string own(kTokenLength, 'o'), api(kTokenLength, 'a');
  const auto claimed = [](const std::string& value, std::string_view group) {
    const Request request("GET / HTTP/1.1\r\nHost: h\r\nTandem-Session: " + value + "\r\n\r\n");
    const ClientClaim claim = client_claim(request.head, {}, group);
    EXPECT_TRUE(claim.with_library);
    return std::string(claim.token);
  };
  const std::string both = own + ", " + api + ";group=api";
  EXPECT_EQ(claimed(both, ""), own);
  EXPECT_EQ(claimed(both, "api"), api);
  EXPECT_EQ(claimed(both, "shop"), "");
  EXPECT_EQ(claimed(own, ""), own);
  EXPECT_EQ(claimed(own, "api"), "") << "a token without a group is pool 0's";
  EXPECT_EQ(claimed(api + ";group=api", ""), "");
}

TEST(ClientClaim, EachGroupHasACookieOfItsOwn) {
  AffinityOptions affinity;
  affinity.cookie.name = cookie_name("t", "api");
  EXPECT_EQ(affinity.cookie.name, "t-api");
  EXPECT_EQ(cookie_name("t", ""), "t");
  const Request browser("GET / HTTP/1.1\r\nHost: h\r\nCookie: t=a; t-api=b; t-a=c\r\n\r\n");
  EXPECT_EQ(client_claim(browser.head, affinity, "api").token, "b");
}

// --- responses
// ------------------------------------------------------------------------------------

std::string written(const std::string& text, const ResponseEdits& edits) {
  http::HeadParser parser;
  auto head = std::make_unique<http::ResponseHead>();
  EXPECT_EQ(parser.parse(text, *head), http::Progress::kDone) << text;
  const std::size_t bound = response_head_bound(*head, edits);
  std::string out(bound, '\0');
  out.resize(write_response_head(*head, edits, out.data()));
  EXPECT_LE(out.size(), bound);
  return out;
}

TEST(WriteResponseHead, KeepsWhatIsNotOfThisHop) {
  ResponseEdits edits;
  EXPECT_EQ(written("HTTP/1.0 200 Fine\r\nA: b\r\nConnection: x-hop, close\r\nX-Hop: y\r\n"
                    "Keep-Alive: 1\r\nTandem-Session: s\r\nTandem-Reuse: mirror\r\n"
                    "Content-Length: 3\r\n\r\n",
                    edits),
            "HTTP/1.1 200 Fine\r\nA: b\r\nContent-Length: 3\r\nVia: 1.0 tandem\r\n\r\n");
}

TEST(WriteResponseHead, TheStatusLineGetsTheSpaceThatItLacks) {
  EXPECT_EQ(written("HTTP/1.1 200\r\n\r\n", ResponseEdits{}),
            "HTTP/1.1 200 \r\nVia: 1.1 tandem\r\n\r\n");
}

TEST(WriteResponseHead, SetsTheCookieAsConfigured) {
  AffinityOptions affinity;
  CookieOptions& cookie = affinity.cookie;
  ResponseEdits edits;
  edits.affinity = &affinity;
  edits.token = "T";
  const std::string plain = "HTTP/1.1 200 OK\r\n\r\n";
  const auto set_cookie = [&] {
    const std::string out = written(plain, edits);
    const std::size_t at = out.find("Set-Cookie: ") + 12;
    return out.substr(at, out.find("\r\n", at) - at);
  };
  EXPECT_EQ(set_cookie(), "tandem=T; Path=/; HttpOnly; SameSite=Lax");
  edits.client_tls = true;
  EXPECT_EQ(set_cookie(), "tandem=T; Path=/; Secure; HttpOnly; SameSite=Lax");
  cookie.name = "n";
  cookie.path = "/app";
  cookie.domain = "example.org";
  cookie.same_site = SameSitePolicy::kNone;
  cookie.secure = SecurePolicy::kNot;
  EXPECT_EQ(set_cookie(), "n=T; Path=/app; Domain=example.org; HttpOnly; SameSite=None");
  cookie = {};
  cookie.path.clear();
  cookie.same_site = SameSitePolicy::kStrict;
  cookie.secure = SecurePolicy::kAlways;
  cookie.http_only = false;
  cookie.partitioned = true;
  cookie.max_age_seconds = 3600;
  EXPECT_EQ(set_cookie(), "tandem=T; Max-Age=3600; Secure; SameSite=Strict; Partitioned");
  cookie.secure = SecurePolicy::kUnderTls;
  edits.client_tls = false;  // no browser would take it with Partitioned
  EXPECT_EQ(set_cookie(), "tandem=T; Max-Age=3600; SameSite=Strict");
}

// --- an application's own header

const std::string kToken72 = std::string(30, 'A') + "-_09" + std::string(38, 'z');
const std::string kSuffix = ";tandem=" + kToken72;
const AffinityOptions kByHeader{{}, "Mcp-Session-Id"};

TEST(FindAffinityMark, FindsOurSuffixAndNothingElse) {
  ASSERT_EQ(kToken72.size(), kTokenLength);
  EXPECT_EQ(find_affinity_mark("abc" + kSuffix), 3u);
  EXPECT_EQ(find_affinity_mark(kSuffix), 0u);
  // An application's value may look like anything; only the last suffix is ours.
  EXPECT_EQ(find_affinity_mark("a;tandem=b" + kSuffix), 10u);
  EXPECT_EQ(find_affinity_mark(kSuffix + kSuffix), kSuffix.size());
  for (const std::string& other :
       {std::string(), std::string("abc"), kToken72, "a;tandem=" + kToken72.substr(1),
        "a" + kSuffix + "x", "a;Tandem=" + kToken72, "a;tandem=" + kToken72.substr(1) + "!"}) {
    EXPECT_EQ(find_affinity_mark(other), std::string::npos) << other;
  }
}

TEST(ClientClaim, TheTokenIsInTheApplicationsHeader) {
  const Request one("GET / HTTP/1.1\r\nHost: h\r\nCookie: tandem=c\r\nmcp-session-id: id" +
                    kSuffix + "\r\n\r\n");
  EXPECT_EQ(client_claim(one.head, kByHeader).token, kToken72);
  EXPECT_FALSE(client_claim(one.head, kByHeader).with_library);
  const Request none("GET / HTTP/1.1\r\nHost: h\r\nCookie: tandem=c\r\nMcp-Session-Id: id\r\n\r\n");
  EXPECT_EQ(client_claim(none.head, kByHeader).token, "");
  const Request library("GET / HTTP/1.1\r\nHost: h\r\nTandem-Session: s\r\nMcp-Session-Id: id" +
                        kSuffix + "\r\n\r\n");
  EXPECT_EQ(client_claim(library.head, kByHeader).token, "s");
}

TEST(WriteRequestHead, TheApplicationSeesExactlyItsOwnValue) {
  RequestEdits edits = plain_edits();
  edits.affinity = &kByHeader;
  for (const std::string& value :
       {std::string("1868a90c-e8"), std::string("!~;=\"x"), std::string(), "a" + kSuffix}) {
    const Request request(
        "POST /mcp HTTP/1.1\r\nHost: h\r\nCookie: tandem=1\r\nMCP-session-id:   " + value +
        kSuffix + " \r\nA: b\r\n\r\n");
    EXPECT_EQ(written(request, edits),
              "POST /mcp HTTP/1.1\r\nHost: h\r\nCookie: tandem=1\r\nMCP-session-id: " + value +
                  "\r\nA: b\r\n" + kTail);
  }
  const std::string untouched =
      "GET / HTTP/1.1\r\nHost: h\r\nMcp-Session-Id:  plain\r\nX-Mcp: y" + kSuffix + "\r\n";
  EXPECT_EQ(written(Request(untouched + "\r\n"), edits), untouched + kTail);
}

TEST(WriteResponseHead, TheTokenIsAppendedToTheApplicationsValue) {
  ResponseEdits edits;
  edits.affinity = &kByHeader;
  edits.token = kToken72;
  EXPECT_EQ(written("HTTP/1.1 200 OK\r\nmcp-session-id: a;tandem=b\r\nA: b\r\n\r\n", edits),
            "HTTP/1.1 200 OK\r\nmcp-session-id: a;tandem=b" + kSuffix +
                "\r\nA: b\r\nCache-Control: private\r\nVia: 1.1 tandem\r\n\r\n");
  // Of two the first; whatever there is, it fits.
  std::string many = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 20; ++i) many += "Mcp-Session-Id: x\r\n";
  const std::string out = written(many + "\r\n", edits);
  EXPECT_EQ(out.find(kSuffix), out.rfind(kSuffix));
  edits.with_library = true;
  EXPECT_EQ(
      written("HTTP/1.1 200 OK\r\nMcp-Session-Id: x\r\nCache-Control: no-store\r\n\r\n", edits),
      "HTTP/1.1 200 OK\r\nMcp-Session-Id: x\r\nCache-Control: no-store\r\nTandem-Session: " +
          kToken72 + "\r\nVia: 1.1 tandem\r\n\r\n");
}

TEST(OwnResponse, TakesATokenBack) {
  char out[kOwnResponseBytesMax];
  AffinityOptions affinity;
  affinity.cookie.domain = "example.org";
  OwnResponse response;
  response.status = 410;
  response.forget = &affinity;
  response.client_tls = true;
  const auto text = [&] { return std::string(out, write_own_response(response, out)); };
  EXPECT_NE(text().find("\r\nSet-Cookie: tandem=; Path=/; Domain=example.org; Max-Age=0; Secure; "
                        "HttpOnly; SameSite=Lax\r\n"),
            std::string::npos);
  response.with_library = true;
  EXPECT_NE(text().find("\r\nTandem-Session: none\r\n"), std::string::npos);
  EXPECT_EQ(text().find("Set-Cookie"), std::string::npos);
  response.with_library = false;
  affinity.header = "Mcp-Session-Id";  // the application's clients know what to do
  EXPECT_EQ(text().find("Set-Cookie"), std::string::npos);
  affinity = {};
  affinity.cookie.name = cookie_name(std::string(64, 'n'), std::string(64, 'g'));
  affinity.cookie.path = std::string(kCookiePathBytesMax, '/');
  affinity.cookie.domain = std::string(64, 'd');
  const std::string longest(10'000, 'x');
  response.text = longest;
  EXPECT_LE(text().size(), kOwnResponseBytesMax);
}

TEST(WriteResponseHead, ALibraryIsToldTheGroup) {
  AffinityOptions affinity;
  ResponseEdits edits;
  edits.affinity = &affinity;
  edits.group = "api";
  const std::string plain = "HTTP/1.1 200 OK\r\n\r\n";
  EXPECT_EQ(written(plain, edits).find("Tandem-Group"), std::string::npos) << "a browser is not";
  edits.with_library = true;
  EXPECT_NE(written(plain, edits).find("\r\nTandem-Group: api\r\n"), std::string::npos);
  edits.group = {};
  EXPECT_EQ(written(plain, edits).find("Tandem-Group"), std::string::npos) << "pool 0 has no name";
}

TEST(OwnResponse, ALibraryIsToldTheGroup) {
  char out[kOwnResponseBytesMax];
  OwnResponse response;
  response.status = 503;
  response.group = "api";
  const auto text = [&] { return std::string(out, write_own_response(response, out)); };
  EXPECT_EQ(text().find("Tandem-Group"), std::string::npos);
  response.with_library = true;
  EXPECT_NE(text().find("\r\nTandem-Group: api\r\n"), std::string::npos);
}

TEST(WriteResponseHead, SaysWhatBecomesOfTheConnection) {
  ResponseEdits edits;
  const std::string plain = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(written(plain, edits),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nVia: 1.1 tandem\r\n\r\n");
  edits.persistence = Persistence::kClose;
  edits.unchunk = true;
  EXPECT_EQ(written(plain, edits),
            "HTTP/1.1 200 OK\r\nVia: 1.1 tandem\r\nConnection: close\r\n\r\n");
  edits.persistence = Persistence::kKeepAlive;
  EXPECT_EQ(written(plain, edits),
            "HTTP/1.1 200 OK\r\nVia: 1.1 tandem\r\nConnection: keep-alive\r\n\r\n");
}

TEST(OwnResponse, IsWholeAndBounded) {
  char out[kOwnResponseBytesMax];
  OwnResponse response;
  response.status = 503;
  response.persistence = Persistence::kClose;
  EXPECT_EQ(std::string(out, write_own_response(response, out)),
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "Content-Length: 20\r\nCache-Control: no-store\r\nRetry-After: 1\r\n"
            "Connection: close\r\n\r\nService Unavailable\n");
  const std::string longest(10'000, 'x');
  for (int status = 100; status < 1000; ++status) {
    OwnResponse long_one;
    long_one.status = status;
    long_one.text = longest;
    EXPECT_LE(write_own_response(long_one, out), kOwnResponseBytesMax);
  }
  response = {};
  response.status = 404;
  response.text = "gone";
  response.head_only = true;
  EXPECT_TRUE(std::string(out, write_own_response(response, out)).ends_with("\r\n\r\n"));
}

}  // namespace
}  // namespace tandem
