// Messages to bytes and back: frames of protobuf (common/wire/tandem.proto), which stays inside.
//
// A frame is four bytes of length, most significant first, then that many bytes. What comes in is
// foreign: lengths, ranges and counts are checked, and a frame that is not one of ours ends the
// connection. Frames of a kind that is not known here are skipped, and so are unknown fields, so
// that servers can be upgraded one by one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/wire/messages.h"

namespace tandem {

// What we speak, as Hello says it. A peer with another number is understood as far as it goes.
inline constexpr std::uint32_t kProtocolVersion = 1;

inline constexpr std::size_t kFramePrefixBytes = 4;
// The longest frame, without its prefix. Senders of mirrors keep their batches under it: contents
// of kFrameContentBytesMax together, and kFrameChangesMax changes, always fit.
inline constexpr std::size_t kFrameBytesMax = 4 << 20;
inline constexpr std::size_t kFrameContentBytesMax = 2 << 20;
inline constexpr std::size_t kFrameChangesMax = 8192;
// The longest name, zone, group, address or reason.
inline constexpr std::size_t kWireTextBytesMax = 1024;
// The most servers in a view or an update of their status.
inline constexpr std::size_t kWireServersMax = 4096;

// Appends the frame of a message to `bytes`. An error (and `bytes` as before) if it is longer than
// kFrameBytesMax.
Result<void> encode(const Message& message, std::string& bytes);

// One stream of frames. Not for several threads at once.
class FrameReader {
 public:
  // Takes what was read; it is copied.
  void feed(std::string_view bytes) { buffer_.append(bytes); }
  // The next whole message, or nothing until more is fed. After an error the stream is of no use.
  Result<std::optional<Message>> next();

  // What is held for frames that are not yet whole or not yet taken.
  std::size_t buffered_bytes() const { return buffer_.size() - taken_; }
  // Frames of an unknown kind so far.
  std::uint64_t skipped() const { return skipped_; }

 private:
  void compact();

  std::string buffer_;
  std::size_t taken_ = 0;  // of buffer_, from its front
  std::uint64_t skipped_ = 0;
};

}  // namespace tandem
