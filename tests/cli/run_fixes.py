#!/usr/bin/env python3
"""Every fix that the program prints is a command that works: conflicts are provoked, and each fix is typed as it stands.

    run_fixes.py TORCHKILN
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

# What cannot be had, along every axis and in some combinations.
CONFLICTS = [
    "--pytorch 2.15 --gpu V100",
    "--pytorch 2.8 --driver 470.82.01",
    "--pytorch 2.6 --cuda 12.8",
    "--pytorch 2.8 --python 3.8",
    "--python 3.10",
    "--python 3.13 --os debian-12",
    "--driver 595.58.03 --gpu V100",
    "--driver 535.104.05 --gpu 'RTX 5090'",
    "--driver 535.104.05 --gpu A100 --pytorch 2.15",
    "--pytorch 2.15 --gpu A100 --gpu V100",
    "--pytorch 2.15 --driver 595.58.03 --gpu V100",
    "--pytorch 2.8 --cudnn 8",
    "--pytorch 2.8.0+cu128 --nccl '>=2.28'",
    "--pytorch 2.8.0+cu121",
    "--pytorch 9.9",
    "--cuda 12.7",
    "--gpu sm_30 --gpu sm_21",
    "--pytorch 2.7.1+cu118 --gpu K80",
    "--pytorch '>=2.11,<2.15' --cuda 12.8 --gpu V100 --driver 470.57.02",
    "--prefer smallest --pytorch 2.0 --gpu H100 --cuda 11.7",
    "--arch aarch64 --pytorch 2.8 --cuda 12.8",
]
SPEC = """schema = "torchkiln.spec/1"
[require]
pytorch = "2.14"
cuda = "12.6"
gpus = ["A100"]
[packages]
python = ["torchvision==0.29.2"]
"""


def run(command: str, folder: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"PATH": f"{folder}/.bin:{os.environ['PATH']}", "LC_ALL": "C.UTF-8", "TORCHKILN_PROGRESS": "none"}
    return subprocess.run(["sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


def check(arguments: str, folder: str) -> int:
    """How many fixes of this conflict were typed."""
    refused = run(f"torchkiln --json resolve {arguments}", folder)
    assert refused.returncode == 1, (arguments, refused)
    conflict = json.loads(refused.stdout)["conflict"]
    assert conflict["core"] and 1 <= len(conflict["fixes"]) <= 5, arguments
    told = run(f"torchkiln resolve {arguments}", folder).stdout.splitlines()
    assert len(told) <= 15, (arguments, told)
    assert told[-1].startswith("data as of 2"), told
    for fix in conflict["fixes"]:
        if "[packages]" in fix["text"]:
            continue  # an edit of the spec, not a command
        done = run(fix["command"] + " --json", folder)
        assert done.returncode == 0, (arguments, fix["command"], done)
        resolution = json.loads(done.stdout)["resolution"]
        for key in ("pytorch", "build"):
            assert resolution[key] == fix["resolution"][key], (fix["command"], resolution)
    return len(conflict["fixes"])


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, ".bin").mkdir()
        pathlib.Path(folder, ".bin/torchkiln").symlink_to(sys.argv[1])
        fixes = sum(check(arguments, folder) for arguments in CONFLICTS)
        pathlib.Path(folder, "my spec.toml").write_text(SPEC)
        fixes += check("'my spec.toml' --driver 470.82.01", folder)
    print(f"{len(CONFLICTS) + 1} conflicts, {fixes} fixes, all as printed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
