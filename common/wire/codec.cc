#include "common/wire/codec.h"

#include <fmt/format.h>

#include <array>

#include "common/wire/proto_map.h"
#include "common/wire/tandem.pb.h"

namespace tandem {
namespace {

std::array<char, kFramePrefixBytes> prefix_of(std::size_t length) {
  return {static_cast<char>(length >> 24), static_cast<char>(length >> 16),
          static_cast<char>(length >> 8), static_cast<char>(length)};
}

std::size_t length_in(std::string_view prefix) {
  std::size_t length = 0;
  for (std::size_t i = 0; i < kFramePrefixBytes; ++i) {
    length = length << 8 | static_cast<unsigned char>(prefix[i]);
  }
  return length;
}

Result<void> append_frame(const wire::Envelope& envelope, std::string& bytes) {
  const std::size_t length = envelope.ByteSizeLong();
  if (length > kFrameBytesMax) {
    return fail(Error::system(
        fmt::format("a message of {} bytes is over the {} of a frame", length, kFrameBytesMax),
        Retry::kNo));
  }
  const auto prefix = prefix_of(length);
  bytes.append(prefix.data(), prefix.size());
  const std::size_t begin = bytes.size();
  bytes.resize(begin + length);
  envelope.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(bytes.data()) + begin);
  return {};
}

}  // namespace

Result<void> encode(const Message& message, std::string& bytes) {
  wire::Envelope envelope;
  proto_map::write(message, envelope);
  return append_frame(envelope, bytes);
}

Result<void> FrameWriter::put(const Message& message, std::string& bytes) {
  if (packs_ && packing_.pack(message)) {
    return packing_.packed_bytes() < kPackedFrameBytes ? Result<void>() : end(bytes);
  }
  if (const auto ended = end(bytes); !ended) return ended;
  return encode(message, bytes);
}

Result<void> FrameWriter::end(std::string& bytes) {
  if (!packing_.has_packed()) return {};
  wire::Envelope envelope;
  envelope.set_packed(packing_.take_packed());
  return append_frame(envelope, bytes);
}

Result<std::optional<Message>> FrameReader::next() {
  for (;;) {
    if (unpacking_) {
      auto message = packing_->next();
      if (!message || *message) return message;
      unpacking_ = false;
      std::string().swap(packed_);
    }
    const std::string_view rest = std::string_view(buffer_).substr(taken_);
    if (rest.size() < kFramePrefixBytes) break;
    const std::size_t length = length_in(rest);
    if (length > kFrameBytesMax) {
      return fail(Error::peer(
          fmt::format("a frame of {} bytes is over the limit of {}", length, kFrameBytesMax)));
    }
    if (rest.size() < kFramePrefixBytes + length) break;
    wire::Envelope envelope;
    if (!envelope.ParseFromArray(rest.data() + kFramePrefixBytes, static_cast<int>(length))) {
      return fail(Error::peer("a frame is not an envelope"));
    }
    taken_ += kFramePrefixBytes + length;
    const bool packed = envelope.body_case() == wire::Envelope::kPacked;
    if (packed && packing_ != nullptr) {
      packed_ = std::move(*envelope.mutable_packed());
      packing_->begin(packed_);
      unpacking_ = true;
      continue;
    }
    if (packed || envelope.body_case() == wire::Envelope::BODY_NOT_SET) {
      ++skipped_;
      continue;
    }
    Message message;
    if (!proto_map::read(envelope, message)) {
      return fail(Error::peer(fmt::format("a message of kind {} has a value that cannot be",
                                          static_cast<int>(envelope.body_case()))));
    }
    return std::optional<Message>(std::move(message));
  }
  compact();
  return std::optional<Message>();
}

// The whole frames have been taken; what is left begins a frame, and moves to the front. The room
// of a large frame is given back.
void FrameReader::compact() {
  constexpr std::size_t kIdleBytesMax = 64 << 10;
  buffer_.erase(0, taken_);
  taken_ = 0;
  if (buffer_.empty() && buffer_.capacity() > kIdleBytesMax) std::string().swap(buffer_);
}

}  // namespace tandem
