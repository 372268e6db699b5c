#!/usr/bin/env python3
"""How long the program takes to start: `--version`, and `resolve` over the whole matrix.

    start_up.py TORCHKILN [FACTOR]

Fails when the fastest of many starts, or the median of their processor times, is above the limit. The fastest and
the processor time are what a busy machine changes least. FACTOR widens the limit for builds that are not optimised.
"""
import os
import statistics
import subprocess
import sys
import time

LIMIT_MS = 30
RUNS = 40


def measure(command: list[str]) -> tuple[float, float]:
    """Milliseconds: of the fastest start, and the median of processor time."""
    wall, cpu = [], []
    for _ in range(RUNS):
        start = time.perf_counter()
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        wall.append((time.perf_counter() - start) * 1000)
        cpu.append((usage.ru_utime + usage.ru_stime) * 1000)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0, command
    return min(wall), statistics.median(cpu)


def main() -> int:
    program, factor = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 1
    too_slow = 0
    print(f"{RUNS} starts each; limit {LIMIT_MS} ms times {factor:g}")
    for arguments in (["--version"], ["resolve", "--pytorch", ">=2.4", "--driver", "535.104.05", "--gpu", "A100"]):
        fastest, cpu = measure([program, *arguments])
        slow = max(fastest, cpu) > LIMIT_MS * factor
        too_slow += slow
        print(f"torchkiln {' '.join(arguments)}: fastest {fastest:.1f} ms, processor {cpu:.1f} ms{'  TOO SLOW' if slow else ''}")
    return 1 if too_slow else 0


if __name__ == "__main__":
    sys.exit(main())
