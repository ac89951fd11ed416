"""The PROXY protocol: stock HAProxy before tandem-lb says whose connection it is. Only who is
trusted is believed, and from him it is demanded."""

import os
import socket
import ssl
import struct

import raw
from case import Case, main
from certificates import certificate
from cluster import Balancer
from process import Process, until

CLIENT = "127.0.0.9"  # as HAProxy sees it
TRUSTED = "127.0.0.2"  # HAProxy, as tandem-lb sees it


class HAProxy:
    """Passes connections on as they are, with a PROXY header before each. Listens on sockets made
    here, so that the system chooses the ports."""

    def __init__(self, folder, ways):
        """ways: (where to, "send-proxy" or "send-proxy-v2") each."""
        self.sockets = [socket.create_server(("127.0.0.1", 0)) for _ in ways]
        self.ports = [one.getsockname()[1] for one in self.sockets]
        listens = "\n".join(
            f"listen way{i}\n"
            f"    bind fd@{one.fileno()}\n"
            f"    server lb 127.0.0.1:{port} {how} source {TRUSTED}\n"
            for i, (one, (port, how)) in enumerate(zip(self.sockets, ways)))
        conf = os.path.join(folder, "haproxy.cfg")
        with open(conf, "w", encoding="ascii") as file:
            file.write("defaults\n    mode tcp\n    timeout connect 30s\n    timeout client 60s\n"
                       f"    timeout server 60s\n{listens}")
        self.process = Process("haproxy", ["haproxy", "-db", "-f", conf],
                               os.path.join(folder, "haproxy.log"),
                               keep=[one.fileno() for one in self.sockets])

    def start(self):
        self.process.start()
        return self


def connect(port, source, context=None):
    """From that address."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(source, 0))
    if context is not None:
        sock = context.wrap_socket(sock)
    return raw.Connection(sock)


def closed(client):
    """Without an answer? What was left unread makes it a reset."""
    try:
        return client.sock.recv(1) == b""
    except ConnectionResetError:
        return True


class ProxyProtocol(Case):
    @classmethod
    def set_up_class(cls):
        cls.origin = raw.Origin("app1")
        cls.lb = cls.shop.start(Balancer(
            cls.shop.folder, {"front": {"proxy_protocol_from": [TRUSTED, "fd00::/8"],
                                        "header_timeout": "1s"}},
            plain=[("app1", cls.origin.address)], tls=[certificate(cls.shop.folder, "a.example")]))
        cls.lb.wait_online(["app1"])
        ways = [(port, how) for port in (cls.lb.port, cls.lb.tls_port)
                for how in ("send-proxy", "send-proxy-v2")]
        cls.haproxy = cls.shop.start(HAProxy(cls.shop.folder, ways))

    def setUp(self):
        self.origin.heads.clear()

    def bad(self):
        return self.lb.metric("tandem_proxy_headers_bad_total")

    def seen(self):
        """The client and the scheme, as the origin was told."""
        head = self.origin.heads[-1]
        return head.get("X-Forwarded-For"), head.get("X-Forwarded-Proto")

    def ask(self, client):
        client.send(raw.request_text())
        self.assertEqual(client.read_response().body, b"app1")
        return self.seen()

    def test_haproxy_says_who_the_client_is(self):
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.check_hostname = False
        trusting.verify_mode = ssl.CERT_NONE
        for port, scheme in zip(self.haproxy.ports, ("http", "http", "https", "https")):
            with connect(port, CLIENT, trusting if scheme == "https" else None) as client:
                for _ in range(2):  # it is of the connection, not of a request
                    self.assertEqual(self.ask(client), (CLIENT, scheme))

    def test_from_elsewhere_it_is_not_believed(self):
        before = self.bad()
        with connect(self.lb.port, "127.0.0.3") as client:
            self.assertEqual(self.ask(client), ("127.0.0.3", "http"))
        with connect(self.lb.port, "127.0.0.3") as client:
            client.send(b"PROXY TCP4 9.9.9.9 127.0.0.1 1 2\r\n" + raw.request_text())
            self.assertEqual(client.read_response().status, 400)
        self.assertEqual(self.bad(), before)

    def test_from_there_it_is_demanded(self):
        for start in ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "PROXY TCP4 nobody\r\n",
                      "\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff", "\x16\x03\x01"):
            before = self.bad()
            with connect(self.lb.port, TRUSTED) as client:
                client.send(start)
                self.assertTrue(closed(client), start)
            self.assertEqual(self.bad(), before + 1, start)
        self.assertEqual(self.origin.heads, [])
        until(lambda: "does not begin with a PROXY header" in self.lb.process.log(), "the log")

    def test_who_sends_none_in_time_or_leaves_is_let_go(self):
        before = self.lb.metric("tandem_timeouts_header_total")
        with connect(self.lb.port, TRUSTED) as client:
            client.send("PROXY TCP4 ")
            self.assertTrue(closed(client))
        self.assertEqual(self.lb.metric("tandem_timeouts_header_total"), before + 1)
        with connect(self.lb.port, TRUSTED) as client:
            client.send("PROXY TCP4 ")
            client.sock.shutdown(socket.SHUT_WR)
            self.assertTrue(closed(client))
        self.assertEqual(self.lb.metric("tandem_timeouts_header_total"), before + 1)

    def test_in_single_bytes_with_a_request_behind_it(self):
        address = socket.inet_aton("9.8.7.6") + socket.inet_aton("127.0.0.1")
        header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack("!H", 12) + address + b"\0\1\0\2"
        for start in (header, b"PROXY TCP4 9.8.7.6 127.0.0.1 1 2\r\n"):
            with connect(self.lb.port, TRUSTED) as client:
                client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for byte in start:
                    client.send(bytes([byte]))
                self.assertEqual(self.ask(client)[0], "9.8.7.6")
            with connect(self.lb.port, TRUSTED) as client:
                client.send(start + raw.request_text() * 2)
                for _ in range(2):
                    self.assertEqual(client.read_response().body, b"app1")
                self.assertEqual(self.seen()[0], "9.8.7.6")

    def test_a_health_check_of_the_proxy_itself_is_its_own(self):
        with connect(self.lb.port, TRUSTED) as client:
            client.send("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0")  # LOCAL
            self.assertEqual(self.ask(client)[0], TRUSTED)


if __name__ == "__main__":
    main()
