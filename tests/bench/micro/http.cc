// What one request costs in common/http: parsing, rewriting, answering.
#include <benchmark/benchmark.h>

#include <string>
#include <string_view>

#include "common/base/error.h"
#include "common/http/body.h"
#include "common/http/cookie.h"
#include "common/http/forward.h"
#include "common/http/head_parser.h"

namespace tandem::http {
namespace {

constexpr std::string_view kBrowserRequest =
    "GET /docs/index.html?q=1 HTTP/1.1\r\nHost: www.example.com\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:102.0) Gecko/20100101 Firefox/102.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
    "\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n"
    "Connection: keep-alive\r\n"
    "Cookie: theme=dark; tandem=AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfGhIjKlMnOpQrStUvWxYz012"
    "3456789ab\r\nIf-None-Match: \"6592b3f1-400\"\r\n\r\n";
constexpr std::string_view kShortRequest =
    "GET /1k HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nCookie: tandem=AbCdEfGhIjKlMnOpQrStUvWxYz0123456"
    "789AbCdEfGhIjKlMnOpQrStUvWxYz0123456789ab\r\n\r\n";
constexpr std::string_view kResponse =
    "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    "Content-Type: text/html\r\nContent-Length: 1024\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 "
    "GMT\r\nConnection: keep-alive\r\nETag: \"6592b3f1-400\"\r\nAccept-Ranges: bytes\r\n\r\n";

template <class H>
void parse(benchmark::State& state, std::string_view text) {
  HeadParser parser;
  H head;
  for (auto _ : state) {
    parser.reset();
    TANDEM_CHECK(parser.parse(text, head) == Progress::kDone);
    benchmark::DoNotOptimize(head);
  }
}
void parse_request(benchmark::State& state, std::string_view text) {
  parse<RequestHead>(state, text);
}
void parse_response(benchmark::State& state) { parse<ResponseHead>(state, kResponse); }

void forward_request_head(benchmark::State& state, std::string_view text) {
  HeadParser parser;
  RequestHead head;
  TANDEM_CHECK(parser.parse(text, head) == Progress::kDone);
  ForwardRequest how;
  how.via_name = "tandem";
  how.client_address = "192.0.2.17";
  how.scheme = "http";
  HeadEdit edit;
  for (auto _ : state) {
    forward_request(edit, head, how);
    const std::string_view token = find_cookie(head, "tandem");
    cut_cookie(edit, head, "tandem");
    edit.add("Tandem-Session", {token});
    benchmark::DoNotOptimize(edit.pieces());
  }
}

void forward_response_head(benchmark::State& state) {
  HeadParser parser;
  ResponseHead head;
  TANDEM_CHECK(parser.parse(kResponse, head) == Progress::kDone);
  ForwardResponse how;
  how.via_name = "tandem";
  HeadEdit edit;
  for (auto _ : state) {
    forward_response(edit, head, how);
    benchmark::DoNotOptimize(edit.pieces());
  }
}

void relay_chunks(benchmark::State& state) {
  std::string body;
  for (int i = 0; i < 8; ++i) body += "2000\r\n" + std::string(0x2000, 'x') + "\r\n";
  body += "0\r\n\r\n";
  for (auto _ : state) {
    BodyReader reader({BodyKind::kChunked, 0});
    benchmark::DoNotOptimize(reader.relay(body));
  }
}

BENCHMARK_CAPTURE(parse_request, browser_request, kBrowserRequest);
BENCHMARK_CAPTURE(parse_request, short_request, kShortRequest);
BENCHMARK(parse_response);
BENCHMARK_CAPTURE(forward_request_head, browser_request, kBrowserRequest);
BENCHMARK_CAPTURE(forward_request_head, short_request, kShortRequest);
BENCHMARK(forward_response_head);
BENCHMARK(relay_chunks);

}  // namespace
}  // namespace tandem::http

BENCHMARK_MAIN();
