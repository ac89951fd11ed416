"""Servers that watch each other, each a host of its own: a process that is killed, one that is
stopped, hosts that are cut off from some and from all; and pings of hosts by ICMP."""

import contextlib
import os
import re
import signal
import subprocess
import time
import unittest

from case import Case, main
from cluster import Cluster, Server, make_site, program
from network import Network, Unavailable
from process import PATIENCE, until

INTERVAL = 2.0  # seconds; long beside what a loaded machine takes for anything


def buddies_of(server, but_suspects=False):
    return {buddy["name"]: buddy for buddy in server.status().get("buddies", [])
            if not (but_suspects and buddy["suspected"])}


class Watches(Case):
    """What the tests share."""

    ping = "channel"

    @classmethod
    def set_up_class(cls):
        try:
            cls.network = Network()
            cls.hosts = {name: cls.network.host(cls.shop, name) for name in "abcde"}
        except Unavailable as reason:
            raise unittest.SkipTest(f"no network namespaces here: {reason}") from None
        for host in cls.hosts.values():
            cls.allow_ping(host)
        site = make_site(os.path.join(cls.shop.folder, "site"), files=3)
        cls.cluster = Cluster(
            cls.shop, site, servers=5, hosts=cls.hosts, here=cls.network.here,
            server={"buddies": {"interval": f"{int(INTERVAL * 1000)}ms", "ping": cls.ping}})
        cls.lb = cls.cluster.lb

    @staticmethod
    def allow_ping(host):
        subprocess.run([*host.enter, "sysctl", "-qw", "net.ipv4.ping_group_range=0 2147483647"],
                       check=True, timeout=PATIENCE)

    def setUp(self):
        self.lb.wait_online(self.cluster.names)
        self.ring_is_whole(self.cluster.names)

    def ring_is_whole(self, names):
        """Each of them has two buddies, is the buddy of both, and hears them."""
        def whole():
            watched = {name: set(buddies_of(self.cluster.servers[name], but_suspects=True))
                       for name in names}
            return all(len(watched[name]) == 2 and watched[name] <= set(names)
                       and all(name in watched[buddy] for buddy in watched[name])
                       for name in names)
        until(whole, f"a whole ring of {sorted(names)}")

    def others(self, *but):
        return [name for name in self.cluster.names if name not in but]

    def metrics(self, name):
        return sum(server.metric(name) for server in self.cluster.living())

    def log_of(self, name):
        return self.cluster.servers[name].process.log()

    @contextlib.contextmanager
    def accuses_nobody(self, name):
        """Whatever happens to it within."""
        server = self.cluster.servers[name]
        log = len(self.log_of(name))
        reports = server.metric("tandem_buddy_reports_total")
        yield
        self.assertNotIn(" is reported: ", self.log_of(name)[log:])
        self.assertEqual(server.metric("tandem_buddy_reports_total"), reports)


class Deaths(Watches):
    def tearDown(self):
        for server in self.cluster.servers.values():
            if not server.process.alive():
                server.start()

    def test_a_killed_process_is_offline_without_waiting_for_a_ping(self):
        victim = self.cluster.servers["c"]
        began = time.monotonic()
        victim.process.kill()
        self.lb.wait_online(self.others("c"))
        took = time.monotonic() - began
        print(f"killed: offline after {took * 1000:.0f} ms, {took / INTERVAL:.3f} intervals",
              flush=True)
        self.assertLess(took, INTERVAL / 4)
        self.ring_is_whole(self.others("c"))

    def test_a_stopped_process_is_offline_and_accuses_nobody_when_it_goes_on(self):
        victim = self.cluster.servers["b"]
        with self.accuses_nobody("b"):
            began = time.monotonic()
            os.kill(victim.process.pid, signal.SIGSTOP)
            try:
                self.lb.wait_online(self.others("b"))
                took = time.monotonic() - began
                print(f"stopped: offline after {took:.2f} s, {took / INTERVAL:.2f} intervals",
                      flush=True)
                self.ring_is_whole(self.others("b"))
            finally:
                os.kill(victim.process.pid, signal.SIGCONT)
            self.lb.wait_online(self.cluster.names)
            self.ring_is_whole(self.cluster.names)


class Partitions(Watches):
    def tearDown(self):
        self.network.heal(*self.hosts.values())

    def stays_online(self, victim, sign):
        """For as long as it takes to be reported, verified and more."""
        until(sign, "the partition to be noticed")
        end = time.monotonic() + 2 * INTERVAL
        while time.monotonic() < end:
            self.assertEqual(self.lb.online(), set(self.cluster.names))
            time.sleep(0.1)

    def has_exchanged(self, name):
        """Pings on both of its links: before, only one end of a link knows when it is used."""
        def exchanges():
            server = self.cluster.servers[name]
            return sum(server.metric(f"tandem_buddy_{what}_total")
                       for what in ("pings_answered", "pongs_sent"))
        before = exchanges()
        until(lambda: exchanges() >= before + 4, f"the pings of {name}")

    def test_cut_off_from_its_buddies_but_not_from_the_master_nothing_changes(self):
        victim = "c"
        buddies = list(buddies_of(self.cluster.servers[victim]))
        hosts = [self.hosts[name] for name in buddies]
        self.network.part(self.hosts[victim], *hosts)
        try:
            self.stays_online(victim, lambda: self.metrics("tandem_buddy_suspicions_total") > 0)
        finally:
            self.network.join(self.hosts[victim], *hosts)

    def test_cut_off_from_the_master_but_not_from_its_buddies_nothing_changes(self):
        victim = "d"
        self.network.part(self.hosts[victim], self.network.here)
        try:
            self.stays_online(victim, lambda: self.metrics("tandem_buddy_looks_total") > 0)
        finally:
            self.network.join(self.hosts[victim], self.network.here)

    def test_cut_off_from_all_it_is_offline_and_accuses_nobody_when_it_is_back(self):
        victim = "e"
        self.has_exchanged(victim)
        with self.accuses_nobody(victim):
            self.network.cut(self.hosts[victim])
            self.lb.wait_online(self.others(victim))
            self.ring_is_whole(self.others(victim))
            self.network.heal(self.hosts[victim])
            self.lb.wait_online(self.cluster.names)
            self.ring_is_whole(self.cluster.names)


class Icmp(Watches):
    """A dead host is told from a dead process."""

    ping = "channel+icmp"

    def tearDown(self):
        self.network.heal(*self.hosts.values())

    def reported(self, text):
        until(lambda: any(re.search(text, self.log_of(name)) for name in self.cluster.names),
              f"a report that says {text!r}")

    def test_a_frozen_process_on_a_living_host(self):
        victim = self.cluster.servers["b"].process
        os.kill(victim.pid, signal.SIGSTOP)
        try:
            self.reported("b is reported: it does not answer, though its host does")
        finally:
            os.kill(victim.pid, signal.SIGCONT)

    def test_a_host_that_is_gone(self):
        self.network.cut(self.hosts["c"])
        self.reported("c is reported: neither it nor its host answers")

    def test_where_the_system_forbids_it_the_server_says_so_and_does_not_start(self):
        subprocess.run([*self.hosts["a"].enter, "sysctl", "-qw", "net.ipv4.ping_group_range=1 0"],
                       check=True, timeout=PATIENCE)
        try:
            made = Server(self.shop.folder, "z", [self.lb], self.cluster.key,
                          self.cluster.origins["a"].url, {"buddies": {"ping": "channel+icmp"}},
                          self.hosts["a"])
            done = subprocess.run([*made.host.enter, program("tandem-server"), "--config",
                                   made.conf_path], capture_output=True, text=True,
                                  timeout=PATIENCE)
        finally:
            self.allow_ping(self.hosts["a"])
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertRegex(done.stderr, r"tandem-server\.toml:\d+:\d+: .*forbids ping sockets.*"
                                      r"net\.ipv4\.ping_group_range")


del Watches  # not a test of its own


if __name__ == "__main__":
    main()
