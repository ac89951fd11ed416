// How one kind of value is read from a conf file and shown again. Codecs are what a schema's
// options are declared with; list() and maybe() combine them, and a program may make its own.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/address.h"
#include "common/base/ip.h"
#include "common/base/time.h"
#include "common/config/document.h"

namespace tandem {

// Where a value is being read, and what was wrong so far.
struct ReadContext {
  struct Finding {
    std::string path;  // "front.listen[0]"
    Complaint complaint;
  };
  std::string folder;  // of the conf file, with its slash; empty for the working directory
  std::string path;    // of the value being read
  std::vector<Finding> findings;

  void complain(Position where, const std::string& message);
  // "expected WHAT, not an integer"
  void complain_of_kind(const ConfNode& node, const std::string& expected);
};

template <class T>
struct Codec {
  std::string type;   // as listings name it: "duration"
  std::string range;  // as listings say it: "1ms to 1h"; empty if there is no more to say
  // Nothing after a complaint.
  std::function<std::optional<T>(const ConfNode&, ReadContext&)> read;
  // As TOML; empty if there is nothing to write.
  std::function<std::string(const T&)> show;
};

std::string plural(const std::string& type);

// A string in TOML's quotes.
std::string toml_string(std::string_view text);

Codec<bool> boolean();
Codec<std::uint32_t> integer(std::uint32_t min, std::uint32_t max);
Codec<Duration> duration(Duration min, Duration max);
Codec<std::uint64_t> size(std::uint64_t min, std::uint64_t max);
Codec<std::string> text();
// Letters, digits and -_. : names of servers, zones, groups.
Codec<std::string> name();
// Joined with the folder of the conf file, unless absolute. Not empty.
Codec<std::string> path();
// A path, or one of the words that mean something else.
Codec<std::string> path_or(std::vector<std::string> words);
// host:port. Port 0 only where the system may choose one: in a listener.
Codec<Address> address();
Codec<Address> listen_address();
// "10.0.0.0/8", "fd00::/8", or one IP address.
Codec<IpNetwork> network();

// The words of an enumeration, each with its value.
std::optional<std::size_t> read_choice(const std::vector<std::string>& words, const ConfNode& node,
                                       ReadContext& context);
std::string show_choices(const std::vector<std::string>& words);

template <class E>
Codec<E> choice(std::vector<std::pair<std::string, E>> choices) {
  std::vector<std::string> words;
  for (const auto& [word, value] : choices) words.push_back(word);
  return {"string", show_choices(words),
          [words, choices](const ConfNode& node, ReadContext& context) -> std::optional<E> {
            const auto index = read_choice(words, node, context);
            if (!index) return std::nullopt;
            return choices[*index].second;
          },
          [choices](const E& value) -> std::string {
            for (const auto& [word, meaning] : choices) {
              if (meaning == value) return toml_string(word);
            }
            return {};
          }};
}

// A list [...] of such values. Every bad item is complained of.
template <class T>
Codec<std::vector<T>> list(Codec<T> item) {
  auto read = [item](const ConfNode& node, ReadContext& context) -> std::optional<std::vector<T>> {
    if (node.kind != ConfNode::Kind::kList) {
      context.complain_of_kind(node, "a list [...]");
      return std::nullopt;
    }
    std::vector<T> values;
    const std::string path = context.path;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      context.path = path + "[" + std::to_string(i) + "]";
      if (auto value = item.read(node.items[i], context)) values.push_back(std::move(*value));
    }
    context.path = path;
    return values.size() == node.items.size() ? std::optional(std::move(values)) : std::nullopt;
  };
  auto show = [item](const std::vector<T>& values) {
    std::string out = "[";
    for (const auto& value : values) out += (out.size() > 1 ? ", " : "") + item.show(value);
    return out + "]";
  };
  return {"list of " + plural(item.type), item.range, read, show};
}

// A value that may be missing; it then shows as nothing.
template <class T>
Codec<std::optional<T>> maybe(Codec<T> codec) {
  return {codec.type, codec.range,
          [codec](const ConfNode& node, ReadContext& context) -> std::optional<std::optional<T>> {
            auto value = codec.read(node, context);
            if (!value) return std::nullopt;
            return std::optional<std::optional<T>>(std::move(value));
          },
          [codec](const std::optional<T>& value) { return value ? codec.show(*value) : ""; }};
}

}  // namespace tandem
