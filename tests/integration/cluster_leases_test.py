"""Servers that share out the data of one HTTP origin, and the link cut between the one that acts
for a type and one that has cached items of it under a lease. Both live, and everybody else hears
both: no view changes, so the lease alone says when a write may be acknowledged."""

import http.client
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from case import Case, main
from cluster import Balancer, Server, merged
from network import Network, Unavailable
from process import PATIENCE, until

LEASE = 2  # seconds


class Origin:
    """A stock HTTP server: what was put is what is got, fresh for longer than the test takes."""

    def __init__(self, address):
        self.items = {}
        self.gate = threading.Event()  # /t/slow waits for it
        self.slow = threading.Event()  # somebody has asked for that
        origin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def answer(self, status, body=b""):
                try:
                    self.send_response(status)
                    self.send_header("Cache-Control", "max-age=600")
                    if status != 204:
                        self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # whoever asked has gone

            def do_GET(self):
                if self.path == "/t/slow":
                    origin.slow.set()
                    origin.gate.wait(PATIENCE)
                body = origin.items.get(self.path)
                self.answer(404 if body is None else 200, body or b"")

            def do_PUT(self):
                origin.items[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
                self.answer(204)

            def log_message(self, *_):
                pass

        class Stock(ThreadingHTTPServer):
            daemon_threads = True

        server = Stock((address, 0), Handler)
        self.url = f"http://{address}:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()


class Reader:
    """Asks one server for one item again and again, on a thread of its own."""

    def __init__(self, ask):
        self.seen = []  # (when it asked, the body)
        self.failed = None
        self._ask = ask
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read)

    def _read(self):
        while not self._stop.is_set():
            begun = time.monotonic()
            try:
                status, body, _ = self._ask()
            except (OSError, http.client.HTTPException) as error:
                status, body = repr(error), b""
            if status != 200:
                self.failed = status
                return
            self.seen.append((begun, body))
            self._stop.wait(0.005)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


class CutOffHolder(Case):
    @classmethod
    def set_up_class(cls):
        try:
            network = cls.network = Network()
            cls.hosts = {name: network.host(cls.shop, name) for name in "abc"}
        except Unavailable as reason:
            raise unittest.SkipTest(f"no network namespaces here: {reason}") from None
        cls.origin = Origin(network.here.address)
        key = cls.shop.key()
        cls.lb = cls.shop.start(Balancer(cls.shop.folder, key_file=key, host=network.here))
        conf = {"data": {"partitioned": True, "lease": f"{LEASE}s"}, "buddies": {"interval": "10s"},
                "type": [{"prefix": "/t/", "owner": "a"}], "cache": {"bytes": "1MiB"}}
        # While one request of b's is under way to a, b fetches what else it needs by itself.
        each = {"b": {"data": {"asks_max": 1}}}
        cls.servers = {name: cls.shop.start(
            Server(cls.shop.folder, name, [cls.lb], key, cls.origin.url,
                   merged(conf, each.get(name, {})), cls.hosts[name])) for name in "abc"}
        cls.lb.wait_online("abc")
        until(lambda: all(server.metric("tandem_types_acted_for") > 0
                          and server.metric("tandem_peer_links") == 2
                          for server in cls.servers.values()), "all to know all")

    def ask(self, name, method, path, body=None):
        server = self.servers[name]
        connection = http.client.HTTPConnection(server.host.address, server.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body=body)
            response = connection.getresponse()
            return response.status, response.read(), response.headers.get("Cache-Status", "")
        finally:
            connection.close()

    def read(self, name):
        return self.ask(name, "GET", "/t/k")

    def wait_held(self, body):
        """Until b answers from its cache, which it may under a lease alone."""
        def held():
            status, got, how = self.read("b")
            self.assertEqual((status, got), (200, body))
            return "hit" in how

        until(held, "b to hold a lease")

    def write_while_cut_off(self, through, old, new):
        """How long the write took, and whether b answered with what it replaced meanwhile."""
        a, b = self.hosts["a"], self.hosts["b"]
        self.network.part(a, b)
        try:
            with Reader(lambda: self.read("b")) as reader:
                begun = time.monotonic()
                self.assertEqual(self.ask(through, "PUT", "/t/k", new)[0], 204)
                acknowledged = time.monotonic()
                until(lambda: reader.failed or reader.seen and reader.seen[-1][0] > acknowledged
                      + LEASE / 2, "b to go on")
        finally:
            self.network.join(a, b)
        self.assertIsNone(reader.failed)
        late = [body for at, body in reader.seen if at >= acknowledged]
        self.assertEqual(set(late), {new}, "an acknowledged write was not seen")
        early = {body for at, body in reader.seen if at < acknowledged}
        self.assertLessEqual(early, {old, new})
        return acknowledged - begun, old in early

    def test_a_write_waits_for_its_lease_and_no_longer(self):
        self.assertEqual(self.ask("a", "PUT", "/t/k", b"0")[0], 204)
        slow = threading.Thread(target=lambda: self.ask("b", "GET", "/t/slow"))
        slow.start()
        self.addCleanup(slow.join)
        self.addCleanup(self.origin.gate.set)
        self.assertTrue(self.origin.slow.wait(PATIENCE))
        a, b = self.servers["a"], self.servers["b"]
        self.assertEqual(b.metric("tandem_types_asks_under_way"), 1)
        waited_for = lambda: a.metric("tandem_leases_waited_for_total")
        took, number = [], 0
        for through in "ac":
            for _ in range(5):  # on a slow machine the lease may be over before the link is cut
                old, new = b"%d" % number, b"%d" % (number + 1)
                number += 1
                before = waited_for()
                self.wait_held(old)
                seconds, stale = self.write_while_cut_off(through, old, new)
                if waited_for() > before:
                    break
            self.assertEqual(waited_for(), before + 1)
            self.assertTrue(stale, "b had nothing of before")
            took.append(seconds)
        print("acknowledged after", took, flush=True)
        self.assertLess(max(took), 2 * LEASE)
        waits = waited_for()
        # Healed: it is told, caches again, and asks the owner again.
        self.wait_held(new)
        self.assertEqual(self.ask("a", "PUT", "/t/k", b"healed")[0], 204)
        self.wait_held(b"healed")
        self.assertEqual(waited_for(), waits)
        self.origin.gate.set()
        slow.join()
        answered = a.metric("tandem_types_answered_total")
        self.assertEqual(self.read("b")[:2], (200, b"healed"))
        self.assertEqual(a.metric("tandem_types_answered_total"), answered + 1)
        self.assertEqual(self.lb.online(), set("abc"))


if __name__ == "__main__":
    main()
