"""What an administrator does to a cluster under load, by the book: restarts every server in turn
with SIGTERM, drains one, reloads capacities. Nobody's request fails, nobody's cache goes cold."""

import os
import signal
import subprocess

from case import Case, main
from cluster import Cluster, make_site, program, site_paths
from process import PATIENCE
from swarm import Swarm

CLIENTS = 60


class Life(Case):
    @classmethod
    def set_up_class(cls):
        site = make_site(os.path.join(cls.shop.folder, "site"), files=20)
        cls.paths = site_paths(site)
        cls.cluster = Cluster(cls.shop, site, servers=3,
                              nginx_conf="location /post { return 200; }",
                              server={"status_interval": "200ms"},
                              balancer={"control": {"status_interval": "200ms"}})

    def setUp(self):
        self.lb = self.cluster.lb
        self.lb.wait_online(self.cluster.names)
        self.swarm = self.shop.start(Swarm(self.shop.folder, self.cluster.url, self.paths, CLIENTS,
                                           name=f"swarm-{self.id().rsplit('.', 1)[-1]}"))
        self.swarm.run(4 * CLIENTS)  # every session is confirmed
        self.swarm.wait_ran()
        self.cluster.wait_mirrored()

    def finish(self):
        done = self.swarm.finish()
        self.assertEqual((done["failed"], done["posts_failed"], done["corrupt"]), (0, 0, 0),
                         done["failures"])
        return done

    def ctl(self, *words):
        subprocess.run(
            [program("tandemctl"), *words, "--admin", f"http://127.0.0.1:{self.lb.admin_port}"],
            capture_output=True, timeout=PATIENCE, check=True)

    def restart_each(self, counter):
        """Restarts every server with SIGTERM while what `counter` counts goes on."""
        cold = 0
        for server in self.cluster.servers.values():
            before = self.swarm.counts[counter]
            self.swarm.wait_count(counter, before + CLIENTS)
            cold += server.metric("tandem_takeovers_cold_total")
            self.assertEqual(server.process.stop(), 0)
            self.lb.wait(lambda one=server: one.name not in self.lb.online(), "see it leave")
            self.swarm.wait_count(counter, self.swarm.counts[counter] + 2 * CLIENTS)
            server.start()
            self.lb.wait_online(self.cluster.names)
            self.cluster.wait_mirrored()
        self.swarm.ask("pause", "paused")
        return cold + sum(self.cluster.totals("tandem_takeovers_cold_total").values())

    def test_every_server_restarted_in_turn_while_clients_read(self):
        self.swarm.run(100_000_000)  # until told to stop
        cold = self.restart_each("requests")
        done = self.finish()
        self.assertEqual(cold, 0, "sessions came to a server without their mirror")
        self.assertGreater(done["moved"], 0, "nothing that could have failed")
        self.assertEqual(done["held_mirror"] + done["held_validator"], done["held"])

    def test_every_server_restarted_in_turn_while_clients_post(self):
        self.swarm.post(100_000_000)
        self.restart_each("posts")
        self.finish()

    def test_drain_and_reload_under_load(self):
        self.swarm.run(100_000_000)
        self.ctl("drain", "a")
        self.lb.wait(lambda: self.lb.servers()["a"]["state"] == "draining", "drain a")
        server = self.cluster.servers["b"]
        server.write_conf({"capacity": 2000, "threshold": 1500})
        server.process.signal(signal.SIGHUP)
        self.lb.wait(lambda: self.lb.servers()["b"]["capacity"] == 2000, "hear the new capacity")
        self.assertEqual(self.lb.servers()["b"]["threshold"], 1500)
        self.lb.process.signal(signal.SIGHUP)
        self.lb.process.wait_log("is in force")
        self.ctl("drain", "a", "--off")
        self.lb.wait(lambda: self.lb.servers()["a"]["state"] == "online", "take a back")
        self.swarm.ask("pause", "paused")
        self.finish()
        self.assertEqual(self.lb.online(), set(self.cluster.names))


if __name__ == "__main__":
    main()
