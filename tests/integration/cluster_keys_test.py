"""Keys rotate under a running cluster: processes take the new key file at different times, some by
a signal and some by themselves, and no session and no link is lost."""

import os
import shutil
import subprocess
import time

import raw
from case import Case, main
from cluster import Balancer, Server, program
from process import PATIENCE, until

PAST, FUTURE = 1, 4_000_000_000


class Rotation(Case):
    """A balancer and two servers, each with a copy of the key file of its own."""

    def setUp(self):
        folder = os.path.join(self.shop.folder, self.id().rsplit(".", 1)[-1])
        os.makedirs(folder)
        self.master = os.path.join(folder, "master.key")
        self.tandemctl("keygen", self.master)
        self.copies = {name: os.path.join(folder, name + ".key") for name in ("lb", "a", "b")}
        for copy in self.copies.values():
            shutil.copyfile(self.master, copy)
            os.chmod(copy, 0o600)
        self.lb = self.shop.start(Balancer(folder, key_file=self.copies["lb"]))
        self.origins = [raw.Origin(name) for name in "ab"]
        self.programs = {"lb": self.lb}
        for name, origin in zip("ab", self.origins):
            self.programs[name] = self.shop.start(
                Server(folder, name, [self.lb], self.copies[name], f"http://{origin.address}"))
        self.lb.wait_online("ab")
        self.wait_linked()

    def tearDown(self):
        for origin in self.origins:
            origin.close()
        for part in self.programs.values():
            part.process.kill()

    def tandemctl(self, *words):
        return subprocess.run([program("tandemctl"), *words], check=True, capture_output=True,
                              text=True, timeout=PATIENCE).stdout

    def wait_linked(self):
        for name in "ab":
            server = self.programs[name]
            server.wait(lambda one=server: one.status().get("peer_links") == 1, "have its peer")

    def keys(self, lines):
        """The master's keys, each with the time given: (number in the file, seals from)."""
        with open(self.master, encoding="ascii") as master:
            own = [line.split() for line in master if line.startswith("tandem-key-1")]
        return "".join(f"tandem-key-1 {time} {own[number][2]}\n" for number, time in lines)

    def give(self, name, lines, signal):
        """A new key file for one process, and waits until its keys are in force."""
        text = self.keys(lines)
        with open(self.copies[name] + ".new", "w", encoding="ascii") as out:
            os.fchmod(out.fileno(), 0o600)
            out.write(text)
        os.replace(self.copies[name] + ".new", self.copies[name])
        one = self.programs[name]
        if signal:
            one.process.signal(1)
        wanted = sorted(seals_from for _, seals_from in lines)
        one.wait(lambda: [key["seals_from"] for key in one.status()["keys"]] == wanted,
                 "take the new keys")

    def restart(self, name):
        """kill -9, and up again: its links are made anew."""
        self.programs[name].process.kill()
        self.lb.wait_online(set("ab") - {name})
        self.programs[name].start()
        self.lb.wait_online("ab")
        self.wait_linked()

    def refused(self):
        return sum(one.metric("tandem_tokens_refused_total") for one in self.programs.values())

    def new_session(self):
        first = raw.fetch(self.lb.port)
        again = raw.fetch(self.lb.port, cookie=first.cookie())
        self.assertEqual(again.body, first.body)
        return [first.body, again.cookie() or first.cookie()]

    def test_files_come_at_different_times_and_nothing_is_lost(self):
        sessions = [self.new_session() for _ in range(4)]

        def go_on():
            sessions.append(self.new_session())
            for session in sessions:
                response = raw.fetch(self.lb.port, cookie=session[1])
                self.assertEqual((response.status, response.body), (200, session[0]))
                session[1] = response.cookie() or session[1]
        links = self.lb.process.log().count("registering")
        self.tandemctl("keygen", "--rotate", "--in", "1h", self.master)
        # The new file reaches one process after the other; then the new key's time comes, which is
        # also not the same moment everywhere.
        for time_of_new in (FUTURE, PAST):
            for name, signal in (("lb", False), ("a", True), ("b", True)):
                self.give(name, [(0, 0), (1, time_of_new)], signal)
                go_on()
        self.assertEqual(self.refused(), 0)
        self.assertEqual(self.lb.process.log().count("registering"), links)
        for name in "ab":
            self.assertEqual(self.programs[name].process.log().count(" is gone"), 0)
        # The old key is dropped: what it sealed is no token any more, what the new one sealed is.
        late = self.new_session()
        for name in ("b", "lb", "a"):
            self.give(name, [(1, PAST)], True)
        response = raw.fetch(self.lb.port, cookie=late[1])
        self.assertEqual((response.status, response.body), (200, late[0]))
        self.assertEqual(self.refused(), 0)
        response = raw.fetch(self.lb.port, cookie=sessions[0][1])
        self.assertEqual(response.status, 200)
        self.assertIsNotNone(response.cookie(), "a token of a dropped key was taken")
        self.assertEqual(self.lb.metric("tandem_tokens_refused_total"), 1)

    def test_old_and_new_processes_meet_in_both_directions(self):
        self.tandemctl("keygen", "--rotate", "--in", "0s", self.master)
        # Of the two servers a connects to b; both connect to the balancer.
        self.give("a", [(0, 0), (1, PAST)], True)
        self.restart("a")  # new to old, at the balancer and at b
        self.restart("b")
        self.give("a", [(0, 0)], True)
        self.give("b", [(0, 0), (1, PAST)], True)
        self.give("lb", [(0, 0), (1, PAST)], True)
        self.restart("a")  # old to new
        self.restart("b")

    def test_rotation_says_what_it_does(self):
        said = self.tandemctl("keygen", "--rotate", self.master)
        self.assertRegex(
            said, r"seals from \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC; 0 dropped, 2 listed")
        with open(self.master, encoding="ascii") as master:
            times = [int(line.split()[1]) for line in master if line.startswith("tandem")]
        self.assertEqual(times[0], 0)
        self.assertAlmostEqual(times[1], time.time() + 600, delta=60)
        self.assertEqual(os.stat(self.master).st_mode & 0o777, 0o600)


if __name__ == "__main__":
    main()
