"""Limits and timeouts of tandem-lb, each with its conf key, and what a client is told."""

import threading
import time

import raw
from case import Case, main
from cluster import Balancer
from ports import free_port


class Timeouts(Case):
    @classmethod
    def set_up_class(cls):
        cls.origin = raw.Origin("app1")
        cls.lb = cls.shop.start(Balancer(
            cls.shop.folder, {
                "front": {"header_timeout": "1s", "keepalive_timeout": "1s", "body_timeout": "1s"},
                "upstream": {"response_timeout": "1s", "connect_timeout": "1s"}},
            plain=[("app1", cls.origin.address)]))
        cls.lb.wait_online(["app1"])

    def setUp(self):
        self.origin.answer = self.origin.plain_answer
        self.started = time.monotonic()

    def tearDown(self):
        self.assertLess(time.monotonic() - self.started, 10, "a timeout of 1 s took far longer")

    def test_a_head_that_does_not_end(self):
        with raw.connect(self.lb.port) as client:
            client.send("GET / HTTP/1.1\r\nHost: a\r\n")
            self.assertEqual(client.read_response().status, 408)
            self.assertTrue(client.at_end())

    def test_a_head_that_trickles(self):
        """Bytes that come do not prolong it."""
        with raw.connect(self.lb.port) as client:
            client.send("GET / HTTP/1.1\r\nHost: a\r\nX: ")
            stop = threading.Event()

            def trickle():
                while not stop.wait(0.1):
                    try:
                        client.send("x")
                    except OSError:
                        return
            thread = threading.Thread(target=trickle)
            thread.start()
            try:
                self.assertEqual(client.read_response().status, 408)
            finally:
                stop.set()
                thread.join()

    def test_an_idle_connection_is_closed_without_a_word(self):
        with raw.connect(self.lb.port) as client:
            client.send(raw.request_text())
            self.assertEqual(client.read_response().status, 200)
            self.assertTrue(client.at_end())

    def test_a_body_that_stops(self):
        with raw.connect(self.lb.port) as client:
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf")
            self.assertEqual(client.read_response("POST").status, 408)
            self.assertTrue(client.at_end())

    def test_an_origin_that_does_not_answer(self):
        release = threading.Event()
        self.origin.answer = lambda connection, head: release.wait(raw.PATIENCE) and False
        with raw.connect(self.lb.port) as client:
            client.send(raw.request_text("POST", body=b"x"))
            self.assertEqual(client.read_response("POST").status, 504)
        release.set()

    def test_an_answer_that_stops_half_way(self):
        release = threading.Event()

        def answer(connection, head):
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
            release.wait(raw.PATIENCE)
            return False
        self.origin.answer = answer
        with raw.connect(self.lb.port) as client:
            client.send(raw.request_text())
            with self.assertRaises((raw.Closed, ConnectionResetError)):
                client.read_response()
        release.set()


class Connections(Case):
    @classmethod
    def set_up_class(cls):
        cls.origin = raw.Origin("app1")
        cls.lb = cls.shop.start(Balancer(cls.shop.folder, plain=[("app1", cls.origin.address)]))
        cls.lb.wait_online(["app1"])

    def test_pooled_connections_that_the_origin_closed_cost_no_request(self):
        """The origin closes after each answer without having said so."""
        def answer(connection, head):
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            return False
        self.origin.answer = answer
        with raw.connect(self.lb.port) as client:
            for _ in range(300):
                client.send(raw.request_text())
                self.assertEqual(client.read_response().status, 200)


class NoServer(Case):
    def test_no_server_online_is_503_and_says_when_to_retry(self):
        lb = self.shop.start(Balancer(self.shop.folder,
                                      plain=[("gone", f"127.0.0.1:{free_port()}")]))
        lb.wait_online([])
        response = raw.fetch(lb.port)
        self.assertEqual(response.status, 503)
        self.assertIsNotNone(response.get("Retry-After"))


if __name__ == "__main__":
    main()
