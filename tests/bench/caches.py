"""What a hit in the cache of tandem-server costs beside Varnish's, and a hit behind a balancer, of
tandem-lb + tandem-server beside HAProxy + Varnish, for `make bench`.

All stand in front of the same origin, which is asked once for each item; all of them share core
0, and the load has core 1. CPU is that of the processes between the load and the hit: of the cache
alone where the load goes straight to it, else of balancer and cache. Varnish runs as it is
installed but for one thing: its threads stay, so that none is made while it is measured. Clients
keep their connections.
"""

import functools
import http.client
import json
import os
import statistics
import subprocess

from ports import free_ports
from process import Process, until
from proxies import PROXY_CPUS, Haproxy, make_certificate

# name, what is said of it, arguments of bench_load, behind a balancer
CASES = [
    ("hit_1k", "hit, 1 KiB", ["--path", "/cached/1k", "--clients", "64"], False),
    ("hit_64k", "hit, 64 KiB", ["--path", "/cached/64k", "--clients", "32"], False),
    ("held_1k", "hit, 304 for 1 KiB", ["--path", "/cached/1k", "--clients", "64", "--holds"],
     False),
    ("held_64k", "hit, 304 for 64 KiB", ["--path", "/cached/64k", "--clients", "64", "--holds"],
     False),
    ("chain_1k", "balancer and hit, 1 KiB", ["--path", "/cached/1k", "--clients", "64"], True),
    ("chain_64k", "balancer and hit, 64 KiB", ["--path", "/cached/64k", "--clients", "32"], True),
]
NAMES = ("varnish", "tandem")


class Varnish:
    """HAProxy before Varnish before an origin."""

    def __init__(self, folder, origin, certificate):
        self.folder = os.path.join(folder, "varnish")
        os.makedirs(self.folder)
        self.cache_port, = free_ports(1)
        self.balancer = Haproxy(folder, [self.cache_port], certificate)
        self.port = self.balancer.port
        self.process = Process("varnish", [
            "varnishd", "-F", "-n", os.path.join(self.folder, "state"), "-a",
            f"127.0.0.1:{self.cache_port}", "-b", f"127.0.0.1:{origin}", "-s", "malloc,64m",
            "-p", "thread_pool_timeout=1800"], os.path.join(self.folder, "log"), cpus=PROXY_CPUS)

    def start(self):
        self.process.start()
        self.process.wait_listening(self.cache_port)
        self.balancer.start()

    def cache_pids(self):
        children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        with open(children, encoding="ascii") as file:
            return [int(pid) for pid in file.read().split()]

    def balancer_pids(self):
        return self.balancer.worker_pids()

    def stop(self):
        self.balancer.stop()
        self.process.stop()


class Tandem:
    """tandem-lb before tandem-server before an origin."""

    def __init__(self, folder, origin, binaries):
        self.folder = os.path.join(folder, "tandem-caches")
        os.makedirs(self.folder)
        key = os.path.join(self.folder, "cluster.key")
        subprocess.run([os.path.join(binaries, "tandemctl"), "keygen", key], check=True,
                       capture_output=True)
        self.port, control, self.cache_port, peers, admin = free_ports(5)
        self.balancer = self.program(binaries, "tandem-lb", f"""
workers = 1
[front]
listen = ["127.0.0.1:{self.port}"]
server_list = true
[control]
listen = "127.0.0.1:{control}"
key_file = "{key}"
[admin]
listen = "127.0.0.1:{admin}"
""")
        self.cache = self.program(binaries, "tandem-server", f"""
name = "a"
listen = "127.0.0.1:{self.cache_port}"
peer_listen = "127.0.0.1:{peers}"
direct = true
balancers = ["127.0.0.1:{control}"]
key_file = "{key}"
[source]
url = "http://127.0.0.1:{origin}"
[cache]
bytes = "64MiB"
""")

    def program(self, binaries, program, conf):
        path = os.path.join(self.folder, program + ".toml")
        with open(path, "w", encoding="ascii") as file:
            file.write(conf)
        return Process(program, [os.path.join(binaries, program), "--config", path],
                       os.path.join(self.folder, program + ".log"), cpus=PROXY_CPUS,
                       cwd=self.folder)

    def start(self):
        self.balancer.start()
        self.cache.start()
        self.cache.wait_listening(self.cache_port)
        self.balancer.wait_listening(self.port)

    def cache_pids(self):
        return [self.cache.pid]

    def balancer_pids(self):
        return [self.balancer.pid]

    def stop(self):
        self.cache.stop()
        self.balancer.stop()


def answer(port, path):
    """(status, fields) of a GET, whose body is read."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        return response.status, response.headers
    finally:
        connection.close()


def answers(port):
    try:
        return answer(port, "/cached/1k")[0] == 200
    except (OSError, http.client.HTTPException):
        return False


class Caches:
    def __init__(self, bench, origins):
        self.bench = bench
        folder = os.path.join(bench.folder, "caches")
        os.makedirs(folder)
        self.sides = {"varnish": Varnish(folder, origins[0], make_certificate(folder)),
                      "tandem": Tandem(folder, origins[0], bench.binaries)}
        self.rounds = 3 if bench.options.quick else bench.rounds
        self.samples = {}

    def run(self):
        try:
            for name, side in self.sides.items():
                side.start()
                until(functools.partial(answers, side.port), f"{name} to answer")
            self.check()
            for number in range(self.rounds):
                for case in CASES:
                    for name in NAMES[number % 2:] + NAMES[:number % 2]:
                        self.measure(number, case, name)
        finally:
            for side in self.sides.values():
                side.stop()
        return self.figures()

    def check(self):
        """Are these hits? Else no cost would prove nothing."""
        for name, side in self.sides.items():
            for port in (side.cache_port, side.port):
                for path in ("/cached/1k", "/cached/64k"):
                    answer(port, path)
                    status, fields = answer(port, path)
                    # Varnish names the request that brought what it serves, after its own.
                    hit = ("; hit" in fields.get("Cache-Status", "") or
                           len(fields.get("X-Varnish", "").split()) == 2)
                    if status != 200 or not hit:
                        raise SystemExit(f"\n{name} has no hit: {status}\n{fields}")

    def measure(self, number, case, name):
        _, title, arguments, chain = case
        side = self.sides[name]
        self.bench.say(f"round {number + 1} of {self.rounds}: {title}, {name}")
        pids = side.cache_pids() + (side.balancer_pids() if chain else [])
        argv = [os.path.join(self.bench.binaries, "bench_load"),
                str(side.port if chain else side.cache_port), *arguments, "--seconds",
                str(self.bench.seconds), "--warm", "0.3",
                *(word for pid in pids for word in ("--pid", str(pid)))]
        load = self.bench.start_load(argv)
        out = load.communicate()[0]
        if load.returncode != 0:
            raise SystemExit(f"\nthe load on {name} failed: {out}")
        self.samples.setdefault((case[0], name), []).append(json.loads(out))

    def figures(self):
        result = {"rounds": self.rounds}
        for case, *_ in CASES:
            cpu = {name: [s["cpu_ns"] / s["requests"] / 1000 for s in self.samples[case, name]]
                   for name in NAMES}
            result[case] = {name: {
                "cpu_us_per_request": statistics.median(cpu[name]),
                "cpu_ratio": statistics.median(
                    mine / theirs for mine, theirs in zip(cpu[name], cpu["varnish"])),
                "requests_per_second": statistics.median(
                    s["requests"] / s["seconds"] for s in self.samples[case, name]),
                "latency_p99_us": statistics.median(
                    s["latency_p99_us"] for s in self.samples[case, name]),
            } for name in NAMES}
        return result


def print_figures(figures):
    print(f"{'':31}{'cache':9}{'CPU µs/req':>11}{'× Varnish':>11}{'req/s':>9}{'p99 µs':>9}")
    for case, title, *_ in CASES:
        for name in NAMES:
            f = figures[case][name]
            print(f"{title:31}{name:9}{f['cpu_us_per_request']:11.2f}{f['cpu_ratio']:11.2f}"
                  f"{f['requests_per_second']:9.0f}{f['latency_p99_us']:9.0f}")
            title = ""
