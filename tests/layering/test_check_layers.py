#!/usr/bin/env python3
"""The layering check itself: a forbidden edge is found, an allowed one is not."""
import pathlib
import tempfile
import unittest

from check_layers import violations

TABLE = "| `low/` | `a` | x |\n| | `b` | x |\n| `high/` | `c` | x |\n"


class Layering(unittest.TestCase):
    def check(self, path: str, include: str) -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "docs").mkdir()
            (root / "docs/architecture.md").write_text(TABLE)
            source = root / "src" / path
            source.parent.mkdir(parents=True)
            source.write_text(f'#include "{include}"\n')
            return violations(root)

    def test_an_earlier_wing_and_an_earlier_room_are_allowed(self):
        self.assertEqual(self.check("high/c/x.cpp", "low/a/x.hpp"), [])
        self.assertEqual(self.check("low/b/x.cpp", "low/a/x.hpp"), [])

    def test_a_later_wing_or_room_is_found(self):
        self.assertIn("low/a must not use high/c", self.check("low/a/x.cpp", "high/c/x.hpp")[0])
        self.assertIn("low/a must not use low/b", self.check("low/a/x.cpp", "low/b/x.hpp")[0])

    def test_a_room_outside_the_table_is_found(self):
        self.assertIn("not in the table", self.check("low/util/x.cpp", "low/a/x.hpp")[0])


if __name__ == "__main__":
    unittest.main()
