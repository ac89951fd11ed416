"""tandem-lb as a reverse proxy, seen from outside: how messages are framed, passed on and refused
(RFC 9110, RFC 9112)."""

import raw
from case import Case, main
from cluster import Balancer
from process import until


class Framing(Case):
    @classmethod
    def set_up_class(cls):
        cls.origin = raw.Origin("app1")
        cls.lb = cls.shop.start(Balancer(cls.shop.folder, plain=[("app1", cls.origin.address)]))
        cls.lb.wait_online(["app1"])

    def setUp(self):
        self.origin.answer = self.origin.plain_answer
        self.origin.heads.clear()

    def client(self):
        return raw.connect(self.lb.port)

    def answer_with(self, text):
        def answer(connection, head):
            connection.read_body(head)
            connection.send(text)
            return "connection: close" not in text.lower()
        self.origin.answer = answer

    # --- requests -----------------------------------------------------------------------------

    def test_chunked_request_reaches_the_origin_whole_with_trailers(self):
        got = []

        def answer(connection, head):
            got.append(connection.read_body(head))
            connection.send("HTTP/1.1 204 No Content\r\n\r\n")

        self.origin.answer = answer
        with self.client() as client:
            client.send("POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                        "Trailer: X-Sum\r\n\r\n5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\n"
                        "X-Sum: 11\r\n\r\n")
            self.assertEqual(client.read_response().status, 204)
        self.assertEqual(got[0][0], b"hello world")
        self.assertIn(("X-Sum", "11"), got[0][1])

    def test_body_in_single_bytes(self):
        got = []

        def answer(connection, head):
            got.append(connection.read_body(head)[0])
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        self.origin.answer = answer
        with self.client() as client:
            for byte in raw.request_text("PUT", "/slow", body=b"one by one"):
                client.send(bytes([byte]))
            self.assertEqual(client.read_response("PUT").status, 200)
        self.assertEqual(got, [b"one by one"])

    def test_pipelined_requests_are_answered_in_order(self):
        def answer(connection, head):
            connection.read_body(head)
            body = head.target.encode()
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

        self.origin.answer = answer
        with self.client() as client:
            client.send(b"".join(raw.request_text("GET", f"/{i}") for i in range(50)))
            self.assertEqual([client.read_response().body for _ in range(50)],
                             [b"/%d" % i for i in range(50)])

    def test_expect_continue_is_passed_through(self):
        def answer(connection, head):
            self.assertEqual(head.get("Expect"), "100-continue")
            connection.send("HTTP/1.1 100 Continue\r\n\r\n")
            body = connection.read_body(head)[0]
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

        self.origin.answer = answer
        with self.client() as client:
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
                        "Expect: 100-continue\r\n\r\n")
            self.assertEqual(client.read_head().status, 100)
            client.send("body")
            self.assertEqual(client.read_response("POST").body, b"body")

    def test_expectation_that_the_origin_declines(self):
        self.origin.answer = lambda connection, head: connection.send(
            "HTTP/1.1 417 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") or False
        with self.client() as client:
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
                        "Expect: 100-continue\r\n\r\n")
            self.assertEqual(client.read_response("POST").status, 417)

    def test_http_1_0_client_gets_a_close(self):
        with self.client() as client:
            client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
            self.assertEqual(client.read_response().body, b"app1")
            self.assertTrue(client.at_end())

    def test_http_1_0_client_never_sees_chunks(self):
        self.answer_with("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "4\r\nbody\r\n0\r\n\r\n")
        with self.client() as client:
            client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
            response = client.read_response()
            self.assertIsNone(response.get("Transfer-Encoding"))
            self.assertEqual(response.body, b"body")
        self.answer_with("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        with self.client() as client:
            client.send("HEAD / HTTP/1.0\r\nHost: a\r\n\r\n")
            self.assertIsNone(client.read_response("HEAD").get("Transfer-Encoding"))

    def test_connection_close_is_honoured(self):
        with self.client() as client:
            client.send(raw.request_text(fields=[("Connection", "close")]))
            response = client.read_response()
            self.assertEqual(response.get("Connection"), "close")
            self.assertTrue(client.at_end())

    def test_many_requests_use_few_connections_to_the_origin(self):
        before = self.origin.connections
        with self.client() as client:
            for _ in range(200):
                client.send(raw.request_text())
                self.assertEqual(client.read_response().status, 200)
        self.assertLessEqual(self.origin.connections - before, 8)

    # --- fields -------------------------------------------------------------------------------

    def test_hop_by_hop_fields_stay_on_their_hop(self):
        self.answer_with("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: X-Hop, keep-alive\r\n"
                         "X-Hop: 1\r\nKeep-Alive: timeout=9\r\nProxy-Connection: keep-alive\r\n"
                         "X-End: 2\r\n\r\n")
        with self.client() as client:
            client.send(raw.request_text(fields=[
                ("Connection", "X-Mine, keep-alive"), ("X-Mine", "1"), ("Keep-Alive", "timeout=5"),
                ("Proxy-Connection", "keep-alive"), ("TE", "trailers"), ("X-Yours", "2")]))
            response = client.read_response()
        for name in ("X-Hop", "Keep-Alive", "Proxy-Connection"):
            self.assertIsNone(response.get(name), name)
        self.assertEqual(response.get("X-End"), "2")
        head = self.origin.heads[-1]
        for name in ("X-Mine", "Keep-Alive", "Proxy-Connection"):
            self.assertIsNone(head.get(name), name)
        self.assertEqual(head.get("X-Yours"), "2")

    def test_forwarded_fields_are_ours_and_say_where_it_came_from(self):
        with self.client() as client:
            client.send("GET / HTTP/1.1\r\nHost: www.example:81\r\nX-Forwarded-For: 10.1.1.1\r\n"
                        "X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n\r\n")
            response = client.read_response()
        head = self.origin.heads[-1]
        self.assertTrue(", ".join(head.all("X-Forwarded-For")).endswith("127.0.0.1"))
        self.assertEqual(head.all("X-Forwarded-Proto"), ["http"])
        self.assertEqual(head.all("X-Forwarded-Host"), ["www.example:81"])
        self.assertEqual(head.get("Host"), "www.example:81")
        self.assertRegex(", ".join(head.all("Via")), r"1\.1 \S+")
        self.assertRegex(response.get("Via"), r"1\.1 \S+")

    def test_our_own_fields_from_a_client_are_cut_off(self):
        with self.client() as client:
            client.send(raw.request_text(fields=[
                ("Tandem-Refer", "x"), ("Tandem-Anything", "y"),
                ("Cookie", "a=1; tandem=forged; b=2")]))
            client.read_response()
        head = self.origin.heads[-1]
        self.assertEqual([name for name, _ in head.fields if name.lower().startswith("tandem-")
                          and name.lower() != "tandem-session"], [])
        self.assertEqual(head.get("Cookie"), "a=1; b=2")

    def test_well_known_paths_are_not_passed_on(self):
        with self.client() as client:
            client.send(raw.request_text(target="/.well-known/tandem/health"))
            self.assertEqual(client.read_response().status, 404)
        self.assertEqual(self.heard(), [])

    # --- responses ----------------------------------------------------------------------------

    def test_chunked_response_with_trailers(self):
        self.answer_with("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
                         "3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n")
        with self.client() as client:
            client.send(raw.request_text(fields=[("TE", "trailers"), ("Connection", "TE")]))
            response = client.read_response()
            self.assertEqual(response.body, b"abcde")
            self.assertIn(("X-Sum", "5"), response.trailers)
            client.send(raw.request_text())  # the connection is still good
            self.assertEqual(client.read_response().body, b"abcde")

    def test_close_delimited_response(self):
        self.answer_with("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + "x" * 100000)
        with self.client() as client:
            client.send(raw.request_text())
            self.assertEqual(client.read_response().body, b"x" * 100000)

    def test_http_1_0_origin(self):
        self.origin.answer = lambda connection, head: connection.send(
            "HTTP/1.0 200 OK\r\n\r\nold") or False
        with self.client() as client:
            client.send(raw.request_text())
            self.assertEqual(client.read_response().body, b"old")

    def test_head_has_the_length_and_no_body(self):
        self.origin.answer = lambda connection, head: connection.send(
            "HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n")
        with self.client() as client:
            for _ in range(2):
                client.send(raw.request_text("HEAD"))
                response = client.read_response("HEAD")
                self.assertEqual(response.get("Content-Length"), "12345")

    def test_bodyless_statuses(self):
        for status in ("204 No Content", "304 Not Modified"):
            self.answer_with(f"HTTP/1.1 {status}\r\nETag: \"e\"\r\n\r\n")
            with self.client() as client:
                for _ in range(2):
                    client.send(raw.request_text(fields=[("If-None-Match", '"e"')]))
                    self.assertEqual(client.read_response().status, int(status[:3]))

    def test_interim_responses_are_passed_on(self):
        self.origin.answer = lambda connection, head: connection.send(
            "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        interim = []
        with self.client() as client:
            client.send(raw.request_text())
            self.assertEqual(client.read_response(interim=interim).body, b"ok")
        self.assertEqual([head.status for head in interim], [103])
        self.assertEqual(interim[0].get("Link"), "</a.css>; rel=preload")

    def test_repeated_fields_keep_their_order(self):
        self.answer_with("HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
                         "Content-Length: 0\r\n\r\n")
        with self.client() as client:
            client.send(raw.request_text())
            cookies = client.read_response().head.all("Set-Cookie")
        self.assertEqual([c for c in cookies if not c.startswith("tandem=")], ["a=1", "b=2"])

    def test_nonsense_from_the_origin_is_502(self):
        for text in ("nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
                     "Content-Length: 2\r\n\r\nxx",
                     "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"):
            self.origin.answer = lambda connection, head, text=text: \
                connection.send(text) or False
            with self.client() as client:
                client.send(raw.request_text("POST", body=b"x"))
                self.assertEqual(client.read_response().status, 502, text)

    # --- refusals -----------------------------------------------------------------------------

    def heard(self):
        """What came to the origin, but for the beginnings of bad chunks, which may come late."""
        return [head for head in self.origin.heads if head.target != "/bad-chunks"]

    def refused(self, text, status=400):
        self.origin.heads.clear()
        with self.client() as client:
            client.send(text)
            response = client.read_response()
            self.assertEqual(response.status, status, text)
            self.assertTrue(client.at_end(), f"left open after {text!r}")
        self.assertEqual(self.heard(), [], text)

    def test_ambiguous_framing_is_refused(self):
        head = "POST / HTTP/1.1\r\nHost: a\r\n"
        for fields in (
                "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                "Content-Length: 5\r\nContent-Length: 6\r\n",
                "Content-Length: 5, 6\r\n",
                "Content-Length: +5\r\n",
                "Content-Length: 0x5\r\n",
                "Content-Length: \r\n",
                "Content-Length: 99999999999999999999\r\n",
                "Content-Length : 5\r\n",
                "Transfer-Encoding: chunked, gzip\r\n",
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                "Transfer-Encoding: xchunked\r\n",
                "Transfer-Encoding:\vchunked\r\n",
                " Content-Length: 5\r\n",
                "X: a\r\n b\r\n",
                "X: a\rb\r\n",
                "X: a\0b\r\n",
                "X y: 1\r\n",
                ": 1\r\n"):
            with self.subTest(fields=fields):
                self.refused(head + fields + "\r\nhello")

    def test_bare_line_feeds_are_refused(self):
        self.refused("GET / HTTP/1.1\nHost: a\n\n")

    def test_bad_request_lines_are_refused(self):
        for line in ("GET  / HTTP/1.1", "GET / HTTP/1.1 ", " GET / HTTP/1.1", "GET /",
                     "G@T / HTTP/1.1", "GET /a b HTTP/1.1", "GET / HTTP/1.x", "GET / http/1.1"):
            with self.subTest(line=line):
                self.refused(line + "\r\nHost: a\r\n\r\n")

    def test_host_must_be_there_exactly_once(self):
        self.refused("GET / HTTP/1.1\r\n\r\n")
        self.refused("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")

    def test_bad_chunks_close_the_connection(self):
        for chunk in ("x\r\nhello\r\n", "5\nhello\r\n", "5\r\nhelloX\r\n", "-1\r\n", "\r\n",
                      "fffffffffffffffff\r\n"):
            with self.subTest(chunk=chunk), self.client() as client:
                client.send("POST /bad-chunks HTTP/1.1\r\nHost: a\r\n"
                            "Transfer-Encoding: chunked\r\n\r\n")
                client.send(chunk)
                self.assertEqual(client.read_response().status, 400)
                self.assertTrue(client.at_end())

    def test_overlong_heads_are_refused(self):
        self.refused("GET / HTTP/1.1\r\nHost: a\r\nX: " + "x" * 40000 + "\r\n\r\n", 431)
        self.refused("GET / HTTP/1.1\r\nHost: a\r\n" + "X: 1\r\n" * 200 + "\r\n", 431)

    def test_nothing_after_a_refusal_is_heard(self):
        with self.client() as client:
            client.send("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 2\r\n\r\n" +
                        "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertEqual(client.read_response().status, 400)
            self.assertTrue(client.at_end())
        self.assertEqual(self.heard(), [])

    def test_refusals_are_counted(self):
        before = self.lb.metrics()
        self.refused("BAD\r\n\r\n")
        until(lambda: self.lb.metrics() != before, "a metric to count the refusal")


if __name__ == "__main__":
    main()
