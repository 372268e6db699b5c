#!/usr/bin/env python3
"""Wheels are installed right: the tree in the image equals that of pip and of uv, for the real torch set and a dozen
awkward packages. The image is unpacked by umoci, so that nothing of ours judges itself.

Differences that are wanted, and named in src/knowledge/wheel/install.hpp: the INSTALLER file, the line ends and order
of RECORD, the wording of launchers, and pip's REQUESTED file.
"""
import csv
import json
import os
import re
import unittest

import kiln

AWKWARD = [
    "black",  # compiled modules and console scripts
    "debugpy",  # vendored trees, many folders
    "fonttools",  # .data/data: a manual page
    "greenlet",  # .data/headers
    "ipython",  # .data/data and several entry points
    "jupyterlab-widgets",  # .data/data below share/jupyter
    "ninja",  # a program
    "pybind11",  # headers as package data
    "pyyaml",
    "ruff",  # .data/scripts: a program without interpreter
    "setuptools",  # odd names, nested .dist-info
    "tqdm",
    "z3-solver",  # a large library and a program
]
PREFIX = "opt/kiln"
LAUNCHER = re.compile(r"from ([\w.]+) import (\w+)")


class InstalledTree(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        assert kiln.is_root(), "this test needs root: it puts a folder at /opt/kiln of a mount namespace of its own"
        cls.work = kiln.folder("tree")
        spec = kiln.QUICKSTART.read_text().replace('python = ["numpy"]', f"python = {json.dumps(['numpy', *AWKWARD])}")
        (cls.work / "kiln.toml").write_text(spec)
        cache = kiln.CACHE / "torchkiln"
        built = json.loads(kiln.torchkiln("build", "--json", "--cache", cache, cwd=cls.work).stdout)
        kiln.torchkiln("render", "--cache", cache, "--output", "context", cwd=cls.work)
        cls.requirements = cls.work / "context/runtime/requirements.txt"
        tag = built["images"][0]["tag"]
        kiln.run(["umoci", "unpack", "--image", f"{cls.work}/kiln.oci:{tag}", cls.work / "bundle"])
        cls.ours = cls.work / "bundle/rootfs" / PREFIX
        cls.our_tree = kiln.tree(cls.ours, cls.is_not_a_wheels)

    @classmethod
    def tearDownClass(cls):
        kiln.remove(cls.work)

    @staticmethod
    def is_not_a_wheels(path):
        """What no wheel brings: the environment's own skeleton, its constraints for installers, our verifier, bytecode."""
        skeleton = {"pyvenv.cfg", "constraints.txt", "lib64", "bin/python", "bin/python3", "bin/python3.11", "lib/python3.11", "include"}
        verifier = path.startswith(("bin/torchkiln-verify", "libexec", "share/torchkiln"))
        activation = re.fullmatch(r"bin/([Aa]ctivate.*)", path) is not None
        return path in skeleton or verifier or activation or "__pycache__" in path or path == ".lock" or path == "CACHEDIR.TAG" or path == ".gitignore"

    def install(self, installer):
        """Installs the same wheels with `installer` into a fresh environment that also lies at /opt/kiln."""
        target = self.work / "theirs"
        kiln.remove(target)
        target.mkdir()
        script = f"""
            set -eu
            mkdir -p /opt/kiln
            mount --bind {target} /opt/kiln
            /usr/bin/python3.11 -m venv --without-pip /opt/kiln
            mv /opt/kiln/lib/python3.11 /opt/kiln/lib/python3
            ln -s python3 /opt/kiln/lib/python3.11
            {installer}
        """
        environment = {k: v for k, v in os.environ.items() if k != "PIP_FIND_LINKS"} | {"PYTHONDONTWRITEBYTECODE": "1"}
        kiln.run(["unshare", "--mount", "sh", "-c", script], env=environment)
        return kiln.tree(target, self.is_not_a_wheels), target

    def compare(self, theirs, target):
        # Empty folders that an environment is born with.
        for skeleton in ("include/python3.11",):
            theirs.pop(skeleton, None)
        requested = {path for path in theirs if path.endswith(".dist-info/REQUESTED")}
        uv_lock = {path for path in theirs if path.endswith("uv_cache.json") or path.endswith("uv_build.json")}
        self.assertEqual(sorted(set(theirs) - requested - uv_lock - set(self.our_tree)), [], "missing in the image")
        self.assertEqual(sorted(set(self.our_tree) - set(theirs)), [], "only in the image")
        records, launchers = 0, 0
        for path, ours in self.our_tree.items():
            other = theirs[path]
            if path.endswith(".dist-info/INSTALLER"):
                continue
            if path.endswith(".dist-info/RECORD"):
                self.assertEqual(self.record(self.ours / path), self.record(target / path), path)
                records += 1
            elif path.startswith("bin/") and ours != other:
                self.assertEqual(ours[1] & 0o111, 0o111, path)
                self.assertEqual(self.launcher(self.ours / path), self.launcher(target / path), path)
                launchers += 1
            else:
                self.assertEqual(ours, other, path)
        self.assertGreater(records, 30)
        self.assertGreater(launchers, 10)
        print(f"measured: {len(self.our_tree)} paths equal, {records} RECORDs, {launchers} launchers")

    @staticmethod
    def record(path):
        """RECORD's rows as a set, without the files that differ by intent."""
        with open(path, newline="") as file:
            rows = {tuple(row) for row in csv.reader(file)}
        return {(p, h, s) for p, h, s in rows if not p.endswith(("/INSTALLER", "/REQUESTED", ".pyc", "uv_cache.json", "uv_build.json")) and not p.startswith("../../../bin/")}

    @staticmethod
    def launcher(path):
        """What a console script runs, and with what."""
        text = path.read_text()
        return (text.splitlines()[0].removesuffix("3").removesuffix("3.11"), LAUNCHER.search(text).groups())

    def test_the_tree_equals_that_of_pip_install(self):
        pip = next(self.requirements.parent.glob("pip-*.whl"))
        theirs, target = self.install(
            f"/opt/kiln/bin/python {pip}/pip install --quiet --no-cache-dir --no-compile --no-deps "
            f"--only-binary :all: --require-hashes --requirement {self.requirements}")  # fmt: skip
        self.compare(theirs, target)
        kiln.remove(target)

    def test_the_tree_equals_that_of_uv_pip_install(self):
        theirs, target = self.install(
            f"{kiln.uv()} pip install --quiet --python /opt/kiln/bin/python --no-deps --no-cache --link-mode copy "
            f"--only-binary :all: --require-hashes --requirement {self.requirements}")  # fmt: skip
        self.compare(theirs, target)
        kiln.remove(target)


if __name__ == "__main__":
    unittest.main(verbosity=2)
