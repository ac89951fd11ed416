#include "common/config/document.h"

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace tandem {
namespace {

constexpr std::size_t kPathBytesMax = 128;

Position position_of(const toml::source_region& region) {
  // The library reports 0:0 for what has no place of its own.
  if (region.begin.line == 0) return {};
  return {region.begin.line, region.begin.column};
}

// The library quotes the file raw.
std::string one_line(std::string_view text) {
  std::string line;
  for (char c : text) {
    if (c == '\n') {
      line += "\\n";
    } else {
      line += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    }
  }
  return line;
}

Node convert(const toml::node& from);

Node convert_table(const toml::table& table) {
  Node node;
  for (const auto& [key, value] : table) {
    node.members.push_back({std::string(key.str()), position_of(key.source()), convert(value)});
  }
  return node;
}

Node convert(const toml::node& from) {
  Node node;
  if (const auto* table = from.as_table()) {
    node = convert_table(*table);
  } else if (const auto* array = from.as_array()) {
    node.kind = Node::Kind::kList;
    for (const auto& item : *array) node.items.push_back(convert(item));
  } else if (const auto* boolean = from.as_boolean()) {
    node.kind = Node::Kind::kBoolean;
    node.boolean = boolean->get();
  } else if (const auto* integer = from.as_integer()) {
    node.kind = Node::Kind::kInteger;
    node.integer = integer->get();
  } else if (const auto* text = from.as_string()) {
    node.kind = Node::Kind::kString;
    node.text = text->get();
  } else {
    node.kind = from.is_floating_point() ? Node::Kind::kFraction : Node::Kind::kDate;
  }
  node.where = position_of(from.source());
  return node;
}

}  // namespace

const char* Node::kind_name() const {
  switch (kind) {
    case Kind::kBoolean:
      return "a boolean";
    case Kind::kInteger:
      return "an integer";
    case Kind::kFraction:
      return "a fraction";
    case Kind::kString:
      return "a string";
    case Kind::kDate:
      return "a date or time";
    case Kind::kList:
      return "a list";
    case Kind::kTable:
      return "a table";
  }
  return "";
}

Node parse_document(const ConfText& source, std::vector<Complaint>& complaints) {
  const toml::parse_result result = toml::parse(source.text, source.name);
  if (result) return convert_table(result.table());
  const toml::parse_error& error = result.error();
  complaints.push_back({position_of(error.source()), "not TOML: " + one_line(error.description())});
  return {};
}

void note_places(const Node& node, const std::string& path, Places& places) {
  if (path.size() > kPathBytesMax) return;  // no schema is that deep
  if (!path.empty()) places.note(path, node.where);
  for (const auto& member : node.members) {
    note_places(member.value, path.empty() ? member.key : path + "." + member.key, places);
  }
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    note_places(node.items[i], path + "[" + std::to_string(i) + "]", places);
  }
}

}  // namespace tandem
