"""One client of the library in a process of its own: it does what it is told, one after another."""

import json
import os
import subprocess

from cluster import program
from process import PATIENCE


class Visitor:
    """A running tandem-visitor; process-like, so that a workshop ends it."""

    def __init__(self, folder, url, *arguments, name="visitor"):
        self.name = name
        self.log_path = os.path.join(folder, name + ".log")
        self.arguments = [program("tandem-visitor"), url, *arguments]
        self.child = None

    def start(self):
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(self.arguments, stdin=subprocess.PIPE, text=True,
                                          bufsize=1, stdout=subprocess.PIPE, stderr=log)
        return self

    def get(self, target):
        """What became of a get, as tandem-visitor says it."""
        return self._tell(target)

    def put(self, target, body):
        """The same of a put; the body is one line of text."""
        return self._tell(f"PUT {target} {body}")

    def remove(self, target):
        return self._tell(f"DELETE {target}")

    def _tell(self, line):
        self.child.stdin.write(line + "\n")
        line = self.child.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended\n{self.tail()}")
        return json.loads(line)

    def stats(self):
        return self.get("?stats")

    def kill(self):
        if self.child is None:
            return
        self.child.stdin.close()
        self.child.wait(timeout=PATIENCE)
        self.child.stdout.close()
        self.child = None

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def tail(self):
        return f"--- {self.name}\n{self.log()[-2000:]}"
