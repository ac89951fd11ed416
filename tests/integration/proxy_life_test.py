"""tandem-lb while it lives: reload under traffic, drain, and a shutdown that nobody notices."""

import signal
import subprocess
import threading

import raw
from case import Case, main
from cluster import Balancer, program
from process import PATIENCE, until


class Traffic:
    """Clients on keep-alive connections with their cookies, asking without pause."""

    def __init__(self, port, clients=8):
        self.requests, self.failures, self.seen = 0, [], set()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(port,), daemon=True)
                         for _ in range(clients)]

    def _ask(self, port):
        cookie = None
        try:
            with raw.connect(port) as client:
                while not self._stop.is_set():
                    fields = [("Cookie", f"tandem={cookie}")] if cookie else []
                    client.send(raw.request_text(fields=fields))
                    response = client.read_response()
                    cookie = response.cookie() or cookie
                    self.requests += 1
                    self.seen.add(response.body.decode())
                    if response.status != 200:
                        self.failures.append(response.head.start)
        except (AssertionError, OSError) as error:
            self.failures.append(repr(error))

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        self.wait_requests(100)
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_requests(self, more):
        wanted = self.requests + more
        until(lambda: self.requests >= wanted or self.failures, f"{wanted} requests")


class Life(Case):
    def setUp(self):
        self.origins = {f"app{i}": raw.Origin(f"app{i}") for i in (1, 2, 3)}
        self.lb = self.shop.start(Balancer(
            self.shop.folder, name=f"lb-{self.id().rsplit('.', 1)[-1]}",
            plain=self.entries("app1", "app2")))
        self.lb.wait_online(["app1", "app2"])

    def tearDown(self):
        for origin in self.origins.values():
            origin.close()

    def entries(self, *names, **keys):
        return [(name, self.origins[name].address, keys) for name in names]

    def reload(self, *names, **keys):
        self.lb.write_conf({"server": Balancer.plain_entries(self.entries(*names, **keys))})
        self.lb.process.signal(signal.SIGHUP)

    def test_reload_adds_and_removes_servers_under_traffic(self):
        with Traffic(self.lb.port) as traffic:
            self.reload("app1", "app2", "app3")
            self.lb.wait_online(["app1", "app2", "app3"])
            until(lambda: raw.fetch(self.lb.port).body == b"app3", "a session on the new server")
            traffic.wait_requests(200)
            self.reload("app1", "app3")
            self.lb.wait(lambda: set(self.lb.servers()) == {"app1", "app3"}, "forget app2")
            traffic.wait_requests(200)
        self.assertEqual(traffic.failures, [])
        for _ in range(4):
            self.assertNotEqual(raw.fetch(self.lb.port).body, b"app2")

    def test_a_wrong_file_is_refused_and_the_old_one_stays(self):
        with Traffic(self.lb.port) as traffic:
            with open(self.lb.conf_path, "a", encoding="utf-8") as conf:
                conf.write("\n[[server]]\nname = \"app9\"\nadress = \"127.0.0.1:1\"\n")
            self.lb.process.signal(signal.SIGHUP)
            self.lb.process.wait_log(r"tandem-lb\.toml:\d+:\d+.*adress")
            traffic.wait_requests(200)
        self.assertEqual(traffic.failures, [])
        self.assertEqual(set(self.lb.servers()), {"app1", "app2"})

    def test_a_drained_server_gets_no_new_sessions_and_keeps_its_own(self):
        first = raw.fetch(self.lb.port)
        cookie = raw.fetch(self.lb.port, cookie=first.cookie()).cookie() or first.cookie()
        drained = first.body.decode()
        with Traffic(self.lb.port) as traffic:
            out = subprocess.run(
                [program("tandemctl"), "drain", drained, "--no-wait", "--admin",
                 f"http://127.0.0.1:{self.lb.admin_port}"],
                capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual(out.returncode, 0, out.stderr)
            self.lb.wait(lambda: self.lb.servers()[drained]["draining"], "show it as draining")
            for _ in range(10):
                self.assertNotEqual(raw.fetch(self.lb.port).body.decode(), drained)
            self.assertEqual(raw.fetch(self.lb.port, cookie=cookie).status, 200)
            traffic.wait_requests(100)
        self.assertEqual(traffic.failures, [])

    def test_sigterm_ends_what_is_under_way_first(self):
        arrived, release = threading.Event(), threading.Event()

        def slow(connection, head):
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
            arrived.set()
            release.wait(PATIENCE)
            connection.send("later")
        for origin in self.origins.values():
            origin.answer = slow
        with raw.connect(self.lb.port) as client, raw.connect(self.lb.port) as idle:
            client.send(raw.request_text())
            self.assertTrue(arrived.wait(PATIENCE))
            self.lb.process.signal(signal.SIGTERM)
            self.assertTrue(idle.at_end(), "an idle connection is closed at once")
            self.assertTrue(self.lb.process.alive())
            release.set()
            self.assertEqual(client.read_response().body, b"firstlater")
        self.assertEqual(self.lb.process.wait(), 0)

    def test_health_and_metrics(self):
        raw.fetch(self.lb.port)
        metrics = self.lb.metrics()
        self.assertTrue(any(name.startswith("tandem_") for name in metrics))
        self.assertEqual(set(self.lb.servers()), {"app1", "app2"})


if __name__ == "__main__":
    main()
