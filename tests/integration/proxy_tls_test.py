"""TLS to clients: certificates chosen by SNI, versions, and the same proxy behind it."""

import os
import ssl

import raw
from case import Case, main
from certificates import certificate
from cluster import Balancer


class Tls(Case):
    @classmethod
    def set_up_class(cls):
        cls.origin = raw.Origin("app1")
        cls.files = {name: certificate(cls.shop.folder, name)
                     for name in ("one.example", "two.example")}
        cls.lb = cls.shop.start(Balancer(
            cls.shop.folder, plain=[("app1", cls.origin.address)], tls=cls.files.values()))
        cls.lb.wait_online(["app1"])

    def context(self, name=None, **versions):
        """Trusts only the named certificate; none: whatever comes."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if name:
            context.load_verify_locations(self.files[name])
        else:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        for key, value in versions.items():
            setattr(context, key, value)
        return context

    def test_the_certificate_follows_the_name(self):
        for name in self.files:
            with raw.connect(self.lb.tls_port, self.context(name), name) as client:
                client.send(raw.request_text())
                self.assertEqual(client.read_response().body, b"app1")

    def test_the_first_certificate_serves_unknown_names_and_none(self):
        with open(self.files["one.example"], encoding="ascii") as file:
            first = ssl.PEM_cert_to_DER_cert(file.read().split("-----BEGIN PRIVATE")[0].strip())
        for name in ("three.example", None):
            with raw.connect(self.lb.tls_port, self.context(), name) as client:
                self.assertEqual(client.sock.getpeercert(True), first)

    def test_versions(self):
        for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"),
                              (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
            context = self.context(minimum_version=version, maximum_version=version)
            with raw.connect(self.lb.tls_port, context, "one.example") as client:
                self.assertEqual(client.sock.version(), name)
                client.send(raw.request_text())
                self.assertEqual(client.read_response().status, 200)

    def test_the_origin_is_told(self):
        with raw.connect(self.lb.tls_port, self.context(), "one.example") as client:
            client.send(raw.request_text())
            response = client.read_response()
        self.assertEqual(self.origin.heads[-1].get("X-Forwarded-Proto"), "https")
        cookies = [c for c in response.head.all("Set-Cookie") if c.startswith("tandem=")]
        self.assertEqual(len(cookies), 1)
        self.assertIn("Secure", cookies[0])

    def test_large_bodies_both_ways(self):
        def answer(connection, head):
            body = connection.read_body(head)[0]
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            connection.send(body)
        self.origin.answer, before = answer, self.origin.answer
        body = os.urandom(8 << 20)
        with raw.connect(self.lb.tls_port, self.context(), "one.example") as client:
            client.sock.sendall(raw.request_text("POST", body=body))
            self.assertEqual(client.read_response("POST").body, body)
        self.origin.answer = before

    def test_plain_text_on_the_tls_port_harms_nobody(self):
        with raw.connect(self.lb.tls_port) as client:
            client.send(raw.request_text())
            try:
                client.read_to_end()
            except ConnectionResetError:
                pass
        with raw.connect(self.lb.tls_port, self.context(), "one.example") as client:
            client.send(raw.request_text())
            self.assertEqual(client.read_response().status, 200)


if __name__ == "__main__":
    main()
