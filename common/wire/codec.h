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
#include "common/wire/packing.h"

namespace tandem {

// What we speak, as Hello says it. A peer with another number is understood as far as it goes.
inline constexpr std::uint32_t kProtocolVersion = 1;

inline constexpr std::size_t kFramePrefixBytes = 4;
// The longest frame, without its prefix. Senders of mirrors keep under it: contents of
// kFrameContentBytesMax together, or kFrameChangesMax changes, always fit.
inline constexpr std::size_t kFrameBytesMax = 4 << 20;
inline constexpr std::size_t kFrameContentBytesMax = 2 << 20;
inline constexpr std::size_t kFrameChangesMax = 8192;
// The longest name, zone, group, address or reason.
inline constexpr std::size_t kWireTextBytesMax = 1024;
// The most servers in a view or an update of their status.
inline constexpr std::size_t kWireServersMax = 16384;

// Appends the frame of a message to `bytes`. An error (and `bytes` as before) if it is longer than
// kFrameBytesMax.
Result<void> encode(const Message& message, std::string& bytes);

// What goes out on one connection. Mirror batches and their answers are packed if the peer reads
// that (common/wire/packing.h): many of them in one frame, which ends when another message comes,
// when it has grown to kPackedFrameBytes, and when the bytes are to be sent.
class FrameWriter {
 public:
  static constexpr std::size_t kPackedFrameBytes = 32 << 10;

  // The packing is shared with the reader of the connection, and outlives both.
  explicit FrameWriter(Packing& packing) : packing_(packing) {}
  // What the peer's Hello says that it reads; until then nothing is packed.
  void set_packing(std::uint32_t version) {
    packs_ = version > 0;
    packing_.set_version(version);
  }

  // Appends the message to `bytes`, or keeps it for a packed frame. Errors as of encode().
  Result<void> put(const Message& message, std::string& bytes);
  // Appends the packed frame under way, if any: before `bytes` are sent.
  Result<void> end(std::string& bytes);
  // What is kept for that frame.
  std::size_t waiting_bytes() const { return packing_.packed_bytes(); }

 private:
  Packing& packing_;
  bool packs_ = false;
};

// One stream of frames. Not for several threads at once.
class FrameReader {
 public:
  // Without a packing, packed frames are skipped: whoever reads like this never said in its Hello
  // that it reads them.
  explicit FrameReader(Packing* packing = nullptr) : packing_(packing) {}
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

  Packing* packing_;
  std::string packed_;      // a packed frame
  bool unpacking_ = false;  // it has not been read to its end
  std::string buffer_;
  std::size_t taken_ = 0;  // of buffer_, from its front
  std::uint64_t skipped_ = 0;
};

}  // namespace tandem
