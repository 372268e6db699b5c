"""What a command costs: seconds, processor time, memory of its own, bytes written; of it and of everything it starts,
daemons and orphans included.

This program becomes the parent of orphans (prctl(2), PR_SET_CHILD_SUBREAPER), so whatever a builder starts is found
below it, and what has ended is in the accounts of who waited for it. The registry, which runs all along, is left out."""
import contextlib
import ctypes
import dataclasses
import fcntl
import os
import pathlib
import subprocess
import threading
import time

PR_SET_CHILD_SUBREAPER = 36
TICKS = os.sysconf("SC_CLK_TCK")
SAMPLE_S = 0.1


@dataclasses.dataclass
class Cost:
    """Of one run of one scenario; bytes_pushed is filled in by who knows the registry."""

    seconds: float = 0
    cpu_s: float = 0
    peak_bytes: int = 0
    bytes_written: int = 0
    bytes_pushed: int = 0
    others_cpu_s: float = 0  # what everything else on the machine used meanwhile: how quiet it was


def become_subreaper() -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def descendants(root: int, without: set[int]) -> list[int]:
    found, waiting = [], [root]
    while waiting:
        process = waiting.pop()
        for children in pathlib.Path(f"/proc/{process}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                new = [int(child) for child in children.read_text().split() if int(child) not in without]
                found += new
                waiting += new
    return found


class Meter:
    """Counts what the descendants of this process use."""

    def __init__(self, lock: pathlib.Path | None = None):
        self.lock = lock
        self.left_out: set[int] = set()
        become_subreaper()

    def run(self, command: list, **options) -> subprocess.CompletedProcess:
        """Runs a command to its end, and to that of its orphans."""
        done = subprocess.run([str(part) for part in command], text=True, capture_output=True, **options)
        if done.returncode != 0:
            raise RuntimeError(f"{command} ended with {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-8000:]}")
        return done

    @contextlib.contextmanager
    def measure(self):
        """Gives the Cost of what happens in the block. With a lock file, nobody who takes it too disturbs."""
        with self.alone():
            os.sync()
            cost = Cost()
            stop = threading.Event()
            sampler = threading.Thread(target=self._sample, args=(cost, stop))
            before, machine_before = self._used(), machine_cpu_s()
            sampler.start()
            start = time.monotonic()
            try:
                yield cost
                cost.seconds = time.monotonic() - start
            finally:
                stop.set()
                sampler.join()
            after = self._used()
            cost.cpu_s, cost.bytes_written = (after[0] - before[0], after[1] - before[1])
            cost.others_cpu_s = max(0.0, machine_cpu_s() - machine_before - cost.cpu_s)

    @contextlib.contextmanager
    def alone(self):
        """With a lock file: nobody else who takes it works meanwhile."""
        if not self.lock:
            yield
            return
        with open(self.lock, "a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _used(self) -> tuple[float, int]:
        """Processor seconds and bytes written, of the living and of those that somebody has waited for."""
        self._reap_orphans()
        times = os.times()
        cpu_s, written = times.children_user + times.children_system, written_by("self")
        for process in descendants(os.getpid(), self.left_out):
            with contextlib.suppress(OSError, IndexError):
                fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
                cpu_s += sum(int(field) for field in fields[11:15]) / TICKS
                written += written_by(process)
        return cpu_s, written

    def _reap_orphans(self) -> None:
        """Between runs nothing that we started ourselves has ended without being waited for."""
        for process in descendants(os.getpid(), self.left_out):
            with contextlib.suppress(OSError, IndexError):
                fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
                if fields[0] == "Z" and int(fields[1]) == os.getpid():
                    os.waitpid(process, os.WNOHANG)

    def _sample(self, cost: Cost, stop: threading.Event) -> None:
        while not stop.wait(SAMPLE_S):
            used = 0
            for process in descendants(os.getpid(), self.left_out):
                with contextlib.suppress(OSError):
                    for line in pathlib.Path(f"/proc/{process}/status").read_text().splitlines():
                        if line.startswith("RssAnon:"):
                            used += int(line.split()[1]) * 1024
            cost.peak_bytes = max(cost.peak_bytes, used)


def written_by(process) -> int:
    for line in pathlib.Path(f"/proc/{process}/io").read_text().splitlines():
        if line.startswith("write_bytes:"):
            return int(line.split()[1])
    return 0


def machine_cpu_s() -> float:
    """Everything that the machine's processors did but waiting."""
    fields = pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    user, nice, system, _idle, _iowait, irq, softirq, _steal = (int(field) for field in fields)
    return (user + nice + system + irq + softirq) / TICKS
