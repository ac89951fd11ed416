#include "common/config/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iterator>

#include "common/config/complaint.h"
#include "common/config/suggest.h"
#include "common/config/units.h"

namespace tandem {
namespace {

// Binds an option to a value that is written with a unit.
template <class T, class Parse>
void add_with_unit(CLI::App& app, const std::string& names, const std::string& type, T& target,
                   Parse parse, const std::string& help) {
  app.add_option_function<std::string>(
         names,
         [&target, parse, names](const std::string& text) {
           const auto value = parse(text);
           if (!value) throw CLI::ValidationError(names, value.error());
           target = *value;
         },
         help)
      ->type_name(type);
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

// Tokens may begin with '-', and no option has so long a name.
bool is_long_word(const std::string& argument) {
  constexpr std::size_t kOptionLengthMax = 32;
  return argument.starts_with('-') && argument.size() > kOptionLengthMax &&
         argument.find_first_of("=:/ ") == std::string::npos;
}

// Long words come last, behind "--", where CLI11 takes none for an option.
std::vector<std::string> with_long_words_last(const std::vector<std::string>& arguments) {
  const auto mark = std::find(arguments.begin(), arguments.end(), "--");
  std::vector<std::string> sorted, words;
  std::partition_copy(arguments.begin(), mark, std::back_inserter(words),
                      std::back_inserter(sorted), is_long_word);
  if (words.empty()) return arguments;
  sorted.emplace_back("--");
  sorted.insert(sorted.end(), words.begin(), words.end());
  if (mark != arguments.end()) sorted.insert(sorted.end(), mark + 1, arguments.end());
  return sorted;
}

}  // namespace

struct CommandLine::State {
  std::unique_ptr<CLI::App> own;  // of the whole line; commands belong to their parent's
  CLI::App* app = nullptr;
  std::string program;
  std::vector<std::pair<std::string, std::function<bool()>>> required;    // name, is it there?
  std::vector<std::pair<std::string, std::function<bool()>>> conditions;  // complaint, is it met?
  std::vector<std::unique_ptr<CommandLine>> commands;
  std::function<std::string()> footer;
};

CommandLine::CommandLine(std::string program, std::string summary)
    : state_(std::make_unique<State>()) {
  state_->own = std::make_unique<CLI::App>(std::move(summary), program);
  state_->app = state_->own.get();
  state_->program = std::move(program);
  // What is left over is complained of here, with a suggestion.
  state_->app->allow_extras();
  state_->app->set_help_flag("-h,--help", "Print this help and exit");
  state_->app->set_version_flag("--version", state_->program + " " TANDEM_VERSION,
                                "Print the version and exit");
  state_->app->get_formatter()->column_width(34);
}

CommandLine::CommandLine(std::unique_ptr<State> state) : state_(std::move(state)) {}
CommandLine::~CommandLine() = default;

void CommandLine::flag(const std::string& names, bool& target, const std::string& help) {
  state_->app->add_flag(names, target, help);
}

void CommandLine::option(const std::string& names, const std::string& value_name,
                         std::string& target, const std::string& help) {
  state_->app->add_option(names, target, help)->type_name(value_name);
}

void CommandLine::option(const std::string& names, const std::string& value_name,
                         std::vector<std::string>& target, const std::string& help) {
  state_->app->add_option(names, target, help)->type_name(value_name)->expected(1)->take_all();
}

void CommandLine::option(const std::string& names, std::uint32_t& target, std::uint32_t min,
                         std::uint32_t max, const std::string& help) {
  state_->app->add_option(names, target, help)
      ->type_name("N")
      ->check(CLI::Range(min, max).description(""));
}

void CommandLine::duration(const std::string& names, Duration& target, const std::string& help) {
  add_with_unit(*state_->app, names, "DURATION", target, parse_duration, help);
}

void CommandLine::size(const std::string& names, std::uint64_t& target, const std::string& help) {
  add_with_unit(*state_->app, names, "SIZE", target, parse_size, help);
}

void CommandLine::only_with(const std::string& name, const std::string& flag) {
  const auto* option = state_->app->get_option(name);
  const auto* wanted = state_->app->get_option(flag);
  state_->conditions.emplace_back(
      fmt::format("{} goes only with {}", name, flag),
      [option, wanted] { return option->count() == 0 || wanted->count() > 0; });
}

void CommandLine::positional(const std::string& name, std::string& target,
                             const std::string& help) {
  const auto* option = state_->app->add_option(name, target, help)->type_name("");
  state_->required.emplace_back(name, [option] { return option->count() > 0; });
}

void CommandLine::optional_positional(const std::string& name, std::string& target,
                                      const std::string& help) {
  state_->app->add_option(name, target, help)->type_name("");
}

void CommandLine::positionals(const std::string& name, std::vector<std::string>& target,
                              const std::string& help) {
  const auto* option = state_->app->add_option(name, target, help)->type_name("");
  state_->required.emplace_back(name, [option] { return option->count() > 0; });
}

CommandLine& CommandLine::command(const std::string& name, const std::string& help) {
  auto state = std::make_unique<State>();
  state->app = state_->app->add_subcommand(name, help);
  state->program = state_->program;
  auto command = std::unique_ptr<CommandLine>(new CommandLine(std::move(state)));
  return *state_->commands.emplace_back(std::move(command));
}

bool CommandLine::chosen() const { return state_->app->parsed(); }

void CommandLine::footer(std::function<std::string()> text) { state_->footer = std::move(text); }

CommandLine::Exit CommandLine::mistake(const std::string& what) const {
  return {kExitUsage, "", fmt::format("{0}: {1}\n{0}: --help tells more\n", state_->program, what)};
}

// What CLI11 left for us: unknown options and words, missing arguments.
std::optional<CommandLine::Exit> CommandLine::mistakes(const std::string& command) const {
  auto extras = state_->app->remaining();
  std::erase(extras, "--");  // CLI11 counts the mark of the last options among what is left
  if (!extras.empty()) {
    const std::string& extra = extras.front();
    if (extra.starts_with('-')) {
      const std::string name = extra.substr(0, extra.find('='));
      return mistake(fmt::format("unknown option {}{}", in_quotes(name),
                                 did_you_mean(name, option_names(*state_->app))));
    }
    if (state_->commands.empty()) return mistake(fmt::format("unexpected {}", in_quotes(extra)));
    std::vector<std::string> commands;
    for (const auto& known : state_->commands) commands.push_back(known->state_->app->get_name());
    return mistake(
        fmt::format("unknown command {}{}", in_quotes(extra), did_you_mean(extra, commands)));
  }
  for (const auto& [name, is_there] : state_->required) {
    if (!is_there()) return mistake(fmt::format("{}{} is missing", command, name));
  }
  for (const auto& [complaint, is_met] : state_->conditions) {
    if (!is_met()) return mistake(command + complaint);
  }
  if (state_->commands.empty()) return std::nullopt;
  for (const auto& known : state_->commands) {
    if (known->chosen()) return known->mistakes(known->state_->app->get_name() + ": ");
  }
  return mistake("a command is missing");
}

std::optional<CommandLine::Exit> CommandLine::parse(const std::vector<std::string>& arguments) {
  CLI::App& app = *state_->app;
  if (state_->footer) app.footer(state_->footer);
  if (!state_->commands.empty()) app.require_subcommand(0, 1);
  try {
    std::vector<std::string> reversed = with_long_words_last(arguments);
    std::reverse(reversed.begin(), reversed.end());
    app.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    const auto chosen = app.get_subcommands();
    return Exit{0, (chosen.empty() ? app : *chosen.front()).help(), ""};
  } catch (const CLI::CallForVersion& version) {
    return Exit{0, std::string(version.what()) + "\n", ""};
  } catch (const CLI::ParseError& error) {
    return mistake(error.what());
  }
  return mistakes("");
}

std::optional<int> CommandLine::parse(int argc, const char* const* argv) {
  const auto exit = parse(std::vector<std::string>(argv + 1, argv + argc));
  if (!exit) return std::nullopt;
  std::fputs(exit->out.c_str(), stdout);
  std::fputs(exit->err.c_str(), stderr);
  return exit->status;
}

}  // namespace tandem
