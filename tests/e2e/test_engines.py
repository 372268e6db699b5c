#!/usr/bin/env python3
"""Four ways to the same image: what docker, podman and buildah build from a context has the files that the direct engine
lays out: paths, bytes, modes and owners. `Small` has every variant with a stand-in for torch; `Torch`, which is long and
needs 40 GB of disk, the runtime with the real one, one engine after the other."""
import base64
import json
import mmap
import os
import re
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


class Secrets(unittest.TestCase):
    """From an index that wants a password, which is a secret of the build, by torchkiln and by hand. The second installs
    everything again, and still downloads nothing twice: pip's cache is mounted."""

    PASSWORD = "hunter2-of-the-index"

    @classmethod
    def setUpClass(cls):
        cls.index = cls.enterClassContext(small_index.Index(kiln.folder("index"), tls=True))
        cls.index.password = cls.PASSWORD
        cls.home = kiln.folder("home")
        (cls.home / ".netrc").write_text(f"machine 127.0.0.1 login kiln password {cls.PASSWORD}\n")
        with_password = cls.index.address.replace("://", f"://kiln:{cls.PASSWORD}@")
        (cls.home / "pip.conf").write_text(f"[global]\nextra-index-url = {with_password}\n")
        cls.project = kiln.folder("project")
        (cls.project / "kiln.toml").write_text(re.sub("variants = .*", 'variants = ["runtime"]', small_index.SPEC))
        cls.environment = cls.index.environment | {"HOME": str(cls.home)}
        cls.environment |= {name: str(cls.index.authorities) for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")}
        kiln.torchkiln("render", "--cache", kiln.CACHE / "torchkiln", "-o", "context", cwd=cls.project, env=cls.environment)
        with open(cls.project / "context/runtime/pyvenv.cfg", "a") as file:
            file.write("# another file, so that no engine takes the layers above it from an earlier build\n")

    @classmethod
    def tearDownClass(cls):
        kiln.remove(kiln.WORK)

    def downloads(self) -> int:
        return sum(one.startswith("GET /files/torch-") for one in self.index.served)

    def build(self, engine: str, environment: dict[str, str], *save: str) -> None:
        """Twice; `save` writes an image to image.tar, which has every layer and the configuration uncompressed."""
        environment = self.environment | environment
        by_hand = [engine, "build", "--network", "host", "--tag", "small/by-hand",
                   "--secret", f"id=pip_conf,src={self.home}/pip.conf",
                   "--secret", f"id=ca_certificates,src={self.index.authorities}", "context/runtime"]  # fmt: skip
        before = self.downloads()
        done = kiln.torchkiln("build", "--json", "--engine", engine, "-o", "out", "--cache", kiln.CACHE / "torchkiln",
                              cwd=self.project, env=environment)  # fmt: skip
        kiln.remove(self.project / "out")
        self.assertEqual(self.downloads(), before + 1)
        kiln.run(by_hand, cwd=self.project, env=environment)
        self.assertEqual(self.downloads(), before + 1)
        for reference in (json.loads(done.stdout)["images"][0]["reference"], "small/by-hand"):
            archive = self.project / "image.tar"
            archive.unlink(missing_ok=True)
            kiln.run([engine, *[word.format(reference) for word in save]], cwd=self.project, env=environment)
            with open(archive, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as image:
                for word in (small_index.TORCH_SOURCE.splitlines()[0], "HEALTHCHECK"):  # a file and the history can be read
                    self.assertNotEqual(image.find(word.encode()), -1, word)
                for word in (self.PASSWORD, base64.b64encode(f"kiln:{self.PASSWORD}".encode()).decode(), "mnt/http"):
                    self.assertEqual(image.find(word.encode()), -1, word)
            archive.unlink()

    def test_docker(self):
        with kiln.dockerd() as docker:
            environment = {k: docker[k] for k in ("DOCKER_HOST", "DOCKER_BUILDKIT")} | {"PATH": "/usr/bin:" + os.environ["PATH"]}
            self.build("docker", environment, "save", "--output", "image.tar", "{}")

    def test_podman(self):
        with kiln.containers() as environment:
            self.build("podman", environment, "save", "--format", "docker-archive", "--output", "image.tar", "{}")

    def test_buildah(self):
        with kiln.containers() as environment:
            self.build("buildah", environment, "push", "{}", "docker-archive:image.tar")


class Torch(Engines, unittest.TestCase):
    spec = kiln.QUICKSTART.read_text()
    needs_bridge = True
    environment = dict(os.environ)


if __name__ == "__main__":
    unittest.main(verbosity=2)
