#include "lb/core/proxy_header.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

namespace tandem {
namespace {

using State = ProxyHeader::State;

constexpr std::string_view kText = "PROXY ";
constexpr std::size_t kTextBytesMax = 107;  // with its CRLF
constexpr std::string_view kBinary{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t kBinaryHeadBytes = 16;

// Version 2: the command, family and transport that there are.
constexpr std::uint8_t kLocal = 0x20, kProxied = 0x21;
constexpr std::uint8_t kUnspecified = 0x00, kTcp4 = 0x11, kTcp6 = 0x21, kUnixStream = 0x31;
constexpr std::size_t kTcp4Bytes = 12, kTcp6Bytes = 36, kUnixBytes = 216;

constexpr ProxyHeader kBad{State::kBad, 0, std::nullopt};

bool begins_alike(std::string_view bytes, std::string_view mark) {
  const std::size_t both = std::min(bytes.size(), mark.size());
  return bytes.substr(0, both) == mark.substr(0, both);
}

// The next word of the line, up to a single space; the last one has none behind it.
std::string_view take_word(std::string_view& line) {
  const std::size_t space = line.find(' ');
  const std::string_view word = line.substr(0, space);
  line.remove_prefix(space == std::string_view::npos ? line.size() : space + 1);
  return word;
}

bool is_port(std::string_view word) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), port);
  const bool leading_zero = word.size() > 1 && word.front() == '0';
  return error == std::errc{} && end == word.data() + word.size() && !leading_zero;
}

// "TCP4 SOURCE DESTINATION PORT PORT"
std::optional<IpAddress> client_of_line(std::string_view line) {
  if (std::count(line.begin(), line.end(), ' ') != 4) return std::nullopt;
  const std::string_view family = take_word(line);
  if (family != "TCP4" && family != "TCP6") return std::nullopt;
  const std::string_view source = take_word(line), destination = take_word(line);
  const std::string_view source_port = take_word(line);
  const bool v6 = family == "TCP6";
  const auto is_v6 = [](std::string_view word) { return word.find(':') != word.npos; };
  if (is_v6(source) != v6 || is_v6(destination) != v6) return std::nullopt;
  if (!is_port(source_port) || !is_port(line) || !IpAddress::parse(destination)) {
    return std::nullopt;
  }
  return IpAddress::parse(source);
}

ProxyHeader parse_text(std::string_view bytes) {
  const std::size_t end = bytes.substr(0, kTextBytesMax).find("\r\n");
  if (end == std::string_view::npos) {
    return bytes.size() < kTextBytesMax ? ProxyHeader{} : kBad;
  }
  ProxyHeader header{State::kDone, end + 2, std::nullopt};
  const std::string_view line = bytes.substr(kText.size(), end - kText.size());
  if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) return header;
  header.client = client_of_line(line);
  return header.client ? header : kBad;
}

std::uint8_t byte_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint8_t>(bytes[at]);
}

template <std::size_t kBytes>
IpAddress address_at(std::string_view bytes) {
  std::array<std::uint8_t, kBytes> out;
  for (std::size_t i = 0; i < kBytes; ++i) out[i] = byte_at(bytes, kBinaryHeadBytes + i);
  return IpAddress(out);
}

ProxyHeader parse_binary(std::string_view bytes) {
  if (bytes.size() < kBinaryHeadBytes) return {};
  const std::size_t behind = std::size_t{byte_at(bytes, 14)} << 8 | byte_at(bytes, 15);
  const std::size_t size = kBinaryHeadBytes + behind;
  const std::uint8_t command = byte_at(bytes, 12);
  if (size > kProxyHeaderBytesMax || (command != kLocal && command != kProxied)) return kBad;
  if (bytes.size() < size) return {};
  ProxyHeader header{State::kDone, size, std::nullopt};
  if (command == kLocal) return header;
  const std::uint8_t family = byte_at(bytes, 13);
  if (family == kTcp4 && behind >= kTcp4Bytes) {
    header.client = address_at<4>(bytes);
  } else if (family == kTcp6 && behind >= kTcp6Bytes) {
    header.client = address_at<16>(bytes);
  } else if (family != kUnspecified && !(family == kUnixStream && behind >= kUnixBytes)) {
    return kBad;
  }
  return header;
}

}  // namespace

ProxyHeader ProxyHeader::parse(std::string_view bytes) {
  if (begins_alike(bytes, kText))
    return bytes.size() < kText.size() ? ProxyHeader{} : parse_text(bytes);
  if (begins_alike(bytes, kBinary)) return parse_binary(bytes);
  return kBad;
}

}  // namespace tandem
