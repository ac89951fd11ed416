// What text is made of: UTF-8, and names that may stand in conf files, headers and logs as they
// are.
#pragma once

#include <cstddef>
#include <string_view>

namespace tandem {

// The length of the UTF-8 character that begins at `at` (RFC 3629); 0 if none does.
std::size_t utf8_length(std::string_view text, std::size_t at);
bool is_utf8(std::string_view text);

// Of servers, zones, groups: letters, digits and -_. Empty is one, too.
inline constexpr std::size_t kNameBytesMax = 64;
bool is_name(std::string_view text);

}  // namespace tandem
