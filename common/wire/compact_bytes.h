// Numbers in few bytes, for the packed messages of common/wire/packing.h: fixed ones most
// significant byte first, and varints (seven bits a byte, the least significant first; the last
// byte is below 128).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tandem {

template <std::size_t kBytes>
void put_fixed(std::string& to, std::uint64_t value) {
  for (std::size_t i = kBytes; i > 0; --i) to.push_back(static_cast<char>(value >> 8 * (i - 1)));
}

inline void put_varint(std::string& to, std::uint64_t value) {
  for (; value >= 128; value >>= 7) to.push_back(static_cast<char>(value | 128));
  to.push_back(static_cast<char>(value));
}

// Takes numbers from the front of foreign bytes. Once it has failed it stays so, and gives zeros.
class CompactReader {
 public:
  CompactReader() = default;
  explicit CompactReader(std::string_view bytes) : rest_(bytes) {}

  template <std::size_t kBytes>
  std::uint64_t fixed() {
    const std::string_view from = take(kBytes);
    std::uint64_t value = 0;
    for (const char byte : from) value = value << 8 | static_cast<unsigned char>(byte);
    return value;
  }
  std::uint8_t byte() { return static_cast<std::uint8_t>(fixed<1>()); }

  // At most `most`.
  std::uint64_t varint(std::uint64_t most = ~std::uint64_t{0}) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::uint64_t bits = byte();
      if (shift == 63 && bits > 1) break;
      value |= (bits & 127) << shift;
      if (bits < 128) return value <= most ? value : fail();
    }
    return fail();
  }

  std::string_view take(std::size_t count) {
    if (count > rest_.size()) {
      fail();
      return {};
    }
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  std::uint64_t fail() {
    failed_ = true;
    rest_ = {};
    return 0;
  }
  bool failed() const { return failed_; }
  bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace tandem
