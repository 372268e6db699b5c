#!/usr/bin/env python3
"""torchkiln lint beside the linters that people know: what it calls by their names it finds where they do.

hadolint, tally and checkov read the Dockerfiles of tests/unit/lint/rules. Where they and we differ, EXPLAINED says why;
an explanation that is no longer needed fails the test.
"""
import collections
import json
import pathlib
import shutil
import unittest

import kiln
import linters
from python_packages import enter_environment

CORPUS = kiln.SOURCE / "tests/unit/lint/rules"
# Rules whose finding is about the whole file: which line it is told at says nothing.
WHOLE_FILE = {"healthcheck-missing", "user-missing", "instruction-order"}

# Who differs from the others' agreement, how, why, and where: "RULE: Dockerfile:line" of the corpus.
Difference = collections.namedtuple("Difference", "tool side why places")
EXPLAINED = [
    Difference("hadolint", "ours", "it no longer has DL3005", {"apt-upgrade: apt-upgrade.bad:3"}),
    Difference("hadolint", "ours", "it looks at names, never at values", {"secret-in-environment: secret-in-environment.bad:9"}),
    Difference("hadolint", "its", "it takes TOKENIZERS_… and …_TOKEN_FILE for secrets; BuildKit does not, nor do we",
               {"secret-in-environment: secret-in-environment.good:2", "secret-in-environment: secret-in-environment.good:3"}),
    Difference("hadolint", "ours", "it stops at the first line that it cannot read, or does not know `<<-EOF`",
               {"healthcheck-missing: syntax.bad:0", "syntax: syntax.bad:5", "healthcheck-missing: syntax.good:0"}),
    Difference("hadolint", "its", "it does not know `<<-EOF`", {"syntax: syntax.good:6"}),
    Difference("hadolint", "ours", "it takes a registry's port for a tag", {"tag-latest: tag-latest.bad:6"}),
    Difference("hadolint", "its", "--force-yes says yes as well (apt-get(8))", {"apt-without-yes: apt-unauthenticated.bad:5"}),
    Difference("hadolint", "its", "it asks every stage for a health check, not the last alone",
               {"healthcheck-missing: instruction-twice.good:0", "healthcheck-missing: label-missing.bad:0"}),
    Difference("tally", "ours", "it looks for torch alone, and not for the CPU's build",
               {"cuda-mismatch: cuda-mismatch.bad:5", "cuda-mismatch: cuda-mismatch.bad:12"}),
    Difference("tally", "ours", "it does not know what PyTorch's own images bring", {"cuda-mismatch: torch-build-unknown.good:2"}),
    Difference("tally", "ours", "it calls a second CUDA from conda a mismatch", {"cuda-twice: cuda-twice.bad:6"}),
    Difference("tally", "its", "the same", {"cuda-mismatch: cuda-twice.bad:6"}),
    Difference("tally", "ours", "it spares stages that begin with one that compiles", {"devel-final-stage: devel-final-stage.bad:5"}),
    Difference("tally", "ours", "it does not read here-documents for other programs", {"gpu-query-in-build: gpu-query-in-build.bad:10"}),
    Difference("tally", "ours", "it does not know a package that is written with its version",
               {"container-toolkit-in-image: container-toolkit-in-image.bad:3"}),
    Difference("tally", "ours", "it does not know what `create` installs", {"torch-from-conda: torch-from-conda.bad:5"}),
    Difference("tally", "ours", "it looks at the last value alone", {"visible-devices-fixed: visible-devices-fixed.bad:3"}),
    Difference("checkov", "ours", "it lets an update go when any later RUN installs, which is the mistake",
               {"apt-update-alone: apt-update-alone.bad:3"}),
    Difference("checkov", "ours", "it tells the first FROM, not the one that repeats a name",
               {"stage-name-taken: stage-name-taken.bad:3"}),
    Difference("checkov", "its", "the same", {"stage-name-taken: stage-name-taken.bad:1"}),
    Difference("checkov", "ours", "it tells the first image of a file only",
               {"tag-latest: tag-latest.bad:4", "tag-latest: tag-latest.bad:6"}),
    Difference("checkov", "ours", "it looks for chpasswd alone", {"password-in-build: password-in-build.bad:6"}),
    Difference("checkov", "its", "it does not replace variables", {"tag-latest: tag-latest.good:2"}),
    Difference("checkov", "its", "it is against every ADD, also of what only ADD unpacks or downloads",
               {"add-for-copy: add-for-copy.good:2", "add-for-copy: add-for-copy.good:3"}),
]

Found = set[tuple[str, str, int]]  # file, our rule, line of the instruction


def our_rules() -> dict[str, str]:
    """Every alias, in small letters → our rule."""
    rules = json.loads(kiln.torchkiln("lint", "--rules", "--json").stdout)["rules"]
    return {alias.lower(): rule["rule"] for rule in rules for alias in rule["aliases"]}


def place(file: str, rule: str, line: int) -> tuple[str, str, int]:
    return (str(file), rule, 0 if rule in WHOLE_FILE else line)


class SameLines(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        # checkov reads files that are called Dockerfile.
        cls.corpus = kiln.folder("corpus")
        for source in sorted(CORPUS.glob("*.Dockerfile")):
            (cls.corpus / source.stem).mkdir()
            shutil.copy(source, cls.corpus / source.stem / "Dockerfile")
        cls.files = sorted(cls.corpus.glob("*/Dockerfile"))
        cls.aliases = our_rules()
        cls.mine = linters.ours(cls.files)

    def rules_of(self, prefix: str) -> set[str]:
        return {rule for alias, rule in self.aliases.items() if alias.startswith(prefix)}

    def compare(self, tool: str, rules: set[str], theirs: Found):
        """Both find the same places, for the rules with an alias that is the tool's; else it is explained."""
        mine = {place(one["file"], one["rule"], one["instruction_line"]) for one in self.mine if one["rule"] in rules}
        theirs = {one for one in theirs if one[1] in rules}
        print(f"measured: {tool}: {len(mine & theirs)} findings of {len(rules)} rules at the same lines, "
              f"{len(mine - theirs)} ours alone, {len(theirs - mine)} its alone")
        self.assertGreaterEqual(len({rule for _, rule, _ in mine & theirs}), 0.8 * len(rules))
        for side, places in (("ours", mine - theirs), ("its", theirs - mine)):
            found = {f"{rule}: {pathlib.Path(file).parent.name}:{line}" for file, rule, line in places}
            explained = {one for known in EXPLAINED if (known.tool, known.side) == (tool, side) for one in known.places}
            self.assertEqual(found, explained, f"{side} alone beside {tool}")

    def test_hadolint(self):
        every_rule = "override:\n  info: [DL3057]\n"
        found = {place(file, self.aliases[code.lower()], line)
                 for file, code, line in linters.hadolint(self.files, every_rule)
                 if code.lower() in self.aliases}  # fmt: skip
        self.compare("hadolint", self.rules_of("dl"), found)

    def test_tally(self):
        found = set()
        for file, rule, line in linters.tally(self.files):
            name = rule.removeprefix("hadolint/").lower()
            if name in self.aliases:
                found.add(place(file, self.aliases[name], line))
        self.compare("tally", self.rules_of("tally/"), found)

    def test_checkov(self):
        found = {place(file, self.aliases[check.lower()], line) for file, check, line in linters.checkov(self.files)
                 if check.lower() in self.aliases}  # fmt: skip
        self.compare("checkov", self.rules_of("ckv"), found)

    def test_sarif_is_read_and_says_the_same(self):
        from sarif_pydantic import Sarif

        text = kiln.torchkiln("lint", "--format", "sarif", "--fail-level", "none", *self.files).stdout
        Sarif.model_validate_json(text)
        results = json.loads(text)["runs"][0]["results"]
        self.assertEqual([(r["ruleId"], r["locations"][0]["physicalLocation"]["region"]["startLine"]) for r in results],
                         [(one["rule"], one["line"]) for one in self.mine])
        prints = collections.Counter(r["partialFingerprints"]["primaryLocationLineHash"] for r in results)
        self.assertEqual(max(prints.values()), 1)


if __name__ == "__main__":
    enter_environment(linters.FOLDER, linters.PACKAGES)
    unittest.main(verbosity=2)
