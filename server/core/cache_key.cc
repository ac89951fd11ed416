#include "server/core/cache_key.h"

#include <algorithm>
#include <array>

#include "common/http/chars.h"
#include "common/http/list.h"

namespace tandem {
namespace {

using http::Field;

// One line of the text. Values are compared as they are but for the spaces around commas: quoted
// commas are split as well, in both texts alike.
void append_selecting(std::string_view name, const http::RequestHead& request, std::string& out) {
  for (char c : name) out += http::lower(c);
  bool found = false;
  for (const Field& field : request.fields()) {
    if (!http::same_word(request.name(field), name)) continue;
    bool first = !found;
    if (first) out += ':';
    found = true;
    for (http::TokenList list(request.value(field)); list.next();) {
      if (!first || out.back() != ':') out += ',';
      first = false;
      out += list.member();
    }
  }
  out += '\n';
}

// Walks over the names in a text.
class Names {
 public:
  explicit Names(std::string_view text) : rest_(text) {}
  bool next() {
    if (rest_.empty()) return false;
    const std::string_view line = rest_.substr(0, rest_.find('\n'));
    name_ = line.substr(0, line.find(':'));
    rest_.remove_prefix(std::min(line.size() + 1, rest_.size()));
    return true;
  }
  std::string_view name() const { return name_; }

 private:
  std::string_view rest_;
  std::string_view name_;
};

void append_like(std::string_view vary, const http::RequestHead& request, std::string& out) {
  for (Names names(vary); names.next();) append_selecting(names.name(), request, out);
}

}  // namespace

std::optional<std::string> vary_text(const http::ResponseHead& response,
                                     const http::RequestHead& request) {
  std::string text;
  std::array<std::string_view, kVaryFieldsMax> names;
  std::size_t count = 0;
  for (const Field& field : response.fields()) {
    if (field.id != http::FieldId::kVary) continue;
    for (http::TokenList list(response.value(field)); list.next();) {
      const std::string_view name = list.member();
      if (!http::is_token(name) || name == "*") return std::nullopt;
      const auto end = names.begin() + static_cast<std::ptrdiff_t>(count);
      const bool named = std::any_of(names.begin(), end, [&](std::string_view before) {
        return http::same_word(before, name);
      });
      if (named) continue;
      if (count == names.size()) return std::nullopt;
      names[count++] = name;
      append_selecting(name, request, text);
      if (text.size() > kVaryBytesMax) return std::nullopt;
    }
  }
  return text;
}

std::string vary_text_like(std::string_view vary, const http::RequestHead& request) {
  std::string text;
  append_like(vary, request, text);
  return text;
}

bool vary_matches(std::string_view vary, const http::RequestHead& request, std::string& scratch) {
  if (vary.empty()) return true;
  scratch.clear();
  append_like(vary, request, scratch);
  return scratch == vary;
}

}  // namespace tandem
