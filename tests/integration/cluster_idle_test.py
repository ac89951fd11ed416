"""Clients that sleep while their servers are changed: primary, alternate and third are killed and
started anew one after the other, and each client's next request finds its session warm."""

import http.client
import os
import random

from case import Case, main
from cluster import Cluster, lag_of, make_site, site_paths
from process import PATIENCE, until

SERVERS = 5
SLEEPERS = 8  # in each group


class Sleeper:
    """A client of the library's kind: keeps its token, announces its cache and what it holds."""

    def __init__(self, port, dice):
        self.port = port
        self.cache = f"{dice.getrandbits(64) | 1:016x}"
        self.token = None
        self.held = {}  # path: entity tag

    def get(self, path):
        """(status, fields in lower case)"""
        fields = {"Tandem-Cache": self.cache}
        if self.token:
            fields["Tandem-Session"] = self.token
        if path in self.held:
            fields["If-None-Match"] = self.held[path]
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", path, headers=fields)
            response = connection.getresponse()
            response.read()
        finally:
            connection.close()
        answer = {name.lower(): value for name, value in response.getheaders()}
        self.token = answer.get("tandem-session", self.token)
        self.held[path] = answer["etag"]
        return response.status, answer


class Idle(Case):
    @classmethod
    def set_up_class(cls):
        site = make_site(os.path.join(cls.shop.folder, "site"), files=6)
        cls.paths = site_paths(site)
        cls.dice = random.Random(5)
        cls.cluster = Cluster(cls.shop, site, servers=SERVERS)

    def fall_asleep(self, groups):
        """Groups of clients whose sessions are confirmed, mirrored, and idle from now on."""
        made = [[Sleeper(self.cluster.lb.port, self.dice) for _ in range(SLEEPERS)]
                for _ in range(groups)]
        for sleeper in sum(made, []):
            # The first response makes a provisional session, which has no mirror yet.
            for path in [self.paths[0], *self.paths]:
                self.assertIn(sleeper.get(path)[0], (200, 304))
        self.wait_two_copies(SLEEPERS * groups)
        return made

    def wait_two_copies(self, sessions):
        """Until each session is in two places at least, nothing is still to be copied, and nobody
        holds a copy that may be the only one."""
        def holds():
            living = self.cluster.living()
            told = [server.status().get("sessions", {}) for server in living]
            copies = sum(one.get("primary", 0) + one.get("alternate", 0) for one in told)
            return (copies >= 2 * sessions and all(one.get("unfed") == 0 for one in told)
                    and all(lag_of(server) == 0 for server in living))
        until(holds, f"two copies of {sessions} sessions")

    def wait_linked(self):
        until(lambda: all(server.status().get("peer_links") == SERVERS - 1
                          for server in self.cluster.living()), "all to be linked")

    def replace(self, name, sessions, at_once=False):
        """kill -9, and a new start: when all know of it, or before anybody does."""
        victim = self.cluster.servers[name]
        victim.process.kill()
        if not at_once:
            self.cluster.lb.wait_online(set(self.cluster.names) - {name})
            self.wait_two_copies(sessions)
        victim.start()
        self.cluster.lb.wait_online(self.cluster.names)
        self.wait_linked()
        self.wait_two_copies(sessions)

    def wake(self, sleepers, why):
        for sleeper in sleepers:
            for path in self.paths:
                status, answer = sleeper.get(path)
                self.assertEqual((status, answer.get("tandem-reuse")), (304, "mirror"), why)

    def change_servers(self, at_once):
        groups = self.fall_asleep(3)
        asleep = sum(groups, [])
        names = list(self.cluster.names)
        for changed, name in enumerate(names, 1):
            self.replace(name, len(asleep), at_once)
            if changed in (2, 3, SERVERS):
                self.wake(groups.pop(0), f"{changed} servers were changed")
                self.wait_two_copies(len(asleep))
        self.assertEqual(groups, [])
        found = sum(self.cluster.totals("tandem_questions_found_total").values())
        print(f"questions to which a peer knew: {found:.0f}")
        self.assertEqual(sum(self.cluster.totals("tandem_takeovers_cold_total").values()), 0)
        return found

    def test_1_changed_when_all_know(self):
        self.assertGreater(self.change_servers(at_once=False), 0,
                           "no token was so old that peers had to be asked")

    def test_2_changed_before_anybody_knows(self):
        self.change_servers(at_once=True)


if __name__ == "__main__":
    main()
