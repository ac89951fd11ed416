"""Two balancers, one the other's master, and three servers, one registered with the follower
alone: kills, freezes and restarts of both. Traffic goes on through whichever is there."""

import os
import signal

import raw
from case import Case, main
from cluster import Balancer, Server
from process import until
from visitor import Visitor

INTERVAL = "200ms"


class Master(Case):
    @classmethod
    def set_up_class(cls):
        cls.key = cls.shop.key()
        cls.apps = {name: raw.Origin(name) for name in "abc"}
        timing = {"control": {"status_interval": INTERVAL}}
        cls.master = cls.shop.start(Balancer(cls.shop.folder, timing, name="master",
                                             key_file=cls.key))
        cls.follower = cls.shop.start(Balancer(
            cls.shop.folder,
            {**timing, "master": {"address": f"127.0.0.1:{cls.master.control_port}"},
             "front": {"server_list": True}},
            name="follower", key_file=cls.key))
        both, one = [cls.master, cls.follower], [cls.follower]
        cls.servers = {
            name: cls.shop.start(Server(cls.shop.folder, name, one if name == "c" else both,
                                        cls.key, app.url, {"status_interval": INTERVAL}))
            for name, app in cls.apps.items()}

    def setUp(self):
        self.wait_whole()

    def wait_whole(self):
        """Both balancers and all servers work from the same view of the master, all online."""
        for lb in (self.master, self.follower):
            lb.wait_online(self.servers)
        self.follower.wait(lambda: self.follower.status()["master"]["followed"],
                           "follow the master")
        self.wait_same_view()

    def wait_same_view(self):
        def same():
            views = {self.master.status()["view"]["version"],
                     self.follower.status()["view"]["version"]}
            views |= {server.status().get("view_version") for server in self.servers.values()
                      if server.process.alive()}
            return len(views) == 1
        until(same, "one view everywhere")

    def sessions(self, lb, count=6):
        """Cookies of confirmed sessions, by the name of their server."""
        made = []
        for _ in range(count):
            cookie = raw.fetch(lb.port).cookie()
            second = raw.fetch(lb.port, cookie=cookie)
            self.assertEqual(second.status, 200)
            made.append(second.cookie() or cookie)
        return made

    def go_on(self, lb, cookies):
        """One request of each session."""
        for number, cookie in enumerate(cookies):
            response = raw.fetch(lb.port, cookie=cookie)
            self.assertEqual(response.status, 200)
            cookies[number] = response.cookie() or cookie

    def wait_alone(self):
        self.follower.wait(lambda: not self.follower.status()["master"]["followed"],
                           "act on what it sees itself")
        self.assertTrue(self.follower.status()["view"]["stand_in"])

    def test_the_masters_view_is_everybodys(self):
        status = self.follower.status()
        self.assertFalse(status["view"]["stand_in"])
        self.assertEqual((status["view"]["balancers"], self.master.status()["view"]["balancers"]),
                         (2, 2))
        # The follower alone sees this one: the master knows it from the follower.
        self.assertFalse(self.master.servers()["c"]["connected"])
        self.assertTrue(self.follower.servers()["c"]["connected"])
        self.go_on(self.follower, self.sessions(self.master))
        # After the first whole view of a connection, changes are told.
        self.servers["c"].process.kill()
        self.servers["c"].start()
        # The view is whole before it is noticed, too.
        self.master.wait(lambda: self.master.metric("tandem_view_changes_told_total") > 0,
                         "tell a change")
        self.wait_whole()
        self.assertEqual(self.follower.metric("tandem_master_view_gaps_total"), 0)
        # Whoever of the two told it first: it is the master's.
        self.assertEqual(self.servers["a"].metric("tandem_balancer_followed"), 1)
        self.assertEqual(self.servers["a"].metric("tandem_balancer_stand_in"), 0)

    def test_a_clients_report_goes_through_the_follower_to_the_master(self):
        visitor = self.shop.start(Visitor(self.shop.folder,
                                          f"http://127.0.0.1:{self.follower.port}"))
        listed = visitor.get("?servers")
        self.assertEqual(listed["servers"], {"a": True, "b": True, "c": True}, listed["message"])
        self.assertEqual(listed["version"], self.master.status()["view"]["version"])
        reports = self.master.metric("tandem_reports_of_followers_total")
        response = raw.fetch(self.follower.port, "/.well-known/tandem/report?server=a",
                             method="POST")
        self.assertEqual(response.status, 202)
        self.master.wait(lambda: self.master.metric("tandem_reports_of_followers_total") >
                         reports, "hear of it")
        self.follower.wait(lambda: self.follower.metric("tandem_client_reports_total") == 1,
                           "count it")
        for lb in (self.master, self.follower):
            self.assertEqual(lb.online(), set(self.servers))  # a report alone changes nothing

    def test_without_the_master_traffic_goes_on_and_deaths_are_noticed(self):
        cookies = self.sessions(self.follower)
        self.master.process.kill()
        self.go_on(self.follower, cookies)
        self.wait_alone()
        victim = self.servers["a"]
        victim.process.kill()
        self.go_on(self.follower, cookies)
        self.follower.wait_online({"b", "c"})
        until(lambda: self.servers["b"].metric("tandem_peer_links") == 1,
              "the servers to follow the stand-in")
        self.go_on(self.follower, cookies)
        victim.start()
        self.follower.wait_online(self.servers)
        alone = self.follower.status()["view"]["version"]
        self.master.start()
        self.wait_whole()
        self.assertGreater(self.master.status()["view"]["version"], alone)
        self.go_on(self.master, cookies)
        self.go_on(self.follower, cookies)

    def test_a_restarted_master_never_says_that_the_servers_are_gone(self):
        cookies = self.sessions(self.follower)
        self.master.process.kill()
        self.master.start()
        self.follower.wait(lambda: self.follower.status()["master"]["followed"],
                           "follow the master again")
        self.assertEqual(self.follower.online(), set(self.servers))
        self.go_on(self.follower, cookies)

    def test_a_follower_that_was_away_catches_up(self):
        self.follower.process.kill()
        self.servers["b"].process.kill()
        self.master.wait(lambda: self.master.online() == {"a", "c"}, "see that b is dead")
        self.assertEqual(self.master.status()["view"]["balancers"], 1)
        self.follower.start()
        self.follower.wait_online({"a", "c"})
        self.wait_same_view()
        self.servers["b"].start()
        self.wait_whole()

    def test_a_frozen_master_is_left_until_it_is_heard_again(self):
        cookies = self.sessions(self.follower)
        os.kill(self.master.process.pid, signal.SIGSTOP)
        try:
            self.wait_alone()
            self.go_on(self.follower, cookies)
            name = f'tandem_balancer_followed{{balancer="127.0.0.1:{self.follower.control_port}"}}'
            until(lambda: self.servers["a"].metrics()[name] == 1, "a to follow the stand-in")
        finally:
            os.kill(self.master.process.pid, signal.SIGCONT)
        self.wait_whole()


if __name__ == "__main__":
    main()
