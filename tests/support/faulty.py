"""tandem-faulty, driven: a relay before a server that breaks connections on command (faulty.cc)."""

import json
import os
import subprocess

from cluster import program
from process import PATIENCE, Impatient, Process


class Faulty:
    def __init__(self, folder, name, listen, to):
        self.name = name
        self.process = Process(name, [program("tandem-faulty"), "--listen", listen, "--to", to],
                               os.path.join(folder, name + ".log"), stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)

    def start(self):
        self.process.start()
        self._answer()
        return self

    def tell(self, command):
        """How many connections the fault has met at once; -1: this user may not do that."""
        self.process.child.stdin.write(command.encode() + b"\n")
        self.process.child.stdin.flush()
        return self._answer().get("caught")

    def counts(self):
        self.process.child.stdin.write(b"counts\n")
        self.process.child.stdin.flush()
        return self._answer()

    def _answer(self):
        line = self.process.child.stdout.readline()
        if not line:
            raise Impatient(f"{self.name} ended with {self.process.wait(PATIENCE)}")
        return json.loads(line)
