#include "tests/scenario/script.h"

#include <fmt/format.h>

#include <map>
#include <sstream>
#include <vector>

#include "common/config/units.h"
#include "tests/scenario/world.h"

namespace tandem::scenario {
namespace {

using Words = std::vector<std::string>;
constexpr Duration kBetweenServers = 100ms;

Words words_of(const std::string& line) {
  std::istringstream stream(line);
  Words words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

// A line that was said a moment ago, or the one before it, is counted; its time is the first one's.
class Transcript {
 public:
  void begin(Duration now) { begun_ = now; }
  void add(Duration at, const std::string& line) {
    for (std::size_t i = lines_.size(); i > 0 && i + kBack > lines_.size(); --i) {
      Line& said = lines_[i - 1];
      if (said.text != line || at - said.last > kMoment) continue;
      said.last = at;
      ++said.times;
      return;
    }
    lines_.push_back({at, at, line, 1});
  }
  // What is so, and has no time.
  void state(const std::string& line) { states_ += "           " + line + "\n"; }
  // Of one command: what was said, or what is so.
  std::string take() {
    std::string text;
    for (const Line& line : std::exchange(lines_, {})) {
      text += fmt::format("{:>6} ms  {}{}\n", (line.first - begun_) / 1ms, line.text,
                          line.times == 1 ? "" : fmt::format(" ({} times)", line.times));
    }
    return text + std::exchange(states_, {});
  }

 private:
  static constexpr std::size_t kBack = 2;
  static constexpr Duration kMoment = 200ms;
  struct Line {
    Duration first, last;
    std::string text;
    unsigned times = 1;
  };

  Duration begun_{};
  std::vector<Line> lines_;
  std::string states_;
};

class Player {
 public:
  // What is amiss with the command; empty: it was carried out.
  std::string command(Words words) {
    transcript_.begin(world_.now());
    if (words[0] == "quietly" && words.size() > 1) {
      words.erase(words.begin());
      std::string amiss = command(std::move(words));
      transcript_.take();
      return amiss;
    }
    const std::string& verb = words[0];
    const Words names(words.begin() + 1, words.end());
    if (verb == "balancer" || verb == "server" || verb == "follower") return begin(verb, names);
    if (verb == "run") return run(names);
    if (verb == "watches" && names.empty()) return states(world_.watches());
    if (names.empty()) return "a name is missing";
    for (const std::string& name : names) {
      if (!world_.has(name)) return fmt::format("nobody is called {}", name);
    }
    return verb == "ring" || verb == "servers" || verb == "counts" ? show(verb, names)
                                                                   : happen(verb, names);
  }
  std::string take() { return transcript_.take(); }

 private:
  std::string begin(const std::string& verb, Words names) {
    std::string zone;
    if (names.size() > 2 && names[names.size() - 2] == "zone") {
      zone = names.back();
      names.resize(names.size() - 2);
    }
    if (names.empty()) return "a name is missing";
    if (verb == "follower") {
      if (names.size() != 2 || !world_.is_balancer(names[1])) return "write follower NAME MASTER";
      world_.begin_balancer(names[0], names[1]);
      return {};
    }
    for (const std::string& name : names) {
      if (verb == "balancer") {
        world_.begin_balancer(name, {});
      } else {
        world_.begin_server(name, zone);
        world_.run(kBetweenServers);
      }
    }
    return {};
  }
  std::string run(const Words& names) {
    if (names.size() != 1) return "write run TIME";
    const auto span = parse_duration(names[0]);
    if (!span) return "this is no time";
    world_.run(*span);
    return {};
  }
  std::string show(const std::string& verb, const Words& names) {
    if (names.size() != 1 || !world_.is_balancer(names[0])) return "name one balancer";
    if (verb == "servers") return states(world_.servers_of(names[0]));
    return states({verb == "ring" ? world_.ring_of(names[0]) : world_.counts_of(names[0])});
  }
  std::string happen(const std::string& verb, const Words& names) {
    const bool pair = names.size() == 2;
    if (verb == "cut" || verb == "heal" || verb == "accuse") {
      if (!pair) return "name two";
      if (verb == "cut") world_.cut(names[0], names[1]);
      if (verb == "heal") world_.heal(names[0], names[1]);
      if (verb == "accuse") {
        if (!world_.is_server(names[0]) || !world_.is_server(names[1])) return "name two servers";
        world_.accuse(names[0], names[1]);
      }
      return {};
    }
    static const std::map<std::string, void (World::*)(const std::string&)> kVerbs = {
        {"kill", &World::kill},
        {"vanish", &World::vanish},
        {"freeze", &World::freeze},
        {"thaw", &World::thaw},
        {"stop", &World::stop}};
    const auto action = kVerbs.find(verb);
    if (action == kVerbs.end()) return fmt::format("there is no command {}", verb);
    for (const std::string& name : names) {
      if (verb != "kill" && !world_.is_server(name)) return fmt::format("{} is no server", name);
      (world_.*action->second)(name);
    }
    return {};
  }
  std::string states(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) transcript_.state(line);
    return {};
  }

  Transcript transcript_;
  World world_{[this](Duration at, const std::string& line) { transcript_.add(at, line); }};
};

}  // namespace

Result<std::string> play(const std::string& text) {
  Player player;
  std::istringstream lines(text);
  std::string result;
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.starts_with(' ')) continue;  // what was expected
    result += line + "\n";
    if (line.empty() || line.starts_with('#')) continue;
    const Words words = words_of(line.substr(1));
    std::string amiss = "a line begins with #, > or a blank";
    if (line.starts_with('>') && !words.empty()) amiss = player.command(words);
    if (!amiss.empty()) return fail(Error::conf(fmt::format("line {}: {}", number, amiss)));
    result += player.take();
  }
  return result;
}

}  // namespace tandem::scenario
