"""What a request of the client library costs that goes to its server without a balancer between,
beside one through the balancer, for `make bench`: the same client (tandem-get --bench), the same
server, the same item, which the client holds and the server's mirror knows.

Rounds are paired: each measures both ways, one after the other. CPU is told of the client, the
balancer and the server together, and of each alone; with what the client takes to start, a new
process in every round.
"""

import os
import re
import statistics
import subprocess

from caches import Tandem, answers
from process import until

TITLE = "library client, 1 KiB held"
WAYS = ("direct", "proxied")


class Direct:
    def __init__(self, bench, origins):
        self.bench = bench
        folder = os.path.join(bench.folder, "direct")
        os.makedirs(folder)
        self.cluster = Tandem(folder, origins[0], bench.binaries)
        self.rounds = 3 if bench.options.quick else bench.rounds
        self.samples = {way: [] for way in WAYS}

    def run(self):
        try:
            self.cluster.start()
            until(lambda: answers(self.cluster.port), "tandem to answer")
            for number in range(self.rounds):
                for way in WAYS[number % 2:] + WAYS[:number % 2]:
                    self.bench.say(f"round {number + 1} of {self.rounds}: {TITLE}, {way}")
                    self.samples[way].append(self.measure(way))
        finally:
            self.cluster.stop()
        return self.figures()

    def measure(self, way):
        pids = {"balancer": self.cluster.balancer_pids(), "server": self.cluster.cache_pids()}
        before = {part: on_cpu_seconds(each) for part, each in pids.items()}
        client = self.bench.start_load([
            os.path.join(self.bench.binaries, "tandem-get"), "--bench", "--stats", "--concurrency",
            "32", "--duration", str(self.bench.seconds), *(["--direct"] if way == "direct" else []),
            f"http://127.0.0.1:{self.cluster.port}/cached/1k"], stderr=subprocess.STDOUT)
        out = client.stdout.read()
        _, status, usage = os.wait4(client.pid, 0)
        client.returncode = os.waitstatus_to_exitcode(status)
        calls, directly = (int(re.search(pattern, out).group(1)) for pattern in
                           (r"calls +(\d+)", r"(\d+) answered directly"))
        # Without this, no saving would prove nothing.
        as_meant = directly >= 0.99 * calls if way == "direct" else directly == 0
        if client.returncode != 0 or not as_meant or not re.search(r"no response +0", out):
            raise SystemExit(f"\nthe client that goes {way} failed:\n{out}")
        cpu = {part: on_cpu_seconds(each) - before[part] for part, each in pids.items()}
        cpu["client"] = usage.ru_utime + usage.ru_stime
        return {part: 1e6 * seconds / calls for part, seconds in cpu.items()}

    def figures(self):
        sums = {way: [sum(sample.values()) for sample in self.samples[way]] for way in WAYS}
        return {
            "rounds": self.rounds,
            "cpu_us_per_request": {way: statistics.median(sums[way]) for way in WAYS},
            "cpu_us_per_request_of": {way: {part: statistics.median(
                sample[part] for sample in self.samples[way])
                for part in ("client", "balancer", "server")} for way in WAYS},
            "cpu_ratio": statistics.median(
                direct / proxied for direct, proxied in zip(sums["direct"], sums["proxied"])),
        }


def on_cpu_seconds(pids):
    total = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
    return total / 1e9


def print_figures(figures):
    print(f"{'':31}{'way':9}{'CPU µs/req':>11}{'× proxied':>11}{'client':>9}{'balancer':>11}"
          f"{'server':>11}")
    title = TITLE
    for way in WAYS:
        parts = figures["cpu_us_per_request_of"][way]
        ratio = figures["cpu_ratio"] if way == "direct" else 1
        print(f"{title:31}{way:9}{figures['cpu_us_per_request'][way]:11.2f}{ratio:11.2f}"
              f"{parts['client']:9.2f}{parts['balancer']:11.2f}{parts['server']:11.2f}")
        title = ""
