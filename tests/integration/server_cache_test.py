"""A tandem-server that caches, before an origin whose answers are the test's, and before a stock
nginx: what reaches the origin, and what clients get when it is slow, ill or gone."""

import os
import threading

import raw
from case import Case, main
from cluster import Balancer, Nginx, Server
from process import until

FOR_ALL = [("Cache-Control", "max-age=60"), ("ETag", '"1"')]


def answer(body, fields=(), status="200 OK"):
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in fields),
             f"Content-Length: {len(body)}"]
    return "\r\n".join(lines) + "\r\n\r\n" + body


class CacheCase(Case):
    @classmethod
    def set_up_class(cls):
        cls.key = cls.shop.key()
        cls.lb = cls.shop.start(Balancer(cls.shop.folder, key_file=cls.key))

    def serve(self, url, sections=None):
        sections = {"cache": {"bytes": "8MiB"}, **(sections or {})}
        name = self.id().rsplit(".", 1)[-1].replace("_", "-")
        return self.shop.start(Server(self.shop.folder, name, [self.lb], self.key, url, sections))


class Scripted(CacheCase):
    def setUp(self):
        self.origin = raw.Origin()
        self.addCleanup(self.origin.close)

    def says(self, *texts):
        """The origin's answers, in order; the last one for ever."""
        left = list(texts)

        def converse(connection, head):
            connection.read_body(head)
            connection.send(left.pop(0) if len(left) > 1 else left[0])
            return True
        self.origin.answer = converse

    def test_a_hit_a_validation_and_a_write(self):
        self.says(answer("one", FOR_ALL))
        server = self.serve(self.origin.url)
        first = raw.fetch(server.port, "/a")
        self.assertIn("fwd=uri-miss; fwd-status=200; stored", first.get("Cache-Status"))
        self.assertIsNone(first.get("Age"))
        hit = raw.fetch(server.port, "/a")
        self.assertEqual((hit.status, hit.body), (200, b"one"))
        self.assertIn("; hit; ttl=", hit.get("Cache-Status"))
        self.assertIsNotNone(hit.get("Age"))
        held = raw.fetch(server.port, "/a", fields=[("If-None-Match", '"1"')])
        self.assertEqual((held.status, held.body), (304, b""))
        part = raw.fetch(server.port, "/a", fields=[("Range", "bytes=1-")])
        self.assertEqual((part.status, part.body), (206, b"ne"))
        self.assertEqual(len(self.origin.heads), 1)
        self.says(answer("", [("ETag", '"1"')], "304 Not Modified").replace(
            "Content-Length: 0\r\n", ""))
        again = raw.fetch(server.port, "/a", fields=[("Cache-Control", "no-cache")])
        self.assertEqual((again.status, again.body), (200, b"one"))
        self.assertEqual(self.origin.heads[-1].get("If-None-Match"), '"1"')
        self.says(answer("two", FOR_ALL))
        raw.fetch(server.port, "/a", method="PUT", body=b"two")
        self.assertEqual(raw.fetch(server.port, "/a").body, b"two")
        self.assertEqual(server.metric("tandem_cache_hits_total"), 3)
        self.assertEqual(server.metric("tandem_cache_validated_total"), 1)
        self.assertEqual(server.metric("tandem_cache_responses"), 1)

    def test_sessions_and_private_responses_are_never_shared(self):
        server = self.serve(self.origin.url)
        for fields in ([("Set-Cookie", "user=1")], [("Cache-Control", "private, max-age=60")]):
            self.says(answer("first", FOR_ALL[:1] + fields), answer("second", fields))
            target = "/" + fields[0][0]
            self.assertEqual(raw.fetch(server.port, target).body, b"first")
            self.assertEqual(raw.fetch(server.port, target).body, b"second")
        self.says(answer("same", FOR_ALL))
        tokens = {raw.fetch(server.port, "/same").get("Tandem-Session") for _ in range(3)}
        self.assertEqual(len(tokens), 3)

    def test_a_thousand_that_miss_at_once_cause_one_fetch(self):
        many = 1000
        asked, go = threading.Event(), threading.Event()

        def slow(connection, head):
            asked.set()
            go.wait(60)
            connection.send(answer("one" * 1000, FOR_ALL))
        self.origin.answer = slow
        server = self.serve(self.origin.url)
        clients = [raw.connect(server.port) for _ in range(many)]
        clients[0].send(raw.request_text())
        asked.wait(60)
        for client in clients[1:]:
            client.send(raw.request_text())
        until(lambda: server.metric("tandem_cache_waiters") == many - 1, "all to wait")
        go.set()
        for client in clients:
            self.assertEqual(client.read_response().body, b"one" * 1000)
            client.close()
        self.assertEqual(len(self.origin.heads), 1)

    def test_an_origin_that_is_gone(self):
        self.says(answer("fresh", [("Cache-Control", "max-age=60")]))
        server = self.serve(self.origin.url, {"source": {"url": self.origin.url,
                                                         "connect_timeout": "500ms"}})
        raw.fetch(server.port, "/fresh")
        self.says(answer("stale", [("Cache-Control", "max-age=0, stale-if-error=600")]))
        raw.fetch(server.port, "/stale")
        self.says(answer("gone", [("Cache-Control", "max-age=0"), ("ETag", '"1"')]))
        raw.fetch(server.port, "/gone")
        port = self.origin.port
        self.origin.close()
        for _ in range(5):
            self.assertEqual(raw.fetch(server.port, "/fresh").body, b"fresh")
            stale = raw.fetch(server.port, "/stale")
            self.assertEqual((stale.status, stale.body), (200, b"stale"))
            self.assertIn("stale-if-error", stale.get("Cache-Status"))
            gone = raw.fetch(server.port, "/gone")
            self.assertEqual((gone.status, gone.get("Retry-After")), (503, "1"))
        self.assertTrue(server.status()["source_down"])
        self.assertEqual(server.metric("tandem_source_down"), 1)
        self.assertGreater(server.metric("tandem_source_refused_total"), 0)
        self.assertEqual(server.process.log().count(" is down; "), 1)
        self.origin = raw.Origin("back", port=port)
        self.addCleanup(self.origin.close)
        until(lambda: raw.fetch(server.port, "/gone").body == b"back", "the origin to be asked")
        self.assertFalse(server.status()["source_down"])
        self.assertEqual(server.process.log().count(" is back"), 1)

    def test_connections_to_the_origin_are_limited(self):
        go = threading.Event()

        def slow(connection, head):
            go.wait(60)
            connection.send(answer(head.target))
        self.origin.answer = slow
        server = self.serve(self.origin.url, {
            "source": {"url": self.origin.url, "connections_max": 2, "queue_max": 3,
                       "connect_timeout": "1h"}})
        clients = []
        for i in range(5):
            clients.append(raw.connect(server.port))
            clients[-1].send(raw.request_text(target=f"/{i}"))
        until(lambda: server.metric("tandem_source_waiting") == 3, "three to wait")
        over = raw.fetch(server.port, "/over")
        self.assertEqual((over.status, over.get("Retry-After")), (503, "1"))
        until(lambda: self.origin.connections == 2, "two connections to be accepted")
        go.set()
        for i, client in enumerate(clients):
            self.assertEqual(client.read_response().body, f"/{i}".encode())
            client.close()
        self.assertEqual(self.origin.connections, 2)


class BeforeNginx(CacheCase):
    def test_files(self):
        root = os.path.join(self.shop.folder, "site")
        os.makedirs(root)
        for name, size in (("small", 1024), ("large", 65536)):
            with open(os.path.join(root, name), "wb") as file:
                file.write(os.urandom(size))
        nginx = self.shop.start(Nginx(self.shop.folder, "nginx", root, "expires 60s;"))
        server = self.serve(nginx.url)
        for name in ("small", "large"):
            with open(os.path.join(root, name), "rb") as file:
                content = file.read()
            first = raw.fetch(server.port, "/" + name)
            for _ in range(3):
                hit = raw.fetch(server.port, "/" + name)
                self.assertEqual((hit.status, hit.body), (200, content))
                self.assertEqual(hit.get("ETag"), first.get("ETag"))
                held = raw.fetch(server.port, "/" + name,
                                 fields=[("If-None-Match", first.get("ETag"))])
                self.assertEqual((held.status, held.body), (304, b""))
                head = raw.fetch(server.port, "/" + name, method="HEAD")
                self.assertEqual(head.get("Content-Length"), str(len(content)))
                part = raw.fetch(server.port, "/" + name, fields=[("Range", "bytes=10-19")])
                self.assertEqual((part.status, part.body), (206, content[10:20]))
        self.assertEqual(raw.fetch(server.port, "/missing").status, 404)
        # A hundred fields are the default of balancers, too, and they add some of their own.
        with raw.connect(server.port) as client:
            for count in (100, 107):
                client.send(raw.request_text("GET", "/small",
                                             [(f"X-{n}", "x") for n in range(count - 1)]))
                self.assertEqual(client.read_response().status, 200)
        with open(nginx.access_log, encoding="utf-8") as log:
            asked = log.read().split("\n")
        self.assertEqual(asked[:2], ["GET /small 200", "GET /large 200"])
        self.assertEqual(len([line for line in asked if "/small" in line]), 1)


if __name__ == "__main__":
    main()
