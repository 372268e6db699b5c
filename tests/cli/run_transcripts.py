#!/usr/bin/env python3
"""Runs the transcripts of this folder: what the command line says, word for word.

A transcript is a text file. A line "$ command" is run by a shell in a fresh folder that holds a copy of tests/cli/files;
what follows, up to the next command or "# " line, is what it must say: standard output as it is, standard error behind
"! ", and "[N]" for an exit status that is not 0. TORCHKILN_ACCEPT=1 writes down what was said instead; read the diff.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
DAY = "1796083200"  # 2026-12-01: answers say how old the data is


def play(command: str, folder: pathlib.Path, program: str) -> list[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TORCHKILN_", "XDG_"))}
    environment |= {"PATH": f"{folder}/.bin:{environment['PATH']}", "HOME": str(folder), "NO_COLOR": "1",
                    "TORCHKILN_CACHE": f"{folder}/cache", "TORCHKILN_PROGRESS": "none", "LC_ALL": "C.UTF-8",
                    "SOURCE_DATE_EPOCH": DAY}  # fmt: skip
    done = subprocess.run(["sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    said = done.stdout.splitlines() + ["! " + line for line in done.stderr.splitlines()]
    if done.returncode:
        said.append(f"[{done.returncode}]")
    return [line.replace(str(folder), "HERE").rstrip() for line in said]


def replay(transcript: pathlib.Path, program: str) -> list[str]:
    """The transcript as it would be written now."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        shutil.copytree(HERE / "files", folder, dirs_exist_ok=True)
        (folder / ".bin").mkdir()
        (folder / ".bin/torchkiln").symlink_to(program)
        now = []
        for line in transcript.read_text().splitlines():
            if line.startswith("$ "):
                now += [line, *play(line[2:], folder, program)]
            elif line.startswith("#") or (not line and (not now or now[-1].startswith("#"))):
                if line and now and not now[-1].startswith("#") and now[-1]:
                    now.append("")
                now.append(line)
        return now


def main() -> int:
    program, failures = sys.argv[1], 0
    for transcript in sorted(HERE.glob("*.transcript")):
        now = replay(transcript, program)
        if os.environ.get("TORCHKILN_ACCEPT") == "1":
            transcript.write_text("\n".join(now) + "\n")
            continue
        before = transcript.read_text().splitlines()
        if before == now:
            print(f"{transcript.name}: {sum(line.startswith('$ ') for line in now)} commands say what they should")
            continue
        failures += 1
        import difflib

        print("\n".join(difflib.unified_diff(before, now, transcript.name, "now", lineterm="")))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
