#!/usr/bin/env python3
"""Builds that the default index lacks are locked from PyTorch's own index: a server of ours with its layout (a folder a
build, and in it a page a package), small wheels under the real names, and the real uv."""
import base64
import functools
import hashlib
import http.server
import os
import pathlib
import threading
import zipfile

import kiln

TORCH_TAG = "cp311-cp311-manylinux_2_28_x86_64"


def make_wheel(folder: pathlib.Path, name: str, version: str, tag: str = "py3-none-any", requires: tuple[str, ...] = ()) -> pathlib.Path:
    """A wheel with one module and nothing else."""
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    metadata = "".join(f"{line}\n" for line in ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {r}" for r in requires)])
    files = {
        f"{name.replace('-', '_')}/__init__.py": f"__version__ = {version!r}\n",
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text.encode())}\n"
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    wheel = folder / f"{stem}-{tag}.whl"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return wheel


def publish(index: pathlib.Path, wheel: pathlib.Path, root: pathlib.Path) -> None:
    """Adds the wheel to its package's page, as PyTorch's index writes it: '+' escaped, the digest in the fragment."""
    page = index / wheel.name.split("-")[0].replace("_", "-").lower() / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    address = "/" + str(wheel.relative_to(root)).replace("+", "%2B")
    with page.open("a") as file:
        file.write(f'<a href="{address}#sha256={digest}">{wheel.name}</a><br/>\n')


def make_indexes(root: pathlib.Path) -> None:
    files = root / "files"
    for name, version in (("pip", "25.0"), ("numpy", "2.3.0")):
        publish(root / "simple", make_wheel(files, name, version), root)
    publish(root / "simple", make_wheel(files, "torch", "2.8.0", TORCH_TAG), root)
    publish(root / "simple", make_wheel(files, "torchvision", "0.23.0", TORCH_TAG, ("torch==2.8.0",)), root)
    # NVIDIA's packages are on PyTorch's index too.
    cu126 = files / "cu126"
    nvidia = ("nvidia-cuda-runtime-cu12==12.6.77", "nvidia-cudnn-cu12==9.10.2.21")
    publish(root / "whl/cu126", make_wheel(cu126, "torch", "2.8.0+cu126", TORCH_TAG, nvidia), root)
    publish(root / "whl/cu126", make_wheel(cu126, "torchvision", "0.23.0+cu126", TORCH_TAG, ("torch==2.8.0",)), root)
    for requirement in nvidia:
        name, version = requirement.split("==")
        publish(root / "whl/cu126", make_wheel(cu126, name, version), root)


class Server(http.server.ThreadingHTTPServer):
    """Serves a folder on a free port until the block ends; `asked` is what was asked for."""

    def __init__(self, root: pathlib.Path):
        server = self
        self.asked = []

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_):
                server.asked.append(self.path)

        super().__init__(("127.0.0.1", 0), functools.partial(Handler, directory=str(root)))
        self.address = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


SPEC = """schema = "torchkiln.spec/1"
[require]
pytorch = "2.8"
cuda = "{cuda}"
os = "debian-12"
[packages]
python = ["torchvision", "numpy"]
"""


def project(name: str, cuda: str) -> pathlib.Path:
    folder = kiln.folder(name)
    (folder / "kiln.toml").write_text(SPEC.format(cuda=cuda))
    return folder


def lock(folder: pathlib.Path, *arguments: str, torch_index: str = "", cache: str = "cache", check: bool = True):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("UV_", "PIP_", "TORCHKILN_TORCH"))}
    environment["PIP_CONFIG_FILE"] = "/dev/null"
    if torch_index:
        environment["TORCHKILN_TORCH_INDEX"] = torch_index
    return kiln.torchkiln("lock", "--cache", str(kiln.WORK / cache), *arguments, cwd=folder, check=check, env=environment)


def main() -> None:
    root = kiln.folder("served")
    kiln.folder("cache")
    make_indexes(root)
    with Server(root) as server:
        default, own = f"{server.address}/simple", f"{server.address}/whl/"

        # From PyTorch's index: torch, its companion and NVIDIA's packages; the rest from the default index.
        folder = project("own", "12.6")
        lock(folder, "--index", default, "--torch-index", own, "--json")
        lock(folder, "--check", "--json")
        text = (folder / "kiln.lock").read_text()
        for expected in ("2.8.0+cu126", "0.23.0+cu126", "files/cu126/torch-", 'index = "pytorch"', "nvidia-cudnn-cu12", "numpy"):
            assert expected in text, f"{expected} is not in {text}"
        assert any(path.startswith("/whl/cu126/torch/") for path in server.asked), server.asked
        assert not any(path.startswith("/whl/cu12") and not path.startswith("/whl/cu126/") for path in server.asked)

        # The address may come from the environment, and locking again changes nothing.
        again = project("environment", "12.6")
        lock(again, "--index", default, torch_index=own)
        assert (again / "pylock.toml").read_text() == (folder / "pylock.toml").read_text()

        # No address: what cannot be locked, and what the default index has instead.
        nameless = project("nameless", ">=12.6,<12.8")
        done = lock(nameless, "--index", default, check=False)
        assert done.returncode == 1, done
        assert "PyTorch 2.8.0+cu126 is on PyTorch's own index and cannot be locked without its address" in done.stderr, done.stderr
        assert "2.8.0+cu126 is not on the default index" in done.stdout, done.stdout
        assert not (nameless / "kiln.lock").exists()

        # A mirror that lacks the build.
        lacking = project("lacking", "12.9")
        done = lock(lacking, "--index", default, "--torch-index", own, check=False)
        assert done.returncode == 1, done
        expect_nearest(done.stderr, "2.8.0+cu129", "2.8.0+cu128: torchkiln lock kiln.toml --pytorch 2.8.0+cu128 --cuda 12.8")
    # Nobody answers any more; and offline, with nothing in the cache.
    for name, arguments in (("silent", ()), ("offline", ("--offline",))):
        silent = project(name, "12.6")
        kiln.folder(f"cache-{name}")
        done = lock(silent, "--index", default, "--torch-index", own, *arguments, cache=f"cache-{name}", check=False)
        assert done.returncode == 3, done
        expect_nearest(done.stderr, "2.8.0+cu126", "2.7.1+cu126: torchkiln lock kiln.toml --pytorch 2.7.1+cu126")
        assert not (silent / "kiln.lock").exists()
    print("locked from PyTorch's own index; without it the nearest build of the default index is named")


def expect_nearest(said: str, build: str, nearest: str) -> None:
    assert f"PyTorch {build}, which is on PyTorch's own index only, could not be locked" in said, said
    assert f"nearest on the default index is {nearest}" in said, said


if __name__ == "__main__":
    main()
