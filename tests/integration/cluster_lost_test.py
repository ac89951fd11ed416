"""Sessions of which no server is left, with real tandem-servers: primary and alternate are killed
at once, and on_lost says what becomes of the next request."""

import os
import signal

import raw
from case import Case, main
from cluster import Cluster, lag_of, make_site, site_paths
from process import until


class Lost(Case):
    on_lost = None

    @classmethod
    def set_up_class(cls):
        site = make_site(os.path.join(cls.shop.folder, "site"), files=1)
        cls.path = site_paths(site)[0]
        cls.cluster = Cluster(cls.shop, site, servers=3,
                              balancer={"session": {"on_lost": cls.on_lost}})
        cls.lb = cls.cluster.lb

    def ask(self, cookie=None, method="GET"):
        return raw.fetch(self.lb.port, self.path, method=method, cookie=cookie)

    def session(self):
        """(cookie, the servers that know it, the others) of the first session: confirmed, and whole
        in two places."""
        cookie = self.ask().cookie()
        cookie = self.ask(cookie).cookie() or cookie
        until(lambda: sum(map(self.copies, self.cluster.names)) == 2, "the session's copy")
        until(lambda: all(lag_of(server) == 0 for server in self.cluster.living()), "it whole")
        cookie = self.ask(cookie).cookie() or cookie
        know = {name for name in self.cluster.names if self.copies(name) > 0}
        return cookie, know, set(self.cluster.names) - know

    def copies(self, name):
        sessions = self.cluster.servers[name].status()["sessions"]
        return sessions["primary"] + sessions["alternate"]

    def signal(self, names, number):
        for name in names:
            self.cluster.servers[name].process.signal(number)

    def kill(self, names, others):
        """All at once: none of them can hand on what it has."""
        self.signal(names, signal.SIGSTOP)
        for name in names:
            self.cluster.servers[name].process.kill()
        self.lb.wait_online(others)

    def start_anew(self, names):
        for name in names:
            self.cluster.servers[name].start()
        self.lb.wait_online(self.cluster.names)
        until(lambda: all(server.status().get("peer_links") == len(self.cluster.names) - 1
                          for server in self.cluster.living()), "all to be linked")

    def served_by(self, reply):
        self.assertEqual(reply.head.status, 200, reply.head)
        return reply.head.get("tandem-server")

    def asked(self, names):
        """How many requests the origins of these servers have answered."""
        count = 0
        for name in names:
            with open(self.cluster.origins[name].access_log, encoding="utf-8") as log:
                count += len(log.readlines())
        return count


class Any(Lost):
    on_lost = "any"

    def test_another_server_begins_it_anew(self):
        cookie, know, others = self.session()
        self.kill(know, others)
        reply = self.ask(cookie)
        self.assertIn(self.served_by(reply), others)
        self.assertNotIn(reply.cookie(), (None, cookie))
        self.assertIn(self.served_by(self.ask(reply.cookie())), others)
        self.assertEqual(self.lb.metric("tandem_sessions_lost_total"), 1)
        self.assertEqual(self.lb.metric("tandem_sessions_lost_rejected_total"), 0)
        self.assertEqual(sum(self.cluster.totals("tandem_takeovers_cold_total").values()), 1)


class Frozen(Lost):
    on_lost = "reject 503"

    def test_it_waits_for_servers_that_come_back(self):
        cookie, know, others = self.session()
        self.signal(know, signal.SIGSTOP)
        self.lb.wait_online(others)
        asked = self.asked(others)
        for method in ("GET", "POST"):
            reply = self.ask(cookie, method)
            self.assertEqual(reply.head.status, 503)
            self.assertIsNone(reply.cookie(), "the token stays")
        self.signal(know, signal.SIGCONT)
        self.lb.wait_online(self.cluster.names)
        self.cluster.wait_mirrored()
        self.assertIn(self.served_by(self.ask(cookie)), know)
        self.assertEqual(self.asked(others), asked, "nobody else has executed anything")
        self.assertEqual(self.lb.metric("tandem_sessions_lost_rejected_total"), 2)
        self.assertEqual(sum(self.cluster.totals("tandem_takeovers_cold_total").values()), 0)


class NotNow(Lost):
    on_lost = "reject 503"

    def test_those_that_are_dead_are_not_replaced(self):
        cookie, know, others = self.session()
        self.kill(know, others)
        for _ in range(2):
            self.assertEqual(self.ask(cookie).head.status, 503)
        self.assertEqual(self.lb.metric("tandem_sessions_lost_rejected_total"), 2)
        self.assertIn(self.served_by(self.ask()), others, "who has no session is served")


class StartedAnew(Lost):
    on_lost = "reject 503"

    def test_a_session_that_its_servers_have_forgotten_is_not_begun_anew(self):
        cookie, know, others = self.session()
        self.kill(know, others)
        self.start_anew(know)
        asked = self.asked(self.cluster.names)
        for method in ("GET", "POST", "GET"):
            reply = self.ask(cookie, method)
            self.assertEqual(reply.head.status, 503, reply.head)
            self.assertIsNone(reply.cookie(), "the token stays")
        self.assertEqual(self.asked(self.cluster.names), asked, "nobody has executed anything")
        self.assertEqual(self.lb.metric("tandem_sessions_lost_rejected_total"), 3)
        self.assertEqual(sum(self.cluster.totals("tandem_takeovers_cold_total").values()), 0)
        self.served_by(self.ask())


class Gone(Lost):
    on_lost = "reject 404"

    def test_the_client_is_told_to_forget_it(self):
        cookie, know, others = self.session()
        self.kill(know, others)
        reply = self.ask(cookie)
        self.assertEqual(reply.head.status, 404)
        self.assertEqual(reply.cookie(), "")
        self.start_anew(know)
        reply = self.ask(cookie)
        self.assertEqual(reply.head.status, 404)
        self.assertEqual(reply.cookie(), "")
        self.served_by(self.ask())


del Lost  # the base has no tests of its own


if __name__ == "__main__":
    main()
