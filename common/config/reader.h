// From a conf file's text to a conf struct, with all complaints. Pure but for load_conf().
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "common/config/complaint.h"
#include "common/config/schema.h"

namespace tandem {

inline constexpr std::size_t kConfBytesMax = 1024 * 1024;

template <class T>
struct Loaded {
  T conf;
  Places places;
};

// On failure all complaints, rendered.
template <class T>
using Reading = tl::expected<Loaded<T>, std::string>;

// The type-erased parts of read_conf().
class Reader {
 public:
  explicit Reader(ConfText source);

  void read(const TableSpec& top, void* conf);
  bool parsed() const { return parsed_; }  // as TOML
  Rules rules() { return Rules(context_, places_); }
  Places& places() { return places_; }
  // All complaints, rendered; empty if the file is good.
  std::string complaints() const;

 private:
  std::shared_ptr<const ConfText> source_;
  ConfNode document_;
  bool parsed_ = false;
  Places places_;
  ReadContext context_;
};

template <class T>
Reading<T> read_conf(const Schema<T>& schema, ConfText source) {
  Reader reader(std::move(source));
  T conf;
  reader.read(schema.top.spec(), &conf);
  if (reader.parsed()) {
    Rules rules = reader.rules();
    for (const auto& rule : schema.rules) rule(conf, rules);
  }
  if (auto complaints = reader.complaints(); !complaints.empty()) {
    return tl::unexpected(std::move(complaints));
  }
  return Loaded<T>{std::move(conf), std::move(reader.places())};
}

// The file's text; on failure one rendered complaint.
tl::expected<ConfText, std::string> read_conf_file(const std::string& name);

template <class T>
Reading<T> load_conf(const Schema<T>& schema, const std::string& file) {
  auto source = read_conf_file(file);
  if (!source) return tl::unexpected(source.error());
  return read_conf(schema, std::move(*source));
}

// The paths of the options that differ and that a reload cannot change.
std::vector<std::string> restart_needed(const TableSpec& top, const void* old_conf,
                                        const void* new_conf);
template <class T>
std::vector<std::string> restart_needed(const Schema<T>& schema, const T& old_conf,
                                        const T& new_conf) {
  return restart_needed(schema.top.spec(), &old_conf, &new_conf);
}

}  // namespace tandem
