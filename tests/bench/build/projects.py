"""What is built: specs that differ as images differ in life, their locks and their wheels on disk."""
import concurrent.futures
import dataclasses
import hashlib
import os
import pathlib
import shutil
import tomllib
import urllib.request

import kiln
import small_index

NAME = "bench/pytorch"
OWN_LAYER_BYTES = 16 << 20  # a wheel from here on is large: it is what nobody wants to move twice

SPEC = """schema = "torchkiln.spec/1"
[image]
name = "{name}"
variants = [{variants}]
verifier = false
[require]
pytorch = "{torch}"
python = "3.11"
os = "debian-12"
{more}[packages]
python = [{packages}]
"""


@dataclasses.dataclass(frozen=True)
class Wheel:
    file: str
    url: str
    sha256: str
    size: int
    unpacked: int
    parts: tuple[str, ...]


@dataclasses.dataclass
class Project:
    name: str
    folder: pathlib.Path
    wheels: list[Wheel]

    @property
    def wheel_bytes(self) -> int:
        return sum(wheel.size for wheel in self.wheels)

    @property
    def unpacked_bytes(self) -> int:
        return sum(wheel.unpacked for wheel in self.wheels)


class Projects:
    """Specs and locks below `folder`, wheels in `wheels`; all made before anything is measured."""

    def __init__(self, torchkiln: pathlib.Path, folder: pathlib.Path, wheels: pathlib.Path, cache: pathlib.Path, index=None, *,
                 with_jupyter=True):  # fmt: skip
        self.torchkiln, self.folder, self.wheels, self.cache, self.index = torchkiln, folder, wheels, cache, index
        wheels.mkdir(parents=True, exist_ok=True)
        is_small = index is not None
        torch, next_torch = ("2.8.0", "2.9.1")
        changed = small_package_versions(is_small)
        packages = lambda version: (f"kiln-small=={version}",) if is_small else ("numpy==2.2.6", f"tqdm=={version}")
        self.first = self._make("first", torch, packages(changed[0]))
        self.small = self._make("small", torch, packages(changed[1]))
        self.release = self._make("release", next_torch, packages(changed[0]))
        self.jupyter = self._make("jupyter", torch, packages(changed[0]), ("runtime", "jupyter")) if with_jupyter else None
        self._packages, self._changed = packages, changed

    def family(self, count: int) -> list[Project]:
        """Images that differ in one small package."""
        return [self._make(f"family-{version}", "2.8.0", self._packages(version)) for version in self._changed[:count]]

    def _make(self, name, torch, packages, variants=("runtime",)) -> Project:
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        quoted = lambda words: ", ".join(f'"{word}"' for word in words)
        more = "" if self.index else 'cuda = "12.8"\n'
        text = SPEC.format(name=NAME, variants=quoted(variants), torch=torch, packages=quoted(packages), more=more)
        spec, lock = folder / "kiln.toml", folder / "kiln.lock"
        if not lock.exists() or not spec.exists() or spec.read_text() != text:
            spec.write_text(text)
            environment = self.index.environment if self.index else os.environ
            kiln.run([self.torchkiln, "lock", "--cache", self.cache, "--progress", "plain"], cwd=folder, env=environment)
        wheels = [Wheel(one["file"], one["url"], one["sha256"], one["size"], one["unpacked_size"], tuple(one.get("parts", ())))
                  for one in tomllib.loads(lock.read_text())["wheel"]]  # fmt: skip
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(self._fetch, wheels))
        return Project(name, folder, wheels)

    def _fetch(self, wheel: Wheel) -> None:
        path = self.wheels / wheel.file
        if path.exists() and path.stat().st_size == wheel.size:
            return
        part = path.with_name(f"{wheel.file}.part")
        digest = hashlib.sha256()
        with urllib.request.urlopen(wheel.url, timeout=60) as answer, part.open("wb") as file:
            while piece := answer.read(1 << 20):
                digest.update(piece)
                file.write(piece)
        if digest.hexdigest() != wheel.sha256:
            raise RuntimeError(f"{wheel.file} is {digest.hexdigest()}, not {wheel.sha256}")
        part.chmod(0o444)
        part.rename(path)

    def copy(self, project: Project, folder: pathlib.Path) -> pathlib.Path:
        """Spec and lock as they were before anything was built."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(project.folder, folder)
        return folder


def small_package_versions(is_small: bool) -> list[str]:
    if is_small:
        return [f"1.{minor}" for minor in range(16)]
    return ["4.66.5", "4.67.1", "4.67.0", "4.66.6", "4.66.4", "4.66.3", "4.66.2", "4.66.1", "4.66.0", "4.65.2", "4.65.1", "4.65.0",
            "4.64.1", "4.64.0", "4.63.2", "4.63.1"]  # fmt: skip


def publish_stand_ins(index: small_index.Index) -> None:
    """What the small index needs besides torch 2.8.0: the release after it, and a small package that changes."""
    source = small_index.TORCH_SOURCE.replace(small_index.TORCH, "2.9.1")
    index.publish(small_index.make_wheel(index.root / "files", "torch", "2.9.1", {"torch/__init__.py": source}, tag=small_index.TAG))
    for version in small_package_versions(True):
        index.publish(small_index.make_wheel(index.root / "files", "kiln-small", version))
