#include "common/config/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "common/config/suggest.h"

namespace tandem {
namespace {

std::string join(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + "." + key;
}

// The paths of all options and tables called `key`.
void find_everywhere(const TableSpec& table, const std::string& path, const std::string& key,
                     std::vector<std::string>& found) {
  if (table.find_option(key) != nullptr) found.push_back(join(path, key));
  for (const auto& part : table.tables) {
    if (part.key == key) found.push_back(join(path, key));
    find_everywhere(part, join(path, part.key), key, found);
  }
}

// One walk over a document, along the schema.
class Walk {
 public:
  Walk(const TableSpec& top, ReadContext& context) : top_(top), context_(context) {}

  void read(const TableSpec& table, void* owner, const ConfNode& node) {
    const std::string path = context_.path;
    for (const auto& member : node.members) {
      context_.path = join(path, member.key);
      if (const auto* option = table.find_option(member.key)) {
        option->read(owner, member.value, context_);
      } else if (const auto* part = table.find_table(member.key)) {
        read_part(*part, owner, member);
      } else {
        complain_of_unknown(table, member);
      }
    }
    context_.path = path;
    complain_of_missing(table, owner, node);
  }

 private:
  void read_part(const TableSpec& part, void* owner, const ConfNode::Member& member) {
    const ConfNode& value = member.value;
    if (!part.repeated) {
      if (value.kind == ConfNode::Kind::kTable) return read(part, part.open(owner), value);
      return context_.complain(member.where, fmt::format("is a table; write [{}]", part.key));
    }
    const bool all_tables =
        std::all_of(value.items.begin(), value.items.end(),
                    [](const ConfNode& item) { return item.kind == ConfNode::Kind::kTable; });
    if (value.kind != ConfNode::Kind::kList || !all_tables) {
      return context_.complain(member.where,
                               fmt::format("is a list of tables; write [[{}]]", part.key));
    }
    const std::string path = context_.path;
    for (std::size_t i = 0; i < value.items.size(); ++i) {
      context_.path = fmt::format("{}[{}]", path, i);
      read(part, part.open(owner), value.items[i]);
    }
  }

  void complain_of_unknown(const TableSpec& table, const ConfNode::Member& member) {
    context_.path.clear();  // the message names the key
    std::vector<std::string> elsewhere;
    find_everywhere(top_, "", member.key, elsewhere);
    std::vector<std::string> here;
    for (const auto& option : table.options) here.push_back(option.key);
    for (const auto& part : table.tables) here.push_back(part.key);
    const std::string meant = elsewhere.empty() ? did_you_mean(member.key, here)
                                                : "; did you mean \"" + elsewhere.front() + "\"?";
    context_.complain(member.where, fmt::format("unknown key {}{}", in_quotes(member.key), meant));
  }

  void complain_of_missing(const TableSpec& table, void* owner, const ConfNode& node) {
    const auto has = [&node](const std::string& key) {
      return std::any_of(node.members.begin(), node.members.end(),
                         [&](const auto& member) { return member.key == key; });
    };
    const std::string path = context_.path;
    for (const auto& option : table.options) {
      if (!option.required || has(option.key)) continue;
      context_.path = join(path, option.key);
      context_.complain(node.where, "is missing");
    }
    // A table that was left out may have options that must be there.
    ConfNode empty;
    empty.where = node.where;
    for (const auto& part : table.tables) {
      if (part.repeated || has(part.key)) continue;
      context_.path = join(path, part.key);
      read(part, part.open(owner), empty);
    }
    context_.path = path;
  }

  const TableSpec& top_;
  ReadContext& context_;
};

std::string folder_of(const std::string& file) {
  const auto slash = file.find_last_of('/');
  return slash == std::string::npos ? "" : file.substr(0, slash + 1);
}

// All rows of a table as text.
std::string show_rows(const TableSpec& table, const void* owner) {
  std::string text;
  for (const void* row : table.rows(owner)) {
    for (const auto& option : table.options) text += option.show(row) + "\n";
    for (const auto& part : table.tables) text += show_rows(part, row);
    text += "\n";
  }
  return text;
}

void compare(const TableSpec& table, const void* old_owner, const void* new_owner,
             const std::string& path, std::vector<std::string>& changed) {
  for (const auto& option : table.options) {
    if (!option.live && option.show(old_owner) != option.show(new_owner)) {
      changed.push_back(join(path, option.key));
    }
  }
  for (const auto& part : table.tables) {
    const std::string part_path = join(path, part.key);
    if (!part.repeated) {
      compare(part, part.rows(old_owner)[0], part.rows(new_owner)[0], part_path, changed);
    } else if (!part.live && show_rows(part, old_owner) != show_rows(part, new_owner)) {
      changed.push_back(part_path);
    }
  }
}

}  // namespace

const OptionSpec* TableSpec::find_option(const std::string& name) const {
  const auto it = std::find_if(options.begin(), options.end(),
                               [&](const OptionSpec& option) { return option.key == name; });
  return it == options.end() ? nullptr : &*it;
}

const TableSpec* TableSpec::find_table(const std::string& name) const {
  const auto it = std::find_if(tables.begin(), tables.end(),
                               [&](const TableSpec& table) { return table.key == name; });
  return it == tables.end() ? nullptr : &*it;
}

bool Rules::sound(const std::string& path) const {
  const auto is_in = [](const std::string& inner, const std::string& outer) {
    return !outer.empty() && inner.starts_with(outer) &&
           (inner.size() == outer.size() || inner[outer.size()] == '.' ||
            inner[outer.size()] == '[');
  };
  return std::none_of(context_.findings.begin(), context_.findings.end(), [&](const auto& finding) {
    return is_in(finding.path, path) || is_in(path, finding.path);
  });
}

void Rules::complain(const std::string& path, const std::string& message) {
  context_.path = path;
  context_.complain(places_.where(path), message);
}

Reader::Reader(ConfText source)
    : source_(std::make_shared<ConfText>(std::move(source))), places_(source_) {
  context_.folder = folder_of(source_->name);
  std::vector<Complaint> complaints;
  document_ = parse_document(*source_, complaints);
  parsed_ = complaints.empty();
  for (auto& complaint : complaints) context_.findings.push_back({"", std::move(complaint)});
  note_places(document_, "", places_);
}

void Reader::read(const TableSpec& top, void* conf) {
  if (parsed_) Walk(top, context_).read(top, conf, document_);
}

std::string Reader::complaints() const {
  std::vector<Complaint> complaints;
  for (const auto& finding : context_.findings) complaints.push_back(finding.complaint);
  return render(*source_, std::move(complaints));
}

std::vector<std::string> restart_needed(const TableSpec& top, const void* old_conf,
                                        const void* new_conf) {
  std::vector<std::string> changed;
  compare(top, old_conf, new_conf, "", changed);
  return changed;
}

tl::expected<ConfText, std::string> read_conf_file(const std::string& name) {
  const auto fail_with = [&name](const std::string& why) {
    return tl::unexpected(render(ConfText{name, ""}, Complaint{{}, "cannot read: " + why}));
  };
  std::FILE* file = std::fopen(name.c_str(), "rbe");
  if (file == nullptr) return fail_with(std::strerror(errno));
  std::string text(kConfBytesMax + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  const int error = std::ferror(file) != 0 ? errno : 0;
  std::fclose(file);
  if (error != 0) return fail_with(std::strerror(error));
  if (text.size() > kConfBytesMax) return fail_with("larger than 1MiB");
  return ConfText{name, std::move(text)};
}

}  // namespace tandem
