#!/usr/bin/python3
"""Plants one violation at a time in a small tidy tree and wants to see exactly that complaint."""

import os
import tempfile
import unittest

import tidy

CMAKE = """
tandem_library(common/base    USES fmt::fmt)
tandem_library(common/net     USES common/base PkgConfig::libevent)
tandem_library(lb/core     USES common/base)
tandem_library(lb/io       USES lb/core common/net)
tandem_library(server/core USES common/base)
"""

HEADER = "// What it is.\n#pragma once\n"

CLEAN = {
    "CMakeLists.txt": CMAKE,
    "common/base/time.h": HEADER + "inline int days(int hours) { return hours / 24; }\n",
    "common/net/loop.h": HEADER + "#include <event2/event.h>\n#include <chrono>\n"
                         "inline auto t() { return std::chrono::steady_clock::now(); }\n",
    "lb/core/route.h": HEADER + '#include "common/base/time.h"\nint route(int now);\n',
    "lb/core/route.cc": '#include "lb/core/route.h"\n// steady_clock and sleep() in a comment\n'
                        'int route(int now) { return days(now) + sizeof("random_device"); }\n',
    "lb/io/front.cc": '#include "common/net/loop.h"\n#include "lb/core/route.h"\n',
}


def complaints_with(planted):
    with tempfile.TemporaryDirectory() as root:
        for path, text in {**CLEAN, **planted}.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as file:
                file.write(text)
        return tidy.check(root)


class Tidy(unittest.TestCase):
    def planted(self, path, text, expected):
        complaints = complaints_with({path: text})
        self.assertEqual(len(complaints), 1, complaints)
        self.assertTrue(complaints[0].startswith(path + ":"), complaints)
        self.assertIn(expected, complaints[0])

    def test_clean_tree_has_no_complaint(self):
        self.assertEqual(complaints_with({}), [])

    def test_include_against_the_arrow(self):
        self.planted("lb/core/bad.cc", '#include "common/net/loop.h"\n',
                     "lb/core may not include common/net")

    def test_server_and_balancer_do_not_meet(self):
        self.planted("server/core/bad.cc", '#include "lb/core/route.h"\n',
                     "server/core may not include lb/core")

    def test_upward_include(self):
        self.planted("common/base/bad.cc", '#include "lb/core/route.h"\n', "common/base may not")

    def test_arrow_that_leads_through_another_is_fine(self):
        self.assertEqual(
            complaints_with({"lb/io/far.cc": '#include "common/base/time.h"\n'}), [])

    def test_folder_outside_the_house(self):
        self.planted("lb/attic/old.cc", "int old;\n", "not in the house")

    def test_cycle(self):
        complaints = complaints_with({
            "lb/core/a.h": HEADER + '#include "lb/core/b.h"\n',
            "lb/core/b.h": HEADER + '#include "lb/core/a.h"\n'})
        self.assertEqual(len(complaints), 1, complaints)
        self.assertIn("include cycle: lb/core/a.h -> lb/core/b.h -> lb/core/a.h", complaints[0])

    def test_clock(self):
        for code in ("auto t = std::chrono::system_clock::now();", "long t = time(nullptr);",
                     "int r = clock_gettime(0, 0);"):
            self.planted("lb/core/bad.cc", f"void f() {{ {code} }}\n", "reads a clock")

    def test_randomness(self):
        for code in ("std::random_device device;", "int r = rand();"):
            self.planted("server/core/bad.cc", f"void f() {{ {code} }}\n", "randomness of its own")

    def test_sleep(self):
        self.planted("common/base/bad.cc", "void f() { usleep(3); }\n", "sleeps")

    def test_thread(self):
        self.planted("server/core/bad.cc", "std::mutex lock;\n", "takes a lock")

    def test_event_loop_in_a_pure_folder(self):
        self.planted("lb/core/bad.cc", "#include <event2/event.h>\n", "in a pure folder")

    def test_socket_in_a_pure_folder(self):
        self.planted("common/base/bad.cc", "#include <sys/socket.h>\n", "in a pure folder")

    def test_overlong_file(self):
        self.planted("lb/io/long.cc", "int x;\n" * 601, "601 lines, 600 at most")

    def test_overlong_function(self):
        body = "  step();\n" * 120
        self.planted("lb/io/long.cc", "int f(int a)\n    const {\n" + body + "}\n",
                     "a function of 122 lines")
        self.planted("lb/io/long.cc", "F::F(int a)\n    : a_(a) {\n" + body + "}\n",
                     "a function of 122 lines")

    def test_long_namespace_and_class_are_fine(self):
        body = "int f();\n" * 300
        self.assertEqual(complaints_with(
            {"lb/io/wide.cc": "namespace n {\nclass C {\n" + body + "};\n}\n"}), [])

    def test_overlong_line(self):
        self.planted("lb/io/wide.cc", "int " + "x" * 100 + ";\n", "columns")

    def test_forbidden_words(self):
        for word in tidy.FORBIDDEN_WORDS:
            self.planted("lb/io/later.cc", f"// {word} later\n", word)

    def test_header_without_contract(self):
        self.planted("lb/io/bare.h", "#pragma once\n", "begins with its contract")

    def test_header_without_guard(self):
        self.planted("lb/io/bare.h", "// What it is.\n", "#pragma once")

    def test_heavy_header(self):
        self.planted("lb/io/slow.h", HEADER + "#include <spdlog/spdlog.h>\n", "slow to compile")

    def test_arrows_gone(self):
        complaints = complaints_with({"CMakeLists.txt": ""})
        self.assertIn("the arrows are gone", " ".join(complaints))


if __name__ == "__main__":
    unittest.main()
