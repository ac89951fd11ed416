"""Clients of the library behind a balancer with two groups: a and b serve what no route names, c
and d the group "api". Each group has an origin of its own, whose items have their own length."""

import http.client
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from case import Case, main
from cluster import Cluster
from process import until
from visitor import Visitor

ITEMS = 12
REST, API = {"a", "b"}, {"c", "d"}
LENGTHS = {"": 100, "api": 200}
ROUTES = [{"path": "/api", "group": "api"}, {"host": "localhost", "path": "/host", "group": "api"}]
PATHS = {"": [f"/item-{i}" for i in range(ITEMS)], "api": [f"/api/item-{i}" for i in range(ITEMS)]}


class GroupOrigin:
    """A stock HTTP server whose items are as long as its group's are, and which clients have to ask
    about at once, though whoever serves many may take them for current."""

    def __init__(self, group):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = self.path.encode().ljust(LENGTHS[group], b".")
                self.send_response(200)
                self.send_header("Cache-Control", "max-age=0, s-maxage=3600")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class GroupsClient(Case):
    @classmethod
    def set_up_class(cls):
        origins = {"": GroupOrigin(""), "api": GroupOrigin("api")}
        cls.clusters = {}
        for name, data in [("sessions", {}), ("types", {"data": {"partitioned": True}})]:
            outer, cls.shop.folder = cls.shop.folder, os.path.join(cls.shop.folder, name)
            os.makedirs(cls.shop.folder)
            try:
                cls.clusters[name] = Cluster(
                    cls.shop, None, servers=4, origins=[origins[""]] * 2 + [origins["api"]] * 2,
                    each={api: {"group": "api"} for api in API},
                    server={"direct": True, **data},
                    balancer={"route": ROUTES, "front": {"server_list": True}})
            finally:
                cls.shop.folder = outer
        cls.cluster = cls.clusters["sessions"]
        for cluster in cls.clusters.values():
            until(lambda: all(server.metric("tandem_peer_links") >= 1
                              for server in cluster.living()), "all to be linked")

    def visitor(self, name, *arguments, url=None, cluster=None):
        url = url or (cluster or self.cluster).url
        return self.shop.start(Visitor(self.shop.folder, url, *arguments, name=name))

    def get(self, visitor, path, group):
        reply = visitor.get(path)
        self.assertEqual((reply["ok"], reply["status"]), (True, 200), reply)
        self.assertEqual((reply["group"], reply["bytes"]), (group, LENGTHS[group]), reply)
        self.assertIn(reply["server"], API if group else REST)
        return reply

    def fetch_all(self, visitor):
        """Everything of both groups by turns, the first items twice, since a mirror begins with the
        token's return. {group: its server}"""
        servers = {}
        for pair in [0, *range(ITEMS)]:
            for group, paths in PATHS.items():
                servers[group] = self.get(visitor, paths[pair], group)["server"]
        self.cluster.wait_mirrored()
        return servers

    def check_reuse(self, visitor, servers, direct):
        """All that is held is reused by the mirrors of these servers, in sessions that last."""
        tokens = {group: set() for group in PATHS}
        for pair in range(ITEMS):
            for group, paths in PATHS.items():
                reply = self.get(visitor, paths[pair], group)
                self.assertEqual((reply["server"], reply["source"], reply["direct"]),
                                 (servers[group], "mirror", direct), reply)
                tokens[group].add(reply["token"])
        self.assertTrue(tokens[""].isdisjoint(tokens["api"]))
        return tokens

    def kill(self, name):
        """Until the end of the test."""
        self.cluster.servers[name].process.kill()
        self.addCleanup(self.cluster.lb.wait_online, set(self.cluster.names))
        self.addCleanup(self.cluster.servers[name].start)

    def reload(self, changes):
        lb = self.cluster.lb
        lb.write_conf(changes)
        connection = http.client.HTTPConnection("127.0.0.1", lb.admin_port, timeout=60)
        connection.request("POST", "/reload")
        response = connection.getresponse()
        self.assertEqual(response.status, 200, response.read().decode())
        connection.close()

    def test_1_a_session_and_its_copies_in_each_group(self):
        file = os.path.join(self.shop.folder, "cache.db")
        visitor = self.visitor("through", "--cache", file)
        servers = self.fetch_all(visitor)
        tokens = self.check_reuse(visitor, servers, direct=False)
        self.assertEqual([len(of) for of in tokens.values()], [1, 1], "one session in each")
        token = self.get(visitor, PATHS["api"][0], "api")["token"]
        visitor.kill()
        again = self.visitor("again", "--cache", file)
        self.assertEqual(self.get(again, PATHS["api"][0], "api")["token"], token)
        self.check_reuse(again, servers, direct=False)

    def test_2_a_takeover_has_the_copies_of_its_group_validated(self):
        visitor = self.visitor("validates", "--fresh")
        servers = self.fetch_all(visitor)
        (other,) = API - {servers["api"]}
        self.kill(servers["api"])
        reply = self.get(visitor, PATHS["api"][0], "api")
        self.assertEqual((reply["server"], reply["source"]), (other, "mirror"), reply)

        reply = self.get(visitor, PATHS[""][0], "")
        self.assertEqual((reply["server"], reply["source"]), (servers[""], "mirror"), reply)
        self.assertEqual(reply["validation"]["requests"], 0, "in its group nothing has happened")
        reply = visitor.get(PATHS["api"][1])
        validation = reply["validation"]
        self.assertEqual((reply["source"], reply["bytes"]), ("local", LENGTHS["api"]), reply)
        self.assertEqual((validation["requests"], validation["items"], validation["vouched"]),
                         (1, ITEMS, ITEMS), reply)
        for path in PATHS["api"]:
            self.assertEqual(visitor.get(path)["source"], "local")
        self.assertEqual(self.get(visitor, PATHS[""][1], "")["source"], "mirror")

    def test_3_direct_clients_go_to_the_servers_of_each_group(self):
        lb = self.cluster.lb
        visitor = self.visitor("direct", "--direct", "--retry-after-ms", "300")
        servers = self.fetch_all(visitor)
        asked = lb.metric("tandem_requests_total")
        self.check_reuse(visitor, servers, direct=True)
        self.assertEqual(lb.metric("tandem_requests_total"), asked, "no hop between")
        self.assertEqual(visitor.stats()["maps"], 1)

        (other,) = API - {servers["api"]}
        self.kill(servers["api"])
        self.check_reuse(visitor, {**servers, "api": other}, direct=True)
        # It has met the dead one itself, or another group's server has told it of a newer view.
        self.assertEqual(visitor.stats()["primary"], other)

    def test_4_routes_by_host_and_others_after_a_reload(self):
        url = self.cluster.url.replace("127.0.0.1", "localhost")
        named = self.visitor("named", "--direct", url=url)
        self.get(named, "/host/x", "api")
        self.assertTrue(self.get(named, "/host/x", "api")["direct"])
        other = self.visitor("other", "--direct")
        for _ in range(2):
            reply = self.get(other, "/host/x", "")
        self.assertTrue(reply["direct"])

        self.reload({"route": [{"path": "/v2", "group": "api"}]})
        self.addCleanup(self.reload, {"route": ROUTES})
        for visitor in (named, other):
            # Whoever answers knows of a newer view, or is of another group than the routes say; so
            # the balancer is asked for the list.
            def goes(path, group):
                reply = visitor.get(path)
                return reply["group"] == group and reply["direct"]
            until(lambda: goes("/v2/x", "api"), "the new routes to be known")
            until(lambda: goes("/host/y", ""), "the session in the other group")
            self.assertTrue(self.get(visitor, "/api/y", "")["direct"])

    def test_5_by_type_each_item_is_asked_of_its_owner_in_its_group(self):
        cluster = self.clusters["types"]
        visitor = self.visitor("by-type", "--by-type", "--retry-after-ms", "300", cluster=cluster)
        owners = {"": {}, "api": {}}
        for group, paths in PATHS.items():
            for path in paths:
                reply = self.get(visitor, path, group)
                self.assertTrue(reply["direct"], reply)
                owners[group][path] = reply["server"]
        self.assertEqual(set(owners[""].values()), REST)
        self.assertEqual(set(owners["api"].values()), API)
        for counter in ("tandem_types_asked_total", "tandem_sessions_new_total"):
            self.assertEqual(set(cluster.totals(counter).values()), {0}, counter)
        dead = owners["api"][PATHS["api"][0]]
        (other,) = API - {dead}
        cluster.servers[dead].process.kill()
        for path in PATHS["api"]:
            reply = self.get(visitor, path, "api")
            self.assertEqual((reply["server"], reply["direct"], reply["source"]),
                             (other, True, "validator"), reply)
        for path, server in owners[""].items():
            self.assertEqual(self.get(visitor, path, "")["server"], server)


if __name__ == "__main__":
    main()
