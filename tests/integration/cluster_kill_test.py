"""The main job: primaries die by kill -9 under the load of 200 library clients, and nobody but the
log notices."""

import os

from case import Case, main
from cluster import Cluster, make_site, site_paths
from swarm import Swarm

CLIENTS = 200
REQUESTS = 20_000
KILL_EVERY = 2_000
POSTS = 1_000


class Kills(Case):
    @classmethod
    def set_up_class(cls):
        site = make_site(os.path.join(cls.shop.folder, "site"), files=40)
        cls.paths = site_paths(site)
        cls.cluster = Cluster(cls.shop, site, nginx_conf="location /post { return 200; }")
        cls.cold = 0  # sessions that came to a server which knew nothing of them

    def swarm(self, name):
        return self.shop.start(Swarm(self.shop.folder, self.cluster.url, self.paths, CLIENTS,
                                     name=name))

    def kill(self, victim):
        """Kills a primary once all mirrors have caught up, while requests fly."""
        self.cluster.wait_mirrored()
        type(self).cold += victim.metric("tandem_takeovers_cold_total")
        victim.process.kill()

    def bring_back(self, victim):
        """Until it is online again and everything is copied again: the next may die."""
        self.cluster.lb.wait_online(set(self.cluster.names) - {victim.name})
        victim.start()
        self.cluster.lb.wait_online(self.cluster.names)
        self.cluster.wait_mirrored()

    def victims(self):
        """Each server in turn, as long as it serves somebody."""
        while True:
            for name in self.cluster.names:
                yield self.cluster.servers[name]

    def test_20000_requests_and_ten_kills(self):
        swarm, victims = self.swarm("readers"), self.victims()
        moved = 0
        for number in range(REQUESTS // KILL_EVERY):
            begun = swarm.counts["requests"]
            swarm.run(KILL_EVERY)
            swarm.wait_count("requests", begun + KILL_EVERY // 4)
            serving = swarm.which()
            victim = next(one for one in victims if serving.get(one.name, 0) > 0)
            self.kill(victim)
            swarm.wait_ran()
            # All of the victim's sessions move within the next requests; the rest stay.
            self.bring_back(victim)
            moved += serving[victim.name]
        swarm.run(2 * CLIENTS)  # whoever has not asked since the last kill
        swarm.wait_ran()
        type(self).cold += sum(self.cluster.totals("tandem_takeovers_cold_total").values())
        done = swarm.finish()
        print({**done, "cold": self.cold})
        self.assertEqual(done["failed"], 0, done["failures"])
        self.assertEqual(done["corrupt"], 0)
        self.assertEqual(done["requests"], REQUESTS + 2 * CLIENTS)
        self.assertEqual(self.cold, 0, "sessions came to a server without their mirror")
        self.assertGreaterEqual(done["moved"], moved // 2, "nothing that could have failed")
        self.assertGreater(done["held"], 0)
        self.assertEqual(done["held_mirror"] + done["held_validator"], done["held"],
                         "unchanged items were sent anew after a takeover")
        self.assertGreater(done["held_mirror"], 0, "no mirror was of use")

    def test_posts_are_never_executed_twice(self):
        swarm, victims = self.swarm("writers"), self.victims()
        swarm.run(2 * CLIENTS)  # every session is confirmed and has its alternate
        swarm.wait_ran()
        kills = 5
        in_flight_most = 0
        for number in range(kills):
            begun = swarm.counts["posts"]
            swarm.post(POSTS // kills)
            swarm.wait_count("posts", begun + POSTS // kills // 4)
            victim = next(victims)
            # Each client has at most one request under way.
            in_flight_most += swarm.which().get(victim.name, 0)
            self.kill(victim)
            swarm.wait_ran()
            self.bring_back(victim)
        done = swarm.finish()
        print(done)
        self.assertEqual(done["posts"], POSTS)
        executed = self.executed()
        twice = {target: count for target, count in executed.items() if count > 1}
        self.assertEqual(twice, {}, "executed more than once")
        self.assertLessEqual(done["posts_failed"], in_flight_most)
        self.assertGreaterEqual(len(executed), POSTS - done["posts_failed"])

    def executed(self):
        """{target of a POST: how often an origin has executed it}"""
        found = {}
        for origin in self.cluster.origins.values():
            with open(origin.access_log, encoding="utf-8") as log:
                for line in log:
                    method, target, _ = line.split()
                    if method == "POST":
                        found[target] = found.get(target, 0) + 1
        return found


if __name__ == "__main__":
    main()
