"""A small image that any engine can run, written without any program of ours: a static program that says hello."""
import functools
import gzip
import hashlib
import io
import json
import os
import pathlib
import random
import subprocess
import tarfile
import tempfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]


@functools.cache
def hello() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        source, program = pathlib.Path(folder, "hello.c"), pathlib.Path(folder, "hello")
        source.write_text('#include <stdio.h>\nint main(void) { return puts("hello from the image") < 0; }\n')
        subprocess.run(["gcc", "-static", "-Os", "-s", "-o", program, source], check=True)
        return program.read_bytes()


def noise(size: int, seed=1) -> bytes:
    generator = random.Random(seed)
    return b"".join(generator.randbytes(min(1 << 20, size - at)) for at in range(0, size, 1 << 20))


def tar_of(files: dict[str, bytes], uid=0) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        parents = sorted({str(p) for name in files for p in pathlib.PurePath(name).parents} - {"."})
        for folder in parents:
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


class Layout:
    """An OCI layout in a folder."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        (folder / "blobs/sha256").mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        self.entries: list[dict] = []
        self.write_index()

    def write_index(self):
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": self.entries}
        (self.folder / "index.json").write_text(json.dumps(index))

    def blob(self, data: bytes, media_type: str) -> dict:
        digest = hashlib.sha256(data).hexdigest()
        (self.folder / "blobs/sha256" / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data)}

    def layer(self, files: dict[str, bytes]) -> tuple[dict, str]:
        """Its descriptor and diff_id."""
        tar = tar_of(files)
        return self.blob(gzip.compress(tar, 1, mtime=0), LAYER), "sha256:" + hashlib.sha256(tar).hexdigest()

    def image(self, tag: str, layers: list[tuple[dict, str]], architecture=ARCHITECTURE, labels=None, env=()) -> dict:
        config = {"created": "2026-01-01T00:00:00Z", "architecture": architecture, "os": "linux",
                  "config": {"Cmd": ["/bin/hello"], "Env": ["PATH=/bin", *env], "Labels": labels or {}},
                  "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in layers]},
                  "history": [{"created": "2026-01-01T00:00:00Z", "created_by": "a test"} for _ in layers]}  # fmt: skip
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": self.blob(json.dumps(config).encode(), CONFIG),
                    "layers": [descriptor for descriptor, _ in layers]}  # fmt: skip
        descriptor = self.blob(json.dumps(manifest).encode(), MANIFEST)
        entry = descriptor | {"annotations": {"org.opencontainers.image.ref.name": tag}}
        self.entries.append(entry | {"platform": {"architecture": architecture, "os": "linux"}})
        self.write_index()
        return descriptor

    def referrer(self, subject: dict, kind: str, content: bytes) -> dict:
        empty = self.blob(b"{}", "application/vnd.oci.empty.v1+json")
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": kind, "config": empty,
                    "layers": [self.blob(content, kind)], "subject": subject, "annotations": {"about": kind}}  # fmt: skip
        descriptor = self.blob(json.dumps(manifest).encode(), MANIFEST)
        self.entries.append(descriptor | {"artifactType": kind})
        self.write_index()
        return descriptor


def small_layout(folder: pathlib.Path, tag="1.0") -> Layout:
    """One image of two layers."""
    layout = Layout(folder)
    layout.image(tag, [layout.layer({"bin/hello": hello(), "etc/name": b"small\n"}),
                       layout.layer({"data/noise": noise(300_000)})])  # fmt: skip
    return layout
