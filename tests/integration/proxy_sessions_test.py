"""Sessions of plain servers: assignment, stickiness, capacity, and moving to the alternate."""

import threading
from collections import Counter

import raw
from case import Case, main
from cluster import Balancer
from process import until


class Sessions(Case):
    """Three plain servers; a cluster of its own for each test, since sessions stay."""

    def setUp(self):
        self.origins = {f"app{i}": raw.Origin(f"app{i}") for i in (1, 2, 3)}
        self.lb = None

    def tearDown(self):
        for origin in self.origins.values():
            origin.close()

    def start(self, sections=None, **keys):
        name = f"lb-{self.id().rsplit('.', 1)[-1]}"
        self.lb = self.shop.start(Balancer(
            self.shop.folder, sections, name=name,
            plain=[(name, origin.address, keys) for name, origin in self.origins.items()]))
        self.lb.wait_online(self.origins)

    def new_session(self):
        """(server, cookie) of a session that is confirmed: its token has come back."""
        response = raw.fetch(self.lb.port)
        self.assertEqual(response.status, 200)
        cookie = response.cookie()
        again = raw.fetch(self.lb.port, cookie=cookie)
        self.assertEqual(again.body, response.body)
        return response.body.decode(), again.cookie() or cookie

    def test_new_sessions_go_round_robin(self):
        self.start()
        order = [raw.fetch(self.lb.port).body.decode() for _ in range(9)]
        self.assertEqual(set(order[:3]), set(self.origins))
        self.assertEqual(order, order[:3] * 3)

    def test_capacity_weighs(self):
        self.start()
        entries = self.lb.sections["server"]
        entries[0]["capacity"] = 2000
        self.lb.write_conf({"server": entries})
        self.lb.process.signal(1)
        self.lb.wait(lambda: self.lb.servers()["app1"]["capacity"] == 2000,
                     "take the new capacity")

        def weighs():
            counts = Counter(raw.fetch(self.lb.port).body.decode() for _ in range(40))
            # Twice as many as the others; one either way, where the round was cut.
            return abs(counts["app1"] - 20) <= 1

        # The worker hears of it a moment after the status tells.
        until(weighs, "get twice as many sessions as the others")

    def test_a_session_stays_where_it_is(self):
        self.start()
        for _ in range(3):
            server, cookie = self.new_session()
            for _ in range(5):
                response = raw.fetch(self.lb.port, cookie=cookie)
                self.assertEqual(response.body.decode(), server)
                self.assertIsNone(response.cookie(), "set again without need")

    def test_the_cookie_is_well_made(self):
        self.start()
        response = raw.fetch(self.lb.port)
        (cookie,) = [c for c in response.head.all("Set-Cookie") if c.startswith("tandem=")]
        attributes = [part.strip() for part in cookie.split(";")[1:]]
        for wanted in ("Path=/", "HttpOnly", "SameSite=Lax"):
            self.assertIn(wanted, attributes)
        self.assertNotIn("Secure", attributes)

    def test_forged_and_cut_tokens_are_no_tokens(self):
        self.start()
        _, cookie = self.new_session()
        for forged in ("x", cookie[:-4], cookie[:-1] + ("A" if cookie[-1] != "A" else "B"),
                       cookie + "A", "A" * len(cookie), "=" * 10):
            response = raw.fetch(self.lb.port, cookie=forged)
            self.assertEqual(response.status, 200)
            self.assertIsNotNone(response.cookie(), f"{forged!r} was taken for a token")

    def test_a_shared_cache_must_not_keep_the_cookie(self):
        self.start()
        for origin in self.origins.values():
            origin.answer = lambda connection, head: connection.send(
                "HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60\r\nContent-Length: 0\r\n\r\n")
        response = raw.fetch(self.lb.port)
        self.assertIsNotNone(response.cookie())
        directives = ", ".join(response.head.all("Cache-Control"))
        self.assertIn("private", directives)

    def test_requests_that_overlap_on_one_connection_get_one_session(self):
        self.start()
        with raw.connect(self.lb.port) as client:
            client.send(raw.request_text() * 6)
            bodies = {client.read_response().body for _ in range(6)}
        self.assertEqual(len(bodies), 1)

    def test_a_dead_server_s_session_moves_with_its_next_request(self):
        self.start()
        server, cookie = self.new_session()
        self.origins[server].close()
        response = raw.fetch(self.lb.port, cookie=cookie)
        self.assertEqual(response.status, 200)
        moved_to = response.body.decode()
        self.assertNotEqual(moved_to, server)
        self.assertIsNotNone(response.cookie(), "the new token comes in the same response")
        for _ in range(3):
            self.assertEqual(raw.fetch(self.lb.port, cookie=response.cookie()).body.decode(),
                             moved_to)

    def test_a_post_that_reached_nobody_moves_too(self):
        self.start()
        server, cookie = self.new_session()
        self.origins[server].close()
        response = raw.fetch(self.lb.port, method="POST", body=b"x", cookie=cookie)
        self.assertEqual(response.status, 200)

    def test_a_post_that_was_read_is_never_sent_again(self):
        self.start()
        executed = Counter()

        def die_reading(connection, head):
            executed[head.get("X-Id")] += 1
            return False
        server, cookie = self.new_session()
        for origin in self.origins.values():
            origin.answer = die_reading
        for i in range(20):
            response = raw.fetch(self.lb.port, method="POST", body=b"x", cookie=cookie,
                                 fields=[("X-Id", str(i))])
            self.assertEqual(response.status, 502)
        self.assertEqual(executed, {str(i): 1 for i in range(20)})

    def test_an_idempotent_request_whose_server_dies_is_sent_elsewhere(self):
        self.start()
        server, cookie = self.new_session()
        self.origins[server].answer = lambda connection, head: False
        for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
            response = raw.fetch(self.lb.port, method=method, cookie=cookie)
            self.assertEqual(response.status, 200, method)

    def test_an_error_from_a_living_server_is_no_reason_to_move(self):
        self.start()
        server, cookie = self.new_session()
        self.origins[server].answer = lambda connection, head: connection.send(
            "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")
        for _ in range(5):
            self.assertEqual(raw.fetch(self.lb.port, cookie=cookie).status, 500)
        self.origins[server].answer = self.origins[server].plain_answer
        self.assertEqual(raw.fetch(self.lb.port, cookie=cookie).body.decode(), server)

    def test_a_full_house_says_503_and_serves_those_inside(self):
        self.start(capacity=5, threshold=4)
        inside = [self.new_session() for _ in range(15)]
        self.assertEqual(Counter(server for server, _ in inside),
                         {name: 5 for name in self.origins})
        # The workers hear of the count a little later.
        response = until(lambda: (answer := raw.fetch(self.lb.port)).status == 503 and answer,
                         "the house to be full")
        self.assertIsNotNone(response.get("Retry-After"))
        for server, cookie in inside:
            self.assertEqual(raw.fetch(self.lb.port, cookie=cookie).body.decode(), server)

    def test_five_thousand_requests_without_cookies_leave_room(self):
        self.start(capacity=20, threshold=16)
        inside = [self.new_session() for _ in range(10)]

        def visit():
            with raw.connect(self.lb.port) as client:
                for _ in range(625):
                    client.send(raw.request_text())
                    client.read_response()
        visitors = [threading.Thread(target=visit) for _ in range(8)]
        for visitor in visitors:
            visitor.start()
        for visitor in visitors:
            visitor.join()
        for server, cookie in inside:
            self.assertEqual(raw.fetch(self.lb.port, cookie=cookie).body.decode(), server)
        inside += [self.new_session() for _ in range(30)]
        self.assertEqual(len(inside), 40)


if __name__ == "__main__":
    main()
