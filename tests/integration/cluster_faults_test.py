"""100,000 idempotent requests of library clients (TANDEM_FAULT_REQUESTS; TANDEM_FAULT_SEED for the
order of the faults), with POSTs and plain HTTP clients among them, and a fault every 5,000: servers
killed, frozen for less and for more than the timeouts, connections reset at once, before a
response, in the middle of its head and of its body, forgotten, swallowed, made to drip.

What is counted, and how:

- A *round trip* is a request that was handed to a connection with a server: `sent` in the
  balancer's access log, summed over the lines of one call of a client (a client that asks again
  makes a line more). A connection that the kernel of a dead process refuses has carried nothing and
  is none. *Extra* are all beyond the first but referrals: a server that comes back gets its share
  of the sessions, and the next request of each is referred there (`referrals` in the log), whatever
  fault there is. Calls under /fresh/ carry a number in their target, so
  that their lines are found; the others have no body to break off, and the clients' own count of
  what they asked again shows that none of them was.
- *Held* is what a client held, unchanged, when it first asked for it after its session had moved;
  of those bytes all but 0.1 % must have been answered "use yours".
- A POST is *executed* for each line that an origin's own log has of it.
- Plain HTTP clients cannot resume: a response that was cut after its head is counted apart,
  anything else that goes wrong is a failure.

A response that drips is a response: it is passed on as it comes, and nobody is moved for it.
"""

import json
import os
import random
import re
import threading
import time
from collections import Counter, defaultdict

import raw
from case import Case, main
from cluster import Cluster, make_site, site_paths
from faulty import Faulty
from ports import free_port
from process import until
from swarm import Swarm

REQUESTS = int(os.environ.get("TANDEM_FAULT_REQUESTS", "100000"))
SEED = int(os.environ.get("TANDEM_FAULT_SEED", "1"))
FAULT_EVERY = 5_000
POSTS_PER_FAULT = 100
CLIENTS = 100
PLAIN_CLIENTS = 4
INTERVAL = 0.3  # status_interval, seconds: a server is given up after three, and a failed probe

# One extra round trip at most.
BREAKING = ("kill", "reset", "cut request", "cut head", "cut body")
CUTS = 20  # exchanges that one fault cuts
LONG = ("freeze", "swallow", "forget")                # survived by timeouts
HARMLESS = ("freeze shortly", "drip")                 # nothing is sent again
KINDS = BREAKING + LONG + HARMLESS


def schedule(faults, seed):
    """So many kinds of fault in a random order, each as often as any other."""
    dice = random.Random(seed)
    result = []
    while len(result) < faults:
        result += dice.sample(KINDS, len(KINDS))
    return result[:faults]


class PlainClient(threading.Thread):
    """A client with a cookie and a connection that it keeps, asking for the same page for ever."""

    def __init__(self, port, path):
        super().__init__(daemon=True)
        self.port, self.path = port, path
        self.asked = self.whole = self.cut = 0
        self.failures = []
        self.ending = threading.Event()
        self._connection = None
        self._cookie = None

    def run(self):
        while not self.ending.wait(0.05):
            self._ask()

    def _ask(self):
        head = None
        try:
            if self._connection is None:
                self._connection = raw.connect(self.port)
            fields = [("Cookie", f"tandem={self._cookie}")] if self._cookie else []
            self.asked += 1
            target = f"{self.path}?plain={self.ident}-{self.asked}"
            self._connection.send(raw.request_text("GET", target, fields))
            head = self._connection.read_head()
            self._cookie = raw.Response(head, b"").cookie() or self._cookie
            self._connection.read_body(head)
            if head.status != 200:
                self.failures.append(head.start)
            self.whole += 1
        except (raw.Closed, OSError) as error:
            if head is None:
                self.failures.append(f"no response: {error}")
            else:
                self.cut += 1
            self._connection.close()
            self._connection = None


class AccessLog:
    """The balancer's lines, read piece by piece."""

    def __init__(self, lb, path):
        self._lb, self._path, self._at, self.lines = lb, path, 0, 0

    def new_lines(self):
        """All since the last call, once the balancer has written all that it owes."""
        found = []

        def whole():
            with open(self._path, "rb") as log:
                log.seek(self._at)
                text = log.read()
            text = text[:text.rfind(b"\n") + 1]
            self._at += len(text)
            found.extend(json.loads(line) for line in text.splitlines())
            return self.lines + len(found) >= self._lb.metric("tandem_requests_total")

        until(whole, "the access log to be written")
        self.lines += len(found)
        return found


class Faults(Case):
    @classmethod
    def set_up_class(cls):
        site = os.path.join(cls.shop.folder, "site")
        os.makedirs(site)
        make_site(os.path.join(site, "kept"), files=20)
        make_site(os.path.join(site, "fresh"), files=10, seed=2)
        cls.paths = site_paths(site)
        log = os.path.join(cls.shop.folder, "access.log")
        # a and b are reached directly; c and d through a relay that breaks connections.
        cls.relays, each = {}, {}
        for name in "cd":
            near, far = free_port(), free_port()
            each[name] = {"listen": f"127.0.0.1:{far}", "advertise": f"127.0.0.1:{near}"}
            cls.relays[name] = cls.shop.start(Faulty(
                cls.shop.folder, f"before-{name}", f"127.0.0.1:{near}", f"127.0.0.1:{far}"))
        interval = f"{int(INTERVAL * 1000)}ms"
        cls.cluster = Cluster(
            cls.shop, site, each=each,
            server={"status_interval": interval},
            balancer={"control": {"status_interval": interval}, "check": {"timeout": "500ms"},
                      "log": {"access": log, "format": "json"}},
            nginx_conf='location /fresh/ { add_header Cache-Control no-store; }'
                       'location /post { return 200 "done"; }')
        cls.log = AccessLog(cls.cluster.lb, log)

    # --- the faults: each strikes when it is called, and heals before it returns ----------------

    def victim(self, names):
        """The one of them that serves most clients."""
        serving = self.swarm.which()
        name = max(names, key=lambda one: serving.get(one, 0))
        return self.cluster.servers[name], serving.get(name, 0)

    def offline(self, server):
        self.cluster.lb.wait(lambda: server.name not in self.cluster.lb.online(),
                             f"declare {server.name} offline")

    def online(self):
        self.cluster.lb.wait_online(self.cluster.names)

    def strike(self, kind):
        """How many POSTs may fail: each client has one call in flight."""
        if kind == "kill":
            server, serving = self.victim("ab")
            server.process.kill()
            self.offline(server)
            server.start()
        elif kind in ("freeze", "freeze shortly"):
            server, serving = self.victim("ab")
            server.process.freeze()
            try:
                if kind == "freeze":
                    self.offline(server)
                else:
                    time.sleep(INTERVAL)  # the length of the fault itself
            finally:
                server.process.thaw()
        elif kind == "swallow":
            server, serving = self.victim("cd")
            self.relays[server.name].tell("swallow")
            self.offline(server)
            self.relays[server.name].tell("pass")
        elif kind == "drip":
            server, serving = self.victim("cd")
            self.relays[server.name].tell("drip 2000 50")
            time.sleep(1)
            self.relays[server.name].tell("pass")
        elif kind.startswith("cut "):
            server, serving = self.victim("cd")
            relay = self.relays[server.name]
            before = relay.counts()["cut"]
            relay.tell(f"{kind} {CUTS}")
            until(lambda: relay.counts()["cut"] == before + CUTS or not self.swarm.running(),
                  f"{kind} to meet {CUTS} exchanges")
            relay.tell("pass")
            serving = relay.counts()["cut"] - before
        else:
            server, serving = self.victim("cd")
            caught = self.relays[server.name].tell(kind)
            if caught < 0:
                print(f"{kind}: not possible for this user, left out")
                return 0
        return serving

    # --- the run ---------------------------------------------------------------------------------

    def round_trips(self, lines):
        """(extra round trips of each call that took any, lines beyond the first of a call, calls
        that were referred)"""
        calls, referred = defaultdict(list), set()
        for number, line in enumerate(lines):
            if line["method"] != "GET":
                referred.update([number] if line["referrals"] else [])
                continue
            tagged = "?" in line["target"]
            call = line["target"] if tagged else number
            calls[call].append(line["sent"] - line["referrals"])
            if line["referrals"]:
                referred.add(call)
        extra = [sum(sent) - 1 for sent in calls.values() if sum(sent) > 1]
        return extra, sum(len(sent) - 1 for sent in calls.values()), len(referred)

    def leg(self, kind):
        """FAULT_EVERY requests, with the fault in the middle of them."""
        self.cluster.wait_mirrored()
        self.log.new_lines()
        before = self.swarm.ask("counts", "counts")
        self.swarm.run(FAULT_EVERY, POSTS_PER_FAULT)
        until(lambda: self.swarm.ask("counts", "counts")["requests"]
              > before["requests"] + FAULT_EVERY // 5, "requests to fly")
        begun = time.monotonic()
        may_fail = self.strike(kind)
        took = time.monotonic() - begun
        mid_run = self.swarm.running()
        self.swarm.wait_ran(120)
        self.online()
        after = self.swarm.ask("counts", "counts")
        extra, asked_again, referred = self.round_trips(self.log.new_lines())
        delta = {key: after[key] - before[key] for key in after if isinstance(after[key], int)}
        report = {"fault": kind, "took": round(took, 2), "mid-run": mid_run, "caught": len(extra),
                  "extra at most": max(extra, default=0), "referred": referred,
                  **{key: delta[key] for key in ("failed", "posts_failed", "moved", "retries",
                                                 "held_bytes", "held_refetched_bytes")},
                  "elapsed": after["elapsed_s"]}
        print(json.dumps(report), flush=True)
        with self.subTest(**report):
            self.assertLessEqual(delta["posts_failed"], may_fail)
            # Only calls whose lines can be told apart were asked again by the clients themselves.
            self.assertEqual(delta["retries"], asked_again)
            if kind in BREAKING:
                self.assertLessEqual(max(extra, default=0), 1)
            if kind == "drip":
                self.assertEqual(extra, [])
                self.assertLessEqual(delta["moved"], referred)  # not one by a takeover
        return delta, len(extra)

    def test_all_kinds_of_fault(self):
        plain = [PlainClient(self.cluster.lb.port, path)
                 for path in [p for p in self.paths if p.startswith("/fresh/")][:PLAIN_CLIENTS]]
        self.swarm = self.shop.start(Swarm(self.shop.folder, self.cluster.url, self.paths, CLIENTS,
                                           more=("--tag", "/fresh/", "--threads", 20)))
        for client in plain:
            client.start()
        self.swarm.run(2 * CLIENTS * len(self.paths))  # everybody holds everything
        self.swarm.wait_ran(120)
        warm = self.swarm.counts["requests"]
        caught = Counter()
        for kind in schedule(REQUESTS // FAULT_EVERY, SEED):
            caught[kind] += self.leg(kind)[1]
        for client in plain:
            client.ending.set()
        for client in plain:
            client.join()
        done = self.swarm.finish()
        print({**done, "caught": dict(caught), "plain": sum(c.whole for c in plain),
               "plain cut": sum(c.cut for c in plain)})
        self.assertEqual(done["failed"], 0, done["failures"])
        self.assertEqual(done["corrupt"], 0)
        self.assertEqual(done["requests"], warm + REQUESTS // FAULT_EVERY * FAULT_EVERY)
        self.assertEqual([failure for client in plain for failure in client.failures], [])
        self.assertGreater(done["held_bytes"], 0)
        self.assertLessEqual(done["held_refetched_bytes"], done["held_bytes"] // 1000)
        self.check_posts(done)

    def check_posts(self, done):
        executed = Counter()
        for origin in self.cluster.origins.values():
            with open(origin.access_log, encoding="ascii") as log:
                executed.update(re.findall(r"^POST /post\?id=(\S+)", log.read(), re.M))
        self.assertEqual({i: n for i, n in executed.items() if n > 1}, {}, "executed twice")
        self.assertGreaterEqual(len(executed), done["posts"] - done["posts_failed"])


if __name__ == "__main__":
    main()
