#include "common/config/codec.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/text.h"
#include "common/config/suggest.h"
#include "common/config/units.h"

namespace tandem {
namespace {

// The string that `node` is, or nothing and a complaint.
const std::string* text_of(const ConfNode& node, const std::string& expected,
                           ReadContext& context) {
  if (node.kind == ConfNode::Kind::kString) return &node.text;
  context.complain_of_kind(node, expected);
  return nullptr;
}

std::string range_of(const std::string& min, const std::string& max) {
  return fmt::format("{} to {}", min, max);
}

// A codec for values written as strings with a unit.
template <class T, class Parse, class Show>
Codec<T> with_unit(const std::string& type, const std::string& example, T min, T max, Parse parse,
                   Show show) {
  const std::string expected = fmt::format("a {} such as \"{}\"", type, example);
  const std::string range = range_of(show(min), show(max));
  auto read = [=](const ConfNode& node, ReadContext& context) -> std::optional<T> {
    const auto* written = text_of(node, expected, context);
    if (written == nullptr) return std::nullopt;
    const auto value = parse(*written);
    if (!value) {
      context.complain(node.where, value.error());
    } else if (*value < min || *value > max) {
      context.complain(node.where,
                       fmt::format("{} is out of range ({})", in_quotes(*written), range));
    } else {
      return *value;
    }
    return std::nullopt;
  };
  return {type, range, read, [show](const T& value) { return toml_string(show(value)); }};
}

Codec<Address> address_codec(bool port_zero) {
  auto read = [port_zero](const ConfNode& node, ReadContext& context) -> std::optional<Address> {
    const auto* written = text_of(node, "an address such as \"127.0.0.1:8080\"", context);
    if (written == nullptr) return std::nullopt;
    auto address = Address::parse(*written);
    if (!address) {
      context.complain(node.where,
                       fmt::format("{} is not an address; write host:port", in_quotes(*written)));
      return std::nullopt;
    }
    if (address->port == 0 && !port_zero) {
      context.complain(node.where, "port 0 is only for listeners");
      return std::nullopt;
    }
    return address;
  };
  return {"address", "", read, [](const Address& value) { return toml_string(value.text()); }};
}

}  // namespace

void ReadContext::complain(Position where, const std::string& message) {
  findings.push_back({path, {where, path.empty() ? message : path + ": " + message}});
}

void ReadContext::complain_of_kind(const ConfNode& node, const std::string& expected) {
  complain(node.where, fmt::format("expected {}, not {}", expected, node.kind_name()));
}

std::string plural(const std::string& type) { return type + (type.ends_with('s') ? "es" : "s"); }

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

Codec<bool> boolean() {
  return {"boolean", "",
          [](const ConfNode& node, ReadContext& context) -> std::optional<bool> {
            if (node.kind == ConfNode::Kind::kBoolean) return node.boolean;
            context.complain_of_kind(node, "true or false");
            return std::nullopt;
          },
          [](const bool& value) -> std::string { return value ? "true" : "false"; }};
}

Codec<std::uint32_t> integer(std::uint32_t min, std::uint32_t max) {
  const std::string range = range_of(std::to_string(min), std::to_string(max));
  auto read = [=](const ConfNode& node, ReadContext& context) -> std::optional<std::uint32_t> {
    if (node.kind != ConfNode::Kind::kInteger) {
      context.complain_of_kind(node, "an integer");
      return std::nullopt;
    }
    if (node.integer < min || node.integer > max) {
      context.complain(node.where, fmt::format("{} is out of range ({})", node.integer, range));
      return std::nullopt;
    }
    return static_cast<std::uint32_t>(node.integer);
  };
  return {"integer", range, read, [](const std::uint32_t& value) { return std::to_string(value); }};
}

Codec<Duration> duration(Duration min, Duration max) {
  return with_unit<Duration>("duration", "30s", min, max, parse_duration, show_duration);
}

Codec<std::uint64_t> size(std::uint64_t min, std::uint64_t max) {
  return with_unit<std::uint64_t>("size", "64KiB", min, max, parse_size, show_size);
}

Codec<std::string> text() {
  auto read = [](const ConfNode& node, ReadContext& context) -> std::optional<std::string> {
    const auto* written = text_of(node, "a string", context);
    if (written == nullptr) return std::nullopt;
    const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
    if (std::any_of(written->begin(), written->end(), is_control)) {
      context.complain(node.where, fmt::format("{} has a control character", in_quotes(*written)));
      return std::nullopt;
    }
    return *written;
  };
  return {"string", "", read, [](const std::string& value) { return toml_string(value); }};
}

Codec<std::string> name() {
  auto read = [](const ConfNode& node, ReadContext& context) -> std::optional<std::string> {
    const auto* written = text_of(node, "a string", context);
    if (written == nullptr) return std::nullopt;
    if (!is_name(*written)) {
      context.complain(node.where,
                       fmt::format("{} is not a name: letters, digits and -_. only, at most {}",
                                   in_quotes(*written), kNameBytesMax));
      return std::nullopt;
    }
    return *written;
  };
  return {"name", "", read, [](const std::string& value) { return toml_string(value); }};
}

Codec<std::string> path() { return path_or({}); }

Codec<std::string> path_or(std::vector<std::string> words) {
  const std::string range = words.empty() ? "" : show_choices(words) + " or a path";
  auto read = [words](const ConfNode& node, ReadContext& context) -> std::optional<std::string> {
    const auto* written = text_of(node, "a path", context);
    if (written == nullptr) return std::nullopt;
    if (written->empty() || written->find('\0') != std::string::npos) {
      context.complain(node.where, fmt::format("{} is not a path", in_quotes(*written)));
      return std::nullopt;
    }
    const bool is_word = std::find(words.begin(), words.end(), *written) != words.end();
    return is_word || written->starts_with('/') ? *written : context.folder + *written;
  };
  return {words.empty() ? "path" : "string", range, read,
          [](const std::string& value) { return toml_string(value); }};
}

Codec<Address> address() { return address_codec(false); }
Codec<Address> listen_address() { return address_codec(true); }

Codec<IpNetwork> network() {
  auto read = [](const ConfNode& node, ReadContext& context) -> std::optional<IpNetwork> {
    const auto* written = text_of(node, "a network", context);
    if (written == nullptr) return std::nullopt;
    const auto network = IpNetwork::parse(*written);
    if (!network) {
      context.complain(
          node.where, fmt::format("{} is not a network, like \"10.0.0.0/8\" or \"fd00::1\"; beyond "
                                  "the prefix all bits are 0",
                                  in_quotes(*written)));
    }
    return network;
  };
  return {"network", "", read, [](const IpNetwork& value) { return toml_string(value.text()); }};
}

std::optional<std::size_t> read_choice(const std::vector<std::string>& words, const ConfNode& node,
                                       ReadContext& context) {
  const auto* written = text_of(node, show_choices(words), context);
  if (written == nullptr) return std::nullopt;
  const auto it = std::find(words.begin(), words.end(), *written);
  if (it != words.end()) return static_cast<std::size_t>(it - words.begin());
  const std::string meant = did_you_mean(*written, words);
  context.complain(node.where,
                   fmt::format("unknown value {}{}", in_quotes(*written),
                               meant.empty() ? "; write " + show_choices(words) : meant));
  return std::nullopt;
}

std::string show_choices(const std::vector<std::string>& words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 < words.size() ? ", " : " or ";
    out += toml_string(words[i]);
  }
  return out;
}

}  // namespace tandem
