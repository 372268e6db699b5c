"""Debian's docker-registry on this machine, for tests and benchmarks."""
import contextlib
import dataclasses
import pathlib
import shutil
import socket
import subprocess
import time


def free_port() -> int:
    with contextlib.closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@dataclasses.dataclass
class Registry:
    address: str  # HOST:PORT
    store: pathlib.Path
    process: subprocess.Popen

    def blob_bytes(self) -> int:
        """What it holds, each blob once."""
        return sum(blob.stat().st_size for blob in self.store.glob("data/docker/registry/v2/blobs/sha256/*/*/data"))


@contextlib.contextmanager
def docker_registry(work: pathlib.Path, *lines: str, address=None):
    """A registry with an empty store, `lines` more in its configuration; gives "HOST:PORT"."""
    with registry(work, *lines, address=address) as one:
        yield one.address


@contextlib.contextmanager
def registry(work: pathlib.Path, *lines: str, address=None):
    """The same, as a Registry."""
    address = address or f"127.0.0.1:{free_port()}"
    store = work / f"registry-{address.split(':')[1]}"
    shutil.rmtree(store, ignore_errors=True)
    store.mkdir(parents=True)
    http_lines = [line for line in lines if line.startswith("  ")]
    others = [line for line in lines if not line.startswith("  ")]
    config = store / "config.yml"
    config.write_text("\n".join(["version: 0.1", "log: {level: warn, accesslog: {disabled: true}}",
                                 "storage:", f"  filesystem: {{rootdirectory: {store}/data}}", "  delete: {enabled: true}",
                                 "http:", f"  addr: {address}", f"  secret: {'s' * 16}", *http_lines, *others, ""]))  # fmt: skip
    with open(store / "log", "w") as log:
        process = subprocess.Popen(["docker-registry", "serve", config], stdout=log, stderr=log)
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection((address.split(":")[0], int(address.split(":")[1])), 1):
                break
            assert process.poll() is None, (store / "log").read_text()[-2000:]
            time.sleep(0.05)
        yield Registry(address, store, process)
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(store, ignore_errors=True)
