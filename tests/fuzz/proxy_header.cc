// A PROXY header is told from its first bytes, whole or in pieces alike; and who is trusted is told
// from text that reads as it was written.
#include "lb/core/proxy_header.h"

#include <cstdint>
#include <string_view>

#include "common/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using tandem::ProxyHeader;
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  const ProxyHeader header = ProxyHeader::parse(bytes);
  if (header.state == ProxyHeader::State::kDone) {
    TANDEM_CHECK(header.size <= size && header.size <= tandem::kProxyHeaderBytesMax);
    // Nothing that follows matters, and nothing of it is dispensable.
    const ProxyHeader alone = ProxyHeader::parse(bytes.substr(0, header.size));
    TANDEM_CHECK(alone.state == header.state && alone.client == header.client);
    const ProxyHeader cut = ProxyHeader::parse(bytes.substr(0, header.size - 1));
    TANDEM_CHECK(cut.state == ProxyHeader::State::kNeedMore);
    if (header.client) {
      TANDEM_CHECK(tandem::IpAddress::parse(header.client->text()) == header.client);
    }
  }
  // Who needs more has not had all that there may be.
  if (header.state == ProxyHeader::State::kNeedMore) {
    TANDEM_CHECK(size < tandem::kProxyHeaderBytesMax);
  }
  if (const auto network = tandem::IpNetwork::parse(bytes)) {
    TANDEM_CHECK(tandem::IpNetwork::parse(network->text()) == network);
  }
  return 0;
}
