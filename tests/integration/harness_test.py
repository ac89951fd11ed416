"""The harness itself: nothing that a test starts outlives it, however the test ends."""

import os
import signal
import subprocess
import sys
import tempfile
import unittest

from ports import free_ports
from process import Impatient, Process, until

STARTER = """
import sys, time
from process import Process
child = Process("sleeper", ["sleep", "1000"], sys.argv[1]).start()
print(child.pid, flush=True)
time.sleep(1000)
"""


def gone(pid):
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True


class Harness(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.log = os.path.join(self.folder.name, "log")

    def tearDown(self):
        self.folder.cleanup()

    def test_what_a_killed_test_started_dies_with_it(self):
        test = subprocess.Popen([sys.executable, "-c", STARTER, self.log], stdout=subprocess.PIPE)
        child = int(test.stdout.readline())
        self.assertFalse(gone(child))
        test.send_signal(signal.SIGKILL)
        test.wait()
        test.stdout.close()
        until(lambda: gone(child), "the child to be ended by the kernel")

    def test_stop_ends_what_the_program_itself_started(self):
        with Process("shell", ["sh", "-c", "sleep 1000 & echo $!; wait"], self.log) as shell:
            child = int(shell.wait_log(r"^(\d+)$").group(1))
        until(lambda: gone(child), "the grandchild to be ended")

    def test_a_program_that_ends_early_is_told_with_its_log(self):
        with Process("liar", ["sh", "-c", "echo all is lost; exit 3"], self.log) as liar:
            with self.assertRaisesRegex(Impatient, "(?s)ended with 3.*all is lost"):
                liar.wait_log("all is well")

    def test_log_speaks_of_this_run_only(self):
        echo = Process("echo", ["sh", "-c", "echo run; exec sleep 1000"], self.log)
        for _ in range(2):
            with echo.start():
                echo.wait_log("run")
                self.assertEqual(echo.log().count("run"), 1)

    def test_ports_are_given_once(self):
        ports = free_ports(50)
        self.assertEqual(len(set(ports)), 50)
        other = subprocess.run(
            [sys.executable, "-c", "from ports import take_port\n"
             f"print([p for p in {ports} if take_port(p)])"],
            capture_output=True, text=True, check=True)
        self.assertEqual(other.stdout.strip(), "[]")


if __name__ == "__main__":
    unittest.main()
