#!/usr/bin/python3
"""`make bench`: tandem-lb beside HAProxy (one thread) and nginx (one worker), in one run.

The proxies stand in front of the same three origins (see proxies.py), alone on core 0; the load
generator and the origins have core 1. Rounds are interleaved: each round measures every case with
every proxy, and the medians over the rounds are told, so that what disturbs the machine for a
while disturbs all alike. CPU is the proxy's on-CPU time (/proc/PID/task/*/schedstat) over the
requests completed in that time.

Then what mirroring costs tandem-server, by the same load (see mirroring.py), what it costs
tandem-lb to carry the token in an application's own header (see affinity.py), what a hit costs
beside Varnish's (see caches.py), and what a client of the library saves that goes direct (see
direct.py). --only runs one part.

Exits 1 if Tandem misses what it is held to: see GOALS, and CALLS_MAX in mirroring.py.
"""

import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))

import affinity  # noqa: E402
import caches  # noqa: E402
import direct  # noqa: E402
import mirroring  # noqa: E402
from process import Process, raise_descriptor_limit  # noqa: E402
from proxies import all_proxies, make_certificate  # noqa: E402

LOAD_CPUS = {1}

# name, what is said of it, arguments of bench_load
CASES = [
    ("keepalive_1k", "keep-alive, 1 KiB", ["--path", "/1k", "--clients", "64"]),
    ("keepalive_64k", "keep-alive, 64 KiB", ["--path", "/64k", "--clients", "32"]),
    ("connection_1k", "connection per request, 1 KiB",
     ["--path", "/1k", "--clients", "32", "--close"]),
    ("tls_keepalive_1k", "TLS keep-alive, 1 KiB", ["--path", "/1k", "--clients", "64", "--tls"]),
]

PARTS = ["proxies", "mirroring", "affinity", "caches", "direct"]

# case, figure, how it reads, at most
GOALS = [
    ("keepalive_1k", "cpu_ratio", "CPU against HAProxy's", 1.0),
    ("keepalive_1k", "calls_per_request", "system calls per request", 4.3),
    ("keepalive_64k", "cpu_ratio", "CPU against HAProxy's", 1.0),
]


class Bench:
    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.binaries = os.path.abspath(os.path.join(options.build, "bin"))
        self.rounds = 2 if options.quick else options.rounds
        self.seconds = 0.5 if options.quick else options.seconds
        self.idle_clients = 1000 if options.quick else options.idle
        self.samples = {}  # (case, proxy) -> list of bench_load's objects
        self.calls = {}    # (case, proxy) -> {call: count per request, "all": sum}
        self.idle = {}     # proxy -> bytes per idle connection

    def say(self, text):
        if sys.stdout.isatty():
            print(f"\r\033[K{text}", end="", flush=True)

    def load_argv(self, proxy, arguments, seconds, warm):
        port = proxy.tls_port if "--tls" in arguments else proxy.port
        pids = [word for pid in proxy.worker_pids() for word in ("--pid", str(pid))]
        return [os.path.join(self.binaries, "bench_load"), str(port), *arguments,
                "--seconds", str(seconds), "--warm", str(warm), *pids]

    def start_load(self, argv, stderr=None):
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=stderr, text=True,
                                preexec_fn=lambda: os.sched_setaffinity(0, LOAD_CPUS))

    def finish_load(self, load, proxy):
        out = load.communicate()[0]
        if load.returncode != 0:
            raise SystemExit(f"\nthe load on {proxy.name} failed: {out}\n{proxy.process.tail()}")
        return json.loads(out)

    def measure(self, proxies):
        for number in range(self.rounds):
            for case, title, arguments in CASES:
                # Another goes first in every round.
                for proxy in proxies[number % len(proxies):] + proxies[:number % len(proxies)]:
                    self.say(f"round {number + 1} of {self.rounds}: {title}, {proxy.name}")
                    load = self.start_load(self.load_argv(proxy, arguments, self.seconds, 0.3))
                    self.samples.setdefault((case, proxy.name), []).append(
                        self.finish_load(load, proxy))

    def count_calls(self, proxies):
        """strace counts the calls of two runs that are not timed, a short and a long one. What the
        long one has more, in calls and in completed requests, is free of connecting and warming
        up."""
        for case, title, arguments in CASES:
            for proxy in proxies:
                self.say(f"system calls: {title}, {proxy.name}")
                few, few_calls = self.traced_run(proxy, arguments, 0.3)
                many, many_calls = self.traced_run(proxy, arguments, 1.0 if self.options.quick
                                                   else 2.0)
                counts = {name: (count - few_calls.get(name, 0)) / (many - few)
                          for name, count in many_calls.items()}
                self.calls[case, proxy.name] = {
                    "all": sum(counts.values()),
                    **{name: round(count, 3) for name, count in
                       sorted(counts.items(), key=lambda item: -item[1]) if count >= 0.005}}

    def traced_run(self, proxy, arguments, seconds):
        """(completed requests, {call: count})"""
        return self.traced_calls(proxy.worker_pids(), lambda: self.finish_load(
            self.start_load(self.load_argv(proxy, arguments, seconds, 0)), proxy))

    def traced(self, pids, work):
        """(completed requests, system calls meanwhile)"""
        requests, calls = self.traced_calls(pids, work)
        return requests, sum(calls.values())

    def traced_calls(self, pids, work):
        summary = os.path.join(self.folder, "strace")
        attach = [word for pid in pids for word in ("-p", str(pid))]
        strace = Process("strace", ["strace", "-f", "-c", "-U", "calls,name", "-o", summary,
                                    *attach], os.path.join(self.folder, "strace.log")).start()
        strace.wait_log("attached")
        done = work()
        strace.signal(signal.SIGINT)
        strace.wait()
        with open(summary, encoding="ascii") as file:
            return done["requests"], {
                name: int(count) for count, name in
                re.findall(r"^\s*(\d+)\s+(\w+)\s*$", file.read(), re.M) if name != "total"}

    def measure_idle(self, proxies):
        """Growth of the resident set from a proxy that has worked to one that holds N idle
        connections, each of which has made a request."""
        for proxy in proxies:
            self.say(f"memory of {self.idle_clients} idle connections: {proxy.name}")
            proxy.stop()  # a fresh one: what earlier runs left in its pools would hide the growth
            proxy.start()
            self.finish_load(self.start_load(self.load_argv(proxy, CASES[0][2], 0.5, 0)), proxy)
            before = self.memory(proxy)
            hold = Process("bench_load", [
                os.path.join(self.binaries, "bench_load"), proxy.port, "--clients",
                self.idle_clients, "--hold"], os.path.join(self.folder, "hold.log"),
                cpus=LOAD_CPUS, stdin=subprocess.PIPE).start()
            hold.wait_log("^holding")
            self.idle[proxy.name] = (self.memory(proxy) - before) / self.idle_clients
            hold.kill()

    @staticmethod
    def memory(proxy):
        total = 0
        for pid in proxy.worker_pids():
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
                total += int(re.search(r"^Rss:\s+(\d+)", rollup.read(), re.M).group(1)) * 1024
        return total

    def figures(self, proxies):
        result = {}
        for case, _, _ in CASES:
            for proxy in proxies:
                samples = self.samples[case, proxy.name]
                cpu = [s["cpu_ns"] / s["requests"] / 1000 for s in samples]
                result.setdefault(case, {})[proxy.name] = {
                    "cpu_us_per_request": statistics.median(cpu),
                    "cpu_us_per_request_rounds": [round(value, 2) for value in cpu],
                    "requests_per_second": statistics.median(
                        s["requests"] / s["seconds"] for s in samples),
                    "proxy_core_used": statistics.median(
                        s["cpu_ns"] / 1e9 / s["seconds"] for s in samples),
                    "latency_p50_us": statistics.median(s["latency_p50_us"] for s in samples),
                    "latency_p99_us": statistics.median(s["latency_p99_us"] for s in samples),
                    "calls_per_request": self.calls[case, proxy.name]["all"],
                    "calls": self.calls[case, proxy.name],
                }
            # Round by round: what slows the machine for a while slows both sides of a ratio.
            base = result[case]["haproxy"]["cpu_us_per_request_rounds"]
            for figures in result[case].values():
                figures["cpu_ratio"] = statistics.median(
                    mine / theirs for mine, theirs in
                    zip(figures["cpu_us_per_request_rounds"], base))
        return result


def print_table(cases, idle):
    print(f"{'':31}{'proxy':9}{'CPU µs/req':>11}{'× HAProxy':>11}{'req/s':>9}"
          f"{'calls/req':>11}{'core used':>11}{'p99 µs':>9}")
    for case, title, _ in CASES:
        for name, f in cases[case].items():
            print(f"{title:31}{name:9}{f['cpu_us_per_request']:11.2f}{f['cpu_ratio']:11.2f}"
                  f"{f['requests_per_second']:9.0f}{f['calls_per_request']:11.2f}"
                  f"{f['proxy_core_used']:11.0%}{f['latency_p99_us']:9.0f}")
            title = ""
    title = "memory of an idle connection"
    for name, size in idle.items():
        print(f"{title:31}{name:9}{size:9.0f} B{size / max(idle['haproxy'], 1):11.2f}")
        title = ""


def judge(cases):
    """What tandem-lb is held to; True if it keeps all of it."""
    kept = True
    for case, figure, reading, most in GOALS:
        value = cases[case]["tandem"][figure]
        good = value <= most
        kept = kept and good
        title = next(title for name, title, _ in CASES if name == case)
        print(f"{'ok  ' if good else 'MISS'} {title}: {reading} {value:.2f}, at most {most}")
    return kept


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--json", default="build/bench.json")
    parser.add_argument("--quick", action="store_true", help="short: for a first impression")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0, help="of one measurement")
    parser.add_argument("--idle", type=int, default=8000, help="idle connections")
    parser.add_argument("--only", choices=PARTS,
                        help="one part alone")
    parser.add_argument("--without-tandem", action="store_true",
                        help="only the others: to check the bench itself")
    return parser.parse_args()


def main():
    options = parse_arguments()
    if os.cpu_count() < 2:
        raise SystemExit("two cores are needed: one for the proxy alone, one for its load")
    raise_descriptor_limit(40000)
    folder = tempfile.mkdtemp(prefix="tandem-bench-")
    os.chmod(folder, 0o755)
    origins = None
    try:
        bench = Bench(options, folder)
        origins = Process("origins", [os.path.join(bench.binaries, "bench_origin"), 3],
                          os.path.join(folder, "origins.log"), cpus=LOAD_CPUS,
                          stdin=subprocess.PIPE).start()
        ports = [int(p) for p in origins.wait_log(r"^(\d+ \d+ \d+) $").group(1).split()]
        result = {"rounds": bench.rounds, "seconds": bench.seconds}
        wanted = [options.only] if options.only else PARTS
        if "proxies" in wanted:
            result.update(compare_proxies(bench, ports))
        if "mirroring" in wanted and not options.without_tandem:
            result["mirroring"] = mirroring.Mirroring(bench, ports).run()
        if "affinity" in wanted and not options.without_tandem:
            result["affinity"] = affinity.Affinity(bench, ports).run()
        if "caches" in wanted and not options.without_tandem:
            result["caches"] = caches.Caches(bench, ports).run()
        if "direct" in wanted and not options.without_tandem:
            result["direct"] = direct.Direct(bench, ports).run()
        bench.say("")
        with open(options.json, "w", encoding="ascii") as out:
            json.dump(result, out, indent=1)
        return 0 if print_and_judge(result, options) else 1
    finally:
        if origins:
            origins.stop()
        shutil.rmtree(folder, ignore_errors=True)


def compare_proxies(bench, ports):
    program = os.path.join(bench.binaries, "tandem-lb")
    proxies = all_proxies(bench.folder, ports, make_certificate(bench.folder),
                          None if bench.options.without_tandem else program)
    try:
        for proxy in proxies:
            proxy.start()
        bench.measure(proxies)
        bench.count_calls(proxies)
        bench.measure_idle(proxies)
        return {"cases": bench.figures(proxies), "idle_connections": bench.idle_clients,
                "idle_connection_bytes": bench.idle}
    finally:
        for proxy in proxies:
            proxy.stop()


def print_and_judge(result, options):
    """True if Tandem keeps all that it is held to."""
    kept = True
    if "cases" in result:
        print_table(result["cases"], result["idle_connection_bytes"])
    if "mirroring" in result:
        mirroring.print_figures(result["mirroring"])
    if "affinity" in result:
        affinity.print_figures(result["affinity"])
    if "caches" in result:
        caches.print_figures(result["caches"])
    if "direct" in result:
        direct.print_figures(result["direct"])
    if "cases" in result and not options.without_tandem:
        kept = judge(result["cases"])
    if "mirroring" in result:
        kept = mirroring.judge(result["mirroring"]) and kept
    return kept


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
