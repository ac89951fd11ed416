// A conf file's schema: every option is declared once (key, member, kind with range, help), its
// default is the member's initialiser. From that come the reader, the lists of --help and of the
// manual, the sample conf, and what a reload cannot change.
//
//   Table<CheckConf> check_table() {
//     Table<CheckConf> table("Active health checks of plain servers.");
//     table.option("interval", &CheckConf::interval, duration(100ms, 1h), "From one ... to the
//     next."); return table;
//   }
//   Table<Conf> top("...");
//   top.table("check", &Conf::check, check_table());
//   Schema<Conf> schema{"tandem-lb.toml", top, {check_names}};
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/config/codec.h"

namespace tandem {

// One option, with its owner's type erased.
struct OptionSpec {
  std::string key;
  std::string type;
  std::string range;
  std::string help;          // sentences
  std::string default_text;  // said instead of the default's value, if set
  std::string sample;        // TOML that the sample conf shows instead of the default
  bool sample_set = false;   // ... and sets, instead of commenting it out
  bool required = false;
  bool live = false;  // a reload changes it; all others need a restart
  std::function<void(void* owner, const ConfNode&, ReadContext&)> read;
  std::function<std::string(const void* owner)> show;

  OptionSpec& must() { return required = true, *this; }
  OptionSpec& reloads() { return live = true, *this; }
  OptionSpec& defaults_to(std::string words) { return default_text = std::move(words), *this; }
  OptionSpec& example(std::string toml) { return sample = std::move(toml), *this; }
  OptionSpec& sample_sets(std::string toml) { return sample_set = true, example(std::move(toml)); }
};

struct TableSpec {
  std::string key;  // empty for the top
  std::string help;
  bool repeated = false;  // [[key]]
  bool live = false;      // repeated: a reload may add and remove entries
  std::vector<OptionSpec> options;
  std::vector<TableSpec> tables;
  std::shared_ptr<const void> defaults;    // an owner as it comes
  std::function<void*(void* owner)> open;  // the member; repeated: a new last entry
  std::function<std::vector<const void*>(const void* owner)> rows;  // the member, or all entries

  const OptionSpec* find_option(const std::string& name) const;
  const TableSpec* find_table(const std::string& name) const;
};

template <class T>
class Table {
 public:
  explicit Table(std::string help) {
    spec_.help = std::move(help);
    spec_.defaults = std::make_shared<const T>();
  }

  template <class V>
  OptionSpec& option(std::string key, V T::*member, Codec<V> codec, std::string help) {
    OptionSpec& option = spec_.options.emplace_back();
    option.key = std::move(key);
    option.type = codec.type;
    option.range = codec.range;
    option.help = std::move(help);
    option.read = [member, read = codec.read](void* owner, const ConfNode& node,
                                              ReadContext& context) {
      if (auto value = read(node, context)) static_cast<T*>(owner)->*member = std::move(*value);
    };
    option.show = [member, show = codec.show](const void* owner) {
      return show(static_cast<const T*>(owner)->*member);
    };
    return option;
  }

  // The options of a member struct as options of this very table.
  template <class S>
  void include(S T::*member, const Table<S>& part) {
    for (OptionSpec option : part.spec().options) {
      option.read = [member, read = option.read](void* owner, const ConfNode& node,
                                                 ReadContext& context) {
        read(&(static_cast<T*>(owner)->*member), node, context);
      };
      option.show = [member, show = option.show](const void* owner) {
        return show(&(static_cast<const T*>(owner)->*member));
      };
      spec_.options.push_back(std::move(option));
    }
  }

  // [key]
  template <class S>
  void table(std::string key, S T::*member, const Table<S>& part) {
    TableSpec& spec = add(std::move(key), part.spec());
    spec.open = [member](void* owner) -> void* { return &(static_cast<T*>(owner)->*member); };
    spec.rows = [member](const void* owner) {
      return std::vector<const void*>{&(static_cast<const T*>(owner)->*member)};
    };
  }

  // [[key]]; all entries may change with a reload if `live`.
  template <class S>
  void tables(std::string key, std::vector<S> T::*member, const Table<S>& part, bool live) {
    TableSpec& spec = add(std::move(key), part.spec());
    spec.repeated = true;
    spec.live = live;
    spec.open = [member](void* owner) -> void* {
      return &(static_cast<T*>(owner)->*member).emplace_back();
    };
    spec.rows = [member](const void* owner) {
      std::vector<const void*> rows;
      for (const S& row : static_cast<const T*>(owner)->*member) rows.push_back(&row);
      return rows;
    };
  }

  const TableSpec& spec() const { return spec_; }

 private:
  TableSpec& add(std::string key, const TableSpec& part) {
    TableSpec& spec = spec_.tables.emplace_back(part);
    spec.key = std::move(key);
    return spec;
  }

  TableSpec spec_;
};

// For the rules between options. They run after all values were read; those that were complained of
// hold their defaults, so that a rule asks sound() first.
class Rules {
 public:
  Rules(ReadContext& context, const Places& places) : context_(context), places_(places) {}

  // Was the value (with all in it, and the tables around it) read without a complaint?
  bool sound(const std::string& path) const;
  bool given(const std::string& path) const { return places_.has(path); }
  void complain(const std::string& path, const std::string& message);

 private:
  ReadContext& context_;
  const Places& places_;
};

template <class T>
struct Schema {
  std::string file;  // what the file is usually called: "tandem-lb.toml"
  Table<T> top;
  std::vector<std::function<void(T&, Rules&)>> rules;
};

}  // namespace tandem
