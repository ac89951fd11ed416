// One request to an admin listener, and its answer; blocks. For tandemctl.
#pragma once

#include <string>
#include <string_view>

#include "common/base/address.h"
#include "common/base/result.h"
#include "common/base/time.h"

namespace tandem {

struct AdminAnswer {
  int status = 0;
  std::string body;
};

inline constexpr std::size_t kAdminAnswerBytesMax = 64 * 1024 * 1024;

// "http://HOST:PORT" or "HOST:PORT", with or without a slash at the end.
Result<Address> parse_admin_url(std::string_view url);

// Sends `method target` and reads the answer to its end. `timeout` is for each wait on the network.
Result<AdminAnswer> ask_admin(const Address& admin, std::string_view method,
                              std::string_view target, Duration timeout = 10s);

// Text as a query parameter's value.
std::string percent_encoded(std::string_view text);

}  // namespace tandem
