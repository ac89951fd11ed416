"""Servers that share one SQLite database of items: conditional writes, an owner that was paused in
the midst of a write, and the database taken away."""

import contextlib
import ctypes
import http.client
import os
import sqlite3
import subprocess
import threading
import unittest

from case import Case, main
from cluster import Balancer, Server, merged
from process import PATIENCE, until
from visitor import Visitor

# A silent server is offline soon.
FAST = {"control": {"status_interval": "100ms"}}


def ask(port, method, path, body=None, headers=None):
    """(status, body, headers) of one request to a server's data port."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.read(), response.headers
    finally:
        connection.close()


def stopped(pid):
    """Do all threads of the process stand still?"""
    states = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/stat", encoding="ascii") as stat:
            states.append(stat.read().rsplit(")", 1)[1].split()[0])
    return set(states) == {"T"}


class WritesCase(Case):
    names = ("a", "b", "c")
    conf = {}
    balancer = FAST

    @classmethod
    def set_up_class(cls):
        cls.folder = getattr(cls, "folder", cls.shop.folder)
        cls.path = os.path.join(cls.folder, "items.db")
        key = cls.shop.key()
        cls.lb = cls.shop.start(Balancer(cls.shop.folder, cls.balancer, key_file=key))
        base = {"status_interval": "100ms", "buddies": {"interval": "200ms"},
                "data": {"partitioned": True}, "type": [{"prefix": "/t/", "owner": "a"}],
                "cache": {"bytes": "1MiB"},
                "source": {"lock_timeout": "200ms", "cache_control": "max-age=60"}}
        cls.servers = {}
        for name in cls.names:
            cls.servers[name] = cls.shop.start(
                Server(cls.shop.folder, name, [cls.lb], key, f"sqlite:{cls.path}",
                       merged(base, cls.conf)))
        cls.lb.wait_online(cls.names)

    def ask(self, name, *request, **more):
        return ask(self.servers[name].port, *request, **more)

    def put(self, name, path, body, **headers):
        return self.ask(name, "PUT", path, body, {k.replace("_", "-"): v
                                                  for k, v in headers.items()})

    def write(self, name, path, body):
        """Writes until it is acknowledged."""
        return until(lambda: self.put(name, path, body)[0] in (201, 204), f"{name} to write")

    def read(self, name, path):
        status, body, _ = self.ask(name, "GET", path)
        return body if status == 200 else status

    @contextlib.contextmanager
    def locked(self):
        other = sqlite3.connect(self.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")
            other.close()


class Writes(WritesCase):
    def test_a_write_is_seen_by_all(self):
        for number, name in enumerate(self.names * 2):
            body = b"written through %s, %d" % (name.encode(), number)
            self.write(name, "/t/seen", body)
            self.assertEqual([self.read(one, "/t/seen") for one in self.names], [body] * 3)

    def test_another_processs_write_is_seen(self):
        self.write("b", "/t/other", b"ours")
        self.assertEqual(self.read("a", "/t/other"), b"ours")
        with contextlib.closing(sqlite3.connect(self.path)) as other, other:
            other.execute("UPDATE items SET body = 'theirs' WHERE key = 'other'")
        self.assertEqual([self.read(one, "/t/other") for one in self.names], [b"theirs"] * 3)

    def test_of_two_writes_on_one_item_one_wins(self):
        self.write("a", "/t/contended", b"0")
        for _ in range(20):
            tags = {self.ask(name, "GET", "/t/contended")[2]["ETag"] for name in self.names}
            self.assertEqual(len(tags), 1)
            tag, results = tags.pop(), {}

            def attempt(name, tag=tag, results=results):
                body = os.urandom(8).hex().encode()
                results[name] = (self.put(name, "/t/contended", body, If_Match=tag)[0], body)

            threads = [threading.Thread(target=attempt, args=(name,)) for name in self.names]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(sorted(status for status, _ in results.values()), [204, 412, 412])
            won = next(body for status, body in results.values() if status == 204)
            self.assertEqual([self.read(name, "/t/contended") for name in self.names], [won] * 3)

    def test_other_conditions(self):
        self.write("a", "/t/there", b"x")
        self.assertEqual(self.put("b", "/t/there", b"y", If_None_Match="*")[0], 412)
        self.assertEqual(self.put("b", "/t/new", b"y", If_Match="*")[0], 412)
        self.assertEqual(self.put("b", "/t/new", b"y", If_None_Match="*")[0], 201)
        self.assertEqual(self.ask("c", "DELETE", "/t/new", headers={"If-Match": '"no"'})[0], 412)
        self.assertEqual(self.ask("c", "DELETE", "/t/new", headers={"If-Match": "*"})[0], 204)
        self.assertEqual(self.ask("a", "POST", "/t/there", b"x")[0], 405)

    def test_locked_by_another_process(self):
        self.write("a", "/t/locked", b"before")
        with self.locked():
            status, _, headers = self.put("b", "/t/locked", b"meanwhile")
            self.assertEqual((status, headers["Retry-After"]), (503, "1"))
            self.assertEqual([self.read(one, "/t/locked") for one in self.names], [b"before"] * 3)
            self.servers["a"].process.wait_log("unavailable for writing: .*locked")
        self.write("b", "/t/locked", b"after")
        self.servers["a"].process.wait_log("available for writing again")
        self.assertEqual(self.read("c", "/t/locked"), b"after")

    def test_the_file_is_gone(self):
        self.write("a", "/t/gone", b"kept")
        for end in ("", "-wal", "-shm"):
            os.rename(self.path + end, self.path + ".away" + end)
        self.assertEqual(self.put("a", "/t/gone", b"nowhere")[0], 503)
        self.assertEqual(self.read("a", "/t/never-asked-before"), 503)
        self.assertFalse(os.path.exists(self.path))
        for end in ("-wal", "-shm", ""):
            os.rename(self.path + ".away" + end, self.path + end)
        until(lambda: self.read("a", "/t/gone") == b"kept", "the file to be found")
        with contextlib.closing(sqlite3.connect(self.path)) as other, other:
            other.execute("UPDATE items SET body = 'theirs' WHERE key = 'gone'")
        self.assertEqual([self.read(one, "/t/gone") for one in self.names], [b"theirs"] * 3)
        self.write("a", "/t/gone", b"again")


class PausedOwner(WritesCase):
    conf = {"source": {"lock_timeout": "60s"}}

    def test_it_cannot_write_after_its_stand_in(self):
        self.write("a", "/t/k", b"before")
        owner, refused = self.servers["a"], {}
        # In the midst of a write: it waits for the lock.
        with self.locked():
            late = threading.Thread(target=lambda: refused.update(
                status=self.put("a", "/t/k", b"by the old owner")[0]))
            late.start()
            owner.wait(lambda: owner.metric("tandem_database_writes_waiting") >= 1,
                       "wait for the lock")
            owner.process.freeze()
            # Were it stopped with the lock, nobody could write at all.
            until(lambda: stopped(owner.process.pid), "all its threads to stop")
        try:
            self.lb.wait_online(["b", "c"])
            self.write("b", "/t/k", b"by the stand-in")
            self.assertEqual(self.read("c", "/t/k"), b"by the stand-in")
        finally:
            owner.process.thaw()
        late.join()
        self.assertEqual(refused["status"], 503)
        self.assertEqual(owner.metric("tandem_database_fenced_total"), 1)
        self.lb.wait_online(self.names)
        self.write("a", "/t/j", b"acts again")
        self.assertEqual([self.read(name, "/t/k") for name in self.names], [b"by the stand-in"] * 3)


class KilledOwner(WritesCase):
    conf = {"source": {"lock_timeout": "30s"}, "data": {"ask_timeout": "6s"}}
    writers = 4

    def test_no_write_fails_and_none_is_lost(self):
        """Each writes an item of its own by one of the others, and reads it by the other."""
        stop, returns = threading.Event(), threading.Event()
        wrong, done, kept = [], [0] * self.writers, {}

        def write(number):
            mine, other = ("b", "c") if number % 2 else ("c", "b")
            while not stop.is_set():
                body = b"%d of %d" % (done[number], number)
                status, _, headers = self.put(mine, f"/t/{number}", body)
                if status == 503 and returns.is_set() and headers["Retry-After"] == "1":
                    continue
                if status not in (201, 204):
                    wrong.append((number, done[number], status))
                    return
                kept[number] = body
                seen = self.read(other, f"/t/{number}")
                if seen != body:
                    wrong.append((number, body, seen))
                done[number] += 1

        threads = [threading.Thread(target=write, args=(n,)) for n in range(self.writers)]
        for thread in threads:
            thread.start()
        try:
            until(lambda: min(done) > 5 or wrong, "the writers to begin")
            self.servers["a"].process.kill()
            self.lb.wait_online(["b", "c"])
            at = list(done)
            until(lambda: all(n > then + 5 for n, then in zip(done, at)) or wrong,
                  "the stand-in to write")
            returns.set()
            self.servers["a"].start()
            self.lb.wait_online(self.names)
            at = list(done)
            until(lambda: all(n > then + 5 for n, then in zip(done, at)) or wrong,
                  "the owner to write again")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(wrong, [])
        for number, body in kept.items():
            self.assertEqual([self.read(name, f"/t/{number}") for name in self.names], [body] * 3)
        passed_on = sum(self.servers[n].metric("tandem_types_stood_in_total") for n in "bc")
        self.assertGreater(passed_on, 0)


class HeldByMirrors(WritesCase):
    """What session mirrors hold is not read from the database again when its owner dies."""
    ITEMS = 20

    def database_reads(self, names):
        return sum(self.servers[name].metric("tandem_database_reads_total") for name in names)

    def items(self):
        return [f"/t/{number}" for number in range(self.ITEMS)]

    def get_all(self, visitor):
        """The servers that answered."""
        replies = [visitor.get(path) for path in self.items()]
        self.assertEqual([reply["status"] for reply in replies], [200] * self.ITEMS)
        return {reply["server"] for reply in replies}

    def visitor_away_from_the_owner(self):
        for number in range(10):
            visitor = self.shop.start(Visitor(self.shop.folder, f"http://127.0.0.1:{self.lb.port}",
                                              name=f"visitor{number}"))
            at = self.get_all(visitor)
            if len(at) == 1 and at <= {"b", "c"}:
                return visitor, at
        raise AssertionError("all sessions are on the owner")

    def test_neither_the_death_of_the_owner_nor_its_return_reads_them_again(self):
        for path in self.items():
            self.write("a", path, b"item " + path.encode())
        visitor, at = self.visitor_away_from_the_owner()
        primary = self.servers[at.copy().pop()]
        self.get_all(visitor)
        before = self.database_reads("bc")

        self.servers["a"].process.kill()
        until(lambda: set(self.lb.online()) == {"b", "c"}, "the owner to be offline")
        self.assertEqual(self.get_all(visitor), at)
        self.assertEqual(self.database_reads("bc"), before)
        self.assertGreaterEqual(primary.metric("tandem_types_noted_used_total"), self.ITEMS)

        self.servers["a"].start()
        self.lb.wait_online(self.names)
        self.assertEqual(self.get_all(visitor), at)
        self.assertEqual(self.database_reads("abc"), before)

        # What somebody else writes ends it: the file is another one now.
        with contextlib.closing(sqlite3.connect(self.path)) as other, other:
            other.execute("UPDATE items SET body = 'new' WHERE type = 't' AND key = '0'")
        self.assertEqual(self.ask(primary.name, "GET", "/t/0")[1], b"new")
        self.assertGreater(self.database_reads("abc"), before)


class SilentOwner(WritesCase):
    """It is frozen, and nobody has noticed yet."""
    conf = {"status_interval": "10s", "buddies": {"interval": "10s"},
            "data": {"ask_timeout": "2s"}}
    balancer = {"control": {"status_interval": "10s"}}

    def test_the_master_is_told_and_the_stand_in_writes(self):
        self.write("b", "/t/k", b"before")
        self.servers["a"].process.freeze()
        try:
            self.assertEqual(self.put("b", "/t/k", b"meanwhile")[0], 204)
            self.assertEqual(self.ask("c", "DELETE", "/t/k")[0], 204)
            self.assertEqual(self.put("c", "/t/k", b"after")[0], 201)
            self.assertEqual(self.servers["b"].metric("tandem_types_reports_total"), 1)
            self.assertEqual(set(self.lb.online()), {"b", "c"})
        finally:
            self.servers["a"].process.thaw()
        self.lb.wait_online(self.names)
        # What it had been asked for while it stood still is of no consequence.
        self.write("b", "/t/j", b"acts again")
        self.assertEqual([self.read(name, "/t/k") for name in self.names], [b"after"] * 3)


class DirectWriter(WritesCase):
    """A client of the library that asks each item of its owner, with no balancer between."""
    conf = {"direct": True, "data": {"ask_timeout": "6s"}, "source": {"lock_timeout": "30s"}}
    balancer = merged(FAST, {"front": {"server_list": True}})

    def fence(self):
        """(since which version of the view, who) of the server that last wrote /t/."""
        with contextlib.closing(sqlite3.connect(self.path)) as other:
            return other.execute("SELECT counter, server FROM owners WHERE name = '/t/'").fetchone()

    def put(self, path, body):
        reply = self.visitor.put(path, body)
        self.assertEqual((reply["ok"], reply["status"] in (201, 204), reply["direct"]),
                         (True, True, True), reply)
        self.kept[path] = body.encode()
        return reply["server"]

    def check_kept(self, names):
        for path, body in self.kept.items():
            self.assertEqual([self.read(name, path) for name in names], [body] * len(names), path)

    def test_the_owner_is_killed_and_its_stand_in_writes_under_a_newer_epoch(self):
        self.kept = {}
        self.visitor = self.shop.start(Visitor(self.shop.folder, f"http://127.0.0.1:{self.lb.port}",
                                               "--direct", "--by-type", "--retry-after-ms", "300"))
        for number in range(5):
            self.assertEqual(self.put(f"/t/{number}", f"{number} by the owner"), "a")
        asked = [self.servers[name].metric("tandem_types_asked_total") for name in self.names]
        self.assertEqual(asked, [0, 0, 0], "no server had to ask another")
        before = self.fence()
        self.servers["a"].process.kill()

        by = {self.put(f"/t/{number}", f"{number} by the stand-in") for number in range(1, 5)}
        self.assertEqual(len(by), 1, by)
        stand_in = by.pop()
        self.assertIn(stand_in, ("b", "c"))
        since, writer = self.fence()
        self.assertGreater(since, before[0])
        self.assertNotEqual(writer, before[1])
        self.assertEqual(self.servers[stand_in].metric("tandem_types_claimed_total"), 1)
        gone = self.visitor.remove("/t/4")
        self.assertEqual((gone["status"], gone["server"]), (204, stand_in), gone)
        del self.kept["/t/4"]
        self.assertEqual([self.read(name, "/t/4") for name in "bc"], [404, 404])
        self.check_kept("bc")

        self.servers["a"].start()
        self.lb.wait_online(self.names)
        until(lambda: self.put("/t/0", "by the owner again") == "a", "the owner to be asked again")
        self.assertGreater(self.fence()[0], since)
        self.check_kept(self.names)
        self.assertEqual(self.read("c", "/t/4"), 404)


class FullDisk(WritesCase):
    """On a tmpfs of this process's own mount namespace."""
    names = ("a", "b")

    @classmethod
    def set_up_class(cls):
        libc = ctypes.CDLL(None, use_errno=True)
        cls.folder = os.path.join(cls.shop.folder, "disk")
        os.makedirs(cls.folder)
        if libc.unshare(0x00020000) != 0:  # CLONE_NEWNS
            raise unittest.SkipTest("no mount namespace: " + os.strerror(ctypes.get_errno()))
        for words in (["--make-rprivate", "/"],
                      ["-t", "tmpfs", "-o", "size=1m", "none", cls.folder]):
            done = subprocess.run(["mount", *words], capture_output=True, text=True,
                                  timeout=PATIENCE)
            if done.returncode != 0:
                raise unittest.SkipTest("no mount: " + done.stderr.strip())
        super().set_up_class()

    def test_what_was_acknowledged_is_kept(self):
        kept = {}
        for number in range(200):
            body = os.urandom(16 * 1024)
            status, _, headers = self.put("ab"[number % 2], f"/t/{number}", body)
            if status == 503:
                self.assertEqual(headers["Retry-After"], "1")
                break
            self.assertEqual(status, 201)
            kept[number] = body
        else:
            self.fail("the disk was never full")
        self.assertGreater(len(kept), 5)
        self.servers["a"].process.wait_log("unavailable for writing: .*full")
        for number, body in kept.items():
            self.assertEqual(self.read("ba"[number % 2], f"/t/{number}"), body)


if __name__ == "__main__":
    main()
