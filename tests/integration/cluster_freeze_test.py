"""A primary that freezes (SIGSTOP) keeps its connections open and says nothing: its sessions must
move all the same, and it must learn of it when it thaws."""

import os
import time

from case import Case, main
from cluster import Cluster, make_site, site_paths
from process import until
from swarm import Swarm

CLIENTS = 100


class Freeze(Case):
    @classmethod
    def set_up_class(cls):
        site = make_site(os.path.join(cls.shop.folder, "site"), files=30)
        cls.paths = site_paths(site)
        cls.cluster = Cluster(cls.shop, site)

    def test_sessions_leave_a_frozen_server_within_a_second(self):
        swarm = self.shop.start(Swarm(self.shop.folder, self.cluster.url, self.paths, CLIENTS))
        swarm.run(20 * CLIENTS)
        swarm.wait_ran()
        serving = swarm.which()
        victim = self.cluster.servers[max(serving, key=serving.get)]
        self.cluster.wait_mirrored()

        swarm.run(100_000_000)  # until told to stop
        begun = swarm.counts["requests"]
        swarm.wait_count("requests", begun + CLIENTS)
        victim.process.freeze()
        try:
            self.cluster.lb.wait(lambda: victim.name not in self.cluster.lb.online(),
                                 "declare the frozen server offline")
            declared = time.monotonic()
            until(lambda: victim.name not in swarm.which(), "all sessions to leave it")
            took = time.monotonic() - declared
            self.assertLess(took, 1.0, "sessions must move within a second")
        finally:
            victim.process.thaw()

        # Cut off only, not restarted: it gives up the sessions that it lost.
        self.cluster.lb.wait_online(self.cluster.names)
        self.cluster.lb.wait(
            lambda: sum(server.metric("tandem_sessions_primary")
                        for server in self.cluster.servers.values()) == CLIENTS,
            "count every session on one server only")
        # Enough for everybody to ask for everything once more.
        swarm.wait_count("requests", swarm.counts["requests"] + 3 * CLIENTS * len(self.paths))
        swarm.ask("pause", "paused")
        done = swarm.finish()
        print(f"moved within {took:.2f} s of being declared offline; {done}")
        self.assertEqual(done["failed"], 0, done["failures"])
        self.assertEqual(done["corrupt"], 0)
        self.assertGreaterEqual(done["moved"], serving[victim.name])
        self.assertGreater(done["held_mirror"], 0)
        self.assertEqual(done["held_mirror"] + done["held_validator"], done["held"])


if __name__ == "__main__":
    main()
