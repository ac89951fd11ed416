// Sealing of small values: AES-256-SIV (RFC 5297), deterministic authenticated encryption. It needs
// no nonce, so that many processes can seal under one key without telling each other anything.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace tandem {

// One key, ready for use. Not for several threads at once; each has its own.
class Sealer {
 public:
  static constexpr std::size_t kKeyBytes = 64;  // RFC 5297: two keys of 256 bits
  static constexpr std::size_t kTagBytes = 16;
  using Key = std::array<std::uint8_t, kKeyBytes>;

  explicit Sealer(const Key& key);
  ~Sealer();
  Sealer(Sealer&&) noexcept;
  Sealer& operator=(Sealer&&) noexcept;

  // `sealed` becomes the tag followed by the enciphered `plain`; it must have exactly kTagBytes
  // more room than `plain`, which must not be empty. They must not overlap.
  void seal(std::span<const std::uint8_t> plain, std::span<std::uint8_t> sealed);

  // The inverse. False (and `plain` in any state, to be forgotten) if this key did not seal it.
  [[nodiscard]] bool open(std::span<const std::uint8_t> sealed, std::span<std::uint8_t> plain);

 private:
  struct Contexts;
  std::unique_ptr<Contexts> contexts_;
};

}  // namespace tandem
