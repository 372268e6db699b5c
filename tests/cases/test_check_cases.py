#!/usr/bin/env python3
"""The check of cases itself: what is forgotten is found, on either side."""
import pathlib
import tempfile
import unittest

from check_cases import cases_of, problems


class Cases(unittest.TestCase):
    ROWS = {"T1": {"says": "x", "rooms": ["solver"]}, "T2": {"says": "y", "no_case": "nothing can be asked"}}

    def test_names_of_test_cases_are_read_in_one_line_or_two(self):
        with tempfile.TemporaryDirectory() as folder:
            tests = pathlib.Path(folder)
            (tests / "unit/solver").mkdir(parents=True)
            (tests / "unit/solver/x_test.cpp").write_text(
                'TEST_CASE("T1, T2: a") {}\nTEST_CASE(\n    "T3: b "\n    "c") {}\nTEST_CASE("T4 is no case") {}\n'
            )
            self.assertEqual(cases_of(tests), {"solver": {"T1", "T2", "T3"}})

    def test_what_is_held_as_listed_is_fine(self):
        self.assertEqual(problems(self.ROWS, {"solver": {"T1"}}), [])

    def test_a_row_that_no_test_holds_is_found(self):
        self.assertIn("T1 (x): no test case", problems(self.ROWS, {"solver": set()})[0])

    def test_a_test_of_an_unlisted_row_is_found(self):
        self.assertIn("T3: tests/unit/audit has a case", problems(self.ROWS, {"solver": {"T1"}, "audit": {"T3"}})[0])

    def test_a_row_needs_rooms_or_a_reason_and_its_number(self):
        self.assertIn("either rooms", problems({"T1": {"says": "x", "rooms": []}}, {})[0])
        self.assertIn("without a gap", problems({"T2": {"says": "x", "no_case": "y"}}, {})[0])


if __name__ == "__main__":
    unittest.main()
