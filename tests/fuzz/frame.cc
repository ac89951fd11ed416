// Any bytes are frames or an error, the same however they are cut; and what is read can be written
// and read again as the same message.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/error.h"
#include "common/wire/codec.h"

namespace tandem {
namespace {

struct Outcome {
  std::vector<Message> messages;
  bool failed = false;
  bool operator==(const Outcome&) const = default;
};

Outcome read_in_pieces(std::string_view bytes, std::size_t piece) {
  FrameReader reader;
  Outcome outcome;
  for (std::size_t begin = 0; begin < bytes.size(); begin += piece) {
    reader.feed(bytes.substr(begin, piece));
    for (;;) {
      auto read = reader.next();
      if (!read) {
        outcome.failed = true;
        return outcome;
      }
      if (!*read) break;
      outcome.messages.push_back(std::move(**read));
    }
  }
  return outcome;
}

}  // namespace
}  // namespace tandem

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Outcome whole = read_in_pieces(bytes, size + 1);
  TANDEM_CHECK(read_in_pieces(bytes, 1 + size / 3) == whole);
  std::string again;
  for (const Message& message : whole.messages) TANDEM_CHECK(encode(message, again));
  const Outcome second = read_in_pieces(again, again.size() + 1);
  TANDEM_CHECK(!second.failed && second.messages == whole.messages);
  return 0;
}
