"""Stock clients and servers of the Model Context Protocol, from its TypeScript SDK, with
affinity = "header:Mcp-Session-Id". tools/mcp installs the SDK; without it there is no such test."""

import json
import os
import shutil
import subprocess

from case import Case, main
from cluster import Balancer, Server, build_folder, get
from process import PATIENCE, Process, until

HERE = os.path.dirname(os.path.abspath(__file__))
SDK = os.path.join(os.path.dirname(build_folder()), "mcp")  # the same for all presets
CLIENTS, CALLS = 6, 5


class App:
    def __init__(self, folder, name):
        self.name = name
        self.process = Process(name, ["node", os.path.join(SDK, "server.mjs"), name],
                               os.path.join(folder, name + ".log"))

    def start(self):
        self.process.start()
        self.port = int(self.process.wait_log(r"^(\d+)$").group(1))
        self.address = f"127.0.0.1:{self.port}"
        return self

    def sessions(self):
        return json.loads(get(self.port, "/sessions")[1])


class Sdk(Case):
    @classmethod
    def set_up_class(cls):
        for name in ("server.mjs", "client.mjs"):  # beside the SDK, where they find it
            shutil.copyfile(os.path.join(HERE, "mcp", name), os.path.join(SDK, name))
        cls.apps = {name: cls.shop.start(App(cls.shop.folder, name)) for name in "abc"}
        cls.key = cls.shop.key()

    def run_clients(self, port):
        done = subprocess.run(
            ["node", os.path.join(SDK, "client.mjs"), f"http://127.0.0.1:{port}/mcp", str(CLIENTS),
             str(CALLS)], check=True, capture_output=True, text=True, timeout=2 * PATIENCE)
        return json.loads(done.stdout)

    def check(self, lb):
        homes = set()
        for seen in self.run_clients(lb.port):
            self.assertIsNone(seen["failed"], seen)
            self.assertEqual(len(seen["servers"]), CALLS)
            self.assertEqual(len(set(seen["servers"])), 1, "a session changed its server")
            (home,), (session,) = set(seen["servers"]), set(seen["sessions"])
            homes.add(home)
            # What the client holds is the application's value and a token; what the application
            # sees is its value.
            self.assertRegex(session, r"^[0-9a-f-]{36}$")
            self.assertRegex(seen["value"], r"^[0-9a-f-]{36};tandem=[\w-]{72}$")
            self.assertTrue(seen["value"].startswith(session))
            self.assertEqual(set(seen["events"]), {f"from {home}"})
        self.assertEqual(homes, set(self.apps))
        self.assertEqual([app.sessions() for app in self.apps.values()], [[], [], []],
                         "a session was not ended by its DELETE")
        self.assertEqual(lb.metric("tandem_tokens_refused_total"), 0)

    def plain(self, name, affinity):
        lb = self.shop.start(Balancer(
            self.shop.folder, {"session": {"affinity": affinity}}, name=name,
            plain=[(app.name, app.address) for app in self.apps.values()]))
        lb.wait_online(self.apps)
        return lb

    def test_plain_servers(self):
        self.check(self.plain("lb-plain", "header:Mcp-Session-Id"))

    def test_without_it_they_do_not_get_far(self):
        seen = self.run_clients(self.plain("lb-cookie", "cookie").port)
        self.assertTrue(all(one["failed"] for one in seen))

    def test_tandem_servers(self):
        lb = self.shop.start(Balancer(
            self.shop.folder, {"session": {"affinity": "header:Mcp-Session-Id"}}, name="lb-tandem",
            key_file=self.key))
        for app in self.apps.values():
            self.shop.start(Server(self.shop.folder, "server-" + app.name, [lb], self.key,
                                   f"http://{app.address}"))
        until(lambda: len(lb.online()) == len(self.apps), "all servers to be online")
        self.check(lb)


if __name__ == "__main__":
    main()
