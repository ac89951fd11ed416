#include "common/config/reader.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

enum class Colour { kRed, kBlue };

struct Inner {
  std::vector<Address> listen;
  Duration timeout = 10s;
};
struct Row {
  std::string name;
  std::uint32_t weight = 1;
};
struct Sample {
  std::uint32_t workers = 1;
  bool loud = false;
  Colour colour = Colour::kRed;
  std::uint64_t buffer = 65536;
  std::string file;
  std::string log = "off";
  std::optional<Address> admin;
  Inner inner;
  std::vector<Row> rows;
};

Schema<Sample> sample_schema() {
  Table<Inner> inner("Inner.");
  inner.option("listen", &Inner::listen, list(listen_address()), "Listens.");
  inner.option("timeout", &Inner::timeout, duration(1ms, 1h), "Times out.").reloads();
  Table<Row> row("Row.");
  row.option("name", &Row::name, name(), "Names.").must();
  row.option("weight", &Row::weight, integer(1, 10), "Weighs.");
  Table<Sample> top("Top.");
  top.option("workers", &Sample::workers, integer(1, 256), "Works.");
  top.option("loud", &Sample::loud, boolean(), "Shouts.");
  top.option("colour", &Sample::colour,
             choice<Colour>({{"red", Colour::kRed}, {"blue", Colour::kBlue}}), "Shines.");
  top.option("buffer", &Sample::buffer, size(1024, 1024 * 1024), "Keeps.");
  top.option("file", &Sample::file, path(), "Files.");
  top.option("log", &Sample::log, path_or({"off", "stdout"}), "Logs.");
  top.option("admin", &Sample::admin, maybe(address()), "Rules.");
  top.table("inner", &Sample::inner, inner);
  top.tables("row", &Sample::rows, row, true);
  const auto no_nine = [](Sample& sample, Rules& rules) {
    if (sample.workers == 9 && rules.sound("workers")) rules.complain("workers", "not nine");
    if (!rules.sound("inner.listen") && sample.inner.listen.empty()) sample.loud = true;
  };
  return {"sample.toml", top, {no_nine}};
}

std::string complaints_about(const std::string& text) {
  const auto reading = read_conf(sample_schema(), ConfText{"s.toml", text});
  return reading ? "" : reading.error();
}

TEST(Reader, FillsTheStruct) {
  const auto reading = read_conf(sample_schema(), ConfText{"etc/s.toml", R"(
workers = 4
loud = true
colour = "blue"
buffer = "1MiB"
file = "a.pem"
log = "stdout"
admin = "localhost:1"
[inner]
listen = ["127.0.0.1:0", "[::1]:80"]
timeout = "500ms"
[[row]]
name = "a"
[[row]]
name = "b"
weight = 3
)"});
  ASSERT_TRUE(reading) << reading.error();
  const Sample& conf = reading->conf;
  EXPECT_EQ(conf.workers, 4u);
  EXPECT_TRUE(conf.loud);
  EXPECT_EQ(conf.colour, Colour::kBlue);
  EXPECT_EQ(conf.buffer, 1024u * 1024);
  EXPECT_EQ(conf.file, "etc/a.pem");
  EXPECT_EQ(conf.log, "stdout");
  EXPECT_EQ(conf.admin->text(), "localhost:1");
  ASSERT_EQ(conf.inner.listen.size(), 2u);
  EXPECT_EQ(conf.inner.listen[1].text(), "[::1]:80");
  EXPECT_EQ(conf.inner.timeout, 500ms);
  ASSERT_EQ(conf.rows.size(), 2u);
  EXPECT_EQ(conf.rows[0].weight, 1u);
  EXPECT_EQ(conf.rows[1].name, "b");
}

TEST(Reader, KeepsTheDefaultsOfTheStruct) {
  const auto reading = read_conf(sample_schema(), ConfText{"s.toml", ""});
  ASSERT_TRUE(reading) << reading.error();
  EXPECT_EQ(reading->conf.workers, 1u);
  EXPECT_EQ(reading->conf.inner.timeout, 10s);
  EXPECT_FALSE(reading->conf.admin);
}

TEST(Reader, AbsolutePathsStay) {
  const auto reading = read_conf(sample_schema(), ConfText{"etc/s.toml", "file = \"/x/a.pem\""});
  ASSERT_TRUE(reading);
  EXPECT_EQ(reading->conf.file, "/x/a.pem");
}

TEST(Reader, PlacesPointAtValuesAndFallBackToTheTableAround) {
  const auto reading = read_conf(sample_schema(), ConfText{"s.toml", R"([inner]
listen = ["127.0.0.1:0",
          "127.0.0.1:81"]
)"});
  ASSERT_TRUE(reading) << reading.error();
  EXPECT_EQ(reading->places.where("inner.listen[1]"), (Position{3, 11}));
  EXPECT_EQ(reading->places.where("inner.listen[7]"), (Position{2, 10}));
  EXPECT_EQ(reading->places.where("inner.timeout"), (Position{1, 1}));
  EXPECT_EQ(reading->places.where("workers"), (Position{1, 1}));
  EXPECT_EQ(reading->places.complain("inner.listen[1]", "address already in use"),
            "s.toml:3:11: inner.listen[1]: address already in use\n"
            "          \"127.0.0.1:81\"]\n"
            "          ^\n");
}

TEST(Reader, ListsAllComplaintsInTheOrderOfTheFile) {
  EXPECT_EQ(complaints_about("wrokers = 2\nloud = 1\ncolour = \"bleu\"\nbuffer = \"1KB\"\n"
                             "[inner]\nlisten = [\"x\", 7]\n"),
            "s.toml:1:1: unknown key \"wrokers\"; did you mean \"workers\"?\n"
            "wrokers = 2\n^\n"
            "s.toml:2:8: loud: expected true or false, not an integer\n"
            "loud = 1\n       ^\n"
            "s.toml:3:10: colour: unknown value \"bleu\"; did you mean \"blue\"?\n"
            "colour = \"bleu\"\n         ^\n"
            "s.toml:4:10: buffer: unknown unit \"KB\"; write B, KiB, MiB or GiB\n"
            "buffer = \"1KB\"\n         ^\n"
            "s.toml:6:11: inner.listen[0]: \"x\" is not an address; write host:port\n"
            "listen = [\"x\", 7]\n          ^\n"
            "s.toml:6:16: inner.listen[1]: expected an address such as \"127.0.0.1:8080\", not an "
            "integer\n"
            "listen = [\"x\", 7]\n               ^\n");
}

TEST(Reader, KnowsWhereAKeyBelongs) {
  EXPECT_EQ(complaints_about("timeout = \"1s\""),
            "s.toml:1:1: unknown key \"timeout\"; did you mean \"inner.timeout\"?\n"
            "timeout = \"1s\"\n^\n");
}

TEST(Reader, TablesAreTables) {
  EXPECT_EQ(complaints_about("inner = 3\nrow = 3"),
            "s.toml:1:1: inner: is a table; write [inner]\ninner = 3\n^\n"
            "s.toml:2:1: row: is a list of tables; write [[row]]\nrow = 3\n^\n");
  EXPECT_EQ(complaints_about("[row]\nname = \"a\""),
            "s.toml:1:2: row: is a list of tables; write [[row]]\n[row]\n ^\n");
}

TEST(Reader, RulesRunAfterwardsAndKnowWhatIsSound) {
  EXPECT_EQ(complaints_about("workers = 9"),
            "s.toml:1:11: workers: not nine\nworkers = 9\n          ^\n");
  EXPECT_EQ(complaints_about("[[row]]\nweight = 0"),
            "s.toml:1:1: row[0].name: is missing\n[[row]]\n^\n"
            "s.toml:2:10: row[0].weight: 0 is out of range (1 to 10)\nweight = 0\n         ^\n");
}

TEST(Reader, SyntaxErrorsHaveTheSameForm) {
  EXPECT_EQ(complaints_about("workers = 1\nloud = tru\n"),
            "s.toml:2:11: not TOML: Error while parsing boolean: expected 'true', saw 'tru\\n'\n"
            "loud = tru\n          ^\n");
}

TEST(Reader, CaretStandsUnderTheCharacter) {
  EXPECT_EQ(complaints_about("\tlog = \"é\"\nfile = \"é\" #\ninner = { \"é\" = 1 }"),
            "s.toml:3:11: unknown key \"é\"\ninner = { \"é\" = 1 }\n          ^\n");
}

TEST(Reader, OddHeadersAreNoToml) {
  const std::string key = "not TOML: Error while parsing key: ";
  EXPECT_EQ(
      complaints_about("[!admin]\n"),
      "s.toml:1:2: " + key +
          "expected bare key starting character or string delimiter, saw '!'\n[!admin]\n ^\n");
  EXPECT_TRUE(complaints_about(std::string("[\0a]\n", 5)).starts_with("s.toml:1:2: " + key));
  EXPECT_TRUE(complaints_about("[\xc3\xb6]\n").starts_with("s.toml:1:2: " + key));
  EXPECT_TRUE(complaints_about("[a\xc3\xb6]\n").starts_with("s.toml:1:3: not TOML: "));
  EXPECT_EQ(complaints_about("loud = true\r\n"), "");
}

TEST(Reader, MissingFile) {
  EXPECT_EQ(load_conf(sample_schema(), "/nonexistent/s.toml").error(),
            "/nonexistent/s.toml:1:1: cannot read: No such file or directory\n");
}

TEST(Reader, OnlySoManyComplaintsAreShown) {
  std::string text;
  for (int i = 0; i < 150; ++i) text += "unknown_" + std::to_string(i) + " = 1\n";
  EXPECT_TRUE(complaints_about(text).ends_with("s.toml: 50 more complaints\n"));
}

TEST(Reader, NamesWhatAReloadCannotChange) {
  Sample before;
  Sample after;
  EXPECT_TRUE(restart_needed(sample_schema(), before, after).empty());
  after.inner.timeout = 1s;
  after.rows.push_back({"a", 1});
  EXPECT_TRUE(restart_needed(sample_schema(), before, after).empty());
  after.workers = 2;
  after.inner.listen.push_back({"a", 1});
  EXPECT_EQ(restart_needed(sample_schema(), before, after),
            (std::vector<std::string>{"workers", "inner.listen"}));
}

}  // namespace
}  // namespace tandem
