// A body ends at the same byte whether it is relayed or read, whole or in pieces; and a chunked one
// is what a plain reader of whole messages takes it for. The first byte says how the body is
// framed.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/base/error.h"
#include "common/http/body.h"

namespace tandem::http {
namespace {

struct Outcome {
  Progress progress = Progress::kNeedMore;
  std::size_t consumed = 0;
  std::string payload;
  bool operator==(const Outcome&) const = default;
};

Outcome read_in_pieces(Framing framing, std::string_view bytes, std::size_t piece, bool payload) {
  BodyReader reader(framing);
  Outcome out;
  if (reader.done()) out.progress = Progress::kDone;
  while (out.progress == Progress::kNeedMore && out.consumed < bytes.size()) {
    const std::string_view input = bytes.substr(out.consumed, piece);
    const auto taken = payload ? reader.read(input) : reader.relay(input);
    TANDEM_CHECK(taken.consumed <= input.size());
    TANDEM_CHECK(taken.progress != Progress::kNeedMore || taken.consumed > 0);
    out.progress = taken.progress;
    out.consumed += taken.consumed;
    out.payload += taken.payload;
  }
  TANDEM_CHECK(!payload || reader.payload_bytes() == out.payload.size());
  TANDEM_CHECK((reader.error() != nullptr) == (out.progress == Progress::kError));
  return out;
}

// Decodes a whole chunked message, known to be sound, by searching for its line ends.
std::string decode(std::string_view message) {
  std::string payload;
  for (;;) {
    const std::size_t line = message.find("\r\n");
    TANDEM_CHECK(line != message.npos && line > 0);
    char* end = nullptr;
    const std::string digits(message.substr(0, line));
    const auto size = static_cast<std::size_t>(std::strtoull(digits.c_str(), &end, 16));
    TANDEM_CHECK(*end == '\0' || *end == ';');
    message.remove_prefix(line + 2);
    if (size == 0) break;
    TANDEM_CHECK(message.size() >= size + 2 && message.substr(size, 2) == "\r\n");
    payload += message.substr(0, size);
    message.remove_prefix(size + 2);
  }
  for (std::size_t line = 1; line != 0; message.remove_prefix(line + 2)) {
    line = message.find("\r\n");
    TANDEM_CHECK(line != message.npos);
  }
  TANDEM_CHECK(message.empty());
  return payload;
}

void check(Framing framing, std::string_view bytes) {
  const Outcome whole = read_in_pieces(framing, bytes, bytes.size(), true);
  Outcome relayed = read_in_pieces(framing, bytes, bytes.size(), false);
  TANDEM_CHECK(relayed == read_in_pieces(framing, bytes, 1, false));
  TANDEM_CHECK(relayed == read_in_pieces(framing, bytes, 1 + bytes.size() / 3, false));
  relayed.payload = whole.payload;
  TANDEM_CHECK(relayed == whole);
  TANDEM_CHECK(whole == read_in_pieces(framing, bytes, 1, true));
  TANDEM_CHECK(whole == read_in_pieces(framing, bytes, 1 + bytes.size() / 3, true));
  if (whole.progress == Progress::kDone && framing.kind == BodyKind::kChunked) {
    TANDEM_CHECK(decode(bytes.substr(0, whole.consumed)) == whole.payload);
  }
}

}  // namespace
}  // namespace tandem::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem::http;
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0]) {
    case 'L':
      check({BodyKind::kLength, 1 + bytes.size() / 2}, bytes);
      check({BodyKind::kLength, 1 + bytes.size()}, bytes);
      break;
    case 'N':
      check({BodyKind::kNone, 0}, bytes);
      check({BodyKind::kUntilClose, 0}, bytes);
      break;
    default:
      check({BodyKind::kChunked, 0}, bytes);
  }
  return 0;
}
