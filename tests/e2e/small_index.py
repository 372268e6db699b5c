"""A stand-in for PyTorch: a wheel named torch with a few bytes in it, on an index of ours in front of the machine's own.
With it every variant is built in seconds from real Debian packages and real wheels of everything else.

    with small_index.Index(folder) as index:
        (project / "kiln.toml").write_text(small_index.SPEC)
        kiln.torchkiln("build", cwd=project, env=index.environment)
"""
import base64
import functools
import hashlib
import http.server
import os
import pathlib
import threading
import zipfile

TORCH = "2.8.0"
TAG = "cp311-cp311-manylinux_2_28_x86_64"

SPEC = """schema = "torchkiln.spec/1"
[image]
name = "small/pytorch"
variants = ["runtime", "devel", "jupyter", "ssh", "devel+jupyter+ssh"]
verifier = false
[require]
pytorch = "2.8.0"
os = "debian-12"
[devel]
cuda = "none"
"""

TORCH_SOURCE = f'''"""A stand-in for PyTorch."""
__version__ = "{TORCH}+cu128"


def ones(n):
    return [1.0] * n
'''


def make_wheel(folder: pathlib.Path, name: str, version: str, files: dict[str, str] | None = None, *,
               tag: str = "py3-none-any", requires: tuple[str, ...] = ()) -> pathlib.Path:  # fmt: skip
    """A wheel with these files, or with one module."""
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    requirements = "".join(f"Requires-Dist: {one}\n" for one in requires)
    content = dict(files or {f"{name.replace('-', '_')}/__init__.py": f"__version__ = {version!r}\n"})
    content[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requirements}"
    content[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n"
    record = ""
    for path, text in content.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text.encode())}\n"
    content[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{stem}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in content.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return wheel


class Index(http.server.ThreadingHTTPServer):
    """Serves the stand-ins below `root` until the block ends. `environment` puts it before the machine's own index,
    for uv and for pip."""

    def __init__(self, root: pathlib.Path):
        self.root = root
        self.publish(make_wheel(root / "files", "torch", TORCH, {"torch/__init__.py": TORCH_SOURCE}, tag=TAG))

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), functools.partial(Handler, directory=str(root)))
        self.address = f"http://127.0.0.1:{self.server_port}/simple"

    def publish(self, wheel: pathlib.Path) -> None:
        """Adds a wheel below the root to its package's page."""
        page = self.root / "simple" / wheel.name.split("-")[0].replace("_", "-").lower() / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        with page.open("a") as file:
            file.write(f'<a href="/{wheel.relative_to(self.root)}#sha256={digest}">{wheel.name}</a><br/>\n')

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"UV_INDEX": self.address}

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
