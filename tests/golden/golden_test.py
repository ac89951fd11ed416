"""What the programs say about conf files, to the letter, and the files made from the schemas.

    golden_test.py [--update] PRINT lb=COMMAND server=COMMAND ...

PRINT is golden_print, then come the programs. lb/NAME.toml is a conf file for tandem-lb, and
lb/NAME.expected what `--check` says of it, after its exit status; an .expected without a .toml is
about a missing file. With --update the expectations, conf/*.toml and the option lists of the manual
pages are written anew, for review.
"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
UPDATE = False
PRINT = ""
PROGRAMS = {}

LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT")
OPTIONS_BEGIN = '.\\" Options, generated from the schema: begin\n'
OPTIONS_END = '.\\" Options, generated from the schema: end\n'


def say(argv, cwd):
    """Exit status and all that was said."""
    ended = subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=60, check=False)
    return f"exit {ended.returncode}\n" + ended.stdout.decode()


def generated(what, whose):
    return subprocess.run([PRINT, what, whose], stdout=subprocess.PIPE, timeout=60,
                          check=True).stdout.decode()


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


class Golden(unittest.TestCase):
    maxDiff = None

    def compare(self, path, actual):
        if UPDATE:
            write(path, actual)
        self.assertEqual(read(path), actual, f"{path}: --update writes it anew")

    def check_folder(self, whose):
        folder = os.path.join(HERE, whose)
        names = {os.path.splitext(name)[0] for name in os.listdir(folder)}
        self.assertGreater(len(names), 5)
        for name in sorted(names):
            with self.subTest(conf=f"{whose}/{name}"):
                said = say([*PROGRAMS[whose], "--check", "--config", f"{name}.toml"], folder)
                self.compare(os.path.join(folder, f"{name}.expected"), said)
                good = name.startswith("good")
                self.assertTrue(said.startswith("exit 0\n" if good else "exit 2\n"), said)

    def test_lb(self):
        self.check_folder("lb")

    def test_server(self):
        self.check_folder("server")

    def test_command_line(self):
        for whose, program in (("lb", "tandem-lb"), ("server", "tandem-server")):
            self.assertEqual(say([*PROGRAMS[whose], "--chek"], HERE),
                             f'exit 2\n{program}: unknown option "--chek"; '
                             'did you mean "--check"?\n'
                             f"{program}: --help tells more\n")
            self.assertEqual(say([*PROGRAMS[whose], "--config", ".", "--check"], HERE),
                             "exit 2\n.:1:1: cannot read: Is a directory\n")
            self.assertRegex(say([*PROGRAMS[whose], "--version"], HERE),
                             rf"^exit 0\n{program} \d+\.\d+\.\d+\n$")
            help_text = say([*PROGRAMS[whose], "--help"], HERE)
            self.assertTrue(help_text.startswith("exit 0\n"))
            for word in ("--config", "--check", "--version", "--help", "capacity"):
                self.assertIn(word, help_text)

    def refuses_to_start(self, whose, conf, complaint):
        """Started on `conf` it ends with this complaint; @PORT@ stands for a used port."""
        with tempfile.TemporaryDirectory() as folder, socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = str(other.getsockname()[1])
            write(os.path.join(folder, "t.toml"), conf.replace("@PORT@", port))
            said = say([*PROGRAMS[whose], "--config", "t.toml"], folder).replace(port, "@PORT@")
            self.assertTrue(said.startswith("exit 2\n"), said)
            lines = [line for line in said.splitlines()[1:] if not LOG_LINE.match(line)]
            self.assertEqual("\n".join(lines), complaint)

    def test_lb_port_in_use(self):
        server = '[[server]]\nname = "a"\naddress = "127.0.0.1:9"\n'
        self.refuses_to_start(
            "lb", '[front]\nlisten = ["127.0.0.1:0",\n          "127.0.0.1:@PORT@"]\n' + server,
            "t.toml:3:11: front.listen[1]: cannot listen on 127.0.0.1:@PORT@: "
            'Address already in use\n          "127.0.0.1:@PORT@"]\n          ^')
        self.refuses_to_start(
            "lb", 'front.listen = ["127.0.0.1:0"]\nadmin.listen = "127.0.0.1:@PORT@"\n' + server,
            "t.toml:2:16: admin.listen: cannot listen on 127.0.0.1:@PORT@: Address already in use\n"
            'admin.listen = "127.0.0.1:@PORT@"\n               ^')

    def test_lb_missing_files(self):
        self.refuses_to_start(
            "lb", '[front]\nlisten = ["127.0.0.1:0"]\n[control]\nlisten = "127.0.0.1:0"\n'
            'key_file = "cluster.key"\n',
            "t.toml:5:12: control.key_file: cannot read key file cluster.key: "
            'No such file or directory\nkey_file = "cluster.key"\n           ^')

    def server_conf(self, **other):
        """A conf for tandem-server, one key a line from line 1: name, listen, peer_listen, ..."""
        keys = {"name": "a", "listen": "127.0.0.1:0", "peer_listen": "127.0.0.1:0",
                "balancers": ["127.0.0.1:9"], "key_file": self.key_file(),
                "admin.listen": "127.0.0.1:0", "source.url": "http://127.0.0.1:9"}
        keys.update({key.replace("__", "."): value for key, value in other.items()})
        return "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())

    def key_file(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, "cluster.key")
        subprocess.run([*PROGRAMS["ctl"], "keygen", path], stdout=subprocess.DEVNULL,
                       timeout=60, check=True)
        return path

    def test_server_port_in_use(self):
        for key, line, column in (("listen", 2, 10), ("peer_listen", 3, 15),
                                  ("admin.listen", 6, 16)):
            with self.subTest(key=key):
                self.refuses_to_start(
                    "server", self.server_conf(**{key: "127.0.0.1:@PORT@"}),
                    f"t.toml:{line}:{column}: {key}: cannot listen on 127.0.0.1:@PORT@: "
                    f'Address already in use\n{key} = "127.0.0.1:@PORT@"\n'
                    + " " * (column - 1) + "^")

    def test_server_missing_files(self):
        self.refuses_to_start(
            "server", self.server_conf(key_file="cluster.key"),
            "t.toml:5:12: key_file: cannot read key file cluster.key: "
            'No such file or directory\nkey_file = "cluster.key"\n           ^')
        self.refuses_to_start(
            "server", self.server_conf(source__url="sqlite:none/items.db"),
            "t.toml:7:14: source.url: none/items.db: SQLite: unable to open database file\n"
            'source.url = "sqlite:none/items.db"\n             ^')

    def test_samples(self):
        for whose in ("lb", "server"):
            path = os.path.join(ROOT, "conf", f"tandem-{whose}.toml")
            self.compare(path, generated("sample", whose))
            folder, name = os.path.split(path)
            self.assertEqual(say([*PROGRAMS[whose], "--check", "--config", name], folder),
                             f"exit 0\n{name}: ok\n")

    def test_samples_show_values_that_are_valid(self):
        """What stands commented may be uncommented, all at once."""
        for whose in ("lb", "server"):
            text = read(os.path.join(ROOT, "conf", f"tandem-{whose}.toml"))
            text = re.sub(r"^#(\w+ = |\[\[)", r"\1", text, flags=re.M)
            # These two belong together, and their default is none.
            text = text.replace("tls_listen = []", 'tls_listen = ["127.0.0.1:8443"]')
            text = text.replace("certificates = []", 'certificates = ["site.pem"]')
            with tempfile.TemporaryDirectory() as folder:
                write(os.path.join(folder, "all.toml"), text)
                self.assertEqual(say([*PROGRAMS[whose], "--check", "--config", "all.toml"], folder),
                                 "exit 0\nall.toml: ok\n")

    def test_manual_pages(self):
        for whose in ("lb", "server"):
            path = os.path.join(ROOT, "man", f"tandem-{whose}.toml.5")
            before, found, rest = read(path).partition(OPTIONS_BEGIN)
            self.assertTrue(found, f"{path} has no line {OPTIONS_BEGIN}")
            after = rest.partition(OPTIONS_END)[2]
            self.compare(path, before + OPTIONS_BEGIN + generated("manual", whose) + OPTIONS_END
                         + after)

    def test_manual_pages_tell_every_option(self):
        """Each --option and command of each program's help stands in its manual page."""
        pages = {"lb": "tandem-lb.8", "server": "tandem-server.8", "ctl": "tandemctl.8",
                 "get": "tandem-get.1"}
        for whose, command in PROGRAMS.items():
            page = read(os.path.join(ROOT, "man", pages[whose]))
            told = set(re.findall(r"Cm ([a-z-]+)", page))
            for line in re.findall(r"\bFl (.*)", page):  # each of its words gets a dash
                told |= set(re.findall(r"(?:^| )-([a-z][a-z-]+)", line))
            said = say([*command, "--help"], HERE)
            said = said.partition("Options of ")[0]  # the conf file's have their own page
            commands = re.findall(r"^  ([a-z]\S*) ", said.partition("ommands:")[2], re.M)
            options = set(re.findall(r"(?<![\w-])--([a-z][a-z-]+)", said))
            for name in commands:
                more = say([*command, name, "--help"], HERE)
                options |= set(re.findall(r"(?<![\w-])--([a-z][a-z-]+)", more))
            with self.subTest(program=whose):
                self.assertGreaterEqual(options, {"help", "version"})
                self.assertEqual(set(), (options | set(commands)) - told)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments[:1] == ["--update"]:
        UPDATE = True
        arguments = arguments[1:]
    PRINT = arguments[0]
    for argument in arguments[1:]:
        whose, command = argument.split("=", 1)
        PROGRAMS[whose] = command.split()
    unittest.main(argv=sys.argv[:1])
