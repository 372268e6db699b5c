"""Packages of the Python index for one test, in a virtual environment that is made once."""
import os
import pathlib
import subprocess
import sys


def enter_environment(folder: pathlib.Path, packages: list[str]) -> None:
    """Makes the virtual environment below `folder` once and runs this program again inside it."""
    environment = folder / "venv"
    if pathlib.Path(sys.prefix) == environment:
        return
    marker = environment / "packages"
    if not marker.exists() or marker.read_text() != "\n".join(packages):
        subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
        subprocess.run([environment / "bin/pip", "install", "--quiet", "--disable-pip-version-check", *packages],
                       check=True)
        marker.write_text("\n".join(packages))
    python = environment / "bin/python3"
    os.execv(python, [python, *sys.argv])
