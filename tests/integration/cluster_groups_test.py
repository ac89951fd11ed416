"""Several groups of servers behind one balancer: a and b serve what no route names, c and d the
group "api" by path, the plain server p the group "shop" by host."""

import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from case import Case, main
from cluster import Cluster
from process import until

REST, API = {"a", "b"}, {"c", "d"}
ROUTES = [{"path": "/api", "group": "api"}, {"host": "*.shop.example", "group": "shop"},
          {"path": "/nobody", "group": "nobody"}]


class NamedOrigin:
    """A stock HTTP server that answers with its name and what it was asked for."""

    def __init__(self, name):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                cookies = self.headers.get("Cookie", "")
                body = f"{name} {self.path} {cookies}".encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        self.url = f"http://{self.address}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Browser:
    """Keeps its cookies, as browsers do."""

    def __init__(self, port):
        self.port, self.cookies = port, {}

    def get(self, path, host="site.example"):
        """(status, the origin that answered, headers)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        jar = "; ".join(f"{name}={value}" for name, value in [*self.cookies.items(), ("x", "1")])
        try:
            connection.request("GET", path, headers={"Host": host, "Cookie": jar})
            response = connection.getresponse()
            body = response.read().decode()
        finally:
            connection.close()
        for value in response.headers.get_all("Set-Cookie") or []:
            name, token = value.split(";")[0].split("=", 1)
            self.cookies[name] = token
        if response.status == 200 and not body.endswith(" x=1"):
            raise AssertionError(f"the origin saw more than its own cookie: {body}")
        return response.status, body.split(" ")[0], response.headers

    def served(self, path, host="site.example"):
        status, name, _ = self.get(path, host)
        if status != 200:
            raise AssertionError(f"{path} at {host}: {status}")
        return name


class Groups(Case):
    @classmethod
    def set_up_class(cls):
        cls.origins = {name: NamedOrigin(name) for name in "abcdp"}
        cls.cluster = Cluster(cls.shop, None, servers=4,
                              origins=[cls.origins[name] for name in "abcd"],
                              each={name: {"group": "api"} for name in API},
                              balancer={"route": ROUTES, "control": {"status_interval": "200ms"},
                                        "check": {"interval": "100ms"}},
                              server={"status_interval": "200ms"})
        cls.lb = cls.cluster.lb
        cls.all = REST | API | {"p"}
        cls.reload({"server": [{"name": "p", "address": cls.origins["p"].address,
                                "group": "shop"}]})
        cls.lb.wait_online(cls.all)
        until(lambda: all(server.metric("tandem_peer_links") == 1
                          for server in cls.cluster.living()), "all to be linked")

    @classmethod
    def reload(cls, changes):
        cls.lb.write_conf(changes)
        connection = http.client.HTTPConnection("127.0.0.1", cls.lb.admin_port, timeout=60)
        connection.request("POST", "/reload")
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        if response.status != 200:
            raise AssertionError(text)

    def browser(self):
        return Browser(self.lb.port)

    def explain(self, token):
        status, body = self.lb.get("/explain?token=" + token)
        self.assertEqual(status, 200, body)
        return json.loads(body)

    def confirmed(self, browser, path, cookie):
        """The server of a session that has its alternate."""
        browser.served(path)
        name = browser.served(path)
        self.assertTrue(self.explain(browser.cookies[cookie])["alternate"])
        return name

    def groups(self):
        return {group["name"]: group for group in self.lb.status()["groups"]}

    def test_1_a_session_in_each_group(self):
        browser = self.browser()
        rest, api = browser.served("/"), browser.served("/api/x")
        shop = browser.served("/api", host="www.shop.example:8080")
        self.assertIn(rest, REST)
        self.assertIn(api, API)
        self.assertEqual(shop, "p", "a host goes before a path")
        self.assertEqual(set(browser.cookies), {"tandem", "tandem-api", "tandem-shop"})
        for _ in range(3):
            self.assertEqual(browser.served("/apix"), rest)
            self.assertEqual(browser.served("/%61pi?q"), api)
            self.assertEqual(browser.served("/", host="www.shop.example"), "p")
        self.assertIn(self.browser().served("/", host="shop.example"), REST)

    def test_2_alternates_and_heirs_are_of_the_group(self):
        for path, cookie, group in [("/", "tandem", REST), ("/api", "tandem-api", API)]:
            for _ in range(12):
                browser = self.browser()
                name = self.confirmed(browser, path, cookie)
                account = self.explain(browser.cookies[cookie])
                self.assertEqual({account["primary"], account["alternate"]}, group)
                self.assertEqual(account["primary"], name)
        for name in REST | API:
            status, body = self.lb.get("/explain?if_dies=" + name)
            self.assertEqual(status, 200)
            heirs = {heir["name"] for heir in json.loads(body)["heirs"]}
            self.assertEqual(heirs, (REST if name in REST else API) - {name})

    def test_3_a_token_of_another_group_is_none(self):
        browser = self.browser()
        browser.served("/")
        browser.cookies = {"tandem-api": browser.cookies["tandem"]}
        before = self.lb.metric("tandem_tokens_of_other_groups_total")
        self.assertIn(browser.served("/api"), API)
        self.assertEqual(self.lb.metric("tandem_tokens_of_other_groups_total"), before + 1)

    def test_4_a_primary_dies_and_its_group_alone_notices(self):
        browser = self.browser()
        rest = self.confirmed(browser, "/", "tandem")
        api = self.confirmed(browser, "/api", "tandem-api")
        session = self.explain(browser.cookies["tandem-api"])["session"]
        (other,) = API - {api}
        token = browser.cookies["tandem"]
        self.cluster.wait_mirrored()
        servers = self.cluster.servers
        held = {name: servers[name].status()["sessions"]["alternate"] for name in REST}
        taken = servers[other].metric("tandem_takeovers_warm_total")
        servers[api].process.kill()
        self.assertEqual(browser.served("/api"), other)
        self.assertEqual(self.explain(browser.cookies["tandem-api"])["session"], session)
        self.assertEqual(servers[other].metric("tandem_takeovers_warm_total"), taken + 1)
        self.assertEqual(browser.served("/"), rest)
        self.assertEqual(browser.cookies["tandem"], token)
        self.lb.wait_online(self.all - {api})
        # Its copies stay single rather than leave the group.
        self.assertEqual(browser.served("/api"), other)
        for name in REST:
            sessions = servers[name].status()["sessions"]
            self.assertEqual(sessions["alternate"], held[name], "a copy has left its group")
            self.assertEqual(servers[name].metric("tandem_takeovers_cold_total"), 0)
        servers[api].start()
        self.lb.wait_online(self.all)
        self.cluster.wait_mirrored()
        self.assertEqual(self.explain(browser.cookies["tandem-api"])["alternate"], api)

    def test_5_a_group_without_servers_is_an_outage_of_its_routes_alone(self):
        browser = self.browser()
        rest = browser.served("/")
        browser.served("/api")
        self.assertEqual(self.groups()["api"]["online"], 2)
        for name in API:
            self.cluster.servers[name].process.kill()
        self.lb.wait_online(self.all - API)
        for path in ("/api", "/nobody"):
            status, _, headers = browser.get(path)
            self.assertEqual((status, headers["Retry-After"]), (503, "1"))
        self.assertEqual(browser.served("/"), rest)
        self.assertEqual(browser.served("/", host="a.shop.example"), "p")
        self.assertEqual({name: (group["routed"], group["online"])
                          for name, group in self.groups().items()},
                         {"api": (True, 0), "default": (False, 2), "nobody": (True, 0),
                          "shop": (True, 1)})
        self.assertEqual(self.lb.metrics()['tandem_group_servers_online{group="api"}'], 0)
        for name in API:
            self.cluster.servers[name].start()
        self.lb.wait_online(self.all)
        self.assertIn(browser.served("/api"), API)

    def test_6_a_reload_changes_the_routes(self):
        browser = self.browser()
        api = self.confirmed(browser, "/api", "tandem-api")
        self.reload({"route": [{"path": "/first", "group": "aaa"},
                               {"path": "/extra", "group": "api"}]})
        self.addCleanup(self.reload, {"route": ROUTES})
        until(lambda: browser.get("/first")[0] == 503, "the worker to know the routes")
        token = browser.cookies["tandem-api"]
        self.assertEqual(browser.served("/extra"), api)
        self.assertEqual(browser.cookies["tandem-api"], token, "the session goes on")
        self.assertIn(browser.served("/api"), REST | {"p"})
        self.lb.write_conf({"route": [{"path": "x", "group": "api"}]})
        with self.assertRaisesRegex(AssertionError, r"tandem-lb\.toml:\d+:\d+: route"):
            self.reload({})
        self.assertEqual(browser.served("/extra"), api, "the old ones stay in force")

    def test_7_without_routes_groups_are_islands_all_the_same(self):
        self.reload({"route": []})
        self.addCleanup(self.reload, {"route": ROUTES})
        until(lambda: self.browser().get("/nobody")[0] == 200, "the worker to know the routes")
        seen = set()
        for _ in range(30):
            browser = self.browser()
            browser.served("/")
            name = browser.served("/api")
            seen.add(name)
            self.assertEqual(set(browser.cookies), {"tandem"})
            account = self.explain(browser.cookies["tandem"])
            if name != "p":
                self.assertEqual({account["primary"], account["alternate"]},
                                 REST if name in REST else API)
        self.assertEqual(seen, self.all)


if __name__ == "__main__":
    main()
