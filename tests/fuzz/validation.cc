// Any bytes are no message, or the one form of a message, of a request and of an answer alike.
#include "common/session/validation.h"

#include <cstdint>
#include <string_view>

#include "common/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto request = ValidationRequest::decode(bytes)) {
    TANDEM_CHECK(request->encode() == bytes);
  }
  if (const auto answer = ValidationAnswer::decode(bytes)) TANDEM_CHECK(answer->encode() == bytes);
  return 0;
}
