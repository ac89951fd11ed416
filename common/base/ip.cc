#include "common/base/ip.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "common/base/error.h"

namespace tandem {
namespace {

constexpr std::array<std::uint8_t, 12> kV4Prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr unsigned kV4PrefixBits = 96;

}  // namespace

IpAddress::IpAddress(std::span<const std::uint8_t> bytes) {
  TANDEM_CHECK(bytes.size() == 4 || bytes.size() == 16);
  if (bytes.size() == 4) std::copy(kV4Prefix.begin(), kV4Prefix.end(), bytes_.begin());
  std::copy(bytes.begin(), bytes.end(), bytes_.end() - static_cast<std::ptrdiff_t>(bytes.size()));
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) return {};
  const std::string ended(text);
  std::array<std::uint8_t, 16> bytes;
  if (::inet_pton(AF_INET, ended.c_str(), bytes.data()) == 1) {
    return IpAddress(std::span(bytes).first(4));
  }
  if (::inet_pton(AF_INET6, ended.c_str(), bytes.data()) == 1) return IpAddress(bytes);
  return std::nullopt;
}

bool IpAddress::is_v4() const {
  return std::equal(kV4Prefix.begin(), kV4Prefix.end(), bytes_.begin());
}

std::string IpAddress::text() const {
  char out[INET6_ADDRSTRLEN];
  if (is_v4()) return ::inet_ntop(AF_INET, bytes_.data() + kV4Prefix.size(), out, sizeof out);
  return ::inet_ntop(AF_INET6, bytes_.data(), out, sizeof out);
}

std::optional<IpNetwork> IpNetwork::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto first = IpAddress::parse(text.substr(0, slash));
  if (!first) return std::nullopt;
  IpNetwork network;
  network.first_ = *first;
  if (slash == std::string_view::npos) return network;
  const std::string_view written = text.substr(slash + 1);
  // ::ffff:10.0.0.0/104 is written as IPv6, and counts its bits so.
  const bool v4 = text.substr(0, slash).find(':') == std::string_view::npos;
  unsigned bits = 0;
  const auto [end, error] = std::from_chars(written.data(), written.data() + written.size(), bits);
  if (error != std::errc{} || end != written.data() + written.size()) return std::nullopt;
  if (bits > (v4 ? 32U : 128U)) return std::nullopt;
  network.bits_ = v4 ? bits + kV4PrefixBits : bits;
  const auto bytes = network.first_.bytes();
  for (unsigned bit = network.bits_; bit < 128; ++bit) {
    if ((bytes[bit / 8] >> (7 - bit % 8) & 1) != 0) return std::nullopt;
  }
  return network;
}

std::string IpNetwork::text() const {
  const bool v4 = first_.is_v4() && bits_ >= kV4PrefixBits;
  const unsigned bits = v4 ? bits_ - kV4PrefixBits : bits_;
  return first_.text() + "/" + std::to_string(bits);
}

bool IpNetwork::contains(const IpAddress& address) const {
  const auto ours = first_.bytes(), theirs = address.bytes();
  const unsigned whole = bits_ / 8, rest = bits_ % 8;
  if (!std::equal(ours.begin(), ours.begin() + whole, theirs.begin())) return false;
  return rest == 0 || (ours[whole] ^ theirs[whole]) >> (8 - rest) == 0;
}

}  // namespace tandem
