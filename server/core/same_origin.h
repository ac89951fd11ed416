// Which item of the same origin a response's Location or Content-Location names.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/http/head.h"

namespace tandem {

// The target (path and query) that the URI reference names, relative to the request's; nothing if
// it is at another host, or no http(s) reference. Dots in paths are left as they are.
std::optional<std::string> same_origin_target(const http::RequestHead& request,
                                              std::string_view reference);

}  // namespace tandem
