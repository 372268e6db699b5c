"""What nobody can be faster than on this machine: bytes divided by the rates of SHA-256 and of inflating.

Making a layer of a wheel takes, whoever does it: reading and checking the wheel (SHA-256 of its bytes), inflating it,
hashing what it holds (the diff_id) and hashing the layer (its digest), on all processors. The disk is no limit while memory
takes what is written; its rate is measured all the same."""
import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import time
import zipfile

DISK_PROBE_BYTES = 1 << 30
SAMPLE_BYTES = 400 << 20


@dataclasses.dataclass
class Rates:
    """Bytes a second; of one processor while all are busy, the disk's for one writer that flushes."""

    processors: int
    sha256: float
    inflate: float  # of inflated bytes
    disk: float


def measure_rates(program: pathlib.Path, wheels: list[pathlib.Path], work: pathlib.Path) -> Rates:
    sample = work / "sample.deflate"
    write_sample(sample, wheels)
    processors = os.cpu_count() or 1
    told = json.loads(subprocess.run([program, sample, str(processors)], check=True, capture_output=True, text=True).stdout)
    sample.unlink()
    return Rates(processors, told["sha256"], told["inflate"], disk_rate(work))


def write_sample(sample: pathlib.Path, wheels: list[pathlib.Path]) -> None:
    """The beginning of every file that counts, as large as its share: how fast data inflate depends on what they are."""
    files = [(wheel, info) for wheel in wheels for info in zipfile.ZipFile(wheel).infolist() if info.compress_type == zipfile.ZIP_DEFLATED]
    total = sum(info.compress_size for _, info in files)
    with sample.open("wb") as out:
        for wheel, info in files:
            if info.compress_size * 1000 < total:
                continue
            with wheel.open("rb") as file:
                file.seek(info.header_offset + 26)
                name, extra = (int.from_bytes(file.read(2), "little") for _ in range(2))
                file.seek(info.header_offset + 30 + name + extra)
                size = info.compress_size if total < SAMPLE_BYTES else info.compress_size * SAMPLE_BYTES // total
                out.write(size.to_bytes(8, "little") + file.read(size))


def median_rates(measured: list[dict]) -> Rates:
    return Rates(**{field.name: statistics.median(one[field.name] for one in measured) for field in dataclasses.fields(Rates)})


def disk_rate(work: pathlib.Path) -> float:
    probe, block = work / "disk.probe", os.urandom(1 << 24)
    start = time.monotonic()
    with probe.open("wb") as file:
        for _ in range(DISK_PROBE_BYTES // len(block)):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    seconds = time.monotonic() - start
    probe.unlink()
    return DISK_PROBE_BYTES / seconds


def cold_limit_s(rates: Rates, wheel_bytes: int, unpacked_bytes: int, layer_bytes: int) -> float:
    cpu_s = (wheel_bytes + unpacked_bytes + layer_bytes) / rates.sha256 + unpacked_bytes / rates.inflate
    return cpu_s / rates.processors


def catalog_limit_s(rates: Rates, layer_bytes: int) -> float:
    """Nothing is inflated, and the layer's digest proves the wheel."""
    return layer_bytes / rates.sha256 / rates.processors
