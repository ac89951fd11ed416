"""Servers that share out the data: three of them before one origin that counts what is fetched."""

import http.client
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from case import Case, main
from cluster import Cluster
from process import until

MISSES = 1_000
LOAD_CLIENTS = 8


class CountingOrigin:
    """A stock HTTP server: an item for every path, fresh for a minute, and how often it was asked."""

    def __init__(self):
        origin = self
        self.fetched = {}
        self.lock = threading.Lock()
        self.gate = threading.Event()  # /slow/ waits for it
        self.gate.set()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def do_GET(self):
                with origin.lock:
                    origin.fetched[self.path] = origin.fetched.get(self.path, 0) + 1
                if self.path.startswith("/slow"):
                    origin.gate.wait(60)
                body = b"item " + self.path.encode() + b"\n"
                try:
                    self.send_response(200)
                    self.send_header("Cache-Control", "max-age=60")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # whoever asked has been killed

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 1024
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def count(self, path):
        with self.lock:
            return self.fetched.get(path, 0)

    def total(self, prefix):
        with self.lock:
            return sum(n for path, n in self.fetched.items() if path.startswith(prefix))


def fetch(port, path, connection=None):
    """(status, body, the server that answered), and the connection to go on with."""
    connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, response.read(), response.headers.get("Tandem-Server"), connection


def expected(path):
    return b"item " + path.encode() + b"\n"


class Types(Case):
    @classmethod
    def set_up_class(cls):
        cls.origin = CountingOrigin()
        rules = [{"prefix": f"/{name}/", "owner": name} for name in "abc"]
        cls.cluster = Cluster(cls.shop, None, servers=3, origins=[cls.origin] * 3, server={
            "data": {"partitioned": True, "virtual_types": 64}, "type": rules,
            "buddies": {"interval": "200ms"}})
        cls.wait_linked()

    @classmethod
    def wait_linked(cls):
        until(lambda: all(server.metric("tandem_types_acted_for") > 0
                          and server.metric("tandem_peer_links") == 2
                          for server in cls.cluster.living()), "all to know all")

    def server(self, name):
        return self.cluster.servers[name]

    def totals(self, counter):
        return sum(self.cluster.totals(counter).values())

    def test_1_own_type(self):
        asked = self.totals("tandem_types_asked_total")
        status, body, by, _ = fetch(self.server("a").port, "/a/own")
        self.assertEqual((status, body, by), (200, expected("/a/own"), "a"))
        self.assertEqual(self.totals("tandem_types_asked_total"), asked)

    def test_2_other_type_with_its_owner_online(self):
        answered = self.server("b").metric("tandem_types_answered_total")
        status, body, by, _ = fetch(self.server("a").port, "/b/other")
        self.assertEqual((status, body, by), (200, expected("/b/other"), "a"))
        self.assertEqual(self.server("b").metric("tandem_types_answered_total"), answered + 1)
        self.assertEqual(self.origin.count("/b/other"), 1)

    def test_3_every_type_has_one_owner(self):
        owned = self.cluster.totals("tandem_types_owned")
        self.assertEqual(sum(owned.values()), 67)
        self.assertGreater(min(owned.values()), 1)
        self.assertEqual(self.totals("tandem_types_disagreements_total"), 0)

    def test_4_kill_an_owner_under_load(self):
        """No request fails, and while it is away the others stand in for it."""
        stop, failures, done = threading.Event(), [], [0] * LOAD_CLIENTS

        def load(number):
            port = self.server("ac"[number % 2]).port
            connection, at = None, 0
            while not stop.is_set():
                path = f"/{'abc'[at % 3]}/load/{number}-{at % 50}"
                at += 1
                try:
                    status, body, _, connection = fetch(port, path, connection)
                    if (status, body) != (200, expected(path)):
                        failures.append((path, status, body))
                except (OSError, http.client.HTTPException) as error:
                    failures.append((path, repr(error)))
                    connection = None
                done[number] += 1

        threads = [threading.Thread(target=load, args=(n,)) for n in range(LOAD_CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            until(lambda: min(done) > 30, "the load to run")
            reports = sum(self.server(n).metric("tandem_types_reports_total") for n in "ac")
            self.server("b").process.kill()
            self.cluster.lb.wait_online({"a", "c"})
            at = list(done)
            until(lambda: all(now > then + 60 for now, then in zip(done, at)), "the load to go on")
            stood_in = sum(self.server(n).metric("tandem_types_stood_in_total") for n in "ac")
            self.assertGreater(stood_in, 0)
            after = sum(self.server(n).metric("tandem_types_reports_total") for n in "ac")
            print("requests", sum(done), "stood in", stood_in, "reports", after - reports)
            self.server("b").start()
            self.cluster.lb.wait_online({"a", "b", "c"})
            self.wait_linked()
            at = list(done)
            until(lambda: all(now > then + 60 for now, then in zip(done, at)), "the load to go on")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures[:5], [])
        forgotten = sum(self.server(n).metric("tandem_types_forgotten_total") for n in "ac")
        self.assertGreater(forgotten, 0, "what was kept in b's stead has not been dropped")
        answered = self.server("b").metric("tandem_types_answered_total")
        fetch(self.server("a").port, "/b/back")
        self.assertEqual(self.server("b").metric("tandem_types_answered_total"), answered + 1)


if __name__ == "__main__":
    main()
