"""What stock clients have cached stays good when their primary dies: curl and a browser get 304
from the alternate, although the origins disagree about modification times and so about ETags."""

import os
import re
import shutil
import subprocess

import raw
from case import Case, main
from cluster import Cluster
from process import PATIENCE, until

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

PAGE = """<!DOCTYPE html><html><head><title>held</title>
<link rel="stylesheet" href="/style.css"></head>
<body><img src="/image.svg"><p>A page.</p></body></html>
"""


def make_small_site(root):
    os.makedirs(root)
    files = {"index.html": PAGE, "style.css": "p { color: green }\n",
             "image.svg": '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>\n'}
    for name, text in files.items():
        with open(os.path.join(root, name), "w", encoding="utf-8") as file:
            file.write(text)
    return root


class Caches(Case):
    @classmethod
    def set_up_class(cls):
        site = make_small_site(os.path.join(cls.shop.folder, "small"))
        cls.cluster = Cluster(cls.shop, site, balancer={
            "log": {"access": "access.log", "format": "json"}})

    def tearDown(self):
        for server in self.cluster.servers.values():
            if not server.process.alive():
                server.start()
        self.cluster.lb.wait_online(self.cluster.names)

    def kill(self, name):
        """Kills the server once it has given its sessions' state away."""
        self.cluster.wait_mirrored()
        self.cluster.servers[name].process.kill()

    def curl(self, *arguments):
        """(status, head) of a curl with a cookie jar and a file for the ETag."""
        folder = self.shop.folder
        head = os.path.join(folder, "curl.head")
        out = subprocess.run(
            ["curl", "-sS", "-b", f"{folder}/jar", "-c", f"{folder}/jar", "-D", head, "-o",
             f"{folder}/curl.body", "-w", "%{http_code}", *arguments,
             self.cluster.url + "/index.html"],
            check=True, capture_output=True, text=True, timeout=PATIENCE)
        with open(head, "rb") as file:
            return int(out.stdout), raw.Head(file.read().strip())

    def test_curl_s_copy_is_good_on_the_alternate(self):
        etag = os.path.join(self.shop.folder, "curl.etag")
        status, head = self.curl("--etag-save", etag)
        self.assertEqual(status, 200)
        primary = head.get("Tandem-Server")
        status, head = self.curl("--etag-compare", etag)  # the token comes back: confirmed
        self.assertEqual((status, head.get("Tandem-Server")), (304, primary))
        self.kill(primary)
        status, head = self.curl("--etag-compare", etag)
        self.assertEqual(status, 304)
        self.assertNotEqual(head.get("Tandem-Server"), primary)
        self.assertEqual(head.get("Tandem-Reuse"), "validator")

    def test_without_if_none_match_there_is_never_a_304(self):
        _, head = self.curl()
        primary = head.get("Tandem-Server")
        self.curl()
        self.kill(primary)
        status, head = self.curl()
        self.assertEqual(status, 200)
        self.assertNotEqual(head.get("Tandem-Server"), primary)

    def access_lines(self, start=0):
        with open(os.path.join(self.cluster.lb.folder, "access.log"), encoding="utf-8") as log:
            return log.read().splitlines()[start:]

    def test_a_browser_s_cache_is_good_on_the_alternate(self):
        browser = next(filter(None, map(shutil.which, BROWSERS)), None)
        self.assertIsNotNone(browser, "a browser is needed: apt-get install chromium")
        profile = os.path.join(self.shop.folder, "profile")

        def visit():
            """Loads the page; {target: (status, server)} of what the balancer logged for it."""
            before = len(self.access_lines())
            subprocess.run(
                [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                 "--no-first-run", "--disable-background-networking", "--disable-sync",
                 "--disable-component-update", f"--user-data-dir={profile}", "--dump-dom",
                 "--virtual-time-budget=2000", self.cluster.url + "/index.html"],
                check=True, capture_output=True, timeout=4 * PATIENCE)
            wanted = ("/index.html", "/style.css", "/image.svg")

            def look():
                seen = {}
                for line in self.access_lines(before):
                    target = next((t for t in wanted if f'"{t}"' in line or f" {t} " in line), None)
                    status = re.search(r'"status":\s*(\d+)', line)
                    server = re.search(r'"server":\s*"(\w*)"', line)
                    if target and status:
                        seen[target] = (int(status.group(1)), server and server.group(1))
                return seen if set(seen) == set(wanted) else None
            return until(look, "the page's requests in the access log")

        first = visit()
        self.assertEqual({status for status, _ in first.values()}, {200})
        primary = first["/index.html"][1]
        self.assertIn(primary, self.cluster.servers)
        visit()  # the cookie comes back
        self.kill(primary)
        after = visit()
        self.assertEqual({target: status for target, (status, _) in after.items()},
                         {target: 304 for target in after})
        self.assertNotIn(primary, {server for _, server in after.values()})


if __name__ == "__main__":
    main()
