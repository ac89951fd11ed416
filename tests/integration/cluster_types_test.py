"""Servers that share out the data: three of them before one origin that counts what is fetched."""

import http.client
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from case import Case, main
from cluster import Cluster
from process import raise_descriptor_limit, until

MISSES = 1_000
LOAD_CLIENTS = 8


class CountingOrigin:
    """A stock HTTP server: an item for each path, fresh for a minute; how often it was asked."""

    def __init__(self):
        origin = self
        self.fetched, self.written = {}, {}
        self.lock = threading.Lock()
        self.gate = threading.Event()  # /slow/ waits for it
        self.gate.set()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def do_GET(self):
                with origin.lock:
                    origin.fetched[self.path] = origin.fetched.get(self.path, 0) + 1
                if "/slow/" in self.path:
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

            def do_PUT(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with origin.lock:
                    origin.written[self.path] = origin.written.get(self.path, 0) + 1
                self.send_response(204)
                self.end_headers()

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


def fetch(port, path, connection=None, method="GET"):
    """(status, body, the server that answered)."""
    once = connection is None
    connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read(), response.headers.get("Tandem-Server")
    finally:
        if once:
            connection.close()


def expected(path):
    return b"item " + path.encode() + b"\n"


class Types(Case):
    @classmethod
    def set_up_class(cls):
        raise_descriptor_limit(4 * MISSES)
        cls.origin = CountingOrigin()
        rules = [{"prefix": f"/{name}/", "owner": name} for name in "abc"]
        cls.cluster = Cluster(cls.shop, None, servers=3, origins=[cls.origin] * 3, server={
            "data": {"partitioned": True, "virtual_types": 64, "ask_timeout": "30s"},
            "type": rules, "cache": {"bytes": "64MiB"},
            # A thousand requests at once may keep a server busy for longer than others wait.
            "buddies": {"interval": "10s"}, "status_interval": "10s"},
            balancer={"control": {"status_interval": "10s"}})
        cls.wait_linked()

    @classmethod
    def wait_linked(cls):
        until(lambda: all(server.metric("tandem_types_acted_for") > 0
                          and server.metric("tandem_peer_links") == 2
                          for server in cls.cluster.living()), "all to know all")

    def server(self, name):
        return self.cluster.servers[name]

    def setUp(self):
        self.origin.gate.clear()
        self.addCleanup(self.origin.gate.set)

    def totals(self, counter):
        return sum(self.cluster.totals(counter).values())

    def test_1_own_type(self):
        asked = self.totals("tandem_types_asked_total")
        status, body, by = fetch(self.server("a").port, "/a/own")
        self.assertEqual((status, body, by), (200, expected("/a/own"), "a"))
        self.assertEqual(self.totals("tandem_types_asked_total"), asked)

    def test_2_other_type_with_its_owner_online(self):
        answered = self.server("b").metric("tandem_types_answered_total")
        status, body, by = fetch(self.server("a").port, "/b/other")
        self.assertEqual((status, body, by), (200, expected("/b/other"), "a"))
        self.assertEqual(self.server("b").metric("tandem_types_answered_total"), answered + 1)
        self.assertEqual(self.origin.count("/b/other"), 1)

    def test_3_every_type_has_one_owner(self):
        owned = self.cluster.totals("tandem_types_owned")
        self.assertEqual(sum(owned.values()), 67)
        self.assertGreater(min(owned.values()), 1)
        self.assertEqual(self.totals("tandem_types_disagreements_total"), 0)

    def test_4_a_thousand_misses_at_once_are_one_fetch(self):
        """All members are asked for one item at once; the origin answers when all wait."""
        path = "/c/slow/one"
        self.assertEqual(self.misses(path, [self.server(n).port for n in "abc"]), [])
        self.assertEqual(self.origin.count(path), 1)

    def test_5_if_who_fetches_dies_one_more_fetch_is_made(self):
        path = "/c/slow/two"
        victim = self.server("c")

        def kill():
            victim.process.kill()
            self.cluster.lb.wait_online({"a", "b"})
            until(lambda: self.origin.count(path) == 2, "who acts in its stead to fetch")

        self.assertEqual(self.misses(path, [self.server(n).port for n in "ab"], kill), [])
        self.assertEqual(self.origin.count(path), 2)
        victim.start()
        self.cluster.lb.wait_online({"a", "b", "c"})
        self.wait_linked()

    def test_2_a_write_that_is_answered_without_a_body(self):
        """Through the owner and through another; who has cached the item fetches it anew."""
        path = "/b/written"
        for number, name in enumerate("bab", 1):
            for reader in "abcabc":
                self.assertEqual(fetch(self.server(reader).port, path)[:2], (200, expected(path)))
            self.assertEqual(self.origin.count(path), 3 * number, "once for each host")
            status, body, by = fetch(self.server(name).port, path, method="PUT")
            self.assertEqual((status, body, by), (204, b"", name))
            self.assertEqual(self.origin.written[path], number)
        answered = self.server("b").metric("tandem_types_answered_total")
        self.assertEqual(fetch(self.server("c").port, path, method="PUT")[0], 204)
        self.assertEqual(self.server("b").metric("tandem_types_answered_total"), answered + 1)

    def misses(self, path, ports, meanwhile=lambda: None):
        """What was wrong with the answers to MISSES requests, sent before the origin answers."""
        sockets = []
        for number in range(MISSES):
            one = socket.create_connection(("127.0.0.1", ports[number % len(ports)]), timeout=60)
            one.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
            sockets.append(one)
        # All of them are under way: at the owner, or asked of it.
        until(lambda: self.origin.count(path) >= 1, "the fetch to begin")
        waiting = sum(ports[n % len(ports)] != self.server("c").port for n in range(MISSES))
        until(lambda: self.totals("tandem_types_asks_under_way") >= waiting, "all to ask the owner")
        meanwhile()
        self.origin.gate.set()
        wrong = []
        for one in sockets:
            with one:
                answer = b""
                while part := one.recv(65536):
                    answer += part
            if not answer.startswith(b"HTTP/1.1 200") or not answer.endswith(expected(path)):
                wrong.append(answer)
        return wrong

    def test_6_kill_an_owner_under_load(self):
        """No request fails, and while it is away the others stand in for it."""
        stop, failures, done = threading.Event(), [], [0] * LOAD_CLIENTS

        def load(number):
            port = self.server("ac"[number % 2]).port
            connection, at = http.client.HTTPConnection("127.0.0.1", port, timeout=60), 0
            while not stop.is_set():
                path = f"/{'abc'[at % 3]}/load/{number}-{at % 50}"
                at += 1
                try:
                    status, body, _ = fetch(port, path, connection)
                    if (status, body) != (200, expected(path)):
                        failures.append((path, status, body))
                except (OSError, http.client.HTTPException) as error:
                    failures.append((path, repr(error)))
                    connection.close()
                done[number] += 1
            connection.close()

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
