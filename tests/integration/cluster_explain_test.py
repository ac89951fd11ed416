"""tandemctl explain: why a client is where it is, from real servers."""

import json
import os
import subprocess

import raw
from case import Case, main
from cluster import Cluster, make_site, program, site_paths


class Explain(Case):
    @classmethod
    def set_up_class(cls):
        site = make_site(os.path.join(cls.shop.folder, "site"), files=5)
        cls.paths = site_paths(site)
        cls.cluster = Cluster(cls.shop, site, servers=3, server={"mirror": {"clients": "all"}})

    def explain(self, *arguments, status=0):
        done = subprocess.run(
            [program("tandemctl"), "explain", *arguments, "--admin",
             f"127.0.0.1:{self.cluster.lb.admin_port}"], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout if status == 0 else done.stderr

    def as_json(self, *arguments):
        return json.loads(self.explain(*arguments, "--json"))

    def client(self):
        """The cookie of a client that has fetched all there is."""
        cookie = None
        for path in 2 * self.paths:
            cookie = raw.fetch(self.cluster.lb.port, path, cookie=cookie).cookie() or cookie
        self.cluster.wait_mirrored()
        return cookie

    def test_a_session_and_its_mirrors(self):
        told = self.as_json(self.client())
        self.assertEqual(told["mirrors"], "agree", told)
        self.assertEqual(told["items"], len(self.paths))
        self.assertEqual(told["next"], told["primary"])
        self.assertEqual(told["token"]["primary"], told["primary"])
        self.assertNotIn(told["alternate"], ("", told["primary"]))
        self.assertEqual(self.as_json(told["session"])["primary"], told["primary"])
        text = self.explain(told["session"])
        self.assertIn(f"{told['primary']} serves it: it came there as a new session", text)
        self.assertIn("both mirrors hold the same", text)

    def test_after_a_death(self):
        cookie = self.client()
        before = self.as_json(cookie)
        self.cluster.servers[before["primary"]].process.kill()
        self.cluster.lb.wait(lambda: before["primary"] not in self.cluster.lb.online(),
                             "declare it offline")
        self.assertEqual(self.as_json(cookie)["next"], before["alternate"])
        newer = raw.fetch(self.cluster.lb.port, self.paths[0], cookie=cookie).cookie()
        self.cluster.wait_mirrored()
        told = self.as_json(newer)
        self.assertEqual(told["primary"], before["alternate"])
        self.assertGreater(told["epoch"]["counter"], before["epoch"]["counter"])
        self.assertEqual(told["mirrors"], "agree", told)
        self.assertIn("took it over", self.explain(newer))
        self.assertIn("older than what", self.explain(cookie))
        self.cluster.servers[before["primary"]].start()
        self.cluster.lb.wait_online(self.cluster.names)

    def test_what_a_death_would_do(self):
        primary = self.as_json(self.client())["primary"]
        # Servers push their status once in a while.
        self.cluster.lb.wait(lambda: self.as_json("--if-dies", primary)["sessions"] > 0,
                             "hear of the session")
        told = self.as_json("--if-dies", primary)
        self.assertEqual(told["server"], primary)
        self.assertEqual(sum(heir["inherits"] for heir in told["heirs"]) + told["unbacked"],
                         told["sessions"])
        self.assertIn("would stay within its capacity", self.explain("--if-dies", primary))

    def test_what_cannot_be_explained(self):
        self.assertIn("no token of this cluster", self.explain("nonsense", status=1))
        self.assertIn("no server is called x", self.explain("--if-dies", "x", status=1))
        self.assertIn("either TOKEN|SESSION or --if-dies", self.explain(status=2))
        self.assertIn("No server that answered knows", self.explain("0" * 31 + "1"))


if __name__ == "__main__":
    main()
