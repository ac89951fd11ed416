// Any bytes are frames or an error, the same however they are cut; what is read can be written and
// read again as the same messages, packed or not; and what they make us keep is bounded.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/error.h"
#include "common/wire/codec.h"

namespace tandem {
namespace {

constexpr std::size_t kMessagesMax = 20'000;  // packed bytes make many of few

struct Outcome {
  std::vector<Message> messages;
  bool failed = false;
  bool operator==(const Outcome&) const = default;
};

Outcome read_in_pieces(std::string_view bytes, std::size_t piece) {
  Packing packing;
  FrameReader reader(&packing);
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
      if (outcome.messages.size() == kMessagesMax) return outcome;
      outcome.messages.push_back(std::move(**read));
    }
  }
  return outcome;
}

// As a server that sends and answers batches: `bytes` is what its peer says, and answers may refer
// to what it has sent.
void answer_a_server(std::string_view bytes) {
  Packing packing;
  FrameWriter writer(packing);
  writer.set_packing(kPackingVersion);
  std::string out;
  MirrorBatch batch;
  batch.epoch = {1, ServerId{1}};
  batch.primary = ServerId{1};
  for (std::uint64_t i = 1; i <= 3; ++i) {
    batch.session = {i, i};
    batch.sequence = i;
    TANDEM_CHECK(writer.put(batch, out));
  }
  FrameReader reader(&packing);
  reader.feed(bytes);
  for (std::size_t i = 0; i < kMessagesMax; ++i) {
    auto read = reader.next();
    if (!read || !*read) break;
    const auto* come = std::get_if<MirrorBatch>(&**read);
    if (come != nullptr) {
      TANDEM_CHECK(writer.put(MirrorAck{come->session, come->epoch, come->sequence}, out));
      TANDEM_CHECK(come->changes.size() <= kFrameChangesMax);
      TANDEM_CHECK(come->formers.size() <= MirrorBatch::kFormersMax);
    }
  }
  TANDEM_CHECK(writer.end(out));
}

Outcome packed_and_read(const std::vector<Message>& messages) {
  Packing one, other;
  FrameWriter writer(one);
  writer.set_packing(kPackingVersion);
  std::string bytes;
  for (const Message& message : messages) TANDEM_CHECK(writer.put(message, bytes));
  TANDEM_CHECK(writer.end(bytes));
  FrameReader reader(&other);
  reader.feed(bytes);
  Outcome outcome;
  for (;;) {
    auto read = reader.next();
    TANDEM_CHECK(read);
    if (!*read) return outcome;
    outcome.messages.push_back(std::move(**read));
  }
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
  TANDEM_CHECK(packed_and_read(whole.messages).messages == whole.messages);
  answer_a_server(bytes);
  return 0;
}
