"""Whole-cache validation with real processes: after a kill -9 of the primary one small request
validates all that a client of the library holds."""

import os
import time

from case import Case, main
from cluster import Balancer, Cluster, Nginx, copy_site, make_site, site_paths
from visitor import Visitor

ITEMS = 200
# A client has to ask about its copy at once; whoever serves many may take it for current.
CACHE = 'add_header Cache-Control "max-age=0, s-maxage=3600";'


class Validation(Case):
    @classmethod
    def set_up_class(cls):
        cls.site = make_site(os.path.join(cls.shop.folder, "site"), files=ITEMS, bytes_max=2000)
        cls.paths = site_paths(cls.site)
        cls.cluster = Cluster(cls.shop, cls.site, servers=2, nginx_conf=CACHE)

    def visitor(self, name, *arguments, url=None):
        return self.shop.start(Visitor(self.shop.folder, url or self.cluster.url, "--fresh",
                                       *arguments, name=name))

    def fetch_all(self, visitor):
        """Fetches everything; the first item twice, since a mirror begins with the token's return.
        Returns the server."""
        for path in [self.paths[0], *self.paths]:
            reply = visitor.get(path)
            self.assertEqual((reply["ok"], reply["status"]), (True, 200), reply)
        return reply["server"]

    @staticmethod
    def asked(origin):
        """How many requests the origin has answered."""
        with open(origin.access_log, encoding="utf-8") as log:
            return len(log.readlines())

    def test_a_takeover_and_a_long_absence(self):
        visitor = self.visitor("visitor")
        primary = self.fetch_all(visitor)
        alternate = next(name for name in self.cluster.names if name != primary)
        self.cluster.wait_mirrored()
        origin = self.cluster.origins[alternate]
        self.assertEqual(self.asked(origin), 0)  # all that it knows it has been told
        self.cluster.servers[primary].process.kill()

        reply = visitor.get(self.paths[0])  # it tells that another server answers
        self.assertEqual((reply["server"], reply["source"]), (alternate, "mirror"), reply)
        self.assertEqual(reply["validation"]["requests"], 0)
        asked = self.asked(origin)

        reply = visitor.get(self.paths[1])
        validation = reply["validation"]
        self.assertEqual((reply["source"], reply["attempts"]), ("local", 0), reply)
        self.assertEqual((validation["requests"], validation["items"]), (1, ITEMS), reply)
        self.assertEqual(validation["vouched"], ITEMS, reply)
        self.assertLessEqual(validation["bytes_sent"] + validation["bytes_received"], 128, reply)
        print(f"{ITEMS} items: {validation['bytes_sent']} + {validation['bytes_received']} bytes")

        for path in self.paths:
            reply = visitor.get(path)
            self.assertEqual((reply["source"], reply["validation"]["requests"]), ("local", 0))
        self.assertEqual(self.asked(origin), asked)
        server = self.cluster.servers[alternate]
        self.assertEqual(server.metric("tandem_validations_total"), 1)
        self.assertEqual(server.metric("tandem_validation_current_total"), ITEMS)

    def test_who_cannot_is_asked_item_by_item(self):
        root = os.path.join(self.shop.folder, "plain-site")
        copy_site(self.site, root, modified=1_500_000_000)
        origin = self.shop.start(Nginx(self.shop.folder, "plain", root, CACHE))
        lb = self.shop.start(Balancer(self.shop.folder, name="plain-lb", plain=[
            ("plain", f"127.0.0.1:{origin.port}")]))
        lb.wait_online(["plain"])
        visitor = self.visitor("patient", "--validate-after-ms", "1",
                               url=f"http://127.0.0.1:{lb.port}")
        for path in self.paths[:3]:
            self.assertEqual(visitor.get(path)["status"], 200)
        time.sleep(0.01)  # a long absence
        reply = visitor.get(self.paths[0])
        self.assertEqual(reply["validation"]["requests"], 1, reply)
        self.assertFalse(reply["validation"]["known"])
        self.assertEqual((reply["source"], reply["attempts"]), ("validator", 1), reply)
        time.sleep(0.01)
        reply = visitor.get(self.paths[1])
        self.assertEqual((reply["source"], reply["validation"]["requests"]), ("validator", 0))


if __name__ == "__main__":
    main()
