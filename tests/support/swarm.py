"""tandem-swarm, driven: many clients of the library, obeying one at a time (see swarm.cc)."""

import json
import os
import subprocess
import threading

from cluster import program
from process import Impatient, Process, until


class Swarm:
    """`run(n)` starts n gets; `wait_ran()` awaits their end; `counts` are the newest known."""

    def __init__(self, folder, url, paths, clients, more=(), name="swarm"):
        paths_file = os.path.join(folder, name + ".paths")
        with open(paths_file, "w", encoding="utf-8") as out:
            out.write("\n".join(paths) + "\n")
        self.name = name
        self.process = Process(name, [
            program("tandem-swarm"), "--balancer", url, "--paths", paths_file, "--clients", clients,
            "--progress", "0.1", "--interactive", *more], os.path.join(folder, name + ".log"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.events = []
        self.counts = {}
        self._heard = threading.Condition()
        self._ran_awaited = 0

    def start(self):
        self.process.start()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.wait_event("ready")
        return self

    def _listen(self):
        for line in self.process.child.stdout:
            event = json.loads(line)
            with self._heard:
                self.events.append(event)
                self.counts = event
                self._heard.notify_all()
        with self._heard:
            self._heard.notify_all()

    def count_events(self, name):
        return sum(1 for event in self.events if event["event"] == name)

    def wait_event(self, name, nth=1, timeout=None):
        """The nth event of that name, awaited."""
        def look():
            alive = self.process.alive()
            if not alive:
                self._listener.join()  # its last words
            found = [event for event in self.events if event["event"] == name]
            if len(found) >= nth:
                return found[nth - 1]
            if not alive:
                raise Impatient(f"{self.name} ended with {self.process.child.returncode} before it "
                                f"said {name!r}\n{self.process.tail()}")
            return None
        return until(look, f"{self.name} to say {name!r}", timeout)

    def tell(self, line):
        self.process.child.stdin.write(line.encode() + b"\n")
        self.process.child.stdin.flush()

    def ask(self, line, answer):
        """Tells it the line and returns the next event of the name `answer`."""
        nth = self.count_events(answer) + 1
        self.tell(line)
        return self.wait_event(answer, nth)

    def run(self, gets, posts=0):
        self._ran_awaited = self.count_events("ran") + 1
        self.tell(f"run {gets} {posts}")

    def post(self, posts):
        self._ran_awaited = self.count_events("ran") + 1
        self.tell(f"post {posts}")

    def running(self):
        return self.process.alive() and self.count_events("ran") < self._ran_awaited

    def wait_ran(self, timeout=None):
        return self.wait_event("ran", self._ran_awaited, timeout)

    def which(self):
        """{server: clients whose last reply came from it}"""
        return self.ask("which", "which")["servers"]

    def wait_count(self, name, least, timeout=None):
        until(lambda: self.counts.get(name, 0) >= least, f"{least} {name}", timeout)

    def finish(self):
        """Ends it; its last words, with the exit status in "status"."""
        self.tell("quit")
        done = self.wait_event("done")
        return {**done, "status": self.process.wait()}
