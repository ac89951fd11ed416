"""Sessions of an application that issues its own id in a response header, as servers of the Model
Context Protocol do: initialize, POSTs, a stream of events, DELETE. Before plain servers and before
tandem-servers."""

import json

import raw
from case import Case, main
from cluster import Balancer, Server
from process import until

MARK = ";tandem="


class App:
    """One process of an application: it knows the sessions that it issued, and no others."""

    def __init__(self, name, every_response=True):
        self.name = name
        self.every_response = every_response  # else the header comes with the first one alone
        self.sessions = {}  # id: the connection of its stream of events, or None
        self.strangers = []  # ids that it was asked for and did not issue
        self.origin = raw.Origin(name, self.answer)
        self.address, self.url, self.close = (self.origin.address, self.origin.url,
                                              self.origin.close)

    def answer(self, connection, head):
        body, _ = connection.read_body(head)
        session = head.get("Mcp-Session-Id")
        if session is None and head.method == "POST" and b'"initialize"' in body:
            session = f"{self.name}:{len(self.sessions)}~;tandem=!"  # any visible ASCII
            self.sessions[session] = None
            return self.say(connection, 200, session, {"result": self.name}, first=True)
        if session not in self.sessions:
            self.strangers.append(session)
            return self.say(connection, 404, None, {"error": "no such session"})
        if head.method == "DELETE":
            stream = self.sessions.pop(session)
            if stream is not None:
                stream.send("0\r\n\r\n")
            return self.say(connection, 204, session, None)
        if head.method == "GET":
            self.sessions[session] = connection
            connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                            "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n" +
                            self.header(session) + "\r\n")
            self.event(session, "open")
            return True
        if b'"notifications/' in body:
            return self.say(connection, 202, session, None)
        self.event(session, "called")
        return self.say(connection, 200, session, {"result": [self.name, session]})

    def header(self, session, first=False):
        return f"Mcp-Session-Id: {session}\r\n" if first or self.every_response else ""

    def event(self, session, data):
        stream = self.sessions[session]
        if stream is not None:
            event = f"event: message\r\ndata: {data}\r\n\r\n".encode()
            stream.send(b"%x\r\n%s\r\n" % (len(event), event))

    def say(self, connection, status, session, content, first=False):
        body = b"" if content is None else json.dumps(content).encode()
        fields = self.header(session, first) if session else ""
        connection.send(f"HTTP/1.1 {status} Said\r\n{fields}Content-Type: application/json\r\n"
                        .encode() + (b"" if status == 204 else b"Content-Length: %d\r\n" %
                                     len(body)) + b"\r\n" + body)
        return True


class Client:
    """Keeps the last value of the header, as the clients of the protocol do."""

    def __init__(self, port):
        self.port = port
        self.value = None

    def ask(self, method, content=None):
        fields = [("Mcp-Session-Id", self.value)] if self.value else []
        body = b"" if content is None else json.dumps(content).encode()
        response = raw.fetch(self.port, "/mcp", method, fields, body)
        assert response.get("Set-Cookie") is None
        if response.get("Mcp-Session-Id"):
            self.value = response.get("Mcp-Session-Id")
        return response

    def initialize(self):
        self.value = None
        response = self.ask("POST", {"method": "initialize"})
        self.ask("POST", {"method": "notifications/initialized"})
        return json.loads(response.body)["result"]

    def call(self):
        response = self.ask("POST", {"method": "tools/call"})
        assert response.head.status == 200, response.body
        return json.loads(response.body)["result"]

    def listen(self):
        """The stream of events; its head is read."""
        stream = raw.connect(self.port)
        stream.send(raw.request_text("GET", "/mcp", [("Mcp-Session-Id", self.value)]))
        return stream, stream.read_head()


class Affinity(Case):
    affinity = {"session": {"affinity": "header:Mcp-Session-Id"}}

    def start(self, tandem, every_response=True, **more):
        self.apps = {name: App(name, every_response) for name in "abc"}
        name = self.id().rsplit(".", 1)[-1]
        if not tandem:
            self.lb = self.shop.start(Balancer(
                self.shop.folder, {"session": {**self.affinity["session"], **more}}, name=name,
                plain=[(app.name, app.address) for app in self.apps.values()]))
        else:
            key = self.shop.key() if not hasattr(type(self), "key") else type(self).key
            type(self).key = key
            self.lb = self.shop.start(Balancer(self.shop.folder, self.affinity, name=name,
                                               key_file=key))
            self.servers = {
                app.name: self.shop.start(Server(self.shop.folder, f"{name}-{app.name}", [self.lb],
                                                 key, app.url))
                for app in self.apps.values()}
        until(lambda: len(self.lb.online()) == 3, "all servers to be online")

    def tearDown(self):
        for app in self.apps.values():
            app.close()

    def exchange(self):
        """Clients of the protocol, from initialize to DELETE."""
        clients = [Client(self.lb.port) for _ in range(6)]
        homes = [client.initialize() for client in clients]
        self.assertEqual(set(homes), set(self.apps))
        for _ in range(5):
            for client, home in zip(clients, homes):
                who, session = client.call()
                self.assertEqual(who, home)
                self.assertIn(session, self.apps[home].sessions)
        client, home = clients[0], homes[0]
        stream, head = client.listen()
        with stream:
            self.assertEqual(head.status, 200)
            stream.read_until(b"data: open")  # it comes at once, not with the end
            client.call()
            stream.read_until(b"data: called")
            before = dict(self.apps[home].sessions)
            ended = client.ask("DELETE")
            self.assertEqual(ended.head.status, 204)
            stream.read_until(b"0\r\n\r\n")
        self.assertEqual(len(self.apps[home].sessions), len(before) - 1)
        self.assertEqual(client.ask("POST", {"method": "tools/call"}).head.status, 404)
        self.assertEqual(client.initialize(), client.call()[0])
        for app in self.apps.values():
            for stranger in app.strangers:  # the deleted one alone; never with a token in it
                self.assertEqual(stranger, next(iter(before)) if app.name == home else None)

    def test_the_whole_exchange_with_plain_servers(self):
        self.start(tandem=False)
        self.exchange()

    def test_the_whole_exchange_with_tandem_servers(self):
        self.start(tandem=True)
        self.exchange()

    def test_a_header_that_comes_only_once_is_enough(self):
        for tandem in (False, True):
            with self.subTest(tandem=tandem):
                self.start(tandem, every_response=False)
                self.exchange()
                for app in self.apps.values():
                    app.close()
                self.lb.process.kill()
                self.shop.parts.remove(self.lb)

    def test_values_of_others_pass_unchanged(self):
        self.start(tandem=False)
        for value in ("abc", "a" + MARK, MARK + "A" * 71, "x" * 200 + MARK + "A" * 71 + "!"):
            client = Client(self.lb.port)
            client.value = value
            self.assertEqual(client.ask("POST").head.status, 404)
            self.assertIn(value, [s for app in self.apps.values() for s in app.strangers])

    def test_a_lost_session_is_rejected_where_the_conf_says_so(self):
        self.start(tandem=False, on_lost="reject 404")
        client = Client(self.lb.port)
        home = client.initialize()
        for name in [name for name in self.apps if name != home]:
            self.apps[name].close()
        self.lb.wait_online({home})
        self.assertEqual(client.call()[0], home)
        self.apps[home].close()
        spare = App(home + "2")
        self.apps["spare"] = spare
        self.lb.write_conf({"server": Balancer.plain_entries(
            [(app.name, app.address) for app in self.apps.values()])})
        self.lb.process.signal(1)
        self.lb.wait_online({spare.name})
        self.assertEqual(client.ask("POST", {"method": "tools/call"}).head.status, 404)
        self.assertEqual(spare.strangers, [])
        self.assertEqual(client.initialize(), spare.name)
        self.assertEqual(self.lb.metric("tandem_sessions_lost_rejected_total"), 1)


class TwoBalancers(Case):
    """Two balancers with one key, and the servers registered with both."""

    @classmethod
    def set_up_class(cls):
        cls.key = cls.shop.key()
        cls.apps = {name: raw.Origin(name) for name in "abc"}
        cls.lbs = [cls.shop.start(Balancer(cls.shop.folder, {"control": {"balancers": 2}},
                                           name=name, key_file=cls.key)) for name in ("lb1", "lb2")]
        cls.servers = {name: cls.shop.start(Server(cls.shop.folder, name, cls.lbs, cls.key,
                                                   app.url))
                       for name, app in cls.apps.items()}
        for lb in cls.lbs:
            lb.wait_online(cls.servers)

    def sessions(self, count):
        """[server, cookie] of confirmed sessions, begun at one balancer or the other."""
        made = []
        for number in range(count):
            lb, other = self.lbs[number % 2], self.lbs[1 - number % 2]
            first = raw.fetch(lb.port)
            second = raw.fetch(other.port, cookie=first.cookie())
            self.assertEqual(second.body, first.body)
            made.append([first.body.decode(), second.cookie() or first.cookie()])
        return made

    def go_on(self, sessions, lbs):
        for session in sessions:
            for lb in lbs:
                response = raw.fetch(lb.port, cookie=session[1])
                self.assertEqual((response.status, response.body.decode()), (200, session[0]))
                session[1] = response.cookie() or session[1]

    def test_both_route_the_same_token_alike(self):
        sessions = self.sessions(12)
        self.assertEqual({server for server, _ in sessions}, set(self.servers))
        self.go_on(sessions, self.lbs * 2)
        # A balancer that starts anew knows all of them; while it is away the other serves.
        self.lbs[0].process.kill()
        self.go_on(sessions, self.lbs[1:])
        self.lbs[0].start()
        self.lbs[0].wait_online(self.servers)
        self.go_on(sessions, self.lbs)
        # A server that dies is taken over alike: wherever the next request comes, the same
        # alternate has it.
        until(lambda: all(server.status()["sessions"]["alone"] == 0 and
                          server.status()["mirror"]["lag"]["sessions"] == 0
                          for server in self.servers.values()), "every session to have its copy")
        self.servers["a"].process.kill()
        moved = [session for session in sessions if session[0] == "a"]
        homes = set()
        for number, session in enumerate(moved):
            lb, other = self.lbs[number % 2], self.lbs[1 - number % 2]
            response = raw.fetch(lb.port, cookie=session[1])
            self.assertEqual(response.status, 200)
            again = raw.fetch(other.port, cookie=session[1])  # with the old token, elsewhere
            self.assertEqual(again.body, response.body)
            homes.add(response.body)
        self.assertNotIn(b"a", homes)
        self.assertEqual(sum(server.metric("tandem_takeovers_cold_total")
                             for server in self.servers.values() if server.process.alive()), 0)
        self.assertEqual(sum(lb.metric("tandem_tokens_refused_total") for lb in self.lbs), 0)


if __name__ == "__main__":
    main()
