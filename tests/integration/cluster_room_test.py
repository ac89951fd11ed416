"""Places are for those who come back: 5,000 requests without cookies leave room for everybody
else's sessions, and a full cluster says so and serves those inside."""

import os
import threading

import raw
from case import Case, main
from cluster import Cluster, make_site


class Room(Case):
    @classmethod
    def set_up_class(cls):
        site = make_site(os.path.join(cls.shop.folder, "site"), files=3)
        cls.cluster = Cluster(cls.shop, site, servers=3, server={"capacity": 20, "threshold": 16})
        cls.target = "/page000.html"

    def new_session(self):
        """(server, cookie), confirmed; None if there is no room."""
        response = raw.fetch(self.cluster.lb.port, self.target)
        if response.status == 503:
            self.assertIsNotNone(response.get("Retry-After"))
            return None
        self.assertEqual(response.status, 200)
        cookie = response.cookie()
        again = raw.fetch(self.cluster.lb.port, self.target, cookie=cookie)
        self.assertEqual(again.status, 200)
        return again.get("Tandem-Server"), again.cookie() or cookie

    def test_visitors_without_cookies_take_no_place(self):
        inside = [self.new_session() for _ in range(10)]
        self.cluster.lb.wait(lambda: self.cluster.lb.metric("tandem_n_plus_one_safe") == 1,
                             "say that any one server may die")
        failed = []

        def visit():
            with raw.connect(self.cluster.lb.port) as client:
                for _ in range(625):
                    client.send(raw.request_text(target=self.target))
                    if client.read_response().status != 200:
                        failed.append(1)
        visitors = [threading.Thread(target=visit) for _ in range(8)]
        for visitor in visitors:
            visitor.start()
        for visitor in visitors:
            visitor.join()
        self.assertEqual(len(failed), 0)
        inside += [self.new_session() for _ in range(40)]
        self.assertNotIn(None, inside)
        # Until the last place is taken; a provisional one may hold a place for a moment.
        inside += [self.new_session() for _ in range(10)]
        held = [session for session in inside if session]
        self.assertLessEqual(len(held), 60)
        for server, cookie in held:
            response = raw.fetch(self.cluster.lb.port, self.target, cookie=cookie)
            self.assertEqual((response.status, response.get("Tandem-Server")), (200, server))
        self.cluster.lb.wait(
            lambda: sum(s.metric("tandem_sessions_primary") for s in
                        self.cluster.servers.values()) == len(held),
            "count the sessions, and nobody else")
        # More than two servers have places for.
        self.cluster.lb.wait(lambda: self.cluster.lb.metric("tandem_n_plus_one_safe") == 0,
                             "say that none may die")
        self.assertRegex(self.cluster.lb.process.log(), r"N\+1: if \S+ died, \d+ sessions")


if __name__ == "__main__":
    main()
