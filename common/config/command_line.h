// Command lines: options, positional arguments and commands, bound to variables; --help and
// --version; complaints that suggest. CLI11 stays inside command_line.cc.
//
//   CommandLine line("tandemctl", "Looks after a Tandem cluster.");
//   CommandLine& drain = line.command("drain", "Moves a server's sessions away.");
//   std::string name;
//   drain.positional("NAME", name, "The server.");
//   if (auto exit = line.parse(argc, argv)) return *exit;
//   if (drain.chosen()) ...
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"

namespace tandem {

inline constexpr int kExitUsage = 2;  // bad command line or conf

class CommandLine {
 public:
  CommandLine(std::string program, std::string summary);
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;
  ~CommandLine();

  // `names` as "-v,--verbose". Targets must outlive parse(), and keep their value where the command
  // line is silent.
  void flag(const std::string& names, bool& target, const std::string& help);
  void option(const std::string& names, const std::string& value_name, std::string& target,
              const std::string& help);
  // May be given several times.
  void option(const std::string& names, const std::string& value_name,
              std::vector<std::string>& target, const std::string& help);
  void option(const std::string& names, std::uint32_t& target, std::uint32_t min, std::uint32_t max,
              const std::string& help);
  // With units, as in conf files.
  void duration(const std::string& names, Duration& target, const std::string& help);
  void size(const std::string& names, std::uint64_t& target, const std::string& help);
  // An option that means nothing without the flag: a mistake then. Both by one of their names.
  void only_with(const std::string& name, const std::string& flag);

  // Positional arguments are required; of a list at least one.
  void positional(const std::string& name, std::string& target, const std::string& help);
  void optional_positional(const std::string& name, std::string& target, const std::string& help);
  void positionals(const std::string& name, std::vector<std::string>& target,
                   const std::string& help);

  // A command with options of its own. Where there are commands, one must be chosen. The result
  // lives as long as this.
  CommandLine& command(const std::string& name, const std::string& help);
  bool chosen() const;

  // Said at the end of --help; made only then.
  void footer(std::function<std::string()> text);

  // What to print and with which status to leave, or nothing: go on.
  struct Exit {
    int status = 0;
    std::string out;
    std::string err;
  };
  std::optional<Exit> parse(const std::vector<std::string>& arguments);
  // The same, printed to standard output and standard error.
  std::optional<int> parse(int argc, const char* const* argv);

 private:
  struct State;
  explicit CommandLine(std::unique_ptr<State> state);
  std::optional<Exit> mistakes(const std::string& command) const;
  Exit mistake(const std::string& what) const;

  std::unique_ptr<State> state_;
};

}  // namespace tandem
