// Numbers and bytes, little-endian, one after another: what the binary codecs of this folder are
// written with. A reader that was asked for more than there is answers zeros, and ok() says so.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace tandem {

class ByteWriter {
 public:
  void byte(std::uint8_t value) { text_ += static_cast<char>(value); }
  void number16(std::uint16_t value) { fixed(value, 2); }
  void number32(std::uint32_t value) { fixed(value, 4); }
  void number64(std::uint64_t value) { fixed(value, 8); }
  // Seven bits a byte, the least significant first; the top bit says that more follow.
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) byte(static_cast<std::uint8_t>(value | 0x80));
    byte(static_cast<std::uint8_t>(value));
  }
  void bytes(std::span<const std::uint8_t> value) {
    for (const std::uint8_t each : value) byte(each);
  }
  std::string take() { return std::move(text_); }

 private:
  void fixed(std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) byte(static_cast<std::uint8_t>(value >> 8 * i));
  }
  std::string text_;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && rest_.empty(); }
  std::size_t left() const { return rest_.size(); }

  std::uint8_t byte() {
    if (rest_.empty()) ok_ = false;
    if (!ok_) return 0;
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  std::uint16_t number16() { return static_cast<std::uint16_t>(fixed(2)); }
  std::uint32_t number32() { return static_cast<std::uint32_t>(fixed(4)); }
  std::uint64_t number64() { return fixed(8); }
  // One form for each number: no zeros are appended, and none is over 64 bits.
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::uint8_t part = byte();
      if (shift == 63 && part > 1) break;
      value |= static_cast<std::uint64_t>(part & 0x7f) << shift;
      if (part < 0x80) {
        if (part == 0 && shift > 0) break;
        return value;
      }
    }
    ok_ = false;
    return 0;
  }
  void bytes(std::span<std::uint8_t> out) {
    for (std::uint8_t& each : out) each = byte();
  }

 private:
  std::uint64_t fixed(int bytes) {
    std::uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) value |= static_cast<std::uint64_t>(byte()) << 8 * i;
    return value;
  }
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace tandem
