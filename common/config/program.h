// How a program with a conf file starts: the command line that all of them share, then the conf.
//
//   int main(int argc, char** argv) {
//     auto start = start_program(argc, argv, {"tandem-lb", "..."}, lb::schema());
//     if (start.exit) return *start.exit;
//     return run(start.loaded->conf, ...);
//   }
#pragma once

#include <optional>
#include <string>

#include "common/config/command_line.h"
#include "common/config/reader.h"

namespace tandem {

struct ProgramText {
  std::string name;
  std::string summary;
};

template <class T>
struct ProgramStart {
  std::optional<int> exit;  // leave with this status; all was said
  std::string file;         // the conf file, to be loaded again on SIGHUP
  std::optional<Loaded<T>> loaded;
};

struct ProgramOptions {
  std::optional<int> exit;
  std::string file;
  bool check = false;
};

// --config, --check, --version, --help with the list of the conf's options.
ProgramOptions parse_program_options(int argc, const char* const* argv, const ProgramText& text,
                                     const std::string& conf_name, const TableSpec& top);
// Prints "FILE: ok", or the complaints to standard error; the exit status.
int say_ok(const std::string& file);
int say_complaints(const std::string& complaints);

template <class T>
ProgramStart<T> start_program(int argc, const char* const* argv, const ProgramText& text,
                              const Schema<T>& schema) {
  const auto options = parse_program_options(argc, argv, text, schema.file, schema.top.spec());
  if (options.exit) return {options.exit, "", std::nullopt};
  auto reading = load_conf(schema, options.file);
  if (!reading) return {say_complaints(reading.error()), options.file, std::nullopt};
  if (options.check) return {say_ok(options.file), options.file, std::nullopt};
  return {std::nullopt, options.file, std::move(*reading)};
}

}  // namespace tandem
