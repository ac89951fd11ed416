// A complaint about a conf file, pointing at the character:
//
//   tandem-lb.toml:7:18: front.header_timeout: unknown unit "sec"; write ms, s, m, h or d
//   header_timeout = "10sec"
//                    ^
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tandem {

// Line and column from 1; a column is a character, not a byte.
struct Position {
  std::uint32_t line = 1;
  std::uint32_t column = 1;

  auto operator<=>(const Position&) const = default;
};

// A conf file as read: `name` as the user wrote it, relative paths start at its folder.
struct ConfText {
  std::string name;
  std::string text;
};

struct Complaint {
  Position where;
  std::string message;

  auto operator<=>(const Complaint&) const = default;
};

inline constexpr std::size_t kComplaintsMax = 100;  // shown; the rest is only counted

// The complaint with its source line and the caret, each line ended. An empty or overlong source
// line is left out; control characters are shown as '?'.
std::string render(const ConfText& source, const Complaint& complaint);
// All of them, ordered by position.
std::string render(const ConfText& source, std::vector<Complaint> complaints);

// Text from a file, quoted for a message: control characters as '?', cut after 60 characters.
std::string in_quotes(std::string_view text);

// Where each key and value of a file stands, by path ("front.listen[0]", "server[1].name"). It is
// kept beside the conf, so that what goes wrong later (a port in use) points at its character, too.
class Places {
 public:
  Places() = default;
  explicit Places(std::shared_ptr<const ConfText> source) : source_(std::move(source)) {}

  void note(const std::string& path, Position where) { positions_.emplace(path, where); }
  bool has(const std::string& path) const { return positions_.contains(path); }
  // The value's position; where the file is silent, that of the table around it, else 1:1.
  Position where(std::string path) const;
  // A rendered complaint about the value at `path`.
  std::string complain(const std::string& path, const std::string& message) const;

 private:
  std::shared_ptr<const ConfText> source_ = std::make_shared<ConfText>();
  std::map<std::string, Position, std::less<>> positions_;
};

}  // namespace tandem
