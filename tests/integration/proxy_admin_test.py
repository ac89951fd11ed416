"""tandem-lb as its administrator sees it: tandemctl, /status, /metrics, reload, checks, its key."""

import os
import signal
import stat
import subprocess

import raw
from case import Case, main
from cluster import Balancer, get, program
from process import PATIENCE, until


class Admin(Case):
    def setUp(self):
        self.origins = {f"app{i}": raw.Origin(f"app{i}") for i in (1, 2)}
        self.lb = Balancer(self.shop.folder, {"check": {"rise": 2, "fall": 2}},
                           name=f"lb-{self.id().rsplit('.', 1)[-1]}", plain=self.entries())
        self.shop.start(self.lb)
        self.lb.wait_online(self.origins)

    def tearDown(self):
        self.lb.process.stop()
        for origin in self.origins.values():
            origin.close()

    def entries(self, **keys):
        return [(name, origin.address, keys) for name, origin in self.origins.items()]

    def ctl(self, *words, status=0):
        """Output of tandemctl, which must end with this status."""
        done = subprocess.run(
            [program("tandemctl"), *words, "--admin", f"http://127.0.0.1:{self.lb.admin_port}"],
            capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout if status == 0 else done.stderr

    def test_status_tells_listeners_servers_and_counts(self):
        cookie = raw.fetch(self.lb.port).cookie()
        raw.fetch(self.lb.port, cookie=cookie)
        status = self.lb.status()
        self.assertEqual(status["program"], "tandem-lb")
        self.assertEqual(status["listeners"]["front"], [f"127.0.0.1:{self.lb.port}"])
        self.assertEqual(status["listeners"]["admin"], f"127.0.0.1:{self.lb.admin_port}")
        self.assertEqual(status["workers"], 1)
        server = self.lb.servers()["app1"]
        self.assertEqual((server["kind"], server["state"], server["capacity"], server["resolved"]),
                         ("plain", "online", 1000, self.origins["app1"].address))
        self.assertEqual(status["counts"]["sessions_new_total"], 1)
        self.assertEqual(self.lb.metric("tandem_requests_total"), 2)
        self.assertEqual(self.lb.metric("tandem_server_online"), 2)

    def test_a_port_0_is_told(self):
        lb = Balancer(self.shop.folder, name="lb-port-0", plain=self.entries(),
                      sections={"front": {"listen": ["127.0.0.1:0"]}})
        self.shop.start(lb)
        address = lb.status()["listeners"]["front"][0]
        self.assertEqual(raw.fetch(int(address.rsplit(":", 1)[1])).status, 200)

    def test_tandemctl_status_is_a_table_or_json(self):
        table = self.ctl("status")
        self.assertRegex(table, r"(?m)^app1 +plain +online +127\.0\.0\.1:\d+ +0 +800 +1000 +0$")
        self.assertIn('"program":"tandem-lb"', self.ctl("status", "--json"))

    def test_tandemctl_drains_and_takes_back(self):
        self.ctl("drain", "app1", "--no-wait")
        until(lambda: self.lb.servers()["app1"]["state"] == "draining", "app1 to drain")
        self.assertIn("no server is called app9", self.ctl("drain", "app9", status=1))
        self.ctl("drain", "app1", "--off")
        until(lambda: self.lb.servers()["app1"]["state"] == "online", "app1 to be back")

    def test_tandemctl_reload_tells_complaints_with_their_place(self):
        self.lb.write_conf({"server": Balancer.plain_entries(self.entries(capacity=77))})
        self.assertEqual(self.ctl("reload"), "reloaded\n")
        self.assertEqual(self.lb.servers()["app1"]["capacity"], 77)
        self.lb.write_conf({"server": Balancer.plain_entries(self.entries(capacity="many"))})
        self.assertRegex(self.ctl("reload", status=1), r"tandem-lb\.toml:\d+:\d+: server")
        self.assertEqual(self.lb.servers()["app1"]["capacity"], 77)
        self.assertEqual(self.lb.metric("tandem_reloads_refused_total"), 1)

    def test_keys_that_need_a_restart_are_named(self):
        self.lb.write_conf({"workers": 2, "session": {"ttl": "20m"}})
        self.lb.process.signal(signal.SIGHUP)
        self.lb.process.wait_log(r"workers changes only with a restart")
        self.lb.process.wait_log(r"session\.ttl changes only with a restart")
        self.assertEqual(self.lb.status()["workers"], 1)

    def test_a_request_under_way_survives_a_reload(self):
        with raw.connect(self.lb.port) as client:
            client.send(raw.request_text())
            cookie = client.read_response().cookie()
            client.send(b"POST / HTTP/1.1\r\nHost: x\r\nCookie: tandem=%s\r\n"
                        b"Content-Length: 2\r\n\r\na" % cookie.encode())
            self.lb.write_conf({"server": Balancer.plain_entries(self.entries(capacity=78))})
            self.ctl("reload")
            client.send(b"b")
            self.assertEqual(client.read_response().status, 200)

    def test_a_request_under_way_survives_the_removal_of_its_server(self):
        with raw.connect(self.lb.port) as client:
            client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na")
            until(lambda: any(origin.heads for origin in self.origins.values()), "it to arrive")
            [name] = [name for name, origin in self.origins.items() if origin.heads]
            self.lb.write_conf({"server": [entry for entry in self.lb.sections["server"]
                                           if entry["name"] != name]})
            self.ctl("reload")
            self.lb.wait(lambda: name not in self.lb.servers(), f"forget {name}")
            until(lambda: raw.fetch(self.lb.port).body != name.encode(), "the workers to forget it")
            client.send(b"b")
            response = client.read_response()
            self.assertEqual((response.status, response.body), (200, name.encode()))

    def test_checks_take_a_server_offline_and_back(self):
        origin = self.origins["app1"]
        port = origin.port
        origin.close()
        self.lb.wait_online(["app2"])
        self.assertEqual(raw.fetch(self.lb.port).body, b"app2")
        self.origins["app1"] = raw.Origin("app1", port=port)
        self.lb.wait_online(["app1", "app2"])

    def test_its_own_key_is_made_once_and_kept(self):
        path = self.lb.conf_path.replace(".toml", ".key")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        first = raw.fetch(self.lb.port)
        self.assertEqual(self.lb.process.stop(), 0)
        self.lb.start()
        self.lb.wait_online(self.origins)
        # A restarted balancer loses nothing: the token still opens, and stays where it was.
        for _ in range(4):
            self.assertEqual(raw.fetch(self.lb.port, cookie=first.cookie()).body, first.body)

    def test_healthz_says_when_it_drains_and_a_second_signal_ends_at_once(self):
        with raw.connect(self.lb.port) as client:
            client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na")
            until(lambda: any(origin.heads for origin in self.origins.values()), "it to arrive")
            self.lb.process.signal(signal.SIGTERM)
            self.lb.process.wait_log("draining")
            self.assertEqual(get(self.lb.admin_port, "/healthz")[0], 503)
            self.assertTrue(self.lb.process.alive())
            self.lb.process.signal(signal.SIGTERM)
            self.assertEqual(self.lb.process.wait(), 0)


if __name__ == "__main__":
    main()
