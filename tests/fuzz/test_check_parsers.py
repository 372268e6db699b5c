#!/usr/bin/env python3
"""The check of parsers itself: one that nothing feeds is found, one that something feeds is not."""
import pathlib
import tempfile
import unittest

from check_parsers import parsers_of, problems

HEADER = """
struct Thing {
  static base::Result<Thing> parse(std::string_view text);

 private:
  void read_part(std::string_view text);
};
base::Result<int> parse_row(std::string_view text, int line);
base::Result<Thing> read_thing(const std::filesystem::path& path);
// parse_nothing(std::string_view text) is of another room.
"""


class Parsers(unittest.TestCase):
    def test_parsers_are_found_by_what_they_read(self):
        with tempfile.TemporaryDirectory() as folder:
            header = pathlib.Path(folder) / "thing.hpp"
            header.write_text(HEADER)
            self.assertEqual(parsers_of(header), ["Thing::parse", "parse_row"])

    def test_a_target_feeds_what_it_calls_and_what_that_calls(self):
        listed = {"through": {"parse_row": "Thing::parse"}}
        self.assertEqual(problems({"Thing::parse", "parse_row"}, "x = Thing::parse(text);", listed), [])
        self.assertEqual(problems({"Thing::parse"}, "reads_back<version::Thing>(text);", {}), [])

    def test_a_parser_that_nothing_feeds_is_found(self):
        self.assertEqual(problems({"parse_row"}, "parse_rows(text);", {}), ["parse_row: no fuzz target feeds it"])
        self.assertEqual(problems({"parse_row"}, "", {"none": {"parse_row": "a word of the command line"}}), [])

    def test_a_list_about_a_parser_that_is_gone_is_found(self):
        self.assertIn("no header declares", problems(set(), "", {"none": {"parse_row": "x"}})[0])


if __name__ == "__main__":
    unittest.main()
