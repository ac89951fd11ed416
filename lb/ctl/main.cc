// tandemctl: makes keys, and speaks with a running balancer.
#include <unistd.h>

#include <iostream>
#include <string>

#include "common/config/command_line.h"
#include "common/net/clock.h"
#include "lb/ctl/commands.h"

int main(int argc, char** argv) {
  using tandem::CommandLine;
  CommandLine line("tandemctl", "Looks after a Tandem cluster.");
  std::string file = "cluster.key", admin = tandem::kAdminUrlDefault, server, what, dying;
  bool json = false, hurries = false, rotate = false;
  tandem::DrainOptions draining;
  tandem::RotateOptions rotation;
  tandem::EventOptions following;
  const auto takes_admin = [&](CommandLine& command) {
    command.option("--admin", "URL", admin, "The balancer's admin listener.");
  };

  CommandLine& keygen = line.command("keygen", "Makes a cluster key; never overwrites a file.");
  keygen.optional_positional("FILE", file, "Where to put it: cluster.key if not said.");
  keygen.flag("--rotate", rotate, "Adds a key to the file, and drops those of no more use.");
  keygen.duration("--in", rotation.delay,
                  "With --rotate: the new key seals after this time; the file must be everywhere "
                  "by then. 10m if not said.");
  keygen.duration("--keep", rotation.keep,
                  "With --rotate: a key stays so long after it stopped to seal, at least the "
                  "longest ttl. 7d if not said.");
  keygen.only_with("--in", "--rotate");
  keygen.only_with("--keep", "--rotate");
  CommandLine& status = line.command("status", "Shows a balancer and its servers.");
  takes_admin(status);
  status.flag("--json", json, "All of it, as JSON.");
  CommandLine& explain =
      line.command("explain", "Says why a client is where it is, or what a death would do.");
  explain.optional_positional("TOKEN|SESSION", what,
                              "The client's token (its cookie's value), or its session's id.");
  explain.option("--if-dies", "SERVER", dying, "Where the sessions of this server would go.");
  explain.flag("--json", json, "All of it, as JSON.");
  takes_admin(explain);
  CommandLine& drain = line.command(
      "drain", "Gives a server no new sessions, moves those that it has, and waits for that.");
  drain.positional("NAME", server, "The server.");
  drain.duration("--deadline", draining.deadline,
                 "Waits no longer than this; the server goes on draining. For ever if not said.");
  drain.flag("--no-wait", hurries, "Does not wait until no session is left.");
  drain.flag("--off", draining.off, "Takes it back.");
  takes_admin(drain);
  CommandLine& servers = line.command("servers", "Lists the servers that a balancer knows.");
  servers.flag("--json", json, "All of it, as JSON.");
  takes_admin(servers);
  CommandLine& ring = line.command("ring", "Shows the ring of buddies, in its order.");
  ring.flag("--json", json, "The same, as JSON.");
  takes_admin(ring);
  CommandLine& events = line.command("events", "Lists what happened to servers, oldest first.");
  events.flag("--follow", following.follow, "Goes on with those that come.");
  events.flag("--json", following.json, "As JSON; with --follow one object a line.");
  takes_admin(events);
  CommandLine& verify = line.command(
      "verify", "Has a balancer contact a server; one that does not answer is reported.");
  verify.positional("SERVER", server, "The server.");
  verify.flag("--json", json, "The answer, as JSON.");
  takes_admin(verify);
  CommandLine& reload = line.command("reload", "Has a balancer read its conf file again.");
  takes_admin(reload);

  if (const auto exit = line.parse(argc, argv)) return *exit;
  const tandem::CtlStreams streams{std::cout, std::cerr};
  if (keygen.chosen() && rotate) {
    return tandem::run_rotate(file, tandem::unix_clock(), rotation, streams);
  }
  if (keygen.chosen()) return tandem::run_keygen(file, streams);
  if (status.chosen()) return tandem::run_status(admin, json, streams);
  if (explain.chosen() && what.empty() == dying.empty()) {
    std::cerr << "tandemctl explain: either TOKEN|SESSION or --if-dies SERVER\n";
    return tandem::kExitUsage;
  }
  if (explain.chosen() && !dying.empty()) {
    return tandem::run_explain_death(admin, dying, json, streams);
  }
  if (explain.chosen()) return tandem::run_explain(admin, what, json, streams);
  if (servers.chosen()) return tandem::run_servers(admin, json, streams);
  if (ring.chosen()) return tandem::run_ring(admin, json, streams);
  if (events.chosen()) return tandem::run_events(admin, following, streams);
  if (verify.chosen()) return tandem::run_verify(admin, server, json, streams);
  draining.wait = !hurries;
  draining.redraw = ::isatty(STDOUT_FILENO) == 1;
  if (drain.chosen()) return tandem::run_drain(admin, server, draining, streams);
  return tandem::run_reload(admin, streams);
}
