#!/usr/bin/python3
"""Breaks the session code on purpose, one line at a time, and sees whether the tests notice.

Each entry of the lists beside this file replaces one text in one source file. It is applied to a
copy of the tree, and the checks are built and run one after another until one is red. An entry
whose text is no longer found, or that does not compile, is a mistake in the list and fails the run
as well.

Exits 0 if at least --at-least per cent of the breakages are caught and the list is sound.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
CHECK_TIMEOUT_S = 180


class Tree:
    """A copy of the tracked files, and its build."""

    def __init__(self, place, jobs):
        self.source = place
        self.build = place / "build" / "quick"
        self.jobs = ["-j", str(jobs)] if jobs else []

    def refresh(self):
        names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True,
                               capture_output=True).stdout.decode().split("\0")
        wanted = {name for name in names if name and (ROOT / name).is_file()}
        for name in wanted:
            source, target = ROOT / name, self.source / name
            if target.is_file() and target.read_bytes() == source.read_bytes():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
        for path in list(self.source.rglob("*")):
            name = path.relative_to(self.source)
            if path.is_file() and name.parts[0] != "build" and str(name) not in wanted:
                path.unlink()
        launcher = [str(self.source / "tests/breakages/compile")]
        if ccache := shutil.which("ccache"):
            launcher.append(ccache)
        done = subprocess.run(["cmake", "--preset", "quick", "-DCCACHE=" + ";".join(launcher)],
                              cwd=self.source, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stdout + done.stderr)

    def make(self, targets):
        """Empty if it builds, else what the compiler said."""
        done = subprocess.run(["ninja", "-C", self.build, *self.jobs, *targets],
                              capture_output=True, text=True)
        return "" if done.returncode == 0 else "\n" + "\n".join(
            line for line in done.stdout.splitlines() if ": error: " in line or "FAILED" in line)

    def run(self, command):
        """How the check ended: "green", "red" or "red (time is up)"."""
        program = next(p for p in (self.build / command[0], self.build / "bin" / command[0],
                                   *self.build.rglob(command[0])) if p.is_file())
        try:
            done = subprocess.run([program, *command[1:]], cwd=self.source,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  timeout=CHECK_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return "red (time is up)"
        return "green" if done.returncode == 0 else "red"


def attempt(tree, entry, checks):
    """Applies one breakage: (verdict, by which check)."""
    path = tree.source / entry["file"]
    original = path.read_text() if path.is_file() else ""
    count = original.count(entry["old"])
    if count != 1:
        return "stale", f"its text is found {count} times in {entry['file']}"
    try:
        path.write_text(original.replace(entry["old"], entry["new"]))
        for command in nearest_first(entry["file"], checks):
            if complaint := tree.make([command[0]]):
                return "does not compile", complaint
            verdict = tree.run(command)
            if verdict != "green":
                return "caught", " ".join(command) + ("" if verdict == "red" else ", " + verdict)
        return "survived", ""
    finally:
        path.write_text(original)


def nearest_first(file, checks):
    """The tests of the file's own folder go first: they know most of it."""
    own = "unit_" + "_".join(pathlib.PurePath(file).parent.parts)
    return sorted(checks, key=lambda command: command[0] != own)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", action="append", help="breakages with this text in their name")
    parser.add_argument("--at-least", type=float, default=95, help="per cent that must be caught")
    parser.add_argument("--list", action="store_true", help="names and files, and end")
    parser.add_argument("--place", type=pathlib.Path, default=ROOT / "build" / "breakages")
    parser.add_argument("--jobs", type=int, help="compile this many files at a time")
    parser.add_argument("--json", type=pathlib.Path, help="the verdicts, to a file")
    options = parser.parse_args()

    checks = tomllib.loads((HERE / "checks.toml").read_text())["checks"]
    listed = [entry for path in sorted(HERE.glob("*.toml"))
              for entry in tomllib.loads(path.read_text()).get("breakage", [])]
    entries = [e for e in listed
               if not options.only or any(text in e["name"] for text in options.only)]
    if options.list:
        for entry in entries:
            print(f"{entry['file']:44} {entry['name']}")
        return 0

    tree = Tree(options.place.resolve(), options.jobs)
    print("building the unbroken tree", flush=True)
    tree.refresh()
    if complaint := tree.make([command[0] for command in checks]):
        sys.exit(complaint)
    for command in checks:
        if tree.run(command) != "green":
            sys.exit(f"{' '.join(command)} is red without any breakage")

    verdicts = []
    for number, entry in enumerate(entries, 1):
        begun = time.monotonic()
        verdict, detail = attempt(tree, entry, checks)
        verdicts.append({"name": entry["name"], "file": entry["file"], "verdict": verdict,
                         "detail": detail})
        print(f"{number:3}/{len(entries)}  {verdict:9} {time.monotonic() - begun:5.0f} s  "
              f"{entry['name']}{': ' + detail if detail else ''}", flush=True)
    caught = sum(v["verdict"] == "caught" for v in verdicts)
    unsound = sum(v["verdict"] in ("stale", "does not compile") for v in verdicts)
    share = 100 * caught / len(verdicts) if verdicts else 0
    print(f"\n{caught} of {len(verdicts)} breakages caught ({share:.1f} %), {unsound} unsound")
    for verdict in verdicts:
        if verdict["verdict"] != "caught":
            print(f"  {verdict['verdict']}: {verdict['name']} ({verdict['file']})")
    if options.json:
        options.json.write_text(json.dumps(verdicts, indent=1))
    return 0 if share >= options.at_least and unsound == 0 else 1


if __name__ == "__main__":
    os.nice(5)
    sys.exit(main())
