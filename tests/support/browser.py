"""A stock Chromium without a window, driven over its debugging pipe."""

import json
import os
import shutil
import threading

from process import Impatient, Process, until

NAMES = ("chromium", "chromium-browser", "google-chrome")


class Browser:
    """`visit(url)` loads a page and tells what the network answered."""

    def __init__(self, folder):
        program = next(filter(None, map(shutil.which, NAMES)), None)
        if program is None:
            raise Impatient("a browser is needed: apt-get install chromium")
        to_browser, self._commands = os.pipe()
        self._answers, from_browser = os.pipe()
        self._ends = (to_browser, from_browser)
        arguments = " ".join([
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--remote-debugging-pipe", f"--user-data-dir={folder}/profile"])
        # The browser takes its pipe at descriptors 3 and 4; sh knows only those of one digit.
        self.process = Process(
            "browser", ["bash", "-c", f"exec {program} {arguments} about:blank 3<&{to_browser} "
                                      f"4>&{from_browser}"],
            os.path.join(folder, "browser.log"), env={"HOME": folder}, keep=self._ends)
        self.name = "browser"
        self._messages = []
        self._number = 0
        self._session = None

    def start(self):
        self.process.start()
        for end in self._ends:
            os.close(end)
        threading.Thread(target=self._listen, daemon=True).start()
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target,
                                   flatten=True)["sessionId"]
        self._call("Network.enable")
        self._call("Page.enable")
        return self

    def _listen(self):
        buffer = b""
        while data := os.read(self._answers, 65536):
            buffer += data
            *whole, buffer = buffer.split(b"\0")
            self._messages += [json.loads(message) for message in whole]

    def _await(self, holds, what, start=0):
        def look():
            if not self.process.alive():
                raise Impatient(f"the browser ended\n{self.process.tail()}")
            return next(filter(holds, self._messages[start:]), None)
        return until(look, what)

    def _call(self, method, **parameters):
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        answer = self._await(lambda m: m.get("id") == number, f"the browser to answer {method}")
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    def visit(self, url, wanted):
        """Loads the page. {path: (status on the wire, fields in lower case)} for all `wanted`."""
        start = len(self._messages)
        self._call("Page.navigate", url=url)
        self._await(lambda m: m.get("method") == "Page.loadEventFired", f"{url} to load", start)

        def look():
            urls, seen = {}, {}
            for message in self._messages[start:]:
                event = message.get("params", {})
                if message.get("method") == "Network.requestWillBeSent":
                    urls[event["requestId"]] = event["request"]["url"]
                elif message.get("method") == "Network.responseReceivedExtraInfo":
                    fields = {name.lower(): value for name, value in event["headers"].items()}
                    seen[event["requestId"]] = (event["statusCode"], fields)
            found = {"/" + urls[request].split("/", 3)[3]: answer
                     for request, answer in seen.items() if request in urls}
            return found if set(wanted) <= set(found) else None
        return until(look, f"the browser to ask for {wanted}")
