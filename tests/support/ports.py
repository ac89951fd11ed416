"""Ports for programs that must be told theirs. A port is held by a lock file for as long as this
process lives, so that tests that run in parallel never get the same, and a restarted program finds
its own again. Below the range from which the kernel takes the ports of outgoing connections."""

import fcntl
import os
import random
import socket
import tempfile

_FIRST, _LAST = 14000, 32000
_held = []


def take_port(port):
    """The port, now held, or None if somebody has it."""
    folder = os.path.join(tempfile.gettempdir(), f"tandem-test-ports-{os.getuid()}")
    os.makedirs(folder, exist_ok=True)
    lock = open(os.path.join(folder, str(port)), "w", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    except OSError:
        lock.close()
        return None
    _held.append(lock)
    return port


def free_ports(count):
    """`count` ports on which nothing listens."""
    found = []
    at = random.randrange(_FIRST, _LAST)
    for _ in range(_LAST - _FIRST):
        at = at + 1 if at < _LAST else _FIRST
        if take_port(at):
            found.append(at)
        if len(found) == count:
            return found
    raise OSError("no free ports")


def free_port():
    return free_ports(1)[0]
