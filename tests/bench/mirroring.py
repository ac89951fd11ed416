"""What mirroring costs a pair of servers, for `make bench`: each is primary of half of the sessions
and alternate of the others. Two clusters of a balancer and two tandem-servers stand in front of the
same origins, one with mirrors, one without; each client has a cache, as those of the library do,
and every answer changes what it holds.

Rounds are paired: each measures both clusters, one after the other, and the cost is the median of
the differences. CPU is the on-CPU time of both servers of a cluster; system calls are counted by
the kernel (perf stat), which costs them nothing, since servers that are slowed down by strace have
less to say at a time. Where perf may not count, strace does.
"""

import http.client
import json
import os
import re
import statistics
import subprocess

from ports import free_ports
from process import Process, until

SERVER_CPUS = {0}
TITLE = "mirroring, 1 KiB"
CALLS_MAX = 0.1  # of system calls per request, on minus off

LOAD = ["--path", "/1k", "--clients", "64", "--caches"]


class Pair:
    """A balancer and two servers, a and b."""

    def __init__(self, folder, name, clients, origins, key, binaries):
        self.name = name
        self.folder = os.path.join(folder, name)
        os.makedirs(self.folder)
        self.port, control, self.admin = free_ports(3)
        self.processes = [self.program(binaries, "tandem-lb", "lb", f"""
workers = 1
[front]
listen = ["127.0.0.1:{self.port}"]
[control]
listen = "127.0.0.1:{control}"
key_file = "{key}"
[admin]
listen = "127.0.0.1:{self.admin}"
""")]
        self.server_admins = []
        for server, origin in zip("ab", origins):
            listen, peers, admin = free_ports(3)
            self.server_admins.append(admin)
            self.processes.append(self.program(binaries, "tandem-server", server, f"""
name = "{server}"
listen = "127.0.0.1:{listen}"
peer_listen = "127.0.0.1:{peers}"
balancers = ["127.0.0.1:{control}"]
key_file = "{key}"
[source]
url = "http://127.0.0.1:{origin}"
[mirror]
clients = "{clients}"
[admin]
listen = "127.0.0.1:{admin}"
"""))
        self.samples = []

    def program(self, binaries, program, name, conf):
        path = os.path.join(self.folder, name + ".toml")
        with open(path, "w", encoding="ascii") as file:
            file.write(conf)
        return Process(f"{self.name} {name}", [os.path.join(binaries, program), "--config", path],
                       os.path.join(self.folder, name + ".log"), cpus=SERVER_CPUS,
                       cwd=self.folder)

    def start(self):
        for process in self.processes:
            process.start()
        for process in self.processes[1:]:
            process.wait_log("linked with")
        self.processes[0].wait_listening(self.port)
        until(self.both_take_sessions, "both servers to take sessions")

    def both_take_sessions(self):
        try:
            view = json.loads(fetch(self.admin, "/status"))["view"]
            return sum(server["online"] for server in view["servers"]) == 2
        except (OSError, ValueError):
            return False

    def mirrored(self):
        """Items that the servers have sent to each other, and the bytes that these took on the
        wire, so far."""
        figures = [re.findall(r"^tandem_(mirror_items_sent|peer_bytes_sent)_total (\d+)",
                              fetch(admin, "/metrics"), re.M) for admin in self.server_admins]
        return [sum(int(value) for each in figures for name, value in each if name == wanted)
                for wanted in ("mirror_items_sent", "peer_bytes_sent")]

    def server_pids(self):
        return [process.pid for process in self.processes[1:]]

    def stop(self):
        for process in reversed(self.processes):
            process.stop()


def fetch(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    except http.client.HTTPException as error:
        raise OSError(str(error)) from None
    finally:
        connection.close()


class Mirroring:
    def __init__(self, bench, origins):
        self.bench = bench
        key = os.path.join(bench.folder, "cluster.key")
        subprocess.run([os.path.join(bench.binaries, "tandemctl"), "keygen", key], check=True,
                       capture_output=True)
        self.pairs = [Pair(bench.folder, name, clients, origins, key, bench.binaries)
                      for name, clients in (("on", "library"), ("off", "off"))]
        self.rounds = 3 if bench.options.quick else 9
        self.counter = "perf" if perf_counts() else "strace"
        self.bytes_per_item = 0

    def run(self):
        try:
            for pair in self.pairs:
                pair.start()
            for number in range(self.rounds):
                for pair in self.pairs[number % 2:] + self.pairs[:number % 2]:
                    self.bench.say(f"round {number + 1} of {self.rounds}: {TITLE}, {pair.name}")
                    load = self.bench.start_load(self.load_argv(pair, self.bench.seconds, 0.3))
                    pair.samples.append(self.finish(load, pair))
            calls = {pair.name: self.count_calls(pair) for pair in self.pairs}
        finally:
            for pair in self.pairs:
                pair.stop()
        return self.figures(calls)

    def load_argv(self, pair, seconds, warm):
        pids = [word for pid in pair.server_pids() for word in ("--pid", str(pid))]
        return [os.path.join(self.bench.binaries, "bench_load"), str(pair.port), *LOAD,
                "--seconds", str(seconds), "--warm", str(warm), *pids]

    @staticmethod
    def finish(load, pair):
        out = load.communicate()[0]
        if load.returncode != 0:
            raise SystemExit(f"\nthe load on mirroring {pair.name} failed: {out}\n" +
                             "\n".join(process.tail() for process in pair.processes))
        return json.loads(out)

    def count_calls(self, pair):
        """Calls of both servers per request: what a long run has more than a short one."""
        self.bench.say(f"system calls: {TITLE}, {pair.name}")
        few, few_calls = self.counted_run(pair, 0.3)
        items, octets = pair.mirrored()
        many, many_calls = self.counted_run(pair, 1.3 if self.bench.options.quick else 3.3)
        items, octets = [after - before for after, before in zip(pair.mirrored(), (items, octets))]
        # Without this, no cost would prove nothing.
        expected = many if pair.name == "on" else 0
        if not 0.9 * expected <= items <= 1.1 * expected:
            raise SystemExit(f"\nwith mirrors {pair.name}, {many} requests changed {items} items")
        if items:
            self.bytes_per_item = octets / items
        return (many_calls - few_calls) / (many - few)

    def counted_run(self, pair, seconds):
        """(completed requests, system calls of both servers meanwhile)"""
        summary = os.path.join(self.bench.folder, "calls")
        pids = ",".join(str(pid) for pid in pair.server_pids())
        argv = self.load_argv(pair, seconds, 0)
        if self.counter == "perf":
            load = self.bench.start_load(["perf", "stat", "-x", ",", "-o", summary, "-e",
                                          "raw_syscalls:sys_enter", "-p", pids, "--", *argv])
            done = self.finish(load, pair)
            with open(summary, encoding="ascii") as file:
                count = re.search(r"^(\d+),.*raw_syscalls:sys_enter", file.read(), re.M)
            return done["requests"], int(count.group(1))
        return self.bench.traced(pair.server_pids(), lambda: self.finish(
            self.bench.start_load(argv), pair))

    def figures(self, calls):
        cpu = {pair.name: [s["cpu_ns"] / s["requests"] / 1000 for s in pair.samples]
               for pair in self.pairs}
        differences = [on - off for on, off in zip(cpu["on"], cpu["off"])]
        return {
            "rounds": self.rounds,
            "calls_counted_by": self.counter,
            "calls_per_request": calls,
            "calls_of_mirroring": calls["on"] - calls["off"],
            "wire_bytes_per_item": self.bytes_per_item,
            "cpu_us_per_request": {name: statistics.median(each) for name, each in cpu.items()},
            "cpu_us_per_request_rounds": {name: [round(value, 2) for value in each]
                                          for name, each in cpu.items()},
            "cpu_us_of_mirroring": statistics.median(differences),
            "cpu_us_of_mirroring_rounds": [round(value, 2) for value in differences],
            "requests_per_second": {pair.name: statistics.median(
                s["requests"] / s["seconds"] for s in pair.samples) for pair in self.pairs},
        }


def perf_counts():
    """May perf count the system calls of other processes here?"""
    try:
        done = subprocess.run(["perf", "stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "true"],
                              capture_output=True, text=True, check=False)
    except OSError:
        return False
    return done.returncode == 0 and re.search(r"^\d+,", done.stderr, re.M) is not None


def print_figures(figures):
    print(f"{'':31}{'mirrors':9}{'CPU µs/req':>11}{'req/s':>9}{'calls/req':>11}"
          "   (both servers)")
    title = TITLE
    for name in ("on", "off"):
        print(f"{title:31}{name:9}{figures['cpu_us_per_request'][name]:11.2f}"
              f"{figures['requests_per_second'][name]:9.0f}"
              f"{figures['calls_per_request'][name]:11.3f}")
        title = ""
    rounds = figures["cpu_us_of_mirroring_rounds"]
    print(f"{'':31}{'cost':9}{figures['cpu_us_of_mirroring']:11.2f}{'':9}"
          f"{figures['calls_of_mirroring']:11.3f}"
          f"   ({figures['rounds']} paired rounds: {min(rounds):.2f} to {max(rounds):.2f} µs;"
          f" {figures['wire_bytes_per_item']:.1f} bytes an item between the servers)")


def judge(figures):
    cost = figures["calls_of_mirroring"]
    good = cost <= CALLS_MAX
    print(f"{'ok  ' if good else 'MISS'} {TITLE}: system calls per request, on minus off, "
          f"{cost:.3f}, at most {CALLS_MAX}")
    return good
