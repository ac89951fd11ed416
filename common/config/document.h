// A TOML file as a tree of values that know where they stand. The TOML library stays inside
// document.cc.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/config/complaint.h"

namespace tandem {

struct ConfNode {
  enum class Kind : std::uint8_t { kBoolean, kInteger, kFraction, kString, kDate, kList, kTable };
  struct Member;

  Kind kind = Kind::kTable;
  Position where;
  bool boolean = false;
  std::int64_t integer = 0;
  std::string text;             // kString
  std::vector<ConfNode> items;  // kList
  std::vector<Member> members;  // kTable, in no particular order

  // "an integer", "a string": for messages.
  const char* kind_name() const;
};

struct ConfNode::Member {
  std::string key;
  Position where;  // of the key
  ConfNode value;
};

// The file's top table. A syntax error is added to `complaints` (the parser stops at the first),
// and the table is empty.
ConfNode parse_document(const ConfText& source, std::vector<Complaint>& complaints);

// The path of every value under `node`, for later complaints.
void note_places(const ConfNode& node, const std::string& path, Places& places);

}  // namespace tandem
