"""The main job: primaries die by kill -9 under the load of 200 library clients, and nobody but the
log notices."""

import os
import random
import threading
from collections import Counter

import raw
from case import Case, main
from cluster import Cluster, make_site, site_paths
from process import until
from swarm import Swarm

CLIENTS = 200
REQUESTS = 20_000
KILL_EVERY = 2_000
POSTS = 1_000


class Kills(Case):
    """What the tests of this file share; subclasses make the cluster."""

    cold = 0       # sessions that came to a server which knew nothing of them
    mid_run = 0    # kills that fell while requests were flying

    def swarm(self, name):
        return self.shop.start(Swarm(self.shop.folder, self.cluster.url, self.paths, CLIENTS,
                                     name=name))

    def kill(self, swarm, victim):
        """Kills a primary while requests fly. Its mirrors had caught up when the run began."""
        type(self).cold += victim.metric("tandem_takeovers_cold_total")
        type(self).mid_run += swarm.running()
        victim.process.kill()

    def bring_back(self, victim):
        """Until it is online again and everything is copied again: the next may die."""
        self.cluster.lb.wait_online(set(self.cluster.names) - {victim.name})
        victim.start()
        self.cluster.lb.wait_online(self.cluster.names)
        self.cluster.wait_mirrored()

    def victims(self, swarm):
        """Each server in turn, those that serve nobody left out, with its number of clients."""
        while True:
            for name in self.cluster.names:
                serving = swarm.which().get(name, 0)
                if serving > 0:
                    yield self.cluster.servers[name], serving


class Gets(Kills):
    @classmethod
    def set_up_class(cls):
        site = make_site(os.path.join(cls.shop.folder, "site"), files=40)
        cls.paths = site_paths(site)
        cls.cluster = Cluster(cls.shop, site)

    def test_20000_requests_and_ten_kills(self):
        swarm = self.swarm("readers")
        swarm.run(2 * CLIENTS)  # every session is confirmed and has its alternate
        swarm.wait_ran()
        victims, moved, kills = self.victims(swarm), 0, REQUESTS // KILL_EVERY
        for _ in range(kills):
            victim, serving = next(victims)
            swarm.run(KILL_EVERY // 2)
            swarm.wait_ran()
            self.cluster.wait_mirrored()
            begun = swarm.counts["requests"]
            swarm.run(KILL_EVERY // 2)
            until(lambda: swarm.ask("counts", "counts")["requests"] > begun, "requests to fly")
            self.kill(swarm, victim)
            swarm.wait_ran()
            self.bring_back(victim)
            moved += serving
        swarm.run(2 * CLIENTS)  # whoever has not asked since the last kill
        swarm.wait_ran()
        cold = self.cold + sum(self.cluster.totals("tandem_takeovers_cold_total").values())
        done = swarm.finish()
        print({**done, "cold": cold, "kills mid-run": self.mid_run})
        self.assertEqual(done["failed"], 0, done["failures"])
        self.assertEqual(done["corrupt"], 0)
        self.assertEqual(done["requests"], REQUESTS + 4 * CLIENTS)
        self.assertEqual(cold, 0, "sessions came to a server without their mirror")
        self.assertGreaterEqual(self.mid_run, kills // 2, "the kills came too late to prove much")
        self.assertGreaterEqual(done["moved"], moved, "not all sessions of the dead have moved")
        self.assertGreater(done["held"], 0)
        self.assertEqual(done["held_mirror"] + done["held_validator"], done["held"],
                         "unchanged items were sent anew after a takeover")
        self.assertGreater(done["held_mirror"], 0, "no mirror was of use")


class Posts(Kills):
    """Origins that take their time, so that POSTs are under way when their server dies."""

    @classmethod
    def set_up_class(cls):
        cls.paths = ["/"]
        cls.executed, cls.lock = Counter(), threading.Lock()
        cls.pause = threading.Event()  # never set: something to wait on
        cls.cluster = Cluster(cls.shop, None, origins=[raw.Origin(n, cls.answer) for n in "abcd"])

    @classmethod
    def answer(cls, connection, head):
        body = connection.read_body(head)[0]
        if head.method == "POST":
            with cls.lock:
                cls.executed[body] += 1
            cls.pause.wait(random.uniform(0.1, 0.8))
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")

    def test_posts_are_never_executed_twice(self):
        swarm = self.swarm("writers")
        victims, kills, in_flight_most = self.victims(swarm), 5, 0
        for _ in range(kills):
            swarm.run(2 * CLIENTS)  # so that it is known who is whose client
            swarm.wait_ran()
            victim, serving = next(victims)
            self.cluster.wait_mirrored()
            begun = swarm.counts["posts"]
            swarm.post(POSTS // kills)
            swarm.wait_count("posts", begun + 1)
            in_flight_most += serving  # each client has one request under way at most
            self.kill(swarm, victim)
            swarm.wait_ran()
            self.bring_back(victim)
        done = swarm.finish()
        print({**done, "kills mid-run": self.mid_run, "executed": len(self.executed)})
        self.assertEqual(done["posts"], POSTS)
        self.assertGreaterEqual(self.mid_run, kills // 2, "the kills came too late to prove much")
        self.assertEqual({i: n for i, n in self.executed.items() if n > 1}, {}, "executed twice")
        self.assertLessEqual(done["posts_failed"], in_flight_most)
        self.assertGreaterEqual(len(self.executed), POSTS - done["posts_failed"])


del Kills  # not a test of its own


if __name__ == "__main__":
    main()
