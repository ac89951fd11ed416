"""What it costs tandem-lb to carry the token in a header of the application's own, not in a cookie,
for `make bench`: two balancers in front of the same origins, which issue a session id in every
answer; each client sends that value back, and its cookie, if it was given one.

Rounds are paired: each measures both, one after the other, and the cost is the median of the
differences.
"""

import http.client
import os
import statistics

from proxies import Tandem, make_certificate

TITLE = "token in App-Session, 1 KiB"
LOAD = ["--path", "/session", "--clients", "64", "--field", "App-Session"]


class Affinity:
    def __init__(self, bench, origins):
        self.bench = bench
        folder = os.path.join(bench.folder, "affinity")
        os.makedirs(folder)
        certificate = make_certificate(folder)
        program = os.path.join(bench.binaries, "tandem-lb")
        self.proxies = [
            Tandem(folder, origins, certificate, program, "header", "header:App-Session"),
            Tandem(folder, origins, certificate, program, "cookie", "cookie")]
        self.rounds = 3 if bench.options.quick else 9

    def run(self):
        samples = {proxy.name: [] for proxy in self.proxies}
        try:
            for proxy in self.proxies:
                proxy.start()
                check(proxy)
            for number in range(self.rounds):
                for proxy in self.proxies[number % 2:] + self.proxies[:number % 2]:
                    self.bench.say(f"round {number + 1} of {self.rounds}: {TITLE}, {proxy.name}")
                    argv = self.bench.load_argv(proxy, LOAD, self.bench.seconds, 0.3)
                    samples[proxy.name].append(
                        self.bench.finish_load(self.bench.start_load(argv), proxy))
        finally:
            for proxy in self.proxies:
                proxy.stop()
        return self.figures(samples)

    def figures(self, samples):
        cpu = {name: [s["cpu_ns"] / s["requests"] / 1000 for s in each]
               for name, each in samples.items()}
        differences = [header - cookie for header, cookie in zip(cpu["header"], cpu["cookie"])]
        return {
            "rounds": self.rounds,
            "cpu_us_per_request": {name: statistics.median(each) for name, each in cpu.items()},
            "cpu_us_of_header": statistics.median(differences),
            "cpu_us_of_header_rounds": [round(value, 2) for value in differences],
            "requests_per_second": {name: statistics.median(
                s["requests"] / s["seconds"] for s in each) for name, each in samples.items()},
        }


def check(proxy):
    """Is the token where it should be? Else no cost would prove nothing."""
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=5)
    connection.request("GET", "/session")
    response = connection.getresponse()
    connection.close()
    in_header = ";tandem=" in response.headers["App-Session"]
    in_cookie = "Set-Cookie" in response.headers
    if (in_header, in_cookie) != (proxy.name == "header", proxy.name == "cookie"):
        raise SystemExit(f"\nthe token of {proxy.name} is not where it should be")


def print_figures(figures):
    print(f"{'':31}{'token':9}{'CPU µs/req':>11}{'req/s':>9}")
    title = TITLE
    for name in ("header", "cookie"):
        print(f"{title:31}{name:9}{figures['cpu_us_per_request'][name]:11.2f}"
              f"{figures['requests_per_second'][name]:9.0f}")
        title = ""
    rounds = figures["cpu_us_of_header_rounds"]
    print(f"{'':31}{'cost':9}{figures['cpu_us_of_header']:11.2f}"
          f"   ({figures['rounds']} paired rounds: {min(rounds):.2f} to {max(rounds):.2f} µs)")
