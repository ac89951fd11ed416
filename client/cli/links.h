// The links of an HTML document: what its href and src attributes say, as they are written.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tandem {

// In the order of the document, character references for & resolved, at most `count_max`. Comments
// and the insides of script and style are passed over. Any bytes will do; what is no HTML has no
// links.
std::vector<std::string> links_of(std::string_view html, std::size_t count_max);

}  // namespace tandem
