"""tandem-lb between a hostile client and a broken origin: what was said is heard, what is cut short
is seen to be, and nobody's misbehaviour costs memory without bound or another's service."""

import threading
import time

import raw
from case import Case, main
from cluster import Balancer

MIB = 1 << 20


class Hostile(Case):
    @classmethod
    def set_up_class(cls):
        cls.origin = raw.Origin("app1")
        cls.lb = cls.shop.start(Balancer(cls.shop.folder, plain=[("app1", cls.origin.address)]))
        cls.lb.wait_online(["app1"])

    def setUp(self):
        self.origin.answer = self.origin.plain_answer

    def client(self, **options):
        return raw.connect(self.lb.port, **options)

    # --- early answers ------------------------------------------------------------------------

    def test_an_answer_before_the_body_arrives_though_the_origin_resets(self):
        """The origin answers, and closes with the body unread: a reset follows the answer."""
        def answer(connection, head):
            connection.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n"
                            "Connection: close\r\n\r\nbig")
            return False
        self.origin.answer = answer
        for _ in range(12):
            with self.client() as client:
                client.send(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {64 * MIB}\r\n\r\n")

                def push(sock=client.sock):
                    try:
                        for _ in range(64):
                            sock.sendall(bytes(MIB))
                    except OSError:
                        pass
                pusher = threading.Thread(target=push)
                pusher.start()
                response = client.read_response("POST")
                self.assertEqual((response.status, response.body), (413, b"big"))
                client.sock.shutdown(2)
                pusher.join()

    def test_an_answer_before_the_body_says_that_the_connection_ends(self):
        self.origin.answer = lambda connection, head: connection.send(
            "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
        with self.client() as client:
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
                        "Expect: 100-continue\r\n\r\n")
            response = client.read_response("POST")
            self.assertEqual(response.status, 417)
            self.assertEqual(response.get("Connection"), "close")
            self.assertTrue(client.at_end())

    # --- heads --------------------------------------------------------------------------------

    def test_a_bad_head_in_pieces_is_refused(self):
        with self.client() as client:
            for piece in ("GET / HTTP/1.1\r\nHo", "st: a\r\nX: ", "\0\r\n\r\n"):
                client.send(piece)
                time.sleep(0.02)  # likely, and not needed: pieces that are read one by one
            self.assertEqual(client.read_response().status, 400)
            self.assertTrue(client.at_end())

    def test_a_response_head_may_grow_on_its_way(self):
        """`private` joins each member of Cache-Control, written anew, to the next."""
        listed = "a," * 30000 + "a"
        self.origin.answer = lambda connection, head: connection.send(
            f"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nCache-Control: {listed}\r\n\r\nhello")
        with self.client() as client:
            client.send(raw.request_text())
            response = client.read_response()
        self.assertEqual(response.body, b"hello")
        self.assertIn("private", response.get("Cache-Control"))

    def test_interim_responses_without_end_wait_for_the_reader(self):
        sent, stop = [0], threading.Event()
        block = b"HTTP/1.1 103 Early Hints\r\nX: " + b"y" * 60000 + b"\r\n\r\n"

        def answer(connection, head):
            connection.sock.settimeout(0.2)
            try:
                while not stop.is_set() and sent[0] < 512 * MIB:
                    connection.sock.sendall(block)
                    sent[0] += len(block)
            except TimeoutError:
                pass  # as it should be: nobody takes any more
            stop.set()
            return False
        self.origin.answer = answer
        before = self.lb.process.memory_bytes()
        with self.client(receive_buffer=4096) as client:
            client.send(raw.request_text())
            self.assertTrue(stop.wait(raw.PATIENCE))
            self.assertLess(sent[0], 64 * MIB)
            self.assertLess(self.lb.process.memory_bytes() - before, 64 * MIB)

    # --- pipelines ----------------------------------------------------------------------------

    def test_an_error_in_a_pipeline_ends_it_there(self):
        def answer(connection, head):
            body = head.target.encode()
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        self.origin.answer = answer
        self.origin.heads.clear()
        good = [raw.request_text("GET", f"/{i}") for i in range(100)]
        with self.client() as client:
            client.send(b"".join(good[:50]) + b"BAD\r\n\r\n" + b"".join(good[50:]))
            self.assertEqual([client.read_response().body for _ in range(50)],
                             [b"/%d" % i for i in range(50)])
            self.assertEqual(client.read_response().status, 400)
            self.assertTrue(client.at_end())
        self.assertEqual(len(self.origin.heads), 50)

    def test_a_pipeline_that_never_ends_is_not_kept(self):
        """What was answered is forgotten, though more comes all the time."""
        def answer(connection, head):
            time.sleep(0.001)  # so that the client is always ahead
            return self.origin.plain_answer(connection, head)
        self.origin.answer = answer
        request = raw.request_text("GET", "/", [("X-Padding", "x" * 16000)])
        count = 64 * MIB // len(request)
        before = self.lb.process.memory_bytes()
        with self.client() as client:
            sender = threading.Thread(target=client.send, args=(request * count,))
            sender.start()
            for _ in range(count):
                self.assertEqual(client.read_response().status, 200)
            grown = self.lb.process.memory_bytes() - before
            sender.join()
        self.assertLess(grown, 24 * MIB)  # with what a sanitizer keeps of its own

    def test_a_client_that_ends_its_side_gets_all_that_it_asked_for(self):
        def answer(connection, head):
            time.sleep(0.05)
            return self.origin.plain_answer(connection, head)
        self.origin.answer = answer
        with self.client() as client:
            client.send(raw.request_text() * 3)
            client.sock.shutdown(1)
            self.assertEqual([client.read_response().status for _ in range(3)], [200] * 3)
            self.assertTrue(client.at_end())

    # --- tunnels ------------------------------------------------------------------------------

    UPGRADE = [("Connection", "Upgrade"), ("Upgrade", "chat")]
    SWITCH = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"

    def test_the_end_of_the_servers_direction_leaves_the_clients(self):
        heard, ended = [], threading.Event()

        def answer(connection, head):
            connection.send(self.SWITCH + "welcome")
            connection.sock.shutdown(1)
            heard.append(connection.read_to_end())
            ended.set()
            return False
        self.origin.answer = answer
        with self.client() as client:
            client.send(raw.request_text(fields=self.UPGRADE))
            self.assertEqual(client.read_head().status, 101)
            self.assertEqual(client.read_to_end(), b"welcome")
            client.send("still here")
            client.sock.shutdown(1)
            self.assertTrue(ended.wait(raw.PATIENCE))
        self.assertEqual(heard, [b"still here"])

    def test_the_last_bytes_of_a_tunnel_arrive_though_the_client_is_sending(self):
        def answer(connection, head):
            connection.send(self.SWITCH)
            connection.read_exactly(1000)
            connection.send(b"z" * 300000 + b"last")
            connection.sock.shutdown(1)
            connection.read_to_end()
            return False
        self.origin.answer = answer
        with self.client(receive_buffer=4096) as client:
            client.send(raw.request_text(fields=self.UPGRADE))
            self.assertEqual(client.read_head().status, 101)
            stop = threading.Event()

            def push():
                try:
                    while not stop.wait(0.001):
                        client.sock.sendall(b"y" * 1000)
                except OSError:
                    pass
            pusher = threading.Thread(target=push)
            pusher.start()
            try:
                self.assertTrue(client.read_exactly(300004).endswith(b"last"))
            finally:
                stop.set()
                pusher.join()


if __name__ == "__main__":
    main()
