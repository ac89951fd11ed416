"""Sessions that move while their servers live: a server is drained, another is ended with SIGTERM,
one joins. Nobody's request fails, and everything that clients hold is reused."""

import os
import subprocess

from case import Case, main
from cluster import Cluster, make_site, program, site_paths
from process import PATIENCE, until
from swarm import Swarm

CLIENTS = 60


class SwapCase(Case):
    @classmethod
    def set_up_class(cls):
        site = make_site(os.path.join(cls.shop.folder, "site"), files=20)
        cls.paths = site_paths(site)
        cls.cluster = Cluster(cls.shop, site, servers=4, server={"status_interval": "200ms"},
                              balancer={"control": {"status_interval": "200ms"}})
        cls.lb = cls.cluster.lb

    def setUp(self):
        for server in self.cluster.servers.values():
            if not server.process.alive():
                server.start()
        self.lb.wait_online(self.cluster.names)
        self.swarm = self.shop.start(Swarm(self.shop.folder, self.cluster.url, self.paths, CLIENTS,
                                           name=f"swarm-{self.id().rsplit('.', 1)[-1]}"))
        until(self.warm, "what everybody holds to be mirrored")
        self.cluster.wait_mirrored()
        # Servers that came back for this test may have got their share meanwhile.
        self.before = self.swarm.ask("counts", "counts")

    def warm(self):
        """Runs some more. Is everything mirrored that clients hold? What the first request of a
        session brought is when it was asked for once more, and reused by its validator then."""
        self.swarm.run(CLIENTS * len(self.paths))
        self.swarm.wait_ran()
        counts = self.swarm.ask("counts", "counts")
        return counts["fetched"] == CLIENTS * len(self.paths) and counts["validator"] >= CLIENTS

    def finish(self):
        self.swarm.ask("pause", "paused")
        done = self.swarm.finish()
        self.assertEqual((done["failed"], done["corrupt"]), (0, 0), done["failures"])
        # Whatever a client held when its session moved was in the mirror that moved with it, with
        # its content.
        held, by_mirror = (done[key] - self.before[key] for key in ("held", "held_mirror"))
        self.assertEqual(by_mirror, held, done)
        return held

    def ctl(self, *words):
        return subprocess.run(
            [program("tandemctl"), *words, "--admin", f"http://127.0.0.1:{self.lb.admin_port}"],
            capture_output=True, text=True, timeout=PATIENCE)

    def cold(self):
        return sum(self.cluster.totals("tandem_takeovers_cold_total").values())

    def test_a_busy_server_is_drained(self):
        cold = self.cold()
        self.swarm.run(100_000_000)
        out = self.ctl("drain", "a")
        self.assertEqual(out.returncode, 0, out.stderr)
        self.assertIn("a is drained", out.stdout)
        self.assertEqual(self.lb.servers()["a"]["primaries"], 0)
        moved = self.cluster.servers["a"].metric("tandem_swaps_done_total")
        self.assertGreater(moved, 0)
        self.swarm.wait_count("requests", self.swarm.counts["requests"] + 4 * CLIENTS)
        held = self.finish()
        self.assertEqual(self.cold(), cold)
        self.assertGreater(held, moved)
        self.cluster.servers["a"].process.wait_log("drained: ")
        self.ctl("drain", "a", "--off")
        self.lb.wait(lambda: self.lb.servers()["a"]["state"] == "online", "take a back")

    def test_idle_sessions_leave_a_server_that_is_ended(self):
        server = self.cluster.servers["b"]
        had = server.status()["sessions"]["primary"]
        self.assertGreater(had, 0)
        clients = self.swarm.which().get("b", 0)  # of this swarm
        self.assertEqual(server.process.stop(), 0)
        server.process.wait_log(" 0 left to be taken over")
        self.swarm.run(4 * CLIENTS)
        self.swarm.wait_ran()
        self.assertGreaterEqual(self.finish(), clients)

    def test_at_the_deadline_tandemctl_says_how_many_are_left(self):
        for name in ("a", "b", "c", "d"):  # nobody is left to take them
            self.assertEqual(self.ctl("drain", name, "--no-wait").returncode, 0)
        self.lb.wait(lambda: all(one["draining"] for one in self.lb.servers().values()), "drain")
        busy = max(self.lb.servers().values(), key=lambda one: one["primaries"])["name"]
        out = self.ctl("drain", busy, "--deadline", "100ms")
        self.assertEqual(out.returncode, 1)
        self.assertIn(f"sessions are left on {busy}", out.stderr)
        for name in ("a", "b", "c", "d"):
            self.assertEqual(self.ctl("drain", name, "--off").returncode, 0)
        self.lb.wait(lambda: all(one["state"] == "online" for one in self.lb.servers().values()),
                     "take all back")

    def test_a_server_that_joins_gets_its_share(self):
        joining = self.cluster.servers["d"]
        self.assertEqual(joining.process.stop(), 0)
        self.lb.wait(lambda: "d" not in self.lb.online(), "see it leave")
        cold = self.cold()
        self.swarm.run(100_000_000)
        joining.start()
        self.lb.wait(lambda: self.lb.servers()["d"]["primaries"] >= CLIENTS // 5, "even out",
                     timeout=30)
        self.swarm.wait_count("requests", self.swarm.counts["requests"] + 4 * CLIENTS)
        self.finish()
        self.assertEqual(self.cold(), cold)
        self.assertGreater(joining.metric("tandem_swaps_taken_total"), 0)


if __name__ == "__main__":
    main()
