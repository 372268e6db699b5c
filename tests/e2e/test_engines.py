#!/usr/bin/env python3
"""Four ways to the same image: what docker, podman and buildah build from a context has the files that the direct engine
lays out: paths, bytes, modes and owners. `Small` has every variant with a stand-in for torch; `Torch`, which is long and
needs 40 GB of disk, the runtime with the real one, one engine after the other."""
import json
import os
import subprocess
import time
import unittest

import kiln
import small_index
from engine_trees import difference, tree_of_folder, tree_of_tar


class Engines:
    """Of a class that gives `spec`, `environment`, which says where packages come from, and whether Docker's containers need
    a bridge to get there."""

    @classmethod
    def setUpClass(cls):
        cls.project = kiln.folder("project")
        (cls.project / "kiln.toml").write_text(cls.spec)
        cls.images = cls.build("direct", {})
        cls.ours = {}
        for image in cls.images:
            bundle = kiln.folder("bundle")
            kiln.run(["umoci", "raw", "unpack", "--image", f"{cls.project}/direct:{image['tag']}", bundle / "rootfs"])
            cls.ours[image["reference"]] = tree_of_folder(bundle / "rootfs")
            kiln.remove(bundle)

    @classmethod
    def tearDownClass(cls):
        kiln.remove(kiln.WORK)

    @classmethod
    def build(cls, engine: str, environment: dict[str, str]) -> list[dict]:
        start = time.monotonic()
        done = kiln.torchkiln("build", "--json", "--progress", "plain", "--engine", engine, "-o", cls.project / engine,
                              "--cache", kiln.CACHE / "torchkiln", cwd=cls.project, env=cls.environment | environment)  # fmt: skip
        print(done.stderr, f"measured: {engine} built in {time.monotonic() - start:.1f} s", flush=True)
        return json.loads(done.stdout)["images"]

    def compare(self, engine: str, environment: dict[str, str], export) -> None:
        built = self.build(engine, environment)
        kiln.remove(self.project / engine)
        self.assertEqual([image["reference"] for image in built], [image["reference"] for image in self.images])
        for image in built:
            with self.subTest(engine=engine, image=image["reference"]):
                theirs = export(image["reference"])
                self.assertGreater(len(theirs), 1000)
                lines = difference(self.ours[image["reference"]], theirs)
                self.assertFalse(lines, f"{len(lines)} differences\n" + "\n".join(lines[:40]))

    def test_docker(self):
        with kiln.dockerd(self.needs_bridge) as docker:
            environment = {k: docker[k] for k in ("DOCKER_HOST", "DOCKER_BUILDKIT")}
            environment["PATH"] = "/usr/bin:" + os.environ["PATH"]

            def client(*arguments):
                return kiln.run(["/usr/bin/docker", *arguments], env=docker).stdout.strip()

            def export(reference):
                container = client("create", reference)
                with subprocess.Popen(["/usr/bin/docker", "export", container], env=docker, stdout=subprocess.PIPE) as tar:
                    found = tree_of_tar(tar.stdout)
                client("rm", container)
                return found

            self.compare("docker", environment, export)
            config = json.loads(client("inspect", self.images[0]["reference"]))[0]["Config"]
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

            self.compare("podman", environment, export)

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

            self.compare("buildah", environment, export)


class Small(Engines, unittest.TestCase):
    spec = small_index.SPEC
    needs_bridge = False  # the index is this machine's

    @classmethod
    def setUpClass(cls):
        index = cls.enterClassContext(small_index.Index(kiln.folder("index")))
        cls.environment = index.environment
        super().setUpClass()


class Torch(Engines, unittest.TestCase):
    spec = kiln.QUICKSTART.read_text()
    needs_bridge = True
    environment = dict(os.environ)


if __name__ == "__main__":
    unittest.main(verbosity=2)
