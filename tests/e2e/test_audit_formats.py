#!/usr/bin/env python3
"""The documents of an audit, read by the programs that they are for.

Called by ctest: test_audit_formats.py WRITE_AUDIT_DOCUMENTS FOLDER [unittest arguments]. FOLDER keeps the virtual
environment with the packages below, the documents, and screenshots of the pages. A program or package that is missing
fails the test. SARIF is read by sarif-pydantic, whose models are those of SARIF 2.1.0: no package of the Python
index or of Debian that we know has the schema itself.
"""
import csv
import io
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

from python_packages import enter_environment

PACKAGES = ["html5lib==1.1", "junitparser==5.0.3", "markdown-it-py==4.3.0", "pillow==13.0.0", "prometheus_client==0.26.0",
            "sarif-pydantic==0.6.2"]  # fmt: skip
AUDITS = {"small": (3, 3), "fleet": (200, 40), "large": (200, 40), "hostile": (17, 17), "nothing": (0, 0)}
RUNNING = {"direct", "minor-version", "forward-compat", "ptx-jit"}


class Case(unittest.TestCase):
    folder: pathlib.Path

    def text(self, audit: str, form: str) -> str:
        """The document; that it is UTF-8 is part of every test."""
        return (self.folder / f"{audit}.{form}").read_bytes().decode("utf-8")

    def results(self, audit: str) -> list[dict]:
        return json.loads(self.text(audit, "json"))["results"]


class Json(Case):
    def test_json_has_every_pair_in_order_and_its_summary(self):
        for audit, (hosts, images) in AUDITS.items():
            document = json.loads(self.text(audit, "json"))
            self.assertEqual(document["schema"], "torchkiln.audit/1")
            self.assertEqual(len(document["results"]), hosts * images)
            self.assertEqual(sum(document["summary"].values()), hosts * images)
            self.assertEqual(len(document["hosts"]), hosts)
            for result in document["results"]:
                self.assertEqual(set(result) - {"limitations"},
                                 {"host", "image", "verdict", "runs", "reasons", "fixes", "features"})
                self.assertEqual(result["runs"], result["verdict"] in RUNNING)

    def test_json_lines_are_the_same_results(self):
        for audit in AUDITS:
            lines = [json.loads(line) for line in self.text(audit, "jsonl").split("\n")[:-1]]
            self.assertEqual({line.pop("schema") for line in lines}, {"torchkiln.audit-result/1"} if lines else set())
            self.assertEqual(lines, self.results(audit))


class Csv(Case):
    def test_csv_has_the_same_pairs_and_no_formulas(self):
        for audit in AUDITS:
            rows = list(csv.DictReader(io.StringIO(self.text(audit, "csv"), newline=""), strict=True))
            results = self.results(audit)
            self.assertEqual([row["verdict"] for row in rows], [result["verdict"] for result in results])
            for row, result in zip(rows, results, strict=True):
                self.assertEqual(row["host"].removeprefix("'"), result["host"])
                self.assertIn(row["runs"], {"yes", "no", "unknown"})
                self.assertEqual(row["runs"] == "yes", result["runs"])
                self.assertEqual(row["reason"], result["reasons"][0]["text"])
                for value in row.values():
                    self.assertNotRegex(value, r"^[=+\-@\t\r]")

    def test_csv_ends_every_line_with_crlf(self):
        self.assertEqual(self.text("small", "csv").count("\r\n"), 10)
        self.assertNotIn("\n", self.text("small", "csv").replace("\r\n", ""))


class Markdown(Case):
    def test_markdown_is_one_table_whatever_the_names(self):
        from markdown_it import MarkdownIt

        for audit in AUDITS:
            # "commonmark" with tables: raw HTML is allowed, as GitHub allows it.
            tokens = MarkdownIt("commonmark").enable("table").parse(self.text(audit, "markdown"))
            kinds = [token.type for token in tokens]
            self.assertEqual(kinds.count("table_open"), 1)
            self.assertEqual([token.tag for token in tokens if token.type == "heading_open"], ["h3"])
            rows = "".join("r" if kind == "tr_open" else "c" if kind in ("td_open", "th_open") else "" for kind in kinds)
            self.assertRegex(rows, r"^(rcccccc)+$")
            for token in tokens:
                for child in token.children or []:
                    self.assertIn(child.type, {"text", "html_inline", "strong_open", "strong_close"})
                    if child.type == "html_inline":
                        self.assertIn(child.content, {"<code>", "</code>", "<br>"})

    def test_markdown_shows_hostile_names_as_they_are(self):
        from markdown_it import MarkdownIt

        tokens = MarkdownIt("commonmark").enable("table").parse(self.text("hostile", "markdown"))
        shown = "\n".join("".join(child.content for child in token.children if child.type == "text")
                          for token in tokens if token.type == "inline")
        for name in ("<script>alert(1)</script>", "a|b\\|c", "@org/team", "]]> & &amp; 'quoted'", "日本語 ünïcode 🙂"):
            self.assertIn(name, shown)


class Sarif(Case):
    def test_sarif_is_read_and_every_finding_is_in_it_once(self):
        from sarif_pydantic import Sarif as Log

        for audit in AUDITS:
            Log.model_validate_json(self.text(audit, "sarif"))
            document = json.loads(self.text(audit, "sarif"))
            self.assertEqual((document["version"], len(document["runs"])), ("2.1.0", 1))
            run = document["runs"][0]
            rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
            self.assertEqual(len(rules), len(set(rules)))
            findings: dict[str, int] = {}
            for result in run["results"]:
                self.assertIn(result["ruleId"], rules)
                rule = result["ruleId"]
                self.assertEqual(result["level"], {"limited": "note", "unknown": "warning"}.get(rule, "error"))
                self.assertTrue(result["message"]["text"])
                findings[rule] = findings.get(rule, 0) + result["occurrenceCount"]
            expected: dict[str, int] = {}
            for result in self.results(audit):
                rule = "limited" if result["runs"] else result["verdict"]
                if not result["runs"] or result["features"]:
                    expected[rule] = expected.get(rule, 0) + 1
            self.assertEqual(findings, expected)

    def test_sarif_has_fingerprints_of_its_own_for_every_finding(self):
        for audit in AUDITS:
            results = json.loads(self.text(audit, "sarif"))["runs"][0]["results"]
            keys = {(result["ruleId"], result["partialFingerprints"]["primaryLocationLineHash"]) for result in results}
            self.assertEqual(len(keys), len(results))

    def test_sarif_shows_a_lock_in_the_lock_and_anything_else_where_the_reason_is(self):
        places = {result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
                  for result in json.loads(self.text("small", "sarif"))["runs"][0]["results"]}
        self.assertEqual(places, {"deploy/kiln.lock", "manifests/cuda.toml"})


class JUnit(Case):
    def test_junit_counts_what_its_cases_say(self):
        from junitparser import Error, Failure, JUnitXml

        for audit, (hosts, images) in AUDITS.items():
            path = self.folder / f"{audit}.junit"
            xml.etree.ElementTree.parse(path)
            suites = JUnitXml.fromfile(str(path))
            results = self.results(audit)
            self.assertEqual(len(list(suites)), hosts)
            said = (suites.tests, suites.failures, suites.errors)
            suites.update_statistics()
            self.assertEqual(said, (suites.tests, suites.failures, suites.errors))
            cases = [case for suite in suites for case in suite]
            self.assertEqual(len(cases), hosts * images)
            for case, result in zip(cases, results, strict=True):
                kind = None if result["runs"] else Error if result["verdict"] == "unknown" else Failure
                self.assertEqual([type(one) for one in case.result], [kind] if kind else [])
                if kind:
                    self.assertEqual(case.result[0].type, result["verdict"])


class Prometheus(Case):
    def test_promtool_has_nothing_to_say(self):
        for audit in AUDITS:
            done = subprocess.run(["promtool", "check", "metrics"], input=self.text(audit, "prometheus").encode(),
                                  capture_output=True)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))

    def test_prometheus_reads_a_series_for_each_pair(self):
        from prometheus_client.parser import text_string_to_metric_families

        for audit, (hosts, images) in AUDITS.items():
            text = self.text(audit, "prometheus")
            self.assertTrue(text.endswith("\n"))
            self.assertNotIn("\n\n", text)
            families = {family.name: family for family in text_string_to_metric_families(text)}
            pairs = families["torchkiln_audit_pair_runs"].samples
            self.assertEqual(len({tuple(sorted(sample.labels.items())) for sample in pairs}), hosts * images)
            for sample, result in zip(pairs, self.results(audit), strict=True):
                self.assertEqual(sample.labels["verdict"], result["verdict"])
                self.assertEqual(sample.labels["host"].removesuffix(" (2)"), result["host"])
                self.assertEqual(sample.value, 1 if result["runs"] else 0)
                self.assertIsNone(sample.timestamp)
            counts = {sample.labels["verdict"]: sample.value for sample in families["torchkiln_audit_pairs"].samples}
            summary = json.loads(self.text(audit, "json"))["summary"]
            self.assertEqual({key: value for key, value in counts.items() if value}, summary)


class Html(Case):
    def chromium(self, *arguments: str) -> bytes:
        """Looks at a page without a network; what its console says is in the answer."""
        with tempfile.TemporaryDirectory() as profile:
            done = subprocess.run(["chromium", "--headless=new", "--no-sandbox", "--disable-gpu",
                                   "--disable-dev-shm-usage", f"--user-data-dir={profile}", "--enable-logging=stderr",
                                   "--virtual-time-budget=2000", *arguments], capture_output=True, timeout=180)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        said = [line for line in done.stderr.decode().splitlines() if "CONSOLE" in line]
        self.assertEqual(said, [], "the page's console is not silent")
        return done.stdout

    def test_html_is_valid_and_loads_nothing(self):
        import html5lib

        for audit in AUDITS:
            parser = html5lib.HTMLParser(strict=False, namespaceHTMLElements=False)
            tree = parser.parse(self.text(audit, "html"))
            self.assertEqual(parser.errors, [], audit)
            elements = list(tree.iter())
            self.assertEqual(sum(element.tag == "script" for element in elements), 1)
            names = [element.get("id") for element in elements if element.get("id")]
            self.assertEqual(len(names), len(set(names)))
            for element in elements:
                self.assertFalse({"src", "style", "srcset", "action"} & set(element.attrib))
                self.assertFalse([name for name in element.attrib if name.startswith("on")])
                if element.get("href"):
                    self.assertIn(element.get("href").removeprefix("#"), names)

    def test_a_page_of_200_by_40_is_small_and_says_every_verdict(self):
        self.assertLess(len(self.text("large", "html")), 700_000)
        self.assertLess(len(self.text("fleet", "html")), 100_000)
        cells = re.findall(r"<td class=\w><a href=#j\d+ aria-label=([\w-]+)>", self.text("large", "html"))
        self.assertEqual(cells, [result["verdict"] for result in self.results("large")])

    def test_the_script_runs_in_chromium_and_no_other_does(self):
        import html5lib

        for audit, (hosts, images) in (("small", (3, 3)), ("hostile", (17, 17))):
            seen = self.chromium("--dump-dom", f"file://{self.folder}/{audit}.html").decode()
            tree = html5lib.parse(seen, namespaceHTMLElements=False)
            form = next(element for element in tree.iter("form"))
            self.assertNotIn("hidden", form.attrib, "the script did not run: it shows the filters")
            self.assertEqual(len(list(tree.iter("td"))), hosts * images)
            if audit == "hostile":
                self.assertIn("<script>alert(1)</script>", [cell.find("b").text for cell in tree.iter("th")
                                                            if cell.find("b") is not None])

    def test_an_inline_handler_in_the_page_would_not_run(self):
        page = self.text("small", "html").replace("<main>", "<main><img src=x onerror=\"document.title='broken'\">"
                                                            "<script>document.title='broken'</script>")
        path = self.folder / "spoiled.html"
        path.write_text(page)
        with self.assertRaisesRegex(AssertionError, "Content Security Policy"):
            self.chromium("--dump-dom", f"file://{path}")

    def test_pages_are_light_or_dark_as_the_reader_prefers(self):
        from PIL import Image

        for audit, size in (("small", "1200,1000"), ("large", "1500,1000")):
            for scheme, ground in (("light", (255, 255, 255)), ("dark", (13, 17, 23))):
                picture = self.folder / f"{audit}-{scheme}.png"
                self.chromium(f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}",
                              f"--window-size={size}", f"--screenshot={picture}", f"file://{self.folder}/{audit}.html")
                image = Image.open(picture).convert("RGB")
                self.assertEqual(image.getpixel((2, 2)), ground)
                # Text, lines, and grounds of three outcomes: a page that shows nothing has few colours.
                self.assertGreater(len(image.getcolors(1 << 24)), 50)


if __name__ == "__main__":
    writer, Case.folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).absolute()
    Case.folder.mkdir(parents=True, exist_ok=True)
    enter_environment(Case.folder, PACKAGES)
    for program in ("promtool", "chromium"):
        if not shutil.which(program):
            sys.exit(f"{program} is missing: scripts/packages-test.txt names its Debian package")
    subprocess.run([writer, Case.folder], check=True)
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
