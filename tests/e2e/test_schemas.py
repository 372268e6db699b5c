#!/usr/bin/env python3
"""docs/schemas against all documents that there are: those that torchkiln prints here, those in transcripts, golden files
and the repository, and those that the other end-to-end tests left behind.

Called by ctest: test_schemas.py TORCHKILN FOLDER [unittest arguments]. FOLDER keeps the virtual environment with
jsonschema, and is beside the folders of the other end-to-end tests. A document of ours is closed: a key that its schema
does not name fails here, so that none is forgotten.
"""
import datetime
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import unittest

from python_packages import enter_environment

PACKAGES = ["jsonschema==4.26.0"]
SOURCE = pathlib.Path(__file__).resolve().parents[2]
SCHEMAS = SOURCE / "docs/schemas"
NAME = re.compile(r"torchkiln\.([a-z-]+/[0-9]+)\b")
# Commands that need nothing but this folder's files: what they print, by standard output or error.
COMMANDS = [
    "resolve --pytorch 2.8 --gpu A100 --driver 535.104.05 --json",
    "resolve --pytorch 2.15 --gpu V100 --json",
    "resolve --gpu P100 --prefer smallest --json",
    "resolve --pytorch 2.7 --arch aarch64 --gpu sm_90 --forward-compat --driver 535.104.05 --json",
    "resolve --prefer fastest --json",
    "matrix check --json",
    *(f"matrix list {what} --json" for what in (
        "builds", "releases", "companions", "gpus", "drivers", "cuda", "cudnn", "nccl", "compat", "systems", "broken",
        "tombstones")),
    "matrix list --gpu V100 --driver 570.124.06 --json",
    *(f"matrix show {what} --json" for what in (
        "2.8", "2.8.0+cu128", "cu128", "V100", "sm_90", "535", "12.8", "debian-12", "torchvision", "torch", "9.10.2.21",
        "2.27.3", "nvidia/cuda:10.2-devel-ubuntu18.04")),
    "matrix add --from-stamp oci:stamped --pub trusted.pub --json",
    "matrix add --from-stamp oci:stamped --pub trusted.pub --json",
    "matrix list proofs --json",
    "matrix show A100 --json",
    "resolve --gpu A100 --prefer proven --json",
    "stamp check oci:stamped --pub trusted.pub --json",
    "stamp show oci:stamped --pub trusted.pub --json",
    "sbom oci:stamped -o stamped.spdx.json --json",
    "inspect oci:stamped --json",
    "cache prune --cache cache --json",
    "diff oci:stamped oci:stamped --json",
    "lint vision.Dockerfile --json",
    "lint --rules --json",
    "explain 'CUDA error: no kernel image is available for execution on the device' --json",
    "explain 'all is well' --json",
    "audit --host name=a,driver=535.104.05,gpu=8xV100+T4,arch=x86_64,glibc=2.17,compat=cuda-compat-12-8,runtime=legacy"
    " --pytorch 2.8.0+cu128 --pytorch 2.7.1+cu126 --json",
    "audit --host name=a,driver=535.104.05,gpu=V100 --pytorch 2.15.0 --format jsonl",
    "completion fish --json",
    "stamp oci:stamped --report report.json --key kiln.key --json",
    # Nothing answers there: what is printed until then is progress.
    "lock kiln.toml --index http://127.0.0.1:9/simple --mirror http://127.0.0.1:9/debian --progress json --json",
    "resolve --nonsense --json",
]  # fmt: skip
# What nothing here prints: documents of commands that need an index, a registry, a container or a GPU. The other
# end-to-end tests print most of them.
ELSEWHERE = {"bake/1", "build/1", "catalog/1", "lock/1", "lock-check/1", "lock-result/1", "matrix-refresh/1", "plan/1",
             "pull/1", "push/1", "render/1", "layer/1", "verifier/1", "verifier-plan/1"}  # fmt: skip


def schema_file(name: str) -> pathlib.Path:
    return SCHEMAS / (name.replace("/", "-") + ".json")


def plain(value):
    """TOML as JSON: dates are texts."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat().replace("+00:00", "Z")
    return value


def documents_in(text: str) -> list[dict]:
    """Every JSON object that begins a line."""
    found, at, decoder = [], 0, json.JSONDecoder()
    while match := re.compile(r"^\{", re.MULTILINE).search(text, at):
        document, at = decoder.raw_decode(text, match.start())
        found.append(document)
    return found


class Schemas(unittest.TestCase):
    program: pathlib.Path
    folder: pathlib.Path
    seen: set[str] = set()

    def check(self, document: dict, where: str) -> None:
        from jsonschema import Draft202012Validator

        name = NAME.fullmatch(document.get("schema", ""))
        self.assertTrue(name, f"{where}: no schema of ours: {str(document)[:200]}")
        schema = json.loads(schema_file(name.group(1)).read_text())
        errors = sorted(Draft202012Validator(schema).iter_errors(document), key=lambda error: list(error.absolute_path))
        self.assertEqual([f"{where}: {error.json_path}: {error.message[:300]}" for error in errors], [])
        self.seen.add(name.group(1))

    def test_1_every_schema_is_a_schema_and_closed(self):
        from jsonschema import Draft202012Validator

        def each_object(schema, path):
            if isinstance(schema, dict):
                if schema.get("type") == "object":
                    self.assertIn("additionalProperties", schema, path)
                for key, item in schema.items():
                    each_object(item, f"{path}/{key}")

        for file in sorted(SCHEMAS.glob("*.json")):
            with self.subTest(file.name):
                schema = json.loads(file.read_text())
                Draft202012Validator.check_schema(schema)
                name = NAME.fullmatch(schema["title"]).group(1)
                self.assertEqual(file, schema_file(name))
                self.assertEqual(schema["properties"]["schema"], {"const": schema["title"]})
                self.assertEqual(schema["$id"], "urn:torchkiln:" + name.replace("/", "-"))
                self.assertEqual(schema["$schema"], "https://json-schema.org/draft/2020-12/schema")
                each_object(schema, "")

    def test_2_every_name_in_the_source_has_a_schema(self):
        named = set()
        for folder in ("src", "images"):
            for file in (SOURCE / folder).rglob("*"):
                if file.suffix in (".cpp", ".hpp", ".py") and "tests" not in file.relative_to(SOURCE).parts:
                    named |= set(NAME.findall(file.read_text()))
        self.assertEqual({name for name in named if not schema_file(name).exists()}, set())
        self.assertEqual({schema_file(name) for name in named}, set(SCHEMAS.glob("*.json")))
        listed = set(NAME.findall((SCHEMAS / "README.md").read_text()))
        self.assertEqual(listed, named)

    def test_3_what_the_commands_print_is_as_their_schemas_say(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            shutil.copytree(SOURCE / "tests/cli/files", folder, dirs_exist_ok=True)
            report = json.loads((SOURCE / "tests/fuzz/corpus/report/gpu.json").read_text())
            report["image"]["digest"] = json.loads((folder / "stamped/index.json").read_text())["manifests"][0]["digest"]
            (folder / "report.json").write_text(json.dumps(report))
            environment = {"PATH": "/usr/bin:/bin", "HOME": name, "TORCHKILN_CACHE": f"{name}/cache"}
            for command in COMMANDS:
                with self.subTest(command):
                    done = subprocess.run(["sh", "-c", f"{self.program} {command}"], cwd=folder, env=environment,
                                          capture_output=True, text=True, timeout=120)  # fmt: skip
                    documents = documents_in(done.stdout)
                    self.assertTrue(documents, done.stderr)
                    documents += documents_in(done.stderr)
                    for document in documents:
                        self.check(document, command)

    def test_4_transcripts_and_golden_files(self):
        count = 0
        for file in sorted((SOURCE / "tests/cli").glob("*.transcript")):
            said, command = {}, ""
            for line in file.read_text().splitlines():
                if line.startswith("$ "):
                    command = line
                else:
                    said.setdefault(command, []).append(line)
            for command, lines in said.items():
                if "--json" not in command or "| cut" in command or "| head" in command or "| grep" in command:
                    continue
                for document in documents_in("\n".join(lines)):
                    with self.subTest(f"{file.name}: {command}"):
                        self.check(document, command)
                        count += 1
        for file in ("audit.json", "audit.jsonl"):
            for document in documents_in((SOURCE / "tests/golden" / file).read_text()):
                self.check(document, file)
                count += 1
        self.assertGreater(count, 20)

    def test_5_files_of_the_repository(self):
        count = 0
        for folder in ("manifests", "examples", "tests/cli/files", "tests/fuzz/corpus/report", "tests/fuzz/corpus/inventory"):
            for file in sorted((SOURCE / folder).rglob("*")):
                with self.subTest(str(file.relative_to(SOURCE))):
                    if file.suffix in (".toml", ".lock") and "torchkiln." in file.read_text():
                        self.check(plain(tomllib.loads(file.read_text())), file.name)
                    elif file.suffix == ".json" and '"torchkiln.' in file.read_text():
                        self.check(json.loads(file.read_text()), file.name)
                    else:
                        continue
                    count += 1
        self.assertGreater(count, 30)

    def test_6_documents_that_other_tests_left(self):
        for file in sorted((self.folder.parent / "documents").glob("*.jsonl")):
            if file.stat().st_mtime < self.program.stat().st_mtime:
                continue  # of another torchkiln than this one
            for line in file.read_text().splitlines():
                kept = json.loads(line)
                with self.subTest(f"{file.stem}: {kept['from']}"):
                    if "toml" in kept:
                        self.check(plain(tomllib.loads(kept["toml"])), kept["from"])
                    else:
                        for document in documents_in(kept["json"]):
                            self.check(document, kept["from"])

    def test_7_the_verifier(self):
        """The one that unit.verifier builds, which has no torch: its tests fail, and its documents are the same."""
        verifier = self.folder.parents[1] / "verifier/torchkiln-verify"
        if not verifier.exists():
            self.skipTest("unit.verifier has not built it")
        said = subprocess.run([verifier, "--list"], capture_output=True, text=True, check=True).stdout
        self.check(json.loads(said), "torchkiln-verify --list")
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder) / "report.json"
            subprocess.run([verifier, "--level", "gpu", "--json", report], capture_output=True, timeout=300)
            self.check(json.loads(report.read_text()), "torchkiln-verify --json")

    def test_8_every_schema_was_used(self):
        known = {file.stem.rsplit("-", 1)[0] + "/" + file.stem.rsplit("-", 1)[1] for file in SCHEMAS.glob("*.json")}
        print("not met here:", ", ".join(sorted(known - self.seen)) or "none")
        self.assertEqual(known - self.seen - ELSEWHERE, set())


if __name__ == "__main__":
    Schemas.program, Schemas.folder = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    enter_environment(Schemas.folder, PACKAGES)
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
