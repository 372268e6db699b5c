#!/usr/bin/env python3
"""Images on other people's images: from an OCI layout and from a registry, with their layers as they are, and what an image
needs put on them; and with a Python out of an archive. torch is a stand-in."""
import hashlib
import json
import os
import pathlib
import re
import tarfile
import unittest

import kiln
import small_index
from company_base import make_base
from engine_trees import difference, tree_of_folder
from local_registry import docker_registry

SPEC = re.sub('variants = .*', 'variants = ["runtime", "ssh"]', small_index.SPEC) + '[base]\nimage = "{}"\n'
PYTHON = pathlib.Path("/usr/bin/python3.11")  # Debian's, which finds its library beside it wherever it lies


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.index = small_index.Index(kiln.folder("index"))
        files = {"torch/__init__.py": small_index.TORCH_SOURCE}
        cls.index.publish(small_index.make_wheel(cls.index.root / "files", "torch", small_index.TORCH, files, tag=small_index.TAG.replace("311", "313")))
        cls.index.__enter__()
        cls.layout = make_base(kiln.folder("base"))

    @classmethod
    def tearDownClass(cls):
        cls.index.__exit__()
        kiln.remove(kiln.WORK)

    def project(self, name: str, spec: str) -> pathlib.Path:
        folder = kiln.folder(name)
        (folder / "kiln.toml").write_text(spec)
        return folder

    def build(self, project: pathlib.Path, *extra, environment=None, check=True):
        done = kiln.torchkiln("build", "--json", "--progress", "plain", "--cache", kiln.CACHE / "torchkiln", *extra, cwd=project,
                              env=self.index.environment | (environment or {}), check=check)  # fmt: skip
        print(done.stderr, flush=True)
        return json.loads(done.stdout)["images"] if check else done

    def inside(self, project: pathlib.Path, *command: str) -> str:
        tags = [image["tag"] for image in self.images_of(project)]
        return kiln.torchkiln("run", f"oci:{project}/kiln.oci:{tags[0]}", "--cache", kiln.CACHE / "torchkiln", "--", *command).stdout

    @staticmethod
    def images_of(project: pathlib.Path) -> list[dict]:
        index = json.loads((project / "kiln.oci/index.json").read_text())
        return [{"tag": one["annotations"]["org.opencontainers.image.ref.name"]} for one in index["manifests"]]

    def tree(self, project: pathlib.Path, tag: str) -> dict:
        bundle = kiln.folder("bundle")
        kiln.run(["umoci", "raw", "unpack", "--image", f"{project}/kiln.oci:{tag}", bundle / "rootfs"])
        tree = tree_of_folder(bundle / "rootfs")
        kiln.remove(bundle)
        return tree

    def test_a_layout_is_stood_on_with_its_layers_as_they_are(self):
        project = self.project("on-layout", SPEC.format("oci:../base/layout:base"))
        images = self.build(project)
        theirs = json.loads(kiln.run(["skopeo", "inspect", f"oci:{self.layout}:base"]).stdout)["Layers"]
        self.assertEqual(len(theirs), 2)
        for image in images:
            ours = json.loads(kiln.run(["skopeo", "inspect", f"oci:{project}/kiln.oci:{image['tag']}"]).stdout)["Layers"]
            self.assertEqual(ours[:2], theirs)
        say = "import torch; print(torch.__version__, open('/etc/company').read().strip(), open('/etc/debian_version').read().strip())"
        self.assertEqual(self.inside(project, "python", "-c", say), "2.8.0+cu128 ours 12.company\n")
        self.assertEqual(self.inside(project, "sh", "-c", "test ! -e /etc/issue.net && id -un && dpkg --audit && command -v tini"), "kiln\n/usr/bin/tini\n")
        # The same from a Dockerfile, which has all of it in its context.
        with kiln.containers() as store:
            built = self.build(project, "--engine", "buildah", "--output", "by-buildah", environment=store)
            for image in built:
                container = kiln.run(["buildah", "from", "--pull-never", image["reference"]], env=os.environ | store).stdout.strip()
                folder = kiln.run(["buildah", "mount", container], env=os.environ | store).stdout.strip()
                self.assertEqual(difference(self.tree(project, image["tag"]), tree_of_folder(folder)), [])

    def test_an_image_of_a_registry_is_stood_on_by_its_digest(self):
        with docker_registry(kiln.folder("registry")) as host, kiln.containers() as store:
            kiln.run(["skopeo", "copy", "--dest-tls-verify=false", f"oci:{self.layout}:base", f"docker://{host}/company/debian:12"])
            project = self.project("on-registry", SPEC.format(f"{host}/company/debian:12"))
            [image, _] = self.build(project)
            digest = json.loads(kiln.run(["skopeo", "inspect", "--tls-verify=false", f"docker://{host}/company/debian:12"]).stdout)["Digest"]
            lock = (project / "kiln.lock").read_text()
            self.assertIn(f'from = "{host}/company/debian@{digest}"', lock)
            kiln.torchkiln("render", "--cache", kiln.CACHE / "torchkiln", "--output", "context", cwd=project, env=self.index.environment)
            self.assertIn(f"FROM {host}/company/debian@{digest} AS base\n", (project / "context/runtime/Dockerfile").read_text())
            (project / "registries.conf").write_text(f'[[registry]]\nlocation = "{host}"\ninsecure = true\n')
            store = store | {"CONTAINERS_REGISTRIES_CONF": str(project / "registries.conf")}
            self.build(project, "--engine", "buildah", "--output", "by-buildah", environment=store)
            container = kiln.run(["buildah", "from", "--pull-never", image["reference"]], env=os.environ | store).stdout.strip()
            folder = kiln.run(["buildah", "mount", container], env=os.environ | store).stdout.strip()
            self.assertEqual(difference(self.tree(project, image["tag"]), tree_of_folder(folder)), [])

    def test_what_a_base_is_not_is_refused_with_its_place(self):
        on_layout = SPEC.format("oci:../base/layout:base")
        for text, words in (
            (on_layout.replace("debian-12", "debian-13"), "oci:../base/layout:base is debian-12, not debian-13"),
            (on_layout.replace('"archives"', '"base"'), "oci:../base/layout:base has no /usr/local/cuda-12.8/bin/nvcc"),
        ):
            with self.subTest(words):
                done = self.build(self.project("refused", text), check=False)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(words, done.stderr)

    def test_the_toolkit_of_the_base_is_taken_where_the_spec_says_so_and_both_say_their_size(self):
        toolkit = {"usr/local/cuda-12.8/bin/nvcc": "#!/bin/sh\necho release 12.8, V12.8.93\n", "usr/local/cuda-12.8/include/cuda_runtime.h": "#pragma once\n"}
        layout = make_base(kiln.folder("cuda"), toolkit)
        spec = re.sub('variants = .*', 'variants = ["runtime", "devel"]', small_index.SPEC)
        for choice, base, words in (
            ("base", f'[base]\nimage = "oci:{layout}:base"\n', r"devel's CUDA toolkit, from the base image: every variant has its \d+\.?\d* MB"),
            ("archives", "", r"devel's CUDA toolkit, from archives: \d+\.?\d* k?B to fetch beside \d+\.?\d* MB of other wheels"),
        ):  # fmt: skip
            with self.subTest(choice):
                project = self.project(f"toolkit-of-{choice}", spec.replace('"archives"', f'"{choice}"') + base)
                locked = kiln.torchkiln("lock", "--cache", kiln.CACHE / "torchkiln", cwd=project, env=self.index.environment)
                self.assertRegex(locked.stdout, words)
                if choice == "archives":
                    continue  # test_variants.py builds it
                [image] = [image for image in self.build(project) if image["tag"].endswith("-devel")]
                said = kiln.torchkiln("run", f"oci:{project}/kiln.oci:{image['tag']}", "--cache", kiln.CACHE / "torchkiln", "--", "sh", "-c",
                                      "nvcc --version; ls $CUDA_HOME/include/cuda_runtime.h; g++ --version | head -n 1").stdout  # fmt: skip
                self.assertRegex(said, r"release 12.8, V12.8.93\n/usr/local/cuda-12.8/include/cuda_runtime.h\ng\+\+ \(Debian")

    def test_debian_13_is_built_from_its_own_packages_with_its_python(self):
        targets = kiln.run(["apt-get", "indextargets", "--format", "$(REPO_URI)"]).stdout.split()
        mirror = next(uri for uri in targets if uri.rstrip("/").endswith("/debian"))
        spec = re.sub('variants = .*', 'variants = ["runtime", "ssh"]', small_index.SPEC).replace("debian-12", "debian-13")
        project = self.project("debian-13", spec)
        self.build(project, "--mirror", mirror)
        say = "import sys, torch; print(torch.__version__, sys.version_info[:2], open('/etc/debian_version').read()[:3])"
        self.assertEqual(self.inside(project, "python", "-c", say), "2.8.0+cu128 (3, 13) 13.\n")
        self.assertEqual(self.inside(project, "sh", "-c", "id -un && dpkg --audit && command -v tini"), "kiln\n/usr/bin/tini\n")

    def test_python_comes_out_of_an_archive(self):
        archive = self.index.root / "python.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(PYTHON, "python/bin/python3.11")
            tar.add("/usr/lib/python3.11", "python/lib/python3.11", filter=lambda e: None if any(word in e.name for word in ("__pycache__", "dist-packages", "sitecustomize")) else e)
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        spec = re.sub('variants = .*', 'variants = ["runtime"]', small_index.SPEC) + (
            f'[packages]\nsystem = ["libexpat1", "libffi8"]\n'
            f'[base.python]\nversion = "3.11"\nurl = "http://127.0.0.1:{self.index.server_port}/python.tar.gz"\nsha256 = "{digest}"\n')  # fmt: skip
        project = self.project("python", spec)
        self.build(project)
        say = "import sys, torch, ctypes; print(sys.base_prefix, sys.prefix, torch.__version__)"
        self.assertEqual(self.inside(project, "python", "-c", say), "/opt/python /opt/kiln 2.8.0+cu128\n")
        self.assertEqual(self.inside(project, "sh", "-c", "command -v python3.11; ls /usr/bin/python3* 2>/dev/null; kiln-health && echo well"), "/opt/kiln/bin/python3.11\nwell\n")


if __name__ == "__main__":
    unittest.main(verbosity=2)
