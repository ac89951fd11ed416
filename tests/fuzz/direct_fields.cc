// Any bytes are what a direct client or a server says, or nothing; what was understood is bounded,
// names servers with names that may stand in a head, and says the same when it is written again.
#include "common/cluster/direct_fields.h"

#include <cstdint>
#include <string_view>

#include "common/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto request = DirectRequest::parse(text)) {
    TANDEM_CHECK(request->failed.size() <= DirectRequest::kFailedMax);
    TANDEM_CHECK(request->text().find_first_of(" \r\n") == std::string::npos);
    TANDEM_CHECK(DirectRequest::parse(request->text()) == request);
  }
  if (const auto where = Whereabouts::parse(text)) {
    TANDEM_CHECK(where->text().find_first_of(" \r\n") == std::string::npos);
    TANDEM_CHECK(Whereabouts::parse(where->text()) == where);
  }
  return 0;
}
