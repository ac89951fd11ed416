"""The base of integration tests: a workshop for each class, logs on failure, sanitizer findings."""

import unittest

from cluster import Workshop


class Case(unittest.TestCase):
    """Subclasses make their processes in set_up_class(), in cls.shop."""

    shop = None
    _failed = False

    @classmethod
    def set_up_class(cls):
        """Starts what the tests of the class share."""

    @classmethod
    def setUpClass(cls):
        cls.shop = Workshop()
        try:
            cls.set_up_class()
        except unittest.SkipTest as reason:
            cls.shop.close()
            print(f"skipped: {reason}")  # ctest looks for this
            raise
        except BaseException:
            cls.shop.close(failed=True)
            raise

    @classmethod
    def tearDownClass(cls):
        findings = [f"{part.name}: {line}" for part in cls.shop.parts
                    if hasattr(part, "process")
                    for line in part.process.log().splitlines()
                    if "ERROR: AddressSanitizer" in line or "runtime error:" in line
                    or "ERROR: LeakSanitizer" in line or "WARNING: ThreadSanitizer" in line
                    or "broken invariant" in line]
        cls.shop.close(failed=cls._failed or bool(findings))
        if findings:
            raise AssertionError("\n".join(findings))

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            type(self)._failed = True
        return result


def main():
    unittest.main(verbosity=1)
