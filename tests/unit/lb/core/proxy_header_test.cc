#include "lb/core/proxy_header.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tandem {
namespace {

using State = ProxyHeader::State;

std::string version2(std::uint8_t command, std::uint8_t family, const std::string& behind) {
  std::string bytes("\r\n\r\n\0\r\nQUIT\n", 12);
  bytes += static_cast<char>(command);
  bytes += static_cast<char>(family);
  bytes += static_cast<char>(behind.size() >> 8);
  bytes += static_cast<char>(behind.size() & 255);
  return bytes + behind;
}
const std::string kFour("\x0a\x01\x02\x03\x0a\x00\x00\x01\x12\x34\x00\x50", 12);
const std::string kSix = std::string("\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x07", 16) +
                         std::string(16, '\x01') + std::string(4, '\x02');

// What it says of the client; "nobody", "more" or "bad".
std::string read(const std::string& bytes) {
  const ProxyHeader header = ProxyHeader::parse(bytes);
  if (header.state == State::kBad) return "bad";
  if (header.state == State::kNeedMore) return "more";
  return header.client ? header.client->text() : "nobody";
}

const std::vector<std::pair<std::string, std::string>> kGood = {
    {"PROXY TCP4 10.1.2.3 10.0.0.1 4660 80\r\n", "10.1.2.3"},
    {"PROXY TCP6 fd00::7 ::1 1 65535\r\n", "fd00::7"},
    {"PROXY TCP6 ::ffff:10.1.2.3 ::1 1 2\r\n", "10.1.2.3"},
    {"PROXY UNKNOWN\r\n", "nobody"},
    {"PROXY UNKNOWN ffff:f...f:ffff anything 65535 65535\r\n", "nobody"},
    {version2(0x21, 0x11, kFour), "10.1.2.3"},
    {version2(0x21, 0x11, kFour + std::string("\x04\x00\x01\x07", 4)), "10.1.2.3"},  // with a TLV
    {version2(0x21, 0x21, kSix), "fd00::7"},
    {version2(0x20, 0x11, kFour), "nobody"},  // LOCAL
    {version2(0x20, 0x00, ""), "nobody"},
    {version2(0x21, 0x00, "whatever"), "nobody"},
    {version2(0x21, 0x31, std::string(216, 'u')), "nobody"},
};

TEST(ProxyHeader, SaysWhoTheClientIs) {
  for (const auto& [bytes, client] : kGood) {
    EXPECT_EQ(read(bytes), client) << bytes;
    EXPECT_EQ(ProxyHeader::parse(bytes + "GET / HTTP/1.1\r\n\r\n").size, bytes.size()) << bytes;
  }
}

TEST(ProxyHeader, EveryPieceOfItNeedsMore) {
  for (const auto& [bytes, client] : kGood) {
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_EQ(read(bytes.substr(0, size)), "more") << bytes << " of " << size;
    }
  }
}

TEST(ProxyHeader, RefusesAllElse) {
  for (const char* line :
       {"GET / HTTP/1.1\r\n", "proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY  UNKNOWN\r\n",
        "PROXY UNKNOWNX\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n", "PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n", "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3.4 nobody 1 2\r\n", "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n"}) {
    EXPECT_EQ(read(line), "bad") << line;
  }
  EXPECT_EQ(read("PROXY UNKNOWN " + std::string(91, 'x') + "\r\n"), "nobody");  // 107 bytes
  EXPECT_EQ(read("PROXY UNKNOWN " + std::string(92, 'x') + "\r\n"), "bad");
  EXPECT_EQ(read("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n" + std::string(107, 'x')), "bad");
  EXPECT_EQ(read(version2(0x11, 0x11, kFour)), "bad");            // of version 1
  EXPECT_EQ(read(version2(0x22, 0x11, kFour)), "bad");            // no such command
  EXPECT_EQ(read(version2(0x21, 0x12, kFour)), "bad");            // UDP
  EXPECT_EQ(read(version2(0x21, 0x41, kFour)), "bad");            // no such family
  EXPECT_EQ(read(version2(0x21, 0x11, kFour.substr(1))), "bad");  // too short
  EXPECT_EQ(read(version2(0x21, 0x21, kSix.substr(1))), "bad");   // too short
  EXPECT_EQ(read(version2(0x21, 0x00, std::string(2032, 'x'))), "nobody");
  EXPECT_EQ(read(version2(0x21, 0x00, std::string(2033, 'x'))), "bad");  // too long
}

}  // namespace
}  // namespace tandem
