#!/usr/bin/python3
"""Holds the tree against its own rules. Each complaint is a line that says what to do.

    tidy.py ROOT

The arrows come from the tandem_library() lines of ROOT/CMakeLists.txt: a folder may include only
itself and what it USES, directly or through those. Purity follows the path: every core/ and all of
common/ but common/net and common/storage decide without a clock, a socket or a random device.
"""

import os
import re
import sys

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 100  # a screen and a half: what is longer hides a second function
COLUMNS_MAX = 100

SOURCE_SUFFIXES = (".h", ".cc")
TEXT_SUFFIXES = SOURCE_SUFFIXES + (".py", ".txt", ".cmake", ".proto", ".toml", ".md", ".sh")
IMPURE_COMMON = ("common/net", "common/storage")

# Spelled in parts, so that this file passes its own check.
FORBIDDEN_WORDS = {
    "TO" + "DO": "do it now, or leave the code without the note",
    "FIX" + "ME": "mend it now, or leave the code without the note",
    "X" * 3: "say in words what is meant",
    "GTEST_" + "SKIP": "a test runs or does not exist: start what it needs, or remove it",
    "DISABLED" + "_": "a test runs or does not exist: mend it, or remove it",
    "unittest." + "skip": "a test runs or does not exist: start what it needs, or remove it",
    "skip" + "Test(": "a test runs or does not exist: start what it needs, or remove it",
}

# What a decision may not touch: (pattern over code without comments and strings, what to do).
IMPURITIES = [
    (r"\b(?:system|steady|high_resolution)_clock\b|\bclock_gettime\b|\bgettimeofday\b"
     r"|\bstd::time\s*\(|(?<![\w.:>])time\s*\(\s*(?:NULL|nullptr|0|&)",
     "reads a clock: take the time as a parameter (Instant now)"),
    (r"\brandom_device\b|\bgetrandom\b|\bgetentropy\b|\bRAND_bytes\b|(?<![\w.:>])s?rand\s*\(",
     "draws randomness of its own: take a Random& from the caller"),
    (r"\bsleep_for\b|\bsleep_until\b|(?<![\w.:>])(?:u|nano)?sleep\s*\(",
     "sleeps: return a deadline instead"),
    (r"\bstd::(?:mutex|shared_mutex|thread|jthread|condition_variable)\b",
     "takes a lock or starts a thread: threads meet in io/, through posted messages"),
]
IMPURE_HEADERS = re.compile(
    r"event2?/.*|sys/(?:socket|epoll|poll|timerfd|eventfd)\.h|netinet/.*|arpa/inet\.h|netdb\.h"
    r"|poll\.h|openssl/ssl\.h|sqlite3\.h")
# Of such a header only what computes: inet_pton and inet_ntop turn text into numbers and back.
PURE_USES = {("common/base/ip.cc", "arpa/inet.h")}
# Slow to compile: kept out of headers, so that a change does not rebuild the house.
HEAVY_HEADERS = re.compile(r"spdlog/.*|toml\+\+/.*|toml\.hpp|google/protobuf/.*|CLI/.*|.*\.pb\.h")

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.M)
LIBRARY = re.compile(r"^\s*tandem_library\(\s*(\S+)([^)]*)\)", re.M)


def is_pure(path):
    folder = os.path.dirname(path)
    if "/core" in folder:
        return True
    return folder.startswith("common/") and not folder.startswith(IMPURE_COMMON)


def read_arrows(cmake_text):
    """{folder: set of all folders that it may include, itself among them}."""
    direct = {}
    for folder, arguments in LIBRARY.findall(cmake_text):
        uses, in_uses = set(), False
        for word in arguments.split():
            if word in ("USES", "PRIVATE"):
                in_uses = word == "USES"
            elif in_uses and "::" not in word:
                uses.add(word)
        direct[folder] = uses
    closed = {}
    for folder in direct:
        reached, open_folders = set(), [folder]
        while open_folders:
            at = open_folders.pop()
            if at not in reached:
                reached.add(at)
                open_folders.extend(direct.get(at, ()))
        closed[folder] = reached
    return closed


def blank(match):
    """Spaces instead of the match, the line ends kept."""
    return re.sub(r"[^\n]", " ", match.group(0))


NOISE = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^(\s]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'',
    re.S)


def code_of(text):
    """The text without comments, strings and characters, line for line."""
    # A ' between digits separates them; it opens no character.
    return NOISE.sub(blank, re.sub(r"(?<=[0-9a-fA-F])'(?=[0-9a-fA-F])", "_", text))


# What stands before the { of a function's body: its parameters, then what may follow them.
FUNCTION_HEAD = re.compile(
    r"\)\s*(?:const|noexcept(?:\([^)]*\))?|override|final|mutable|&&?|->\s*[\w:<>,*&\s]+"
    r"|:\s*\w[^;]*|\s)*$", re.S)
NOT_A_FUNCTION = re.compile(r"(?:^|[\s;{}])(?:if|for|while|switch|catch|namespace)\b[^{};]*$", re.S)


def long_functions(code):
    """[(line, length)] of functions longer than FUNCTION_LINES_MAX; a lambda counts alone too."""
    found, stack, head_from = [], [], 0
    for match in re.finditer(r"[{};]", code):
        at, sign = match.start(), match.group(0)
        if sign == "{":
            head = code[head_from:at]
            function = bool(FUNCTION_HEAD.search(head)) and not NOT_A_FUNCTION.search(head)
            stack.append((function, code.count("\n", 0, at) + 1))
        elif sign == "}" and stack:
            function, first = stack.pop()
            length = code.count("\n", 0, at) + 2 - first
            if function and length > FUNCTION_LINES_MAX:
                found.append((first, length))
        head_from = at + 1
    return found


class Tree:
    def __init__(self, root):
        self.root = root
        self.texts = {}
        for folder, folders, names in os.walk(root):
            at = os.path.relpath(folder, root).replace(os.sep, "/")
            folders[:] = sorted(d for d in folders
                                if d not in ("build", "__pycache__", "corpus", "gen")
                                and (d == ".ci" or not d.startswith(".")))
            for name in sorted(names):
                path = name if at == "." else f"{at}/{name}"
                executable = os.access(os.path.join(root, path), os.X_OK)
                if name.endswith(TEXT_SUFFIXES) or name == "Makefile" or executable:
                    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
                        self.texts[path] = file.read()
        self.arrows = read_arrows(self.texts.get("CMakeLists.txt", ""))
        self.complaints = []

    def complain(self, path, line, what):
        self.complaints.append(f"{path}:{line}: {what}")

    def sources(self):
        return {path: text for path, text in self.texts.items() if path.endswith(SOURCE_SUFFIXES)}

    def house_folder(self, path):
        """The folder of the house that holds the file (client/include/tandem: client/include)."""
        folder = os.path.dirname(path)
        while folder and folder not in self.arrows:
            folder = os.path.dirname(folder)
        return folder


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def check_arrows(tree):
    roots = {folder.split("/")[0] for folder in tree.arrows}
    for path, text in tree.sources().items():
        home = tree.house_folder(path)
        if path.split("/")[0] in roots and not home and not path.startswith("client/include/"):
            tree.complain(path, 1, f"{os.path.dirname(path)} is not in the house: "
                                   "add a tandem_library() line to CMakeLists.txt")
            continue
        for match in INCLUDE.finditer(text):
            quote, name = match.groups()
            line = line_of(text, match.start())
            if quote == '"' and "/" not in name and home:
                tree.complain(path, line, f'"{name}": include by the path from the root')
            there = tree.house_folder(name)
            if home and there and there not in tree.arrows[home]:
                tree.complain(path, line,
                              f"{home} may not include {there}: no arrow leads there in "
                              "CMakeLists.txt. Move what both need further down")
            if home and name.startswith("tests/"):
                tree.complain(path, line, "the house may not include its tests: move it to common/")
            if path.endswith(".h") and home and HEAVY_HEADERS.fullmatch(name):
                tree.complain(path, line, f"{name} is slow to compile: include it in the .cc only")


def check_cycles(tree):
    sources = tree.sources()
    edges = {path: [name for _, name in INCLUDE.findall(text) if name in sources]
             for path, text in sources.items()}
    done = set()
    for start in edges:
        path, stack = [], [(start, iter(edges[start]))]
        path.append(start)
        while stack:
            at, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                stack.pop()
                path.pop()
                done.add(at)
            elif following in path:
                cycle = path[path.index(following):] + [following]
                tree.complain(at, 1, "include cycle: " + " -> ".join(cycle)
                              + ". Take out what both need")
                done.add(following)
            elif following not in done:
                path.append(following)
                stack.append((following, iter(edges[following])))


def check_purity(tree):
    for path, text in tree.sources().items():
        if not is_pure(path):
            continue
        for match in INCLUDE.finditer(text):
            if (path, match.group(2)) in PURE_USES:
                continue
            if IMPURE_HEADERS.fullmatch(match.group(2)):
                tree.complain(path, line_of(text, match.start()),
                              f"<{match.group(2)}> in a pure folder: I/O belongs to io/, net/ or "
                              "storage/")
        code = code_of(text)
        for pattern, what in IMPURITIES:
            for match in re.finditer(pattern, code):
                tree.complain(path, line_of(code, match.start()),
                              f"{match.group(0).strip()} {what}")


def check_shape(tree):
    for path, text in tree.texts.items():
        lines = text.splitlines()
        if len(lines) > FILE_LINES_MAX:
            tree.complain(path, FILE_LINES_MAX + 1,
                          f"{len(lines)} lines, {FILE_LINES_MAX} at most: split it by concept")
        if path.endswith(SOURCE_SUFFIXES + (".py",)):
            for number, line in enumerate(lines, 1):
                if len(line) > COLUMNS_MAX and "http" not in line:
                    tree.complain(path, number, f"{len(line)} columns, {COLUMNS_MAX} at most")
    for path, text in tree.sources().items():
        for line, length in long_functions(code_of(text)):
            tree.complain(path, line, f"a function of {length} lines, "
                                      f"{FUNCTION_LINES_MAX} at most: give its parts names")
        if path.endswith(".h"):
            if "#pragma once" not in text:
                tree.complain(path, 1, "no #pragma once")
            if not text.startswith("//"):
                tree.complain(path, 1, "a header begins with its contract: what it is, who owns "
                                       "what, which thread")


def check_words(tree):
    for path, text in tree.texts.items():
        for number, line in enumerate(text.splitlines(), 1):
            for word, what in FORBIDDEN_WORDS.items():
                at = line.find(word)
                part = at > 0 and line[at - 1].isalnum() or \
                    line[at + len(word):at + len(word) + 1].isalnum() and word.isupper()
                if at >= 0 and not part:
                    tree.complain(path, number, f"{word}: {what}")


def check(root):
    """All complaints about the tree at root."""
    tree = Tree(root)
    if not tree.arrows:
        tree.complain("CMakeLists.txt", 1, "no tandem_library() line found: the arrows are gone")
    for one in (check_arrows, check_cycles, check_purity, check_shape, check_words):
        one(tree)
    return sorted(tree.complaints)


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else "."
    complaints = check(root)
    for complaint in complaints:
        print(complaint)
    if complaints:
        print(f"{len(complaints)} to mend")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
