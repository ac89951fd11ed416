"""What stock clients have cached stays good when their primary dies: curl and a browser get 304
from the alternate, although the origins disagree about modification times and so about ETags."""

import os
import subprocess

import raw
from browser import Browser
from case import Case, main
from cluster import Cluster
from process import PATIENCE

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
        # A browser asks anew for what it may not use unasked.
        cls.cluster = Cluster(cls.shop, site, nginx_conf="add_header Cache-Control no-cache;")

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

    def test_a_browser_s_cache_is_good_on_the_alternate(self):
        browser = self.shop.start(Browser(self.shop.folder))
        url, wanted = self.cluster.url + "/index.html", ("/index.html", "/style.css", "/image.svg")
        first = browser.visit(url, wanted)
        self.assertEqual({first[path][0] for path in wanted}, {200})
        primary = first["/index.html"][1]["tandem-server"]
        again = browser.visit(url, wanted)
        self.assertEqual({again[path][1]["tandem-server"] for path in wanted}, {primary})
        self.kill(primary)
        after = browser.visit(url, wanted)
        self.assertEqual({path: after[path][0] for path in wanted}, {path: 304 for path in wanted})
        self.assertNotIn(primary, {after[path][1]["tandem-server"] for path in wanted})


if __name__ == "__main__":
    main()
