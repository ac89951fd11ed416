// HTML as it comes from anywhere, and the URLs that its links become.
#include "client/cli/links.h"

#include <cstdint>
#include <string>
#include <string_view>

#include "client/core/url.h"
#include "common/base/error.h"
#include "common/http/chars.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem;
  const std::string_view html(reinterpret_cast<const char*>(data), size);
  const Url page = *Url::parse("http://host:81/a/b/c.html?q");
  const std::vector<std::string> links = links_of(html, 100);
  TANDEM_CHECK(links.size() <= 100);
  std::vector<std::string> texts = links;
  texts.emplace_back(html);  // as a reference itself
  for (const std::string& text : texts) {
    const auto url = page.resolve(text);
    if (!url) continue;
    // What we ask for is a valid request target, and names itself.
    TANDEM_CHECK(url->target.starts_with('/') && http::all(http::kTargetChar, url->target));
    TANDEM_CHECK(Url::parse(url->text()) == url);
  }
  return 0;
}
