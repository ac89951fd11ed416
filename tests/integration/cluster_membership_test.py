"""Servers register with the balancer, come and go; the administrator drains one; the balancer is
restarted. Sessions of a plain client stay whole through all of it."""

import os
import signal
import subprocess

import raw
from case import Case, main
from cluster import Cluster, Server, make_site, program
from process import PATIENCE, until

PAGE = "/page000.html"


class Membership(Case):
    @classmethod
    def set_up_class(cls):
        site = make_site(os.path.join(cls.shop.folder, "site"), files=2)
        cls.cluster = Cluster(cls.shop, site, servers=3,
                              server={"status_interval": "200ms"},
                              balancer={"control": {"status_interval": "200ms"}})

    def setUp(self):
        self.lb = self.cluster.lb
        self.servers = self.cluster.servers
        self.lb.wait_online(self.cluster.names)
        # One that was restarted may know them from its directory before they register again.
        self.lb.wait(lambda: all(server["connected"] for server in self.lb.servers().values()),
                     "be connected with all of them")

    def ask(self, cookie=None):
        """(server, cookie) of one request of a client that keeps its cookie."""
        response = raw.fetch(self.lb.port, PAGE, cookie=cookie)
        self.assertEqual(response.status, 200)
        return response.get("Tandem-Server"), response.cookie() or cookie

    def session(self):
        """(server, cookie) of a confirmed session."""
        _, cookie = self.ask()
        return self.ask(cookie)

    def ctl(self, *words):
        return subprocess.run(
            [program("tandemctl"), *words, "--admin", f"http://127.0.0.1:{self.lb.admin_port}"],
            capture_output=True, text=True, timeout=PATIENCE, check=True).stdout

    def test_registered_servers_are_in_the_view(self):
        for name, server in self.lb.servers().items():
            self.assertEqual((server["kind"], server["state"], server["connected"]),
                             ("tandem", "online", True))
            self.assertEqual(server["address"], f"127.0.0.1:{self.servers[name].port}")
            self.assertEqual((server["capacity"], server["threshold"]), (1000, 800))
        self.assertRegex(self.ctl("status"), r"(?m)^a +tandem +online ")

    def test_status_reaches_the_balancer(self):
        for _ in range(6):
            self.session()
        own = {name: server.status()["sessions"]["primary"]
               for name, server in self.servers.items()}
        self.assertGreaterEqual(sum(own.values()), 6)
        self.lb.wait(lambda: {name: server["primaries"]
                              for name, server in self.lb.servers().items()} == own,
                     f"hear of the sessions {own}")
        self.lb.wait(lambda: sum(server["alternates"]
                                 for server in self.lb.servers().values()) >= 6,
                     "hear of their alternates")

    def test_a_killed_server_is_offline_and_online_again_when_restarted(self):
        name, cookie = self.session()
        victim = self.servers[name]
        before = self.lb.servers()[name]["incarnation"]
        victim.process.kill()
        self.assertNotEqual(self.ask(cookie)[0], name)
        self.lb.wait_online(set(self.cluster.names) - {name}, timeout=5)
        victim.start()
        self.lb.wait_online(self.cluster.names)
        # It may answer a probe a moment before it registers.
        self.lb.wait(lambda: self.lb.servers()[name]["incarnation"] > before,
                     "hear that it is a new process")

    def test_a_normal_shutdown_is_announced(self):
        victim = self.servers["c"]
        self.assertEqual(victim.process.stop(), 0)
        self.lb.wait(lambda: self.lb.servers()["c"]["state"] == "left", "hear that it has left")
        victim.start()
        self.lb.wait_online(self.cluster.names)

    def test_the_name_of_a_living_server_is_refused(self):
        double = self.shop.add(Server(self.shop.folder, "double", [self.lb], self.cluster.key,
                                      self.cluster.origins["a"].url, {"name": "a"}))
        double.process.start()
        self.lb.process.wait_log(r"server a is refused: a server of this name is registered")
        double.process.kill()
        self.assertEqual(self.lb.servers()["a"]["address"], f"127.0.0.1:{self.servers['a'].port}")

    def test_a_drained_server_gets_no_new_sessions(self):
        self.ctl("drain", "b")
        self.lb.wait(lambda: self.lb.servers()["b"]["state"] == "draining", "drain b")
        self.assertNotIn("b", {self.session()[0] for _ in range(9)})
        self.ctl("drain", "b", "--off")
        self.lb.wait(lambda: self.lb.servers()["b"]["state"] == "online", "take b back")
        until(lambda: self.session()[0] == "b", "b to get sessions again")

    def test_a_restarted_balancer_loses_no_session(self):
        sessions = [self.session() for _ in range(6)]
        self.lb.process.kill()
        self.lb.start()
        self.lb.wait_online(self.cluster.names)
        # The worker hears of them a moment after the status tells.
        until(lambda: {self.ask()[0] for _ in self.cluster.names} == set(self.cluster.names),
              "the worker to know all servers")
        for name, cookie in sessions:
            self.assertEqual(self.ask(cookie)[0], name)

    def test_reload_leaves_registered_servers_alone(self):
        self.lb.process.signal(signal.SIGHUP)
        self.lb.process.wait_log(r"is in force")
        self.assertEqual(self.lb.online(), set(self.cluster.names))

    def reload(self, changes):
        before = self.lb.metric("tandem_reloads_total")
        self.lb.write_conf(changes)
        self.lb.process.signal(signal.SIGHUP)
        self.lb.wait(lambda: self.lb.metric("tandem_reloads_total") > before, "read its conf again")

    def test_a_reload_takes_how_often_a_server_is_probed(self):
        self.reload({"master": {"verify_attempts": 1}})
        self.addCleanup(self.reload, {"master": {"verify_attempts": 6}})
        before = self.lb.metric("tandem_probes_failed_total")
        self.servers["b"].process.kill()
        self.addCleanup(self.servers["b"].start)
        self.lb.wait_online(set(self.cluster.names) - {"b"})
        # One failed, and another each time that it was looked for since.
        self.assertLess(self.lb.metric("tandem_probes_failed_total") - before, 6)
        self.assertNotIn("only with a restart", self.lb.process.log())


if __name__ == "__main__":
    main()
