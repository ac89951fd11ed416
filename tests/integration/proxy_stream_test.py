"""tandem-lb passes bodies and tunnels on as they come: bounded memory, back-pressure, both ways."""

import threading
import time

import raw
from case import Case, main
from cluster import Balancer
from process import until

GIB = 1 << 30
MIB = 1 << 20
BLOCK = bytes(MIB)


class Meter:
    """Counts bytes in one thread, read in another."""

    def __init__(self):
        self.bytes = 0

    def settled(self, for_seconds=0.4):
        """Until the count has stood still for a while; the count."""
        last, since = self.bytes, time.monotonic()

        def look():
            nonlocal last, since
            if self.bytes != last:
                last, since = self.bytes, time.monotonic()
            return time.monotonic() - since > for_seconds
        until(look, "the bytes to stop moving")
        return last


class Streams(Case):
    @classmethod
    def set_up_class(cls):
        cls.origin = raw.Origin("app1")
        cls.lb = cls.shop.start(Balancer(cls.shop.folder, plain=[("app1", cls.origin.address)]))
        cls.lb.wait_online(["app1"])

    def setUp(self):
        self.origin.answer = self.origin.plain_answer
        self.rss_before = self.lb.process.memory_bytes()

    def assert_memory_bounded(self, most=64 * MIB):
        grown = self.lb.process.memory_bytes() - self.rss_before
        self.assertLess(grown, most, "the balancer keeps what it should pass on")

    def send_body(self, size, meter):
        """An answer that sends `size` bytes and counts what was taken."""
        def answer(connection, head):
            connection.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n")
            for _ in range(size // MIB):
                connection.sock.sendall(BLOCK)
                meter.bytes += MIB
        return answer

    def test_a_gibibyte_down(self):
        self.origin.answer = self.send_body(GIB, Meter())
        with raw.connect(self.lb.port) as client:
            client.send(raw.request_text())
            self.assertEqual(client.read_head().get("Content-Length"), str(GIB))
            for _ in range(8):
                client.count_body(GIB // 8)
                self.assert_memory_bounded()
            client.send(raw.request_text())
            self.assertEqual(client.read_head().status, 200)  # and the connection lives

    def test_a_gibibyte_up(self):
        def answer(connection, head):
            connection.count_body(int(head.get("Content-Length")))
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        self.origin.answer = answer
        with raw.connect(self.lb.port) as client:
            client.send(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {GIB}\r\n\r\n")
            for i in range(GIB // MIB):
                client.sock.sendall(BLOCK)
                if i % 128 == 0:
                    self.assert_memory_bounded()
            self.assertEqual(client.read_response("POST").status, 200)

    def test_chunked_body_of_unknown_length_down(self):
        def answer(connection, head):
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(64):
                connection.send(b"%x\r\n%s\r\n" % (MIB, BLOCK))
            connection.send("0\r\n\r\n")
        self.origin.answer = answer
        with raw.connect(self.lb.port) as client:
            client.send(raw.request_text())
            self.assertEqual(len(client.read_response().body), 64 * MIB)
        self.assert_memory_bounded()

    def test_a_reader_that_stops_stops_the_origin(self):
        meter = Meter()
        self.origin.answer = self.send_body(256 * MIB, meter)
        with raw.connect(self.lb.port, receive_buffer=65536) as client:
            client.send(raw.request_text())
            client.read_head()
            self.assertLess(meter.settled(), 64 * MIB)
            self.assert_memory_bounded()
            # Nobody else is held up by it.
            self.origin.answer = self.origin.plain_answer
            self.assertEqual(raw.fetch(self.lb.port).body, b"app1")
            client.count_body(256 * MIB)

    def test_an_origin_that_stops_reading_stops_the_client(self):
        meter, go_on = Meter(), threading.Event()

        def answer(connection, head):
            go_on.wait(raw.PATIENCE)
            connection.count_body(int(head.get("Content-Length")))
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        self.origin.answer = answer
        with raw.connect(self.lb.port) as client:
            client.send(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {256 * MIB}\r\n\r\n")

            def push():
                for _ in range(256):
                    client.sock.sendall(BLOCK)
                    meter.bytes += MIB
            pusher = threading.Thread(target=push, daemon=True)
            pusher.start()
            self.assertLess(meter.settled(), 64 * MIB)
            self.assert_memory_bounded()
            go_on.set()
            self.assertEqual(client.read_response("POST").status, 200)
            pusher.join()

    def test_bytes_are_passed_on_at_once(self):
        """A server-sent event must not wait for the next."""
        step = threading.Semaphore(0)

        def answer(connection, head):
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                            "Content-Type: text/event-stream\r\n\r\n")
            for i in range(3):
                step.acquire(timeout=raw.PATIENCE)
                connection.send(f"9\r\ndata: {i}\n\n\r\n")
            connection.send("0\r\n\r\n")
        self.origin.answer = answer
        with raw.connect(self.lb.port) as client:
            client.send(raw.request_text())
            client.read_head()
            for i in range(3):
                step.release()
                self.assertIn(b"data: %d\n\n" % i, client.read_until(b"\n\n"))

    def test_a_client_that_leaves_frees_the_origin(self):
        ended = threading.Event()

        def answer(connection, head):
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            try:
                while True:
                    connection.send(b"%x\r\n%s\r\n" % (MIB, BLOCK))
            except OSError:
                ended.set()
                raise
        self.origin.answer = answer
        with raw.connect(self.lb.port) as client:
            client.send(raw.request_text())
            client.read_head()
        self.assertTrue(ended.wait(raw.PATIENCE), "the origin was never told")

    def test_a_body_cut_short_is_seen_as_cut_short(self):
        self.origin.answer = lambda connection, head: connection.send(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n") or False
        with raw.connect(self.lb.port) as client:
            client.send(raw.request_text())
            with self.assertRaises((raw.Closed, ConnectionResetError)):
                client.read_response()

    def test_an_early_answer_to_a_long_upload_arrives(self):
        def answer(connection, head):
            connection.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n"
                            "Connection: close\r\n\r\nbig")
            return False
        self.origin.answer = answer
        with raw.connect(self.lb.port) as client:
            client.send(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {64 * MIB}\r\n\r\n")
            client.send(b"x" * 1000)
            response = client.read_response("POST")
            self.assertIn(response.status, (413, 502))
            self.assertTrue(client.at_end())


class Tunnels(Case):
    begun = ended = 0

    @classmethod
    def set_up_class(cls):
        cls.origin = raw.Origin("app1", cls.answer)
        cls.lb = cls.shop.start(Balancer(cls.shop.folder, plain=[("app1", cls.origin.address)]))
        cls.lb.wait_online(["app1"])

    @staticmethod
    def answer(connection, head):
        """Echoes, once upgraded."""
        if head.get("Upgrade") != "websocket":
            connection.send("HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n")
            return True
        Tunnels.begun += 1
        try:
            Tunnels.echo(connection)
        finally:
            Tunnels.ended += 1
        return False

    @staticmethod
    def echo(connection):
        connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                        "Upgrade: websocket\r\n"
                        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nwelcome")
        while True:
            if connection.buffer:
                connection.send(bytes(connection.buffer))
                connection.buffer.clear()
            if not connection.more():
                connection.send("goodbye")
                return

    def upgrade(self, more=b""):
        client = raw.connect(self.lb.port)
        client.send(raw.request_text("GET", "/chat", [
            ("Connection", "Upgrade"), ("Upgrade", "websocket"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]) + more)
        return client

    def test_bytes_flow_both_ways(self):
        with self.upgrade() as client:
            head = client.read_head()
            self.assertEqual(head.status, 101)
            self.assertEqual(head.get("Upgrade"), "websocket")
            self.assertEqual(head.get("Sec-WebSocket-Accept"),
                             "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
            self.assertEqual(client.read_exactly(7), b"welcome")
            for size in (1, 100, 70000):
                client.send(b"z" * size)
                self.assertEqual(client.read_exactly(size), b"z" * size)

    def test_the_end_of_one_direction_leaves_the_other(self):
        with self.upgrade() as client:
            self.assertEqual(client.read_head().status, 101)
            client.read_exactly(7)
            client.sock.shutdown(1)
            self.assertEqual(client.read_to_end(), b"goodbye")

    def test_a_declined_upgrade_is_an_ordinary_answer(self):
        with raw.connect(self.lb.port) as client:
            client.send(raw.request_text("GET", "/", [("Connection", "Upgrade"),
                                                      ("Upgrade", "other")]))
            self.assertEqual(client.read_response().status, 426)
            client.send(raw.request_text())
            self.assertEqual(client.read_response().status, 426)

    def test_the_tunnel_ends_with_its_client(self):
        with self.upgrade() as client:
            client.read_head()
            client.read_exactly(7)
        self.assertGreater(Tunnels.begun, 0)
        until(lambda: Tunnels.ended == Tunnels.begun, "the origin to be rid of the tunnel")


if __name__ == "__main__":
    main()
