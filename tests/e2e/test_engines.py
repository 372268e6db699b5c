#!/usr/bin/env python3
"""Four ways to the same image: what docker, podman and buildah build from a context has the files that the direct engine
lays out, in every variant: paths, bytes, modes and owners."""
import hashlib
import json
import os
import re
import subprocess
import tarfile
import unittest

import kiln
import small_index

# What an engine leaves that the direct way does not: interpreters write bytecode while pip runs, package managers logs.
# The rest is what `docker create` puts into a container.
TRACES = re.compile(r"(^|/)__pycache__(/|$)|\.pyc$|^var/log/|^var/cache/ldconfig/|\.dist-info/REQUESTED$|"
                    r"^\.$|^\.dockerenv$|^(dev|proc|sys)(/|$)|^etc/(hostname|hosts|resolv\.conf|mtab)$")
# pip's own words: who installed a package, and its list of files, which names that and its scripts.
PIP = re.compile(r"\.dist-info/(INSTALLER|RECORD)$")
# A launcher's text differs between installers, and between pip's own versions: what it starts is the same.
LAUNCHER = re.compile(rb"^(#!.*|from .* import .*|    sys\.exit\(.*)$", re.M)


def content_of(path: str, file) -> str:
    data = file.read()
    if path.startswith("opt/kiln/bin/") and data.startswith(b"#!/opt/kiln/bin/python"):
        data = b"\n".join(LAUNCHER.findall(data))
    return hashlib.sha256(data).hexdigest()


def tree_of_tar(stream) -> dict[str, tuple]:
    """Path → (kind, mode, owner, content) of everything in a tar."""
    found = {}
    with tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in tar:
            path = member.name.removeprefix("./").rstrip("/")
            owner = (member.uid, member.gid)
            if not path or TRACES.search(path):
                continue
            if member.isdir():
                found[path] = ("folder", member.mode & 0o7777, owner, "")
            elif member.issym():
                found[path] = ("link", 0, owner, member.linkname)
            elif member.islnk():
                found[path] = found[member.linkname.removeprefix("./")]
            elif member.isreg():
                content = "" if PIP.search(path) else content_of(path, tar.extractfile(member))
                found[path] = ("file", member.mode & 0o7777, owner, content)
    return found


def tree_of_folder(folder: str) -> dict[str, tuple]:
    with subprocess.Popen(["tar", "-C", folder, "-c", "--numeric-owner", "."], stdout=subprocess.PIPE) as tar:
        return tree_of_tar(tar.stdout)


def difference(ours: dict, theirs: dict) -> list[str]:
    lines = [f"only ours: {path}" for path in sorted(ours.keys() - theirs.keys())]
    lines += [f"only theirs: {path}" for path in sorted(theirs.keys() - ours.keys())]
    lines += [f"{path}: ours {ours[path]}, theirs {theirs[path]}"
              for path in sorted(ours.keys() & theirs.keys()) if ours[path] != theirs[path]]  # fmt: skip
    return lines


class Engines(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.index = small_index.Index(kiln.folder("index"))
        cls.index.__enter__()
        cls.project = kiln.folder("project")
        (cls.project / "kiln.toml").write_text(small_index.SPEC)
        cls.images = cls.build("direct", cls.index.environment)
        cls.ours = {}
        for image in cls.images:
            bundle = kiln.folder("bundle")
            kiln.run(["umoci", "raw", "unpack", "--image", f"{cls.project}/direct:{image['tag']}", bundle / "rootfs"])
            cls.ours[image["reference"]] = tree_of_folder(bundle / "rootfs")
            kiln.remove(bundle)

    @classmethod
    def tearDownClass(cls):
        cls.index.__exit__()
        kiln.remove(kiln.WORK)

    @classmethod
    def build(cls, engine: str, environment: dict[str, str]) -> list[dict]:
        done = kiln.torchkiln("build", "--json", "--progress", "plain", "--engine", engine, "-o", cls.project / engine,
                              "--cache", kiln.CACHE / "torchkiln", cwd=cls.project, env=environment)  # fmt: skip
        print(done.stderr, flush=True)
        return json.loads(done.stdout)["images"]

    def compare(self, engine: str, environment: dict[str, str], export) -> None:
        built = self.build(engine, environment)
        self.assertEqual([image["reference"] for image in built], [image["reference"] for image in self.images])
        for image in built:
            with self.subTest(engine=engine, image=image["reference"]):
                theirs = export(image["reference"])
                self.assertGreater(len(theirs), 1000)
                lines = difference(self.ours[image["reference"]], theirs)
                self.assertFalse(lines, f"{len(lines)} differences\n" + "\n".join(lines[:40]))

    def test_docker(self):
        with kiln.dockerd() as docker:
            environment = self.index.environment | {k: docker[k] for k in ("DOCKER_HOST", "DOCKER_BUILDKIT")}
            environment["PATH"] = "/usr/bin:" + environment["PATH"]

            def export(reference):
                container = kiln.run(["/usr/bin/docker", "create", reference], env=environment).stdout.strip()
                with subprocess.Popen(["/usr/bin/docker", "export", container], env=environment, stdout=subprocess.PIPE) as tar:
                    return tree_of_tar(tar.stdout)

            self.compare("docker", environment, export)
            config = json.loads(kiln.run(["/usr/bin/docker", "inspect", self.images[0]["reference"]], env=environment).stdout)[0]["Config"]
            self.assertEqual(config["User"], "1000:1000")
            self.assertIn("Healthcheck", config)

    def test_podman(self):
        with kiln.containers() as environment:
            def export(reference):
                mounted = kiln.run(["podman", "image", "mount", reference], env=os.environ | environment).stdout.strip()
                try:
                    return tree_of_folder(mounted)
                finally:
                    kiln.run(["podman", "image", "unmount", reference], env=os.environ | environment)

            self.compare("podman", self.index.environment | environment, export)

    def test_buildah(self):
        with kiln.containers() as environment:
            def buildah(*arguments):
                return kiln.run(["buildah", *arguments], env=os.environ | environment).stdout.strip()

            def export(reference):
                container = buildah("from", "--pull-never", reference)
                try:
                    return tree_of_folder(buildah("mount", container))
                finally:
                    buildah("rm", container)

            self.compare("buildah", self.index.environment | environment, export)


if __name__ == "__main__":
    unittest.main(verbosity=2)
