#include "common/config/program.h"

#include <fmt/format.h>

#include <cstdio>

#include "common/config/listing.h"

namespace tandem {

ProgramOptions parse_program_options(int argc, const char* const* argv, const ProgramText& text,
                                     const std::string& conf_name, const TableSpec& top) {
  ProgramOptions options;
  options.file = "/etc/tandem/" + conf_name;
  CommandLine line(text.name, text.summary);
  line.option("-c,--config", "FILE", options.file,
              fmt::format("The conf file; without it {}", options.file));
  line.flag("--check", options.check, "Read the conf file, say every complaint, and exit");
  line.footer([&] {
    return fmt::format("Options of {} (its manual page tells more):\n\n{}", conf_name,
                       list_options(top));
  });
  options.exit = line.parse(argc, argv);
  return options;
}

int say_ok(const std::string& file) {
  std::fputs(fmt::format("{}: ok\n", file).c_str(), stdout);
  return 0;
}

int say_complaints(const std::string& complaints) {
  std::fputs(complaints.c_str(), stderr);
  return kExitUsage;
}

}  // namespace tandem
