"""What is measured, in the order in which it happens to one store and one registry."""
import contextlib
import pathlib
import tomllib

import kiln
import local_registry
from builders import Engine, Torchkiln
from measuring import Cost, Meter
from projects import NAME, Project
from results import Results

IMAGE = f"{NAME}-image"


class Bench:
    def __init__(self, meter: Meter, results: Results, ours: Torchkiln, work: pathlib.Path):
        self.meter, self.results, self.ours, self.work = meter, results, ours, work
        self.projects = ours.projects

    @contextlib.contextmanager
    def registry(self):
        with local_registry.registry(self.work) as registry:
            self.meter.left_out.add(registry.process.pid)
            yield registry

    def measure(self, scenario: str, builder: str, do, registry=None) -> Cost:
        """Measures do(), and says so."""
        before = registry.blob_bytes() if registry else 0
        with self.meter.measure() as cost:
            do()
        cost.bytes_pushed = registry.blob_bytes() - before if registry else 0
        self.results.add(scenario, builder, cost)
        print(f"{scenario:15} {builder:28} {cost.seconds:8.2f} s  {cost.cpu_s:8.2f} cpu s  {cost.peak_bytes >> 20:6} MiB  "
              f"{cost.bytes_written >> 20:7} MiB written  {cost.bytes_pushed >> 20:6} MiB pushed  (others {cost.others_cpu_s:.1f} cpu s)", flush=True)  # fmt: skip
        return cost

    # Ours.

    def layouts(self) -> None:
        """Wheels → layout: nothing known, and with the catalog."""
        ours, first = self.ours, self.projects.first
        for scenario, catalog in (("layout", False), ("layout-catalog", True)):
            folder, cache = self.copy(first), ours.cold_cache(first, catalog=catalog)
            self.measure(scenario, ours.name, lambda: self.note_image(ours.build(folder, cache), folder))

    def chain(self, puller: Engine | None) -> None:
        """Wheels → registry, then what changes in an image's life; then the catalog, with and without the blobs. At the
        end what the first image costs who pulls it, us and an engine."""
        ours, projects = self.ours, self.projects
        with self.registry() as registry:
            target = f"{registry.address}/{IMAGE}"
            pushed = []
            build = lambda folder, cache: pushed.append(ours.build(folder, cache, "--push", target)["images"][0]["pushed"][0])
            folder, cache = self.copy(projects.first), ours.cold_cache(projects.first)
            self.measure("cold", ours.name, lambda: build(folder, cache), registry)
            for scenario, project in (("same", projects.first), ("small", projects.small), ("jupyter", projects.jupyter),
                                      ("release", projects.release)):  # fmt: skip
                if not project:
                    continue
                ours.add_wheels(cache, project)
                project_files(project, folder)
                self.measure(scenario, ours.name, lambda: build(folder, cache), registry)
            folder, cache = self.copy(projects.first), ours.cold_cache(projects.first, catalog=True, wheels=False)
            self.measure("known", ours.name, lambda: ours.build(folder, cache, "--push", target, *ours.sparse), registry)
            self.pull_ours(pushed[0])
            if puller:
                self.pull_theirs(puller, f"{puller.tool}: our image", pushed[0])
        with self.registry() as registry:
            target = f"{registry.address}/{IMAGE}"
            folder, cache = self.copy(projects.first), ours.cold_cache(projects.first, catalog=True)
            self.measure("cold-catalog", ours.name, lambda: ours.build(folder, cache, "--push", target), registry)

    def family(self, count: int) -> None:
        ours = self.ours
        family = self.projects.family(count)
        with self.registry() as registry:
            cache = ours.cold_cache(*family)
            folder = self.copy(family[0])

            def build_all():
                for project in family:
                    project_files(project, folder)
                    ours.build(folder, cache, "--push", f"{registry.address}/{IMAGE}-{project.name}")

            self.measure(f"family-{count}", ours.name, build_all, registry)

    def copy(self, project: Project) -> pathlib.Path:
        return self.projects.copy(project, self.work / "project")

    def note_image(self, built: dict, folder: pathlib.Path) -> None:
        image = built["images"][0]
        layers = {wheel["layer"]: wheel["layer_size"] for wheel in tomllib.loads((folder / "kiln.lock").read_text())["wheel"]}
        self.results.tell(our_image={"size": image["size"], "unpacked_size": image.get("unpacked_size"), "layers": image["layers"],
                                     "wheel_layer_bytes": sum(layers.values())})  # fmt: skip

    def pull_ours(self, reference: str) -> None:
        empty = kiln.folder("empty-cache")
        for scenario in ("pull", "import"):
            self.measure(scenario, self.ours.name, lambda: self.ours.run_import(reference, empty))
        kiln.remove(empty)

    # The engines.

    def engine_chain(self, engine: Engine, scenarios: list[str]) -> None:
        projects = self.projects
        steps = {"cold": projects.first, "same": projects.first, "small": projects.small, "jupyter": projects.jupyter,
                 "release": projects.release}  # fmt: skip
        with self.registry() as registry:
            first = f"{registry.address}/{IMAGE}:first"
            with engine.session(self.system_layer()):
                for scenario, project in steps.items():
                    if scenario not in scenarios or not project:
                        continue
                    reference = first if project is projects.first else f"{registry.address}/{IMAGE}:{scenario}"
                    engine.write_context(project)
                    self.measure(scenario, engine.name, lambda: (engine.build(reference), engine.push(reference)), registry)
                    if scenario == "cold" and engine.name == "docker":
                        self.results.tell(engine_image={"size": registry.blob_bytes(), "unpacked_size": engine.unpacked_bytes(first)})
            if "pull" in scenarios:
                self.pull_theirs(engine, f"{engine.tool}: its image", first)

    def pull_theirs(self, engine: Engine, name: str, reference: str) -> None:
        with engine.session(None):
            self.measure("pull", name, lambda: (engine.pull(reference), engine.run_import(reference)))
            self.measure("import", name, lambda: engine.run_import(reference))

    def system_layer(self) -> pathlib.Path:
        """The layer with Debian in it: the largest blob that is left when the wheels are gone."""
        is_gzip = lambda blob: blob.open("rb").read(2) == b"\x1f\x8b"
        return max(filter(is_gzip, (self.ours.system / "blobs/sha256").iterdir()), key=lambda blob: blob.stat().st_size)


def project_files(project: Project, folder: pathlib.Path) -> None:
    """Another spec and lock in the same folder, beside the layout that is there."""
    for file in project.folder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
