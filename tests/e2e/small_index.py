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
import io
import json
import os
import pathlib
import ssl
import subprocess
import tarfile
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
cuda = "archives"
"""

# NVIDIA's redistributable archives of CUDA 12.8.1, but for what is in them.
TOOLKIT = {
    "cuda_nvcc": ("12.8.93", {"bin/nvcc": "#!/bin/sh\necho 'Cuda compilation tools, release 12.8, V12.8.93'\n", "nvvm/bin/cicc": "#!/bin/sh\n"}),
    "cuda_cudart": ("12.8.90", {"include/cuda_runtime.h": "#pragma once\n", "lib/libcudart.so.12.8.90": "a library\n"}),
}  # fmt: skip
LINKS = {"cuda_cudart": {"lib/libcudart.so.12": "libcudart.so.12.8.90", "lib/libcudart.so": "libcudart.so.12"}}

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
            archive.writestr(zipfile.ZipInfo(path), text, zipfile.ZIP_DEFLATED)
    return wheel


def make_archive(path: pathlib.Path, files: dict[str, str], links: dict[str, str]) -> None:
    """An archive as NVIDIA makes them: everything below one folder, a licence in each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    top = path.name.removesuffix(".tar.xz")
    with tarfile.open(path, "w:xz") as tar:
        for name, text in {"LICENSE": f"of {top}\n", **files}.items():
            entry = tarfile.TarInfo(f"{top}/{name}")
            entry.size, entry.mode = len(text), 0o755 if text.startswith("#!") else 0o644
            tar.addfile(entry, io.BytesIO(text.encode()))
        for name, target in links.items():
            entry = tarfile.TarInfo(f"{top}/{name}")
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)


def make_redistribution(folder: pathlib.Path) -> None:
    """NVIDIA's folder of archives: lists of two releases, the newer one with its archives."""
    components = {}
    for name, (version, files) in TOOLKIT.items():
        path = f"{name}/linux-x86_64/{name}-linux-x86_64-{version}-archive.tar.xz"
        make_archive(folder / path, files, LINKS.get(name, {}))
        content = (folder / path).read_bytes()
        of_platform = {"relative_path": path, "sha256": hashlib.sha256(content).hexdigest(), "size": str(len(content))}
        components[name] = {"name": name, "license": "test", "version": version, "linux-x86_64": of_platform}
    for release, content in (("12.8.0", {"cuda_nvcc": {"version": "12.8.61"}}), ("12.8.1", components)):
        listed = {"release_date": "2025-03-05", "release_label": release, "release_product": "cuda", **content}
        (folder / f"redistrib_{release}.json").write_text(json.dumps(listed))


class Index(http.server.ThreadingHTTPServer):
    """Serves the stand-ins below `root` until the block ends. `environment` puts it before the machine's own index,
    for uv and for pip. With `tls`, pip's cache counts, which pip does not use for plain addresses."""

    def __init__(self, root: pathlib.Path, tls: bool = False):
        self.root = root
        self.publish(make_wheel(root / "files", "torch", TORCH, {"torch/__init__.py": TORCH_SOURCE}, tag=TAG))

        make_redistribution(root / "redist")
        self.served: list[str] = []
        self.password = ""  # of the user kiln; empty: everybody may read
        index = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def may_read(self) -> bool:
                wanted = "Basic " + base64.b64encode(f"kiln:{index.password}".encode()).decode()
                return not index.password or self.headers.get("Authorization") == wanted

            def send_head(self):
                if not self.may_read():
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="index"')
                    self.send_header("Content-Length", "0")
                    return self.end_headers()
                index.served.append(f"{self.command} {self.path}")
                return super().send_head()

            def end_headers(self):
                if self.path.startswith("/files/"):  # a name never has other bytes
                    self.send_header("Cache-Control", "max-age=31536000, immutable")
                super().end_headers()

        super().__init__(("127.0.0.1", 0), functools.partial(Handler, directory=str(root)))
        scheme = "https" if tls else "http"
        if tls:
            self.use_tls(root.parent / "certificates")
        self.address = f"{scheme}://127.0.0.1:{self.server_port}/simple"
        self.redist = f"{scheme}://127.0.0.1:{self.server_port}/redist"

    def use_tls(self, folder: pathlib.Path) -> None:
        """By an authority made here; `authorities` has it beside the machine's own."""
        folder.mkdir(exist_ok=True)
        self.authorities = folder / "authorities.pem"
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        for command in (
            ["req", "-x509", *new_key, "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem"],
            ["req", "-x509", *new_key, "-subj", "/CN=index", "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
             "-CA", "ca.pem", "-CAkey", "ca.key", "-keyout", "index.key", "-out", "index.pem"],
        ):  # fmt: skip
            subprocess.run(["openssl", *command], cwd=folder, check=True, capture_output=True)
        self.authorities.write_text(pathlib.Path("/etc/ssl/certs/ca-certificates.crt").read_text() + (folder / "ca.pem").read_text())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "index.pem", folder / "index.key")
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def publish(self, wheel: pathlib.Path) -> None:
        """Adds a wheel below the root to its package's page."""
        page = self.root / "simple" / wheel.name.split("-")[0].replace("_", "-").lower() / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        with page.open("a") as file:
            file.write(f'<a href="/{wheel.relative_to(self.root)}#sha256={digest}">{wheel.name}</a><br/>\n')

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"UV_INDEX": self.address, "TORCHKILN_REDIST": self.redist}

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
