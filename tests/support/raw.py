"""HTTP/1.1 at the level of bytes, for tests: a connection that says and hears exactly what the test
wants, and an origin whose answers are the test's own."""

import socket
import threading

from process import PATIENCE

BLOCK = 1 << 20


class Closed(AssertionError):
    """The other side closed while more was expected."""


class Head:
    """A start line and its fields, in order, as they came."""

    def __init__(self, raw):
        self.raw = raw
        lines = raw.decode("latin-1").split("\r\n")
        self.start = lines[0]
        self.fields = []
        for line in lines[1:]:
            if line:
                name, _, value = line.partition(":")
                self.fields.append((name, value.strip()))

    def all(self, name):
        return [value for field, value in self.fields if field.lower() == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        return values[0] if values else default

    @property
    def status(self):
        return int(self.start.split()[1])

    @property
    def method(self):
        return self.start.split()[0]

    @property
    def target(self):
        return self.start.split()[1]


class Response:
    def __init__(self, head, body, trailers=()):
        self.head = head
        self.status = head.status
        self.body = body
        self.trailers = list(trailers)

    def get(self, name, default=None):
        return self.head.get(name, default)

    def cookie(self, name="tandem"):
        """The value of the cookie that the response sets, or None."""
        for value in self.head.all("Set-Cookie"):
            if value.startswith(name + "="):
                return value[len(name) + 1:].split(";")[0]
        return None


class Connection:
    """One end of a connection. Every wait is bounded by PATIENCE."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(PATIENCE)
        self.buffer = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def more(self):
        """Reads once; False at the end of the stream."""
        data = self.sock.recv(65536)
        self.buffer += data
        return bool(data)

    def at_end(self):
        """True once the other side has closed and nothing is left to read."""
        try:
            return not self.buffer and not self.more()
        except ConnectionResetError:
            return True

    def read_until(self, mark):
        while (at := self.buffer.find(mark)) < 0:
            if not self.more():
                raise Closed(f"closed before {mark!r}; had {bytes(self.buffer)!r}")
        taken = bytes(self.buffer[:at + len(mark)])
        del self.buffer[:at + len(mark)]
        return taken

    def read_exactly(self, size):
        while len(self.buffer) < size:
            if not self.more():
                raise Closed(f"closed {size - len(self.buffer)} bytes short of {size}")
        taken = bytes(self.buffer[:size])
        del self.buffer[:size]
        return taken

    def read_to_end(self):
        while self.more():
            pass
        taken, self.buffer = bytes(self.buffer), bytearray()
        return taken

    def read_head(self):
        return Head(self.read_until(b"\r\n\r\n")[:-4])

    def count_body(self, size):
        """Reads `size` bytes and throws them away."""
        size -= len(self.buffer)
        self.buffer.clear()
        block = bytearray(BLOCK)
        while size > 0:
            got = self.sock.recv_into(block, min(size, BLOCK))
            if got == 0:
                raise Closed(f"closed {size} bytes short")
            size -= got

    def read_chunked(self):
        """(body, trailer fields)"""
        body = bytearray()
        while True:
            size = int(self.read_until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                break
            body += self.read_exactly(size)
            assert self.read_exactly(2) == b"\r\n"
        trailers = []
        while (line := self.read_until(b"\r\n")) != b"\r\n":
            name, _, value = line.decode("latin-1").partition(":")
            trailers.append((name, value.strip()))
        return bytes(body), trailers

    def read_body(self, head, bodyless=False, to_end=False):
        """(body, trailers) of a message with this head."""
        if bodyless:
            return b"", []
        if "chunked" in (head.get("Transfer-Encoding") or "").lower():
            return self.read_chunked()
        if head.get("Content-Length") is not None:
            return self.read_exactly(int(head.get("Content-Length"))), []
        return (self.read_to_end() if to_end else b""), []

    def read_response(self, method="GET", interim=None):
        """The final response; 1xx heads before it are put into the list `interim`."""
        head = self.read_head()
        while 100 <= head.status < 200 and head.status != 101:
            if interim is not None:
                interim.append(head)
            head = self.read_head()
        bodyless = method == "HEAD" or head.status in (101, 204, 304)
        return Response(head, *self.read_body(head, bodyless, to_end=True))


def connect(port, context=None, server_name=None, receive_buffer=None):
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(PATIENCE)
    sock.connect(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if context:
        sock = context.wrap_socket(sock, server_hostname=server_name)
    return Connection(sock)


def request_text(method="GET", target="/", fields=(), body=b""):
    lines = [f"{method} {target} HTTP/1.1", "Host: test.example"]
    lines += [f"{name}: {value}" for name, value in fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def fetch(port, target="/", method="GET", fields=(), body=b"", cookie=None):
    """One request on a connection of its own."""
    fields = list(fields) + [("Connection", "close")]
    if cookie:
        fields.append(("Cookie", f"tandem={cookie}"))
    with connect(port) as client:
        client.send(request_text(method, target, fields, body))
        return client.read_response(method)


class Origin:
    """An HTTP server whose answers are the test's: answer(connection, head) is called for each
    request head, reads the body if it wants to, and sends what it likes. It returns False to close
    the connection. Without it, every request gets 200 and says in JSON-less plain text who answers.
    """

    def __init__(self, name="origin", answer=None, port=0):
        self.name = name
        self.answer = answer or self.plain_answer
        self.heads = []        # of all requests, in order of arrival
        self.connections = 0   # accepted so far
        self._lock = threading.Lock()
        self._open = set()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def url(self):
        return f"http://{self.address}"

    def plain_answer(self, connection, head):
        connection.read_body(head)
        body = self.name.encode()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) +
                        (b"" if head.method == "HEAD" else body))
        return True

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.add(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(sock)
        sock.settimeout(None)  # an idle connection may idle
        try:
            while True:
                head = connection.read_head()
                with self._lock:
                    self.heads.append(head)
                if self.answer(connection, head) is False:
                    return
        except (Closed, OSError):
            pass
        finally:
            with self._lock:
                self._open.discard(sock)
            sock.close()

    def close(self):
        """Stops listening and resets what is open: as if its process had died."""
        if self._listener.fileno() < 0:
            return
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            still_open = list(self._open)
        for sock in still_open:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
