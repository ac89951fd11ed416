#include "common/cluster/server_list.h"

#include <charconv>
#include <optional>

#include "common/base/json_writer.h"

namespace tandem {
namespace {

constexpr int kDepthMax = 16;

// Reads JSON (RFC 8259) from its front. After a failure `failed` stays set, and what is returned
// means nothing.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  bool failed() const { return failed_; }
  bool at_end() {
    skip_space();
    return rest_.empty();
  }

  // Calls `member(name)` for each member, which reads the value.
  template <class Member>
  void object(Member member) {
    if (!take('{')) return fail();
    if (take('}')) return;
    do {
      const std::string name = text();
      if (failed_ || !take(':')) return fail();
      member(name);
      if (failed_) return;
    } while (take(','));
    if (!take('}')) fail();
  }
  template <class Element>
  void array(Element element) {
    if (!take('[')) return fail();
    if (take(']')) return;
    do {
      element();
      if (failed_) return;
    } while (take(','));
    if (!take(']')) fail();
  }

  std::string text() {
    std::string out;
    if (!take('"')) fail();
    while (!failed_) {
      if (rest_.empty() || static_cast<unsigned char>(rest_[0]) < ' ') fail();
      if (failed_) break;
      const char c = rest_[0];
      rest_.remove_prefix(1);
      if (c == '"') return out;
      if (c == '\\') {
        escape(out);
      } else {
        out += c;
      }
    }
    return {};
  }
  std::uint64_t number() {
    skip_space();
    std::uint64_t value = 0;
    const char* end = rest_.data() + rest_.size();
    const auto [stop, error] = std::from_chars(rest_.data(), end, value);
    const bool whole = stop == end || std::string_view(".eE").find(*stop) == std::string_view::npos;
    if (error != std::errc() || !whole) fail();
    rest_.remove_prefix(static_cast<std::size_t>(stop - rest_.data()));
    return value;
  }
  bool truth() {
    if (word("true")) return true;
    if (!word("false")) fail();
    return false;
  }
  // Any value.
  void skip(int depth = 0) {
    if (depth > kDepthMax) return fail();
    skip_space();
    if (rest_.empty()) return fail();
    switch (rest_[0]) {
      case '{':
        return object([&](const std::string&) { skip(depth + 1); });
      case '[':
        return array([&] { skip(depth + 1); });
      case '"':
        text();
        return;
      default:
        if (word("true") || word("false") || word("null")) return;
        skip_number();
    }
  }
  void fail() { failed_ = true; }

 private:
  void skip_space() {
    const std::size_t at = rest_.find_first_not_of(" \t\r\n");
    rest_.remove_prefix(at == std::string_view::npos ? rest_.size() : at);
  }
  bool take(char c) {
    skip_space();
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool word(std::string_view wanted) {
    skip_space();
    if (!rest_.starts_with(wanted)) return false;
    rest_.remove_prefix(wanted.size());
    return true;
  }
  void skip_number() {
    std::size_t size = rest_.find_first_not_of("+-.0123456789eE");
    if (size == std::string_view::npos) size = rest_.size();
    if (size == 0) return fail();
    rest_.remove_prefix(size);
  }
  // Names and addresses are ASCII: what is not becomes '?'.
  void escape(std::string& out) {
    if (rest_.empty()) return fail();
    const char c = rest_[0];
    rest_.remove_prefix(1);
    constexpr std::string_view kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
    if (const std::size_t at = kFrom.find(c); at != std::string_view::npos) {
      out += kTo[at];
      return;
    }
    unsigned code = 0;
    if (c != 'u' || rest_.size() < 4) return fail();
    const auto [stop, error] = std::from_chars(rest_.data(), rest_.data() + 4, code, 16);
    if (error != std::errc() || stop != rest_.data() + 4) return fail();
    rest_.remove_prefix(4);
    out += code < 0x80 ? static_cast<char>(code) : '?';
  }

  std::string_view rest_;
  bool failed_ = false;
};

std::uint32_t small_number(Cursor& json) {
  const std::uint64_t number = json.number();
  if (number > UINT32_MAX) json.fail();
  return static_cast<std::uint32_t>(number);
}

ListedServer read_server(Cursor& json) {
  ListedServer server;
  json.object([&](const std::string& name) {
    if (name == "name") {
      server.name = json.text();
    } else if (name == "address") {
      server.address = json.text();
    } else if (name == "tls_address") {
      server.tls_address = json.text();
    } else if (name == "online") {
      server.online = json.truth();
    } else if (name == "group") {
      server.group = json.text();
    } else if (name == "capacity") {
      server.capacity = small_number(json);
    } else if (name == "left") {
      server.left = json.truth();
    } else {
      json.skip();
    }
  });
  return server;
}

TypeRule read_rule(Cursor& json) {
  TypeRule rule;
  json.object([&](const std::string& name) {
    if (name == "prefix") {
      rule.prefix = json.text();
    } else if (name == "owner") {
      rule.owner = json.text();
    } else {
      json.skip();
    }
  });
  if (!rule.prefix.starts_with('/')) json.fail();
  return rule;
}

ListedTypes read_types(Cursor& json) {
  ListedTypes types;
  json.object([&](const std::string& name) {
    if (name == "group") {
      types.group = json.text();
    } else if (name == "virtual") {
      types.virtual_types = small_number(json);
    } else if (name == "rules") {
      json.array([&] {
        if (types.rules.size() == Types::kRulesMax) return json.fail();
        types.rules.push_back(read_rule(json));
      });
    } else {
      json.skip();
    }
  });
  if (types.virtual_types == 0 || types.virtual_types > Types::kVirtualTypesMax) json.fail();
  return types;
}

RouteRule read_route(Cursor& json) {
  RouteRule rule;
  json.object([&](const std::string& name) {
    if (name == "host") {
      rule.host = json.text();
    } else if (name == "path") {
      rule.path = json.text();
    } else if (name == "group") {
      rule.group = json.text();
    } else {
      json.skip();
    }
  });
  return rule;
}

std::vector<RouteRule> read_routes(Cursor& json) {
  std::vector<RouteRule> rules;
  json.array([&] {
    if (rules.size() == Routes::kRoutesMax) return json.fail();
    rules.push_back(read_route(json));
  });
  if (json.failed() || !Routes::make(rules)) json.fail();
  return rules;
}

void write_routes(const Routes& routes, JsonWriter& json) {
  json.key("routes").begin_array();
  for (const RouteRule& rule : routes.rules()) {
    json.begin_object().member("host", rule.host).member("path", rule.path);
    json.member("group", rule.group).end_object();
  }
  json.end_array();
}

void write_types(const ListedTypes& types, JsonWriter& json) {
  json.key("types").begin_object().member("group", types.group);
  json.member("virtual", types.virtual_types).key("rules").begin_array();
  for (const TypeRule& rule : types.rules) {
    json.begin_object().member("prefix", rule.prefix).member("owner", rule.owner).end_object();
  }
  json.end_array().end_object();
}

}  // namespace

std::string server_list_json(const View& view, const ListedTypes* types, const Routes* routes) {
  JsonWriter json;
  json.begin_object().member("version", view.version).key("servers").begin_array();
  std::size_t listed = 0;
  for (const ServerRecord& record : view.servers) {
    if (record.kind != ServerKind::kTandem || listed == kListedServersMax) continue;
    ++listed;
    json.begin_object().member("name", record.name).member("address", record.data_address);
    json.member("online", record.online);
    if (!record.tls_address.empty()) json.member("tls_address", record.tls_address);
    json.member("group", record.group).member("capacity", record.status.capacity);
    json.member("left", record.left).end_object();
  }
  json.end_array();
  if (types != nullptr) write_types(*types, json);
  if (routes != nullptr) write_routes(*routes, json);
  json.end_object();
  return json.text();
}

Result<ServerListing> parse_server_list(std::string_view text) {
  ServerListing listing;
  Cursor json(text);
  bool has_version = false, has_servers = false;
  json.object([&](const std::string& name) {
    if (name == "version") {
      listing.version = json.number();
      has_version = true;
    } else if (name == "servers") {
      has_servers = true;
      json.array([&] {
        if (listing.servers.size() == kListedServersMax) return json.fail();
        listing.servers.push_back(read_server(json));
        if (listing.servers.back().name.empty()) json.fail();
      });
    } else if (name == "types") {
      listing.types = read_types(json);
    } else if (name == "routes") {
      listing.routes = read_routes(json);
    } else {
      json.skip();
    }
  });
  if (json.failed() || !json.at_end() || !has_version || !has_servers) {
    return fail(Error::peer("what came is not a list of servers"));
  }
  return listing;
}

}  // namespace tandem
