"""A network of the test's own: this process moves into a network namespace with a bridge, and each
host is a namespace with one link to it. Namespaces have no names and go with the last process in
them, so nothing is left behind however the test ends. Needs root and the tools of iproute2."""

import ctypes
import os
import subprocess

from process import PATIENCE, Process, until

_CLONE_NEWNET = 0x40000000
_SUBNET = "10.77.0"
_NOBODY = "02:00:00:00:00:fe"  # no link has this address
_libc = ctypes.CDLL(None, use_errno=True)


class Unavailable(Exception):
    """This user, machine or container has no network namespaces to give."""


def ip(*words):
    done = subprocess.run(["ip", *map(str, words)], capture_output=True, text=True,
                          timeout=PATIENCE)
    if done.returncode != 0:
        raise Unavailable(f"ip {' '.join(map(str, words))}: {done.stderr.strip()}")


def _pairs(host, others):
    return [pair for other in others for pair in ((host, other), (other, host))]


class Host:
    """Where programs run: an address, and the words that a command line begins with."""

    def __init__(self, address="127.0.0.1", enter=(), link=None, process=None):
        self.address = address
        self.enter = list(enter)
        self.link = link  # its end on the bridge
        self.process = process


LOCAL = Host()


class Network:
    """Enters a namespace of its own; there is no way back. Make no thread before."""

    def __init__(self):
        if _libc.unshare(_CLONE_NEWNET) != 0:
            raise Unavailable("unshare: " + os.strerror(ctypes.get_errno()))
        try:
            ip("link", "set", "lo", "up")
            for bridge in ("near", "far"):
                ip("link", "add", bridge, "type", "bridge")
                ip("link", "set", bridge, "up")
            ip("address", "add", f"{_SUBNET}.1/24", "dev", "near")
        except FileNotFoundError:
            raise Unavailable("the program ip of iproute2 is missing") from None
        self.here = Host(f"{_SUBNET}.1")  # of this process, on the near bridge
        self._hosts = 0

    def host(self, shop, name):
        """A new host on the near bridge. It lives as long as the workshop."""
        self._hosts += 1
        address, link = f"{_SUBNET}.{self._hosts + 1}", f"to-{name}"
        holder = shop.start(Process(f"host-{name}", ["unshare", "--net", "sleep", "infinity"],
                                    os.path.join(shop.folder, f"host-{name}.log")))
        ours = os.readlink("/proc/self/ns/net")
        until(lambda: not holder.alive()
              or os.readlink(f"/proc/{holder.pid}/ns/net") != ours, f"the namespace of {name}")
        if not holder.alive():
            raise Unavailable(f"unshare: {holder.log().strip()}")
        enter = ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
        ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", holder.pid)
        for words in (["address", "add", f"{address}/24", "dev", "eth0"],
                      ["link", "set", "eth0", "up"], ["link", "set", "lo", "up"]):
            subprocess.run([*enter, "ip", *words], check=True, timeout=PATIENCE)
        ip("link", "set", link, "up")
        host = Host(address, enter, link, holder)
        self.heal(host)
        return host

    def cut(self, *hosts):
        """Nothing comes or goes any more, and nobody is told."""
        for host in hosts:
            ip("link", "set", host.link, "nomaster")

    def cut_together(self, *hosts):
        """They reach each other and nobody else."""
        for host in hosts:
            ip("link", "set", host.link, "master", "far")

    def part(self, host, *others):
        """Nothing comes or goes between the host and each of the others, and nobody is told."""
        for one, other in _pairs(host, others):
            self._neighbour(one, "replace", other.address, "lladdr", _NOBODY, "nud", "permanent")

    def join(self, host, *others):
        """Ends part()."""
        for one, other in _pairs(host, others):
            self._neighbour(one, "del", other.address)

    @staticmethod
    def _neighbour(host, verb, *words):
        device = "eth0" if host.enter else "near"
        subprocess.run([*host.enter, "ip", "neigh", verb, *words, "dev", device], check=True,
                       timeout=PATIENCE)

    def heal(self, *hosts):
        for host in hosts:
            ip("link", "set", host.link, "master", "near")
