#include "client/cli/links.h"

#include <algorithm>

#include "common/http/chars.h"

namespace tandem {
namespace {

using http::same_word;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }

// Walks over a document; every step takes at least one character or ends.
class Scanner {
 public:
  explicit Scanner(std::string_view html) : rest_(html) {}

  // Goes to the next start tag; false: there is none. name() is then its name.
  bool next_tag() {
    for (;;) {
      rest_.remove_prefix(std::min(rest_.find('<'), rest_.size()));
      if (rest_.empty()) return false;
      if (rest_.starts_with("<!--")) {
        skip_past("-->");
        continue;
      }
      rest_.remove_prefix(1);
      if (rest_.empty() || !http::is(http::kLetterChar, rest_.front())) continue;
      name_ = take_until([](char c) { return is_space(c) || c == '>' || c == '/'; });
      return true;
    }
  }
  std::string_view name() const { return name_; }

  // The next attribute of the tag; false: the tag has ended.
  bool next_attribute(std::string_view& name, std::string_view& value) {
    take_until([](char c) { return !is_space(c) && c != '/'; });
    if (rest_.empty()) return false;
    if (rest_.front() == '>') {
      rest_.remove_prefix(1);
      return false;
    }
    name = take_until([](char c) { return is_space(c) || c == '=' || c == '>' || c == '/'; });
    if (name.empty()) rest_.remove_prefix(1);  // a stray '='
    take_until([](char c) { return !is_space(c); });
    value = {};
    if (!rest_.starts_with('=')) return true;
    rest_.remove_prefix(1);
    take_until([](char c) { return !is_space(c); });
    if (rest_.empty()) return true;
    const char quote = rest_.front();
    if (quote == '"' || quote == '\'') {
      rest_.remove_prefix(1);
      value = take_until([quote](char c) { return c == quote; });
      if (!rest_.empty()) rest_.remove_prefix(1);
    } else {
      value = take_until([](char c) { return is_space(c) || c == '>'; });
    }
    return true;
  }

  // Goes to the end tag of the element that has just begun.
  void skip_element(std::string_view name) {
    while (!rest_.empty()) {
      skip_past("</");
      if (same_word(rest_.substr(0, name.size()), name)) return;
    }
  }

 private:
  template <class Stop>
  std::string_view take_until(Stop stop) {
    const auto end = std::find_if(rest_.begin(), rest_.end(), stop);
    const auto length = static_cast<std::size_t>(end - rest_.begin());
    const std::string_view taken = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return taken;
  }
  void skip_past(std::string_view mark) {
    const std::size_t at = rest_.find(mark);
    rest_.remove_prefix(at == rest_.npos ? rest_.size() : at + mark.size());
  }

  std::string_view rest_;
  std::string_view name_;
};

std::string unescaped(std::string_view value) {
  constexpr std::string_view kAmpersand = "&amp;";
  std::string text(value);
  for (std::size_t at = 0; (at = text.find(kAmpersand, at)) != text.npos; ++at) {
    text.erase(at + 1, kAmpersand.size() - 1);
  }
  return text;
}

}  // namespace

std::vector<std::string> links_of(std::string_view html, std::size_t count_max) {
  std::vector<std::string> links;
  Scanner scanner(html);
  while (scanner.next_tag()) {
    const std::string_view tag = scanner.name();
    std::string_view name, value;
    while (scanner.next_attribute(name, value)) {
      if (!same_word(name, "href") && !same_word(name, "src")) continue;
      if (links.size() == count_max) return links;
      if (!value.empty()) links.push_back(unescaped(value));
    }
    if (same_word(tag, "script") || same_word(tag, "style")) scanner.skip_element(tag);
  }
  return links;
}

}  // namespace tandem
