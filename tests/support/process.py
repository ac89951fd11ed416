"""Real processes for tests: started in a process group of their own, logged to a file, ended by
process id and group, and never outliving the test (the kernel ends them when it dies)."""

import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
import time

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)

# How long a state that is sure to come may take on a loaded machine under a sanitizer.
PATIENCE = float(os.environ.get("TANDEM_TEST_PATIENCE", "30"))


class Impatient(AssertionError):
    """A state that was waited for did not come."""


def until(holds, what, timeout=None):
    """Polls until holds() returns something true, and returns that; what says what is awaited."""
    deadline = time.monotonic() + (PATIENCE if timeout is None else timeout)
    pause = 0.002
    while True:
        result = holds()
        if result:
            return result
        if time.monotonic() > deadline:
            raise Impatient(f"waited in vain for {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


class Process:
    """A program under test. `with Process(...)` or stop() ends it."""

    def __init__(self, name, argv, log_path, cpus=None, cwd=None, env=None, stdin=None,
                 stdout=None, keep=()):
        self.name = name
        self.argv = [str(word) for word in argv]
        self.log_path = log_path
        self._cpus = cpus
        self._cwd = cwd
        self._env = {**os.environ, **(env or {})}
        self._stdin = stdin
        self._stdout = stdout
        self._keep = keep  # descriptors that the program inherits
        self._log_from = 0
        self.child = None

    def start(self):
        """Starts it; the log is appended to, and log() speaks of this run only."""
        parent = os.getpid()

        def in_child():
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # the parent died in between
                os._exit(1)
            if self._cpus is not None:
                os.sched_setaffinity(0, self._cpus)

        with open(self.log_path, "ab") as log:
            self._log_from = log.tell()
            self.child = subprocess.Popen(
                self.argv, stdin=self._stdin or subprocess.DEVNULL, stdout=self._stdout or log,
                stderr=log, cwd=self._cwd, env=self._env, start_new_session=True,
                pass_fds=self._keep, preexec_fn=in_child)
        return self

    @property
    def pid(self):
        return self.child.pid

    def alive(self):
        return self.child is not None and self.child.poll() is None

    def _signal_group(self, number):
        try:
            os.killpg(self.child.pid, number)
        except ProcessLookupError:
            pass

    def kill(self):
        """kill -9, and waits until the kernel has taken it away."""
        if self.child is not None:
            self._signal_group(signal.SIGKILL)
            self.child.wait()

    def signal(self, number):
        os.kill(self.child.pid, number)

    def freeze(self):
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def wait(self, timeout=None):
        """The exit status; negative for a signal."""
        try:
            return self.child.wait(PATIENCE if timeout is None else timeout)
        except subprocess.TimeoutExpired:
            raise Impatient(f"{self.name} did not end\n{self.tail()}") from None

    def stop(self):
        """SIGTERM, then kill -9 for what has not ended in time. The exit status."""
        if self.child is None:
            return None
        if self.alive():
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            try:
                self.child.wait(10)
            except subprocess.TimeoutExpired:
                pass
        self._signal_group(signal.SIGKILL)  # those that it started, too
        return self.child.wait()

    def __enter__(self):
        return self if self.child else self.start()

    def __exit__(self, kind, error, trace):
        self.stop()

    def log(self):
        try:
            with open(self.log_path, "rb") as log:
                log.seek(self._log_from)
                return log.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def tail(self, lines=40):
        return f"--- {self.name}, {self.log_path}\n" + "\n".join(self.log().splitlines()[-lines:])

    def wait_log(self, pattern, timeout=None):
        """The match of the pattern in the log of this run, once it is there."""
        expression = re.compile(pattern, re.M)

        def look():
            match = expression.search(self.log())
            if match is None and not self.alive():
                raise Impatient(f"{self.name} ended with {self.child.returncode} before it said "
                                f"{pattern!r}\n{self.tail()}")
            return match

        try:
            return until(look, f"{self.name} to say {pattern!r}", timeout)
        except Impatient as error:
            raise Impatient(f"{error}\n{self.tail()}") from None

    def wait_listening(self, port, timeout=None, host="127.0.0.1"):
        """Until a connection to the port is accepted (by the system, on the program's behalf)."""
        def look():
            if not self.alive():
                raise Impatient(f"{self.name} ended with {self.child.returncode}\n{self.tail()}")
            with socket.socket() as probe:
                return probe.connect_ex((host, port)) == 0

        try:
            until(look, f"{self.name} to listen on port {port}", timeout)
        except Impatient as error:
            raise Impatient(f"{error}\n{self.tail()}") from None

    def memory_bytes(self, field="Rss"):
        """Rss or Pss of the process itself."""
        with open(f"/proc/{self.pid}/smaps_rollup", encoding="ascii") as rollup:
            for line in rollup:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) * 1024
        raise KeyError(field)


def raise_descriptor_limit(wanted):
    """At least `wanted` descriptors for this process and its children; what was possible."""
    import resource
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for soft_wanted, hard_wanted in ((wanted, max(hard, wanted)), (hard, hard)):
        if soft >= soft_wanted:
            return soft
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft_wanted, hard_wanted))
            return soft_wanted
        except (ValueError, OSError):
            continue
    print(f"only {soft} descriptors are allowed, {wanted} are wanted", file=sys.stderr)
    return soft
