"""Who builds images from wheels on disk and pushes them: torchkiln, and the engines as their users have them do it."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tomllib

import kiln
from measuring import Meter
from projects import OWN_LAYER_BYTES, Project, Projects

IMPORT = "import torch; print(torch.__version__)"

DOCKERFILE = """FROM {base}
ENV PATH=/opt/venv/bin:$PATH
{steps}CMD ["python"]
"""
VENV = "/uv venv --offline --python /usr/bin/python3 /opt/venv"
INSTALL = """RUN --mount=type=bind,source=wheels,target=/wheels --mount=type=bind,source=uv,target=/uv \\
    {before}/uv pip install --offline --python /opt/venv/bin/python --no-index --no-deps --no-cache --link-mode copy {wheels}
"""


class Torchkiln:
    """Our cache has what an engine's store has before a cold build: the Debian system, and wheels as files."""

    name = "torchkiln"

    def __init__(self, program: pathlib.Path, projects: Projects, meter: Meter, work: pathlib.Path):
        self.program, self.projects, self.meter, self.work = program, projects, meter, work
        self.system, self.catalog = work / "system-cache", work / "catalog"
        # What the registry has need not be made, where the program knows how to leave it out.
        told = subprocess.run([program, "build", "--help"], capture_output=True, text=True, check=True).stdout
        self.sparse = ("--sparse",) if "--sparse" in told else ()
        # Our manifests come with a catalog of layers; who starts cold has none.
        self.manifests = work / "manifests"

    def prepare(self) -> None:
        """Builds everything once, and keeps of it the Debian layers, and apart from them what layers are known to be."""
        shutil.copytree(kiln.SOURCE / "manifests", self.manifests, ignore=shutil.ignore_patterns("layers"))
        for project in (self.projects.jupyter or self.projects.first, self.projects.release):
            self.add_wheels(self.system, project)
            folder = self.projects.copy(project, self.work / "preparing")
            self.build(folder, self.system)
            made = {wheel["layer"] for wheel in tomllib.loads((folder / "kiln.lock").read_text())["wheel"]}
            for digest in made | {f"sha256:{wheel.sha256}" for wheel in project.wheels}:
                (self.system / "blobs/sha256" / digest.removeprefix("sha256:")).unlink(missing_ok=True)
            kiln.remove(folder)
        shutil.copytree(self.system / "layers", self.catalog)
        for entry in (self.system / "layers").iterdir():
            named = re.search(r'"digest": *"sha256:([0-9a-f]{64})"', entry.read_text())
            if named and not (self.system / "blobs/sha256" / named[1]).exists():
                entry.unlink()

    def cold_cache(self, *projects: Project, catalog=False, wheels=True) -> pathlib.Path:
        cache = self.work / "cache"
        kiln.remove(cache)
        kiln.run(["cp", "-al", self.system, cache])
        if catalog:
            kiln.remove(cache / "layers")
            shutil.copytree(self.catalog, cache / "layers")
        for project in projects if wheels else ():
            self.add_wheels(cache, project)
        return cache

    def add_wheels(self, cache: pathlib.Path, project: Project) -> None:
        """Puts the wheels on disk where the cache looks for files that it has downloaded."""
        blobs = cache / "blobs/sha256"
        blobs.mkdir(parents=True, exist_ok=True)
        cache.chmod(0o700)
        for wheel in project.wheels:
            if not (blobs / wheel.sha256).exists():
                os.link(self.projects.wheels / wheel.file, blobs / wheel.sha256)

    def build(self, folder: pathlib.Path, cache: pathlib.Path, *more) -> dict:
        command = [self.program, "build", "--json", "--progress", "none", "--cache", cache, "--manifests", self.manifests, *more]
        done = self.meter.run(command, cwd=folder)
        return json.loads(done.stdout)

    def run_import(self, reference: str, cache: pathlib.Path) -> None:
        self.meter.run([self.program, "run", reference, "--progress", "none", "--cache", cache, "--", "python", "-c", IMPORT])


class Engine:
    """docker, podman or buildah, with an empty store; the Debian system that we build on is its base image."""

    base = "localhost/bench/base"

    def __init__(self, name: str, projects: Projects, meter: Meter, work: pathlib.Path, *, split=False):
        self.tool, self.projects, self.meter = name, projects, meter
        self.context, self.split = work / f"context-{name}", split
        self.name = f"{name}, by hand in two steps" if split else name
        self.environment: dict[str, str] = {}

    @contextlib.contextmanager
    def session(self, system_layer: pathlib.Path | None):
        """An empty store; with the base image in it, unless it is only pulled into."""
        with kiln.dockerd() if self.tool == "docker" else kiln.containers() as environment:
            self.environment = os.environ | environment
            try:
                if system_layer:
                    self._import(system_layer)
                yield self
            finally:
                kiln.remove(self.context)

    def _import(self, system_layer: pathlib.Path) -> None:
        if self.tool != "buildah":
            self.run("import", system_layer, self.base)
            return
        container = self.run("from", "scratch").strip()
        self.run("add", "--quiet", container, system_layer, "/")
        self.run("commit", "--quiet", container, self.base)
        self.run("rm", container)

    def run(self, *arguments) -> str:
        # Debian's docker knows BuildKit; another client on the path may lack it.
        program = "/usr/bin/docker" if self.tool == "docker" else self.tool
        return self.meter.run([program, *arguments], env=self.environment).stdout

    def write_context(self, project: Project) -> None:
        kiln.remove(self.context)
        (self.context / "wheels").mkdir(parents=True)
        shutil.copy2(kiln.uv(), self.context / "uv")
        for wheel in project.wheels:
            os.link(self.projects.wheels / wheel.file, self.context / "wheels" / wheel.file)
        groups = [[wheel for wheel in project.wheels if "jupyter" not in wheel.parts]]
        if self.split:  # what is large below what changes
            groups = [[wheel for wheel in groups[0] if (wheel.size >= OWN_LAYER_BYTES) == large] for large in (True, False)]
        groups.append([wheel for wheel in project.wheels if "jupyter" in wheel.parts])
        steps = ""
        for wheels in filter(None, groups):
            before = "" if steps else f"{VENV} && "
            steps += INSTALL.format(before=before, wheels=" ".join(f"/wheels/{wheel.file}" for wheel in wheels))
        (self.context / "Dockerfile").write_text(DOCKERFILE.format(base=self.base, steps=steps))

    def build(self, reference: str) -> None:
        if self.tool == "docker":
            self.run("build", "--quiet", "--network", "none", "--tag", reference, self.context)
        else:
            limits = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")
            self.run("build", "--quiet", "--layers", "--network", "none", *limits, "--tag", reference, self.context)

    def push(self, reference: str) -> None:
        self.run("push", "--quiet", *self._plain(), reference)

    def pull(self, reference: str) -> None:
        self.run("pull", "--quiet", *self._plain(), reference)

    def run_import(self, reference: str) -> None:
        self.run("run", "--rm", "--network", "none", reference, "python", "-c", IMPORT)

    def unpacked_bytes(self, reference: str) -> int:
        """What the store says that the image takes."""
        return int(self.run("image", "inspect", "--format", "{{.Size}}", reference))

    def _plain(self) -> tuple[str, ...]:
        return () if self.tool == "docker" else ("--tls-verify=false",)
