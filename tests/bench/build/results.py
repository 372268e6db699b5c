"""What was measured, kept as JSON (torchkiln.bench/1) after each run, so that a benchmark that was cut off goes on."""
import dataclasses
import json
import pathlib
import statistics

from measuring import Cost

SCHEMA = "torchkiln.bench/1"
# In the order of the tables: key → what happens.
SCENARIOS = {
    "layout": "wheels on disk → OCI layout",
    "layout-catalog": "the same, every layer known to the catalog",
    "cold": "wheels on disk → image in an empty registry",
    "cold-catalog": "the same, every layer known to the catalog",
    "known": "every layer known to the catalog, and in the registry",
    "same": "nothing changed",
    "small": "one small package changed",
    "release": "PyTorch 2.8.0 → 2.9.1",
    "jupyter": "the Jupyter variant added",
    "pull": "an empty store: pulled, then `import torch`",
    "import": "`import torch` once more",
    "family-1": "1 image",
    "family-4": "4 images that differ in one small package",
    "family-16": "16 images that differ in one small package",
}


@dataclasses.dataclass
class Row:
    """All runs of one scenario by one builder."""

    scenario: str
    builder: str
    runs: list[Cost]

    def median(self, field: str):
        return statistics.median(getattr(run, field) for run in self.runs)

    def spread(self) -> tuple[float, float]:
        seconds = [run.seconds for run in self.runs]
        return min(seconds), max(seconds)


class Results:
    def __init__(self, file: pathlib.Path):
        self.file = file
        self.facts: dict = {}  # machine, versions, rates, sizes of images: whatever is said once
        self._runs: list[dict] = []
        if file.exists():
            document = json.loads(file.read_text())
            assert document["schema"] == SCHEMA, f"{file} is a {document['schema']}"
            self.facts, self._runs = document["facts"], document["runs"]

    def count(self, scenario: str, builder: str) -> int:
        return sum(run["scenario"] == scenario and run["builder"] == builder for run in self._runs)

    def add(self, scenario: str, builder: str, cost: Cost) -> None:
        assert scenario in SCENARIOS, scenario
        self._runs.append({"scenario": scenario, "builder": builder, **dataclasses.asdict(cost)})
        self.save()

    def tell(self, **facts) -> None:
        self.facts |= facts
        self.save()

    def save(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps({"schema": SCHEMA, "facts": self.facts, "runs": self._runs}, indent=1) + "\n")

    def rows(self, scenario: str) -> list[Row]:
        rows: dict[str, Row] = {}
        for run in self._runs:
            if run["scenario"] == scenario:
                cost = Cost(**{field.name: run[field.name] for field in dataclasses.fields(Cost)})
                rows.setdefault(run["builder"], Row(scenario, run["builder"], [])).runs.append(cost)
        return list(rows.values())

    def row(self, scenario: str, builder: str) -> Row | None:
        return next((row for row in self.rows(scenario) if row.builder == builder), None)
