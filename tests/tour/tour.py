#!/usr/bin/python3
"""`make run`: Tandem's main job on real input, before one's eyes.

Four stock nginx serve copies of one documentation site whose files differ in modification time; a
tandem-server stands in front of each, one tandem-lb before all. Forty clients of the library fetch
the site; a primary is killed with -9 while they do, and later started again. A table tells what it
cost them. Then the cluster keeps serving until Ctrl-C; with ONCE=1 it ends, and the exit status
says whether failed = 0, sessions lost = 0 and reused = held.
"""

import argparse
import os
import shutil
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HERE, "..", "support"))

import cluster as tandem  # noqa: E402
import ports  # noqa: E402
from process import Impatient, raise_descriptor_limit  # noqa: E402
from swarm import Swarm  # noqa: E402

CLIENTS = 40
# Forty caches in one program: what is larger (a handful of files) is left to the browser.
FILE_BYTES_MAX = 256 * 1024


class Screen:
    """Progress: one line that changes on a terminal, a line at a time elsewhere."""

    def __init__(self):
        self.live = sys.stdout.isatty()

    def step(self, text):
        self.line(f"\n\033[1m{text}\033[0m" if self.live else f"\n{text}")

    def line(self, text):
        print(("\r\033[K" if self.live else "") + text, flush=True)

    def progress(self, text):
        if self.live:
            print("\r\033[K" + text[:shutil.get_terminal_size().columns - 1], end="", flush=True)


def bar(part, whole, width=24):
    full = min(width, width * part // max(whole, 1))
    return "#" * full + "." * (width - full)


class Tour:
    def __init__(self, options, shop, screen):
        self.shop = shop
        self.screen = screen
        self.site = options.site
        self.paths = [path for path in tandem.site_paths(self.site)
                      if os.path.getsize(self.site + path) <= FILE_BYTES_MAX]
        self.cluster = None
        self.swarm = None
        self.lost = 0
        self.begun = self.goal = 0  # of the run under way, in requests

    def start(self):
        files = len(tandem.site_paths(self.site))
        self.screen.step("Starting the cluster")
        self.screen.line(f"  site      {files} files of Debian's sqlite3-doc, a copy for each "
                         "nginx, each with other modification times")
        self.cluster = tandem.Cluster(self.shop, self.site, servers=4,
            server={"source": {"validate_body_max": "4MiB"}}, port=front_port())
        self.screen.line(f"  balancer  {self.cluster.url} (tandem-lb, "
                         f"pid {self.cluster.lb.process.pid})")
        for name, server in self.cluster.servers.items():
            self.screen.line(f"  server {name}  pid {server.process.pid}, in front of nginx on "
                             f"port {self.cluster.origins[name].port}")
        self.swarm = self.shop.start(
            Swarm(self.shop.folder, self.cluster.url, self.paths, CLIENTS))
        self.screen.line(f"  clients   {CLIENTS} of the client library, each with its own cache")

    def watch(self, goal, said=""):
        """Shows the progress until `goal` gets are done or the run has ended."""
        begun = self.begun
        while self.swarm.running() and self.swarm.counts["requests"] - begun < goal:
            self.show(begun, said)
            time.sleep(0.05)
            if not self.swarm.process.alive():
                raise Impatient(self.swarm.process.tail())
        self.show(begun, said)

    def show(self, begun, said):
        counts = self.swarm.counts
        done = counts["requests"] - begun
        self.screen.progress(
            f"  [{bar(done, self.goal)}] {done} of {self.goal} requests, "
            f"{counts['failed']} failed, {counts['mirror'] + counts['validator']} reused, "
            f"{counts['moved']} moved {said}")

    def run(self, rounds):
        self.begun = self.swarm.counts["requests"]
        self.goal = rounds * CLIENTS * len(self.paths)
        self.swarm.run(self.goal)

    def summary(self, before):
        counts = self.swarm.counts
        self.screen.line(
            f"  {counts['requests'] - before['requests']} requests, "
            f"{counts['failed'] - before['failed']} failed; "
            f"{(counts['bytes'] - before['bytes']) / 1e6:.1f} MB fetched, "
            f"{(counts['saved'] - before['saved']) / 1e6:.1f} MB reused")

    def take(self):
        before = dict(self.swarm.counts)
        self.screen.step(f"Filling the caches: {CLIENTS} clients, {len(self.paths)} files each")
        self.run(1)
        self.watch(self.goal)
        self.swarm.wait_ran()
        self.summary(before)

        before = dict(self.swarm.counts)
        self.screen.step("Fetching on; a primary dies meanwhile")
        self.run(2)
        self.watch(self.goal // 6)
        victim = self.kill_a_primary()
        self.watch(self.goal * 3 // 4, f"({victim.name} is dead)")
        victim.start()
        self.cluster.lb.wait_online(self.cluster.names)
        self.screen.line(f"  server {victim.name} is started again, pid {victim.process.pid}")
        self.watch(self.goal)
        self.swarm.wait_ran()
        self.summary(before)
        self.lost += sum(self.cluster.totals("tandem_takeovers_cold_total").values())

    def kill_a_primary(self):
        serving = self.swarm.which()
        victim = self.cluster.servers[max(serving, key=serving.get)]
        self.cluster.wait_mirrored()
        self.lost += victim.metric("tandem_takeovers_cold_total")
        victim.process.kill()
        self.screen.line(f"  kill -9 of server {victim.name}: the primary of "
                         f"{serving[victim.name]} of the {CLIENTS} sessions, while they fetch")
        return victim

    def table(self):
        """Prints the verdict; True if nobody lost anything."""
        done = self.swarm.finish()
        held, by_mirror = done["held"], done["held_mirror"]
        by_crc = done["held_validator"]
        rows = [
            ("requests", done["requests"], None),
            ("failed requests", done["failed"], done["failed"] == 0),
            ("sessions moved", done["moved"], done["moved"] > 0),
            ("sessions lost", int(self.lost), self.lost == 0),
            ("unchanged items held at takeover", held, held > 0),
            ("  of these reused", by_mirror + by_crc, by_mirror + by_crc == held),
            ("    by mirror", by_mirror, None),
            ("    by CRC", by_crc, None),
            ("contents that were wrong", done["corrupt"], done["corrupt"] == 0),
            ("bytes fetched", f"{done['bytes'] / 1e6:.1f} MB", None),
            ("bytes saved", f"{done['saved'] / 1e6:.1f} MB", None),
            ("slowest request", f"{done['slowest_ms']:.0f} ms", None),
        ]
        self.screen.step("What the clients saw")
        for name, value, good in rows:
            mark = {None: "", True: "ok", False: "NOT AS PROMISED"}[good]
            self.screen.line(f"  {name:34}{value:>14}  {mark}".rstrip())
        for failure in done["failures"]:
            self.screen.line(f"  failed: {failure}")
        return all(good is not False for _, _, good in rows)

    def keep_serving(self):
        """Until Ctrl-C. Whatever is killed meanwhile is started again."""
        pids = ", ".join(f"{name} {server.process.pid}"
                         for name, server in self.cluster.servers.items())
        self.screen.step(f"Serving on {self.cluster.url}/ until Ctrl-C")
        self.screen.line("  Open it in a browser, kill -9 the server that answers you (field\n"
                         f"  Tandem-Server), and load again. Servers by pid: {pids}\n"
                         f"  State: http://127.0.0.1:{self.cluster.lb.admin_port}/status")
        while True:
            time.sleep(0.2)
            for name, server in self.cluster.servers.items():
                if not server.process.alive():
                    self.screen.line(f"  server {name} is gone; its sessions are with their "
                                     "alternates. Starting it again in 5 s")
                    time.sleep(5)
                    server.start()
                    self.screen.line(f"  server {name} is back: pid {server.process.pid}")


def front_port():
    """8080 if it is free: easy to type."""
    return ports.take_port(8080) or ports.free_port()


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=os.path.join(ROOT, "build/release"))
    parser.add_argument("--site", default=os.path.join(ROOT, "build/site"))
    return parser.parse_args()


def interrupt(*_):
    raise KeyboardInterrupt


def main():
    options = parse_arguments()
    os.environ["TANDEM_BUILD"] = os.path.abspath(options.build)
    options.site = os.path.abspath(options.site)
    signal.signal(signal.SIGINT, interrupt)  # a shell may have had it ignored
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)
    raise_descriptor_limit(4096)
    screen, shop = Screen(), tandem.Workshop()
    failed, good = True, False
    try:
        tour = Tour(options, shop, screen)
        tour.start()
        tour.take()
        good = tour.table()
        failed = not good
        if not os.environ.get("ONCE"):
            tour.keep_serving()
    except KeyboardInterrupt:
        screen.line("\nending")
        failed = False
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        shop.close(failed=failed)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
