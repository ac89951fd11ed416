#include "common/config/command_line.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

struct Fixture {
  CommandLine line{"prog", "Does things."};
  bool verbose = false;
  std::string file = "default";
  std::vector<std::string> headers;
  std::uint32_t count = 3;
  Duration timeout = 1s;

  Fixture() {
    line.flag("-v,--verbose", verbose, "Talk");
    line.option("-f,--file", "FILE", file, "Which file");
    line.option("-H,--header", "FIELD", headers, "Send a field");
    line.option("-n,--count", count, 1, 10, "How many");
    line.duration("--timeout", timeout, "How long");
    line.only_with("--count", "--verbose");
  }
};

TEST(CommandLine, BindsOptions) {
  Fixture f;
  EXPECT_FALSE(f.line.parse(
      {"-v", "--file=x", "-H", "a: b", "-H", "c: d", "-n", "5", "--timeout", "500ms"}));
  EXPECT_TRUE(f.verbose);
  EXPECT_EQ(f.file, "x");
  EXPECT_EQ(f.headers, (std::vector<std::string>{"a: b", "c: d"}));
  EXPECT_EQ(f.count, 5u);
  EXPECT_EQ(f.timeout, 500ms);
}

TEST(CommandLine, SilenceKeepsDefaults) {
  Fixture f;
  EXPECT_FALSE(f.line.parse(std::vector<std::string>{}));
  EXPECT_EQ(f.file, "default");
  EXPECT_EQ(f.count, 3u);
}

std::string mistake_of(const std::vector<std::string>& arguments) {
  Fixture f;
  const auto exit = f.line.parse(arguments);
  if (!exit) return "";
  EXPECT_EQ(exit->status, kExitUsage);
  return exit->err.substr(0, exit->err.find('\n'));
}

TEST(CommandLine, Complains) {
  EXPECT_EQ(mistake_of({"--verbos"}),
            "prog: unknown option \"--verbos\"; did you mean \"--verbose\"?");
  EXPECT_EQ(mistake_of({"--xyzzy=3"}), "prog: unknown option \"--xyzzy\"");
  EXPECT_EQ(mistake_of({"word"}), "prog: unexpected \"word\"");
  EXPECT_EQ(mistake_of({"--file"}), "prog: --file: 1 required FILE missing");
  EXPECT_EQ(mistake_of({"--timeout", "5"}),
            "prog: --timeout: \"5\" lacks a unit; write ms, s, m, h or d");
  EXPECT_EQ(mistake_of({"-n", "5"}), "prog: --count goes only with --verbose");
  EXPECT_NE(mistake_of({"-n", "11"}), "");
  EXPECT_NE(mistake_of({"-n", "many"}), "");
}

TEST(CommandLine, HelpAndVersion) {
  Fixture f;
  f.line.footer([] { return std::string("That is all."); });
  const auto help = f.line.parse({"--help"});
  ASSERT_TRUE(help);
  EXPECT_EQ(help->status, 0);
  EXPECT_NE(help->out.find("--timeout DURATION"), std::string::npos);
  EXPECT_NE(help->out.find("That is all."), std::string::npos);
  const auto version = f.line.parse({"--version"});
  ASSERT_TRUE(version);
  EXPECT_EQ(version->status, 0);
  EXPECT_EQ(version->out, "prog " TANDEM_VERSION "\n");
}

struct WithCommands {
  CommandLine line{"ctl", "Looks after things."};
  CommandLine& drain = line.command("drain", "Drains.");
  CommandLine& status = line.command("status", "Tells.");
  std::string name;
  bool undo = false;
  bool json = false;

  WithCommands() {
    drain.positional("NAME", name, "Which");
    drain.flag("--undo", undo, "Undo it");
    status.flag("--json", json, "As JSON");
  }
  std::string mistake(const std::vector<std::string>& arguments) {
    const auto exit = line.parse(arguments);
    return exit ? exit->err.substr(0, exit->err.find('\n')) : "";
  }
};

TEST(CommandLine, Commands) {
  WithCommands f;
  EXPECT_FALSE(f.line.parse({"drain", "a", "--undo"}));
  EXPECT_TRUE(f.drain.chosen());
  EXPECT_FALSE(f.status.chosen());
  EXPECT_EQ(f.name, "a");
  EXPECT_TRUE(f.undo);
}

// A token is base64url, which has '-' among its letters.
TEST(CommandLine, ALongWordThatBeginsWithADashIsNoOption) {
  for (const std::string word : {"-", "--", "-h", "--json"}) {
    const std::string token = word + std::string(80, 'x');
    WithCommands before, after, marked;
    EXPECT_EQ(before.mistake({"drain", token, "--undo"}), "");
    EXPECT_EQ(before.name, token);
    EXPECT_TRUE(before.undo);
    EXPECT_EQ(after.mistake({"drain", "--undo", token}), "");
    EXPECT_EQ(after.name, token);
    EXPECT_EQ(marked.mistake({"drain", "--undo", "--", token}), "");
    EXPECT_EQ(marked.name, token);
  }
  const std::string nobodys = "--" + std::string(80, 'x');
  EXPECT_TRUE(WithCommands().mistake({"status", nobodys}).starts_with("ctl: unknown option"));
  EXPECT_TRUE(mistake_of({nobodys}).starts_with("prog: unknown option"));
}

TEST(CommandLine, CommandsComplain) {
  EXPECT_EQ(WithCommands().mistake({}), "ctl: a command is missing");
  EXPECT_EQ(WithCommands().mistake({"drian", "a"}),
            "ctl: unknown command \"drian\"; did you mean \"drain\"?");
  EXPECT_EQ(WithCommands().mistake({"drain"}), "ctl: drain: NAME is missing");
  EXPECT_EQ(WithCommands().mistake({"drain", "a", "--unod"}),
            "ctl: unknown option \"--unod\"; did you mean \"--undo\"?");
  EXPECT_EQ(WithCommands().mistake({"status", "x"}), "ctl: unexpected \"x\"");
}

TEST(CommandLine, CommandsHaveHelp) {
  WithCommands f;
  const auto help = f.line.parse({"drain", "--help"});
  ASSERT_TRUE(help);
  EXPECT_NE(help->out.find("--undo"), std::string::npos);
}

}  // namespace
}  // namespace tandem
