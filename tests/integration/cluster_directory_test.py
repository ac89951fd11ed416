"""The directory: what administrators read in it, what happens while its database is locked, full,
gone or read-only, and how a balancer that is killed starts again from it."""

import ctypes
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import unittest

import raw
from case import Case, main
from cluster import Balancer, Cluster, make_site, program
from ports import free_port
from process import PATIENCE, Process, until

PAGE = "/page000.html"
FAST = {"status_interval": "100ms"}


def select(path, query):
    """The rows of a query, as an administrator with a client of his own gets them."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=PATIENCE) as database:
        rows = database.execute(query).fetchall()
    database.close()
    return rows


def select_or_none(path, query):
    try:
        return select(path, query)
    except sqlite3.Error:
        return None


class Locked:
    """Another process holds the database, until the with-block ends."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        self.child = subprocess.Popen(
            [sys.executable, "-c",
             "import sqlite3, sys\n"
             "database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)\n"
             "database.execute('BEGIN EXCLUSIVE')\n"
             "print('locked', flush=True)\n"
             "sys.stdin.read()\n", self.path],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.child.stdout.readline() == b"locked\n"
        return self

    def __exit__(self, *_):
        self.child.communicate(timeout=PATIENCE)


class DirectoryCase(Case):
    servers_wanted = 3
    balancer_conf = {"control": FAST}

    @classmethod
    def set_up_class(cls):
        site = make_site(os.path.join(cls.shop.folder, "site"), files=2)
        cls.cluster = Cluster(cls.shop, site, servers=cls.servers_wanted, server=FAST,
                              balancer=cls.balancer_conf)
        cls.lb = cls.cluster.lb
        cls.path = os.path.join(cls.lb.folder, "directory.db")

    def setUp(self):
        if not self.lb.process.alive():
            self.lb.start()
        for server in self.cluster.servers.values():
            if not server.process.alive():
                server.start()
        self.lb.wait_online(self.cluster.names)
        self.settle()

    def settle(self, timeout=None):
        self.lb.wait(lambda: self.lb.metrics().get("tandem_directory_pending_changes") == 0
                     and self.lb.metrics()["tandem_directory_unavailable_seconds"] == 0,
                     "write all that has changed", timeout)

    def states(self):
        rows = select_or_none(self.path, "SELECT name, state FROM servers")
        return dict(rows) if rows is not None else None

    def wait_states(self, wanted):
        until(lambda: self.states() == wanted, f"the directory to say {wanted}")

    def ask(self, cookie=None):
        response = raw.fetch(self.lb.port, PAGE, cookie=cookie)
        self.assertEqual(response.status, 200)
        return response.get("Tandem-Server"), response.cookie() or cookie

    def session(self):
        _, cookie = self.ask()
        return self.ask(cookie)

    def wait_served(self, number=20):
        for _ in range(number):
            self.ask()

    def status(self):
        return self.lb.status()["directory"]


class Reading(DirectoryCase):
    def test_administrators_can_select_from_it(self):
        rows = select(self.path, "SELECT name, data_address, capacity, threshold, group_name "
                                 "FROM active_servers")
        self.assertEqual(rows, [(name, f"127.0.0.1:{server.port}", 1000, 800, "default")
                                for name, server in self.cluster.servers.items()])
        kinds = [kind for kind, in select(self.path, "SELECT kind FROM event_log "
                                                     "WHERE server = 'a'")]
        self.assertEqual(kinds[0], "joined")

    def test_in_steady_state_no_statement_runs(self):
        before = self.lb.metric("tandem_directory_statements_total")
        self.assertGreater(before, 0)
        sequence = self.lb.servers()["a"]["status_sequence"]
        self.lb.wait(lambda: self.lb.servers()["a"]["status_sequence"] >= sequence + 30,
                     "hear thirty reports")
        self.assertEqual(self.lb.metric("tandem_directory_statements_total"), before)

    def test_death_and_return_are_in_it(self):
        self.cluster.servers["b"].process.kill()
        self.wait_states({"a": "online", "b": "offline", "c": "online"})
        self.cluster.servers["b"].start()
        self.wait_states({"a": "online", "b": "online", "c": "online"})
        self.assertEqual(self.cluster.servers["c"].process.stop(), 0)
        self.wait_states({"a": "online", "b": "online", "c": "left"})


    def ctl(self, *words, status=0):
        done = subprocess.run(
            [program("tandemctl"), *words, "--admin", f"http://127.0.0.1:{self.lb.admin_port}"],
            capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout

    def test_tandemctl_shows_what_is_in_it(self):
        self.assertRegex(self.ctl("servers"), r"(?m)^a +online +- +default +127.0.0.1:")
        shown = {server["name"]: server["state"]
                 for server in json.loads(self.ctl("servers", "--json"))["servers"]}
        self.assertEqual(shown, self.states())
        ring = json.loads(self.ctl("ring", "--json"))["ring"]
        self.assertEqual(sorted((one["server"], one["first"], one["second"]) for one in ring),
                         select(self.path, "SELECT * FROM ring"))
        events = json.loads(self.ctl("events", "--json"))["events"]
        self.assertEqual([(event["at"], event["kind"], event["server"], event["text"])
                          for event in events],
                         select(self.path, "SELECT * FROM events ORDER BY logged"))
        self.assertRegex(self.ctl("events"), r"(?m) joined +a  registered$")

    def test_tandemctl_verifies(self):
        self.assertEqual(self.ctl("verify", "a"), "a answers\n")
        self.cluster.servers["a"].process.freeze()
        try:
            self.assertRegex(self.ctl("verify", "a", status=1), "a does not answer: no answer")
        finally:
            self.cluster.servers["a"].process.thaw()
        self.ctl("verify", "nobody", status=1)

    def test_tandemctl_follows_events(self):
        follower = self.shop.start(Process("follower", [
            program("tandemctl"), "events", "--follow", "--admin",
            f"http://127.0.0.1:{self.lb.admin_port}"],
            os.path.join(self.shop.folder, "follower.log")))
        follower.wait_log("joined +a ")
        self.lb.process.kill()
        follower.wait_log("trying again")
        self.lb.start()
        self.cluster.servers["b"].process.kill()
        follower.wait_log("offline +b ")
        self.assertEqual(follower.log().count("joined           a"), 1)


class Faults(DirectoryCase):
    def kill_c_while_it_is_away(self, why):
        """Everything but writing goes on: c is killed, seen offline, its sessions are served."""
        name, cookie = self.session()
        while name != "c":
            name, cookie = self.session()
        self.cluster.servers["c"].process.kill()
        self.assertNotEqual(self.ask(cookie)[0], "c")
        self.lb.wait_online({"a", "b"}, timeout=10)
        self.lb.process.wait_log("the directory is unavailable, changes of membership wait: .*"
                                 + why)
        self.assertGreater(self.status()["pending_changes"], 0)
        self.lb.wait(lambda: self.lb.metric("tandem_directory_unavailable_seconds") > 0,
                     "count the time")
        self.wait_served()

    def back(self):
        self.settle()
        self.lb.process.wait_log("the directory is available again")
        self.wait_states({"a": "online", "b": "online", "c": "offline"})
        # Neither lost nor written twice.
        rows = select(self.path, "SELECT server, kind, logged FROM events")
        self.assertEqual(len(rows), len(set(rows)))
        self.assertEqual([kind for server, kind, _ in rows if server == "c"][-1], "offline")

    def offline_events(self):
        return select(self.path, "SELECT count(*) FROM events WHERE server = 'c' "
                                 "AND kind = 'offline'")[0][0]

    def test_locked_by_another_process(self):
        before = self.offline_events()
        with Locked(self.path):
            self.kill_c_while_it_is_away("database is locked")
            self.assertEqual(self.states()["c"], "online")  # and it can be read meanwhile
        self.back()
        self.assertEqual(self.offline_events(), before + 1)

    def test_file_unlinked(self):
        for end in ("", "-wal", "-shm"):
            if os.path.exists(self.path + end):
                os.unlink(self.path + end)
        # Noticed without any change, and written anew, whole.
        self.wait_states({name: "online" for name in self.cluster.names})
        self.lb.process.wait_log("directory.db: No such file or directory")
        self.wait_served()

    def test_file_replaced_by_an_old_copy(self):
        old = os.path.join(self.lb.folder, "old.db")
        with sqlite3.connect(self.path) as database, sqlite3.connect(old) as copy:
            database.backup(copy)
            copy.execute("UPDATE servers SET state = 'offline'")
            copy.execute("UPDATE meta SET value = value + 1000 WHERE key = 'last_change'")
        copy.close()
        database.close()
        os.rename(old, self.path)
        self.lb.process.wait_log("the file was replaced by another")
        self.wait_states({name: "online" for name in self.cluster.names})

    def test_locked_when_the_balancer_starts(self):
        self.lb.process.kill()
        with Locked(self.path):
            self.lb.start()
            self.wait_served()  # it can be read
            self.kill_c_while_it_is_away("database is locked")
        self.back()

    def test_another_balancer_may_not_write_it(self):
        other = self.shop.start(Balancer(self.shop.folder, {
            "control": FAST, "directory": {"url": "sqlite:" + self.path}},
            key_file=self.cluster.key, name="other"))
        other.process.wait_log("another balancer writes this directory")
        self.assertEqual(other.process.stop(), 0)
        self.wait_states({name: "online" for name in self.cluster.names})


class SmallDisk(Faults):
    """On a tmpfs of this process's own mount namespace."""

    @classmethod
    def set_up_class(cls):
        libc = ctypes.CDLL(None, use_errno=True)
        cls.disk = os.path.join(cls.shop.folder, "disk")
        os.makedirs(cls.disk)
        if libc.unshare(0x00020000) != 0:  # CLONE_NEWNS
            raise unittest.SkipTest("no mount namespace: " + os.strerror(ctypes.get_errno()))
        cls.mount("--make-rprivate", "/")
        cls.mount("-t", "tmpfs", "-o", "size=512k", "none", cls.disk)
        cls.balancer_conf = {"control": FAST,
                             "directory": {"url": f"sqlite:{cls.disk}/directory.db"}}
        super().set_up_class()
        cls.path = os.path.join(cls.disk, "directory.db")

    @classmethod
    def mount(cls, *words):
        done = subprocess.run(["mount", *words], capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode != 0:
            raise unittest.SkipTest("no mount: " + done.stderr.strip())

    def fill(self):
        self.filler = os.path.join(self.disk, "filler")
        with open(self.filler, "wb", buffering=0) as out:
            try:
                while True:
                    out.write(bytes(4096))
            except OSError:
                pass

    def test_disk_full(self):
        # The log of changes is begun anew, so that it needs room.
        with sqlite3.connect(self.path, timeout=PATIENCE) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        self.fill()
        self.kill_c_while_it_is_away("(database or disk is full|disk I/O error)")
        os.unlink(self.filler)
        self.back()

    def test_read_only_when_the_balancer_starts(self):
        self.lb.process.kill()
        self.mount("-o", "remount,ro", self.disk)
        self.lb.start()
        self.wait_served()
        self.kill_c_while_it_is_away("readonly database")
        self.mount("-o", "remount,rw", self.disk)
        self.back()

    # Those of Faults have run elsewhere.
    test_locked_by_another_process = test_file_unlinked = None
    test_file_replaced_by_an_old_copy = test_locked_when_the_balancer_starts = None
    test_another_balancer_may_not_write_it = None


class Restart(DirectoryCase):
    def test_its_servers_are_known_before_they_register(self):
        """The control listener moves where nobody finds it: what is known comes from the
        directory alone."""
        sessions = [self.session() for _ in range(6)]
        version = self.lb.status()["view"]["version"]
        found = self.lb.control_port
        self.lb.process.kill()
        self.lb.write_conf({"control": {"listen": f"127.0.0.1:{free_port()}"}})
        self.lb.start()
        for name, cookie in sessions:
            self.assertEqual(self.ask(cookie)[0], name)
        self.assertEqual({self.ask()[0] for _ in range(9)}, set(self.cluster.names))
        view = self.lb.status()["view"]
        self.assertGreater(view["version"], version)
        self.assertEqual({server["connected"] for server in view["servers"]}, {False})
        self.assertEqual({server["capacity"] for server in view["servers"]}, {1000})
        # One that is dead is found out without its ever having been connected.
        self.cluster.servers["b"].process.kill()
        self.lb.wait_online({"a", "c"})
        self.lb.process.kill()
        self.lb.write_conf({"control": {"listen": f"127.0.0.1:{found}"}})
        self.lb.start()
        self.assertEqual(self.lb.online(), {"a", "c"})

    def test_who_was_drained_stays_drained(self):
        """A plain server, too, which cannot say so itself."""
        plain = [(name, f"127.0.0.1:{self.lb.port}") for name in ("p", "q")]
        self.lb.process.kill()
        self.lb.write_conf({"server": self.lb.plain_entries(plain)})
        self.lb.start()
        self.lb.wait_online([*self.cluster.names, "p", "q"])
        self.lb.wait(lambda: self.lb.servers()["a"]["connected"], "meet a")
        for name in ("a", "p"):
            raw.fetch(self.lb.admin_port, f"/drain?server={name}&on=true", method="POST")
        self.lb.wait(lambda: self.draining() == {"a", "p"}, "drain")
        self.settle()
        self.assertEqual(select(self.path, "SELECT name FROM drained"), [("a",), ("p",)])
        self.lb.process.kill()
        self.lb.start()
        self.assertEqual(self.draining(), {"a", "p"})
        self.lb.wait(lambda: self.lb.servers()["a"]["connected"], "meet a again")
        for name in ("a", "p"):
            raw.fetch(self.lb.admin_port, f"/drain?server={name}&on=false", method="POST")
        self.lb.wait(lambda: self.draining() == set(), "drain nobody")
        self.settle()
        self.lb.process.kill()
        del self.lb.sections["server"]
        self.lb.write_conf()
        self.lb.start()
        self.assertEqual(self.draining(), set())

    def draining(self):
        return {name for name, server in self.lb.servers().items() if server["draining"]}

    def test_under_load_no_first_request_waits(self):
        """kill -9 of the balancer while clients ask: every request that it accepts afterwards is
        served, from the first on."""
        _, cookie = self.session()
        refused, served, bad = [0], [0], []
        ends = threading.Event()

        def client():
            while not ends.is_set():
                try:
                    response = raw.fetch(self.lb.port, PAGE, cookie=cookie)
                except (OSError, AssertionError):  # nobody listens, or it was killed
                    refused[0] += 1
                    continue
                served[0] += 1
                if response.status != 200:
                    bad.append((response.status, response.body))

        clients = [threading.Thread(target=client) for _ in range(4)]
        for one in clients:
            one.start()
        for _ in range(3):
            before = served[0]
            until(lambda seen=before: served[0] > seen + 20, "some requests")
            self.lb.process.kill()
            self.lb.start()
        before = served[0]
        until(lambda: served[0] > before + 20, "requests after the last restart")
        ends.set()
        for one in clients:
            one.join()
        self.assertEqual(bad, [])
        self.assertGreater(refused[0], 0)


class KilledAtEveryWrite(DirectoryCase):
    @classmethod
    def set_up_class(cls):
        if shutil.which("strace") is None:
            raise unittest.SkipTest("no strace")
        super().set_up_class()

    def ring(self):
        return {server["name"]: (server.get("first_buddy", ""), server.get("second_buddy", ""))
                for server in self.lb.servers().values() if server["online"]}

    def test_killed_at_every_write_of_a_change(self):
        """strace ends the real balancer at its nth write to the database; the next one starts
        from what is there, and directory and view agree."""
        version = self.lb.status()["view"]["version"]
        killed = 0
        for nth in range(1, 40):
            self.lb.process.kill()
            for end in ("", "-wal", "-shm"):
                if os.path.exists(self.path + end):
                    os.unlink(self.path + end)
            traced = Process("traced", [
                "strace", "-f", "-qq", "-o", "/dev/null", "-P", self.path, "-P",
                self.path + "-wal", "-e", "trace=pwrite64", "-e",
                f"inject=pwrite64:signal=KILL:when={nth}", *self.lb.process.argv],
                os.path.join(self.lb.folder, "traced"), cwd=self.lb.folder)
            traced.start()
            self.shop.add(traced)

            def look(one=traced):
                seen = self.lb.status().get("view", {}).get("version", 0)
                self.seen = max(getattr(self, "seen", 0), seen)
                return not one.alive() or (self.lb.metrics().get(
                    "tandem_directory_pending_changes") == 0 and
                    self.lb.online() == set(self.cluster.names))
            until(look, "it to be killed or to have written all")
            ended = traced.alive()
            killed += not ended
            traced.kill()
            self.lb.start()
            self.lb.wait_online(self.cluster.names)
            self.settle()
            self.assertGreater(self.lb.status()["view"]["version"], max(version, self.seen))
            version = self.lb.status()["view"]["version"]
            self.wait_states({name: "online" for name in self.cluster.names})
            rows = {name: (first or "", second or "") for name, first, second in
                    select(self.path, "SELECT server, first, second FROM ring")}
            self.assertEqual(rows, {name: buddies for name, buddies in self.ring().items()
                                    if buddies != ("", "")})
            if ended:
                break
        self.assertGreater(killed, 3)


del DirectoryCase  # a base, not a test

if __name__ == "__main__":
    main()
