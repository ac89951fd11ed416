"""Clients of the library that go direct, with real processes: servers are killed -9 under them, and
the balancer as well."""

import os
import time

from case import Case, main
from certificates import certificate
from cluster import Cluster, make_site, site_paths
from ports import free_port
from process import until
from visitor import Visitor

ITEMS = 40


class Direct(Case):
    @classmethod
    def set_up_class(cls):
        cls.site = make_site(os.path.join(cls.shop.folder, "site"), files=ITEMS, bytes_max=5000)
        cls.paths = site_paths(cls.site)

    def cluster(self, name, servers=3, each=None, tls=(), **server):
        folder = os.path.join(self.shop.folder, name)
        os.makedirs(folder)
        self.shop.folder, outer = folder, self.shop.folder
        try:
            return Cluster(self.shop, self.site, servers=servers, server={"direct": True, **server},
                           balancer={"front": {"server_list": True}}, each=each, tls=tls)
        finally:
            self.shop.folder = outer

    def test_a_client_of_https_goes_to_servers_over_tls(self):
        """Not to c, which has none: to that through the balancer."""
        file = certificate(self.shop.folder, "localhost")
        each = {}
        for name in "ab":
            port = free_port()
            each[name] = {"tls_listen": f"127.0.0.1:{port}", "tls_advertise": f"localhost:{port}",
                          "certificates": [file]}
        cluster = self.cluster("tls", each=each, tls=[file])
        url = f"https://localhost:{cluster.lb.tls_port}"
        visitors = [self.shop.start(Visitor(self.shop.folder, url, "--direct", "--cacert", file,
                                            name=f"tls-{i}")) for i in range(3)]
        servers = {self.fetch_all(visitor): visitor for visitor in visitors}
        self.assertEqual(set(servers), set("abc"))  # round robin
        for name, visitor in servers.items():
            for path in self.paths[:3]:
                reply = self.get(visitor, path)
                self.assertEqual((reply["server"], reply["direct"]), (name, name != "c"), reply)
            self.assertEqual(visitor.stats()["maps"], 1)

        # Of a server with another's certificate nothing is taken: the balancer is there.
        server = cluster.servers["a"]
        server.process.kill()
        cluster.lb.wait_online({"b", "c"})
        server.write_conf({"certificates": [certificate(self.shop.folder, "other")]})
        server.start()
        cluster.lb.wait_online({"a", "b", "c"})
        seen = []
        for i in range(3):
            stranger = self.shop.start(Visitor(self.shop.folder, url, "--direct", "--cacert", file,
                                               name=f"tls-stranger-{i}"))
            seen += [self.get(stranger, path) for path in self.paths]
        self.assertIn("a", {reply["server"] for reply in seen})
        self.assertEqual({reply["direct"] for reply in seen if reply["server"] == "a"}, {False})

    def visitor(self, cluster, name, *arguments):
        return self.shop.start(Visitor(self.shop.folder, cluster.url, "--direct", *arguments,
                                       name=name))

    def get(self, visitor, path):
        reply = visitor.get(path)
        self.assertEqual((reply["ok"], reply["status"]), (True, 200), reply)
        return reply

    def fetch_all(self, visitor):
        """The first item twice, since a mirror begins with the token's return."""
        for path in [self.paths[0], *self.paths]:
            reply = self.get(visitor, path)
        return reply["server"]

    def check_reuse(self, visitor, server):
        """Everything is answered by this server, directly, and reused by its mirror."""
        for path in self.paths:
            reply = self.get(visitor, path)
            self.assertEqual((reply["server"], reply["source"], reply["direct"]),
                             (server, "mirror", True), reply)

    def test_a_primary_dies_and_comes_back(self):
        cluster = self.cluster("dies")
        visitor = self.visitor(cluster, "one", "--retry-after-ms", "300")
        primary = self.fetch_all(visitor)
        self.check_reuse(visitor, primary)
        asked = cluster.lb.metric("tandem_requests_total")
        self.check_reuse(visitor, primary)
        self.assertEqual(cluster.lb.metric("tandem_requests_total"), asked, "no hop between")
        stats = visitor.stats()
        self.assertEqual((stats["maps"], stats["servers"], stats["primary"]), (1, 3, primary))
        self.assertGreaterEqual(cluster.servers[primary].metric("tandem_requests_direct_total"),
                                2 * ITEMS)
        alternate = stats["alternate"]
        cluster.wait_mirrored()
        cluster.servers[primary].process.kill()

        self.check_reuse(visitor, alternate)
        stats = visitor.stats()
        self.assertEqual((stats["entered"], stats["left"]), (1, 0), stats)
        cluster.lb.wait_online(set(cluster.names) - {primary})
        until(lambda: self.get(visitor, self.paths[0]) and visitor.stats()["notices"] == 1,
              "the master to be told")
        self.assertEqual(cluster.lb.metric("tandem_client_reports_total"), 1)

        cluster.servers[primary].start()
        until(lambda: self.get(visitor, self.paths[0]) and visitor.stats()["left"] == 1,
              "the probe to find it")
        until(lambda: self.get(visitor, self.paths[0]) and visitor.stats()["notices"] == 2,
              "the master to be told of that")
        self.assertEqual(cluster.lb.metric("tandem_client_returns_total"), 1)
        self.check_reuse(visitor, alternate)

    def test_without_any_balancer_it_goes_on(self):
        cluster = self.cluster("alone")
        visitor = self.visitor(cluster, "two")
        primary = self.fetch_all(visitor)
        self.check_reuse(visitor, primary)
        cluster.wait_mirrored()
        cluster.lb.process.kill()
        self.check_reuse(visitor, primary)

        # Nobody is there to say that it is dead: the alternate sees for itself.
        alternate = visitor.stats()["alternate"]
        cluster.servers[primary].process.kill()
        self.check_reuse(visitor, alternate)
        self.assertEqual(visitor.stats()["entered"], 1)

        # And once more. The last server may have no copy of the mirror: the validators save it.
        cluster.servers[alternate].process.kill()
        for path in self.paths:
            reply = self.get(visitor, path)
            self.assertEqual(({primary, alternate, reply["server"]}, reply["direct"]),
                             (set(cluster.names), True), reply)
            self.assertIn(reply["source"], ("mirror", "validator"))

    def test_a_primary_that_freezes_costs_the_time_of_an_attempt(self):
        cluster = self.cluster("freezes")
        visitor = self.visitor(cluster, "four", "--retry-after-ms", "300",
                               "--attempt-timeout-ms", "2000")
        primary = self.fetch_all(visitor)
        alternate = visitor.stats()["alternate"]
        cluster.wait_mirrored()
        frozen = cluster.servers[primary].process
        frozen.freeze()
        try:
            began = time.monotonic()
            reply = self.get(visitor, self.paths[0])
            took = time.monotonic() - began
            self.assertEqual((reply["server"], reply["source"], reply["direct"]),
                             (alternate, "mirror", True), reply)
            # A call has 30 s.
            self.assertLess(took, 15, reply)
            print(f"a frozen primary cost {took:.2f} s")
            self.check_reuse(visitor, alternate)
            self.assertEqual(visitor.stats()["entered"], 1)
        finally:
            frozen.thaw()
        until(lambda: self.get(visitor, self.paths[0]) and visitor.stats()["left"] == 1,
              "the probe to find it")
        cluster.lb.wait_online(cluster.names)
        self.check_reuse(visitor, alternate)

    def test_by_type_each_item_is_asked_of_its_owner_and_of_the_stand_in_when_that_dies(self):
        cluster = self.cluster("types", data={"partitioned": True})
        visitor = self.visitor(cluster, "five", "--by-type", "--retry-after-ms", "300")
        owners = {}
        for path in self.paths:
            reply = self.get(visitor, path)
            self.assertTrue(reply["direct"], reply)
            owners[path] = reply["server"]
        self.assertEqual(set(owners.values()), set(cluster.names))
        servers = cluster.servers.values()
        self.assertEqual(sum(server.metric("tandem_requests_by_type_total") for server in servers),
                         len(self.paths))
        self.assertEqual([server.metric("tandem_types_asked_total") for server in servers],
                         [0, 0, 0], "no server had to ask another")
        self.assertEqual([server.metric("tandem_sessions_new_total") for server in servers],
                         [0, 0, 0])
        for path in self.paths:
            reply = self.get(visitor, path)
            self.assertEqual((reply["server"], reply["source"]), (owners[path], "validator"))

        dead = owners[self.paths[0]]
        cluster.servers[dead].process.kill()
        stand_ins = set()
        for path in self.paths:
            reply = self.get(visitor, path)
            self.assertEqual((reply["direct"], reply["source"]), (True, "validator"), reply)
            if owners[path] == dead:
                stand_ins.add(reply["server"])
            else:
                self.assertEqual(reply["server"], owners[path], "no other type moves")
        self.assertEqual(stand_ins, set(cluster.names) - {dead}, "its types spread")
        self.assertEqual(visitor.stats()["entered"], 1)
        cluster.lb.wait_online(set(cluster.names) - {dead})

        cluster.servers[dead].start()
        until(lambda: self.get(visitor, self.paths[0])["server"] == dead,
              "the owner to be asked again")

    def test_where_the_servers_do_not_allow_it_requests_go_through_the_balancer(self):
        folder = os.path.join(self.shop.folder, "closed")
        os.makedirs(folder)
        self.shop.folder, outer = folder, self.shop.folder
        try:
            cluster = Cluster(self.shop, self.site, servers=2)
        finally:
            self.shop.folder = outer
        visitor = self.visitor(cluster, "three")
        for path in self.paths[:5]:
            self.assertFalse(self.get(visitor, path)["direct"])


if __name__ == "__main__":
    main()
