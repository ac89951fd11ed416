"""Servers cut off by the network, each a host of its own: silently, alone and in company, healed
before and after anybody noticed, and a machine that restarts while nobody can hear it. No request
of a library client fails, no POST is executed twice, and afterwards each session is on one server.
"""

import os
import re
import unittest
from collections import Counter

from case import Case, main
from cluster import Cluster, make_site, site_paths
from network import Network, Unavailable
from process import until
from swarm import Swarm

CLIENTS = 40
POSTS = 200


class Partitions(Case):
    """What the tests share; subclasses say how often servers report."""

    interval = ""

    @classmethod
    def set_up_class(cls):
        try:
            cls.network = Network()
            cls.hosts = {name: cls.network.host(cls.shop, name) for name in "abcd"}
        except Unavailable as reason:
            raise unittest.SkipTest(f"no network namespaces here: {reason}") from None
        site = make_site(os.path.join(cls.shop.folder, "site"), files=20)
        cls.paths = site_paths(site)
        cls.cluster = Cluster(
            cls.shop, site, hosts=cls.hosts, here=cls.network.here,
            server={"status_interval": cls.interval},
            balancer={"control": {"status_interval": cls.interval}, "check": {"timeout": "500ms"}},
            nginx_conf='location /post { return 200 "done"; }')
        cls.runs = 0

    def setUp(self):
        type(self).runs += 1
        self.name = f"swarm{self.runs}"
        self.swarm = self.shop.start(Swarm(self.shop.folder, self.cluster.url, self.paths, CLIENTS,
                                           more=("--post-path", f"/post/{self.name}"),
                                           name=self.name))
        self.swarm.run(2 * CLIENTS * len(self.paths))
        self.swarm.wait_ran()
        self.cluster.wait_mirrored()
        self.serving = self.swarm.which()
        self.busiest = sorted(self.serving, key=self.serving.get, reverse=True)

    def fly(self):
        """Requests without end, a few POSTs among them; once some have flown."""
        self.begun = self.swarm.counts["requests"]
        self.swarm.run(100_000_000, 100_000_000 // 100)
        self.go_on(2)

    def go_on(self, rounds):
        """Until everybody may have asked so often since."""
        self.swarm.wait_count("requests", self.swarm.counts["requests"] + rounds * CLIENTS)

    def sessions(self):
        return sum(server.metric("tandem_sessions_primary")
                   for server in self.cluster.servers.values())

    def land(self, posts_may_fail):
        """Ends the run and looks at what came of it."""
        self.go_on(2 * len(self.paths))
        self.swarm.ask("pause", "paused")
        done = self.swarm.finish()
        print({key: done[key] for key in ("requests", "failed", "posts", "posts_failed", "moved",
                                          "held", "held_mirror", "held_validator", "retries",
                                          "slowest_ms")}, flush=True)
        self.assertEqual(done["failed"], 0, done["failures"])
        self.assertEqual(done["corrupt"], 0)
        self.assertLessEqual(done["posts_failed"], posts_may_fail)
        self.assertLessEqual(done["held_refetched_bytes"], done["held_bytes"] // 1000)
        executed = Counter()
        for origin in self.cluster.origins.values():
            with open(origin.access_log, encoding="ascii") as log:
                executed.update(re.findall(rf"^POST /post/{self.name}\?id=(\S+)", log.read(), re.M))
        self.assertEqual({i: n for i, n in executed.items() if n > 1}, {}, "executed twice")
        self.assertGreaterEqual(len(executed), done["posts"] - done["posts_failed"])
        return done


class Noticed(Partitions):
    interval = "300ms"

    def tearDown(self):
        self.network.heal(*self.hosts.values())
        for server in self.cluster.servers.values():
            if not server.process.alive():
                server.start()
        self.cluster.lb.wait_online(self.cluster.names)

    def healed(self, *names):
        self.network.heal(*[self.hosts[name] for name in names])
        self.cluster.lb.wait_online(self.cluster.names)

    def all_on_one_server_each(self):
        # Those of swarms before are gone with their clients, but not yet forgotten.
        self.cluster.lb.wait(lambda: self.sessions() == self.runs * CLIENTS,
                             "count every session on one server only")

    def test_a_server_is_cut_off_and_comes_back(self):
        victim = self.busiest[0]
        self.fly()
        self.network.cut(self.hosts[victim])
        self.cluster.lb.wait_online(set(self.cluster.names) - {victim})
        until(lambda: victim not in self.swarm.which(), f"all sessions to leave {victim}")
        self.go_on(5)
        self.healed(victim)
        self.all_on_one_server_each()
        done = self.land(self.serving[victim])
        self.assertGreaterEqual(done["moved"], self.serving[victim])
        self.assertGreater(done["held_mirror"], 0)

    def test_a_short_cut_moves_nobody(self):
        victim = self.busiest[0]
        self.fly()
        self.network.cut(self.hosts[victim])
        self.swarm.wait_count("requests", self.swarm.counts["requests"] + 1)
        self.network.heal(self.hosts[victim])
        self.go_on(5)
        self.all_on_one_server_each()
        self.land(self.serving[victim])

    def test_half_of_the_servers_are_cut_off_together(self):
        gone = self.busiest[:2]  # they still see each other, and so may keep what they share
        self.fly()
        self.network.cut_together(*[self.hosts[name] for name in gone])
        self.cluster.lb.wait_online(set(self.cluster.names) - set(gone))
        until(lambda: not set(gone) & set(self.swarm.which()), f"all sessions to leave {gone}")
        self.go_on(5)
        self.healed(*gone)
        self.all_on_one_server_each()
        self.land(sum(self.serving[name] for name in gone))

    def test_a_machine_restarts_while_nobody_hears_it(self):
        victim = self.busiest[0]
        server = self.cluster.servers[victim]
        self.fly()
        self.network.cut(self.hosts[victim])
        server.process.kill()  # what its kernel says of it is lost: connections are half open
        self.network.heal(self.hosts[victim])
        server.start()
        self.go_on(5)
        self.cluster.lb.wait_online(self.cluster.names)
        self.all_on_one_server_each()
        self.land(self.serving[victim])


class Unnoticed(Partitions):
    """Membership looks once a minute: it is left to the requests themselves to find out that their
    server is gone, by the kernel's signs of a dead peer, within the time that a call has."""

    interval = "60s"

    def test_requests_find_out_by_themselves(self):
        victim = self.busiest[0]
        self.fly()
        self.network.cut(self.hosts[victim])
        until(lambda: victim not in self.swarm.which(), f"all sessions to leave {victim}", 60)
        done = self.land(self.serving[victim])
        self.assertLess(done["slowest_ms"], 25_000)


del Partitions  # not a test of its own


if __name__ == "__main__":
    main()
