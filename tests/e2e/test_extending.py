#!/usr/bin/env python3
"""Images on top of images: a spec that extends another has every layer of it, and `pip install` in an image made FROM ours
keeps the torch that it was tested with. torch is a stand-in."""
import contextlib
import json
import os
import unittest

import kiln
import small_index
from engine_trees import difference, tree_of_folder

BASE = small_index.SPEC.replace("small/pytorch", "small/base").replace(
    '["runtime", "devel", "jupyter", "ssh", "devel+jupyter+ssh"]', '["runtime", "ssh"]')  # fmt: skip
# tcpdump brings an account of its own.
MORE = """schema = "torchkiln.spec/1"
extends = "../base/kiln.toml"
[image]
name = "small/more"
[packages]
python = ["zebra", "tensorboard"]
system = ["tcpdump"]
"""


class Extending(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.index = small_index.Index(kiln.folder("index"))
        cls.index.__enter__()
        for wheel in (
            small_index.make_wheel(cls.index.root / "files", "zebra", "1.0", requires=("torch>=2",)),
            small_index.make_wheel(cls.index.root / "files", "friend", "1.0", requires=("torch>=2",)),
            small_index.make_wheel(cls.index.root / "files", "stranger", "1.0", requires=("torch>=9",)),
            small_index.make_wheel(cls.index.root / "files", "torch", "9.9", tag=small_index.TAG),
        ):
            cls.index.publish(wheel)
        cls.base, cls.more = kiln.folder("base"), kiln.folder("more")
        (cls.base / "kiln.toml").write_text(BASE)
        (cls.more / "kiln.toml").write_text(MORE)
        cls.tags = {name: cls.build(name) for name in ("base", "more")}

    @classmethod
    def tearDownClass(cls):
        cls.index.__exit__()
        kiln.remove(kiln.WORK)

    @classmethod
    def build(cls, name: str, *extra, environment=None) -> dict[str, str]:
        """Builds and gives variant → reference."""
        done = kiln.torchkiln("build", "--json", "--progress", "plain", "--cache", kiln.CACHE / "torchkiln", *extra,
                              cwd=kiln.WORK / name, env=cls.index.environment | (environment or {}))  # fmt: skip
        print(done.stderr, flush=True)
        return {image["tag"].rsplit("-", 1)[1]: image["reference"] for image in json.loads(done.stdout)["images"]}

    def image(self, name: str, variant: str = "runtime") -> str:
        return f"oci:{kiln.WORK}/{name}/kiln.oci:{self.tags[name][variant].split(':')[1]}"

    def layers(self, name: str, variant: str) -> list[str]:
        return json.loads(kiln.run(["skopeo", "inspect", self.image(name, variant)]).stdout)["Layers"]

    def inside(self, name: str, *command: str) -> str:
        return kiln.torchkiln("run", self.image(name), "--cache", kiln.CACHE / "torchkiln", "--", *command).stdout

    @contextlib.contextmanager
    def derived(self):
        """A container of the extended image in a store of its own; runs commands in it, as `RUN` in a Dockerfile does."""
        with kiln.containers() as store:
            environment = os.environ | store

            def buildah(*arguments, check=True):
                return kiln.run(["buildah", *arguments], env=environment, check=check)

            container = buildah("from", self.image("more")).stdout.strip()
            settings = ["--env", f"PIP_INDEX_URL={self.index.address}", "--env", f"UV_DEFAULT_INDEX={self.index.address}",
                        "--network", "host", "--volume", f"{kiln.uv()}:/usr/local/bin/uv:ro"]  # fmt: skip
            yield lambda user, *command, check=True: buildah("run", "--user", user, *settings, container, "--", *command, check=check)

    # extends

    def test_every_layer_of_the_image_below_is_reused(self):
        for variant in ("runtime", "ssh"):
            below, more = self.layers("base", variant), self.layers("more", variant)
            self.assertEqual(more[: len(below)], below)
            self.assertGreaterEqual(len(more), len(below) + 3)  # Debian packages, wheels, configuration

    def test_what_was_added_is_there_and_works(self):
        self.assertEqual(self.inside("more", "python", "-c", "import torch, zebra; print(torch.__version__, zebra.__version__)"),
                         "2.8.0+cu128 1.0\n")  # fmt: skip
        self.assertEqual(self.inside("more", "sh", "-c", "id -un; getent passwd kiln tcpdump | cut -d: -f1; command -v tcpdump").split(),
                         ["kiln", "kiln", "tcpdump", "/usr/bin/tcpdump"])  # fmt: skip
        self.assertEqual(self.inside("more", "pip", "check"), "No broken requirements found.\n")
        self.assertNotIn("zebra", self.inside("base", "pip", "list"))

    def test_tensorboard_starts_and_shows_its_page(self):
        ask = ("import time, urllib.request\nfor _ in range(300):\n  try: print(b'<title>TensorBoard' in urllib.request.urlopen('http://127.0.0.1:6006').read()); break\n"
               "  except OSError: time.sleep(0.1)")  # fmt: skip
        said = self.inside("more", "sh", "-c", f'tensorboard --logdir /workspace --port 6006 >/tmp/log 2>&1 & python -c "{ask}"; kill $!')
        self.assertEqual(said, "True\n")

    def test_a_lock_is_stale_when_the_one_below_is_another(self):
        check = lambda name: kiln.torchkiln("lock", "--check", cwd=kiln.WORK / name, check=False).returncode
        self.assertEqual(check("more"), 0)
        before = (self.base / "kiln.lock").read_text()
        (self.base / "kiln.lock").write_text(before.replace("uid = 1000", "uid = 1001"))
        self.assertEqual(check("more"), 1)
        (self.base / "kiln.lock").write_text(before)
        self.assertEqual(check("more"), 0)

    def test_an_engine_builds_the_same_tree_from_a_dockerfile(self):
        with kiln.containers() as store:
            built = self.build("more", "--engine", "buildah", "--output", "by-buildah", environment=store)
            for variant, reference in built.items():
                container = kiln.run(["buildah", "from", "--pull-never", reference], env=os.environ | store).stdout.strip()
                theirs = tree_of_folder(kiln.run(["buildah", "mount", container], env=os.environ | store).stdout.strip())
                kiln.run(["buildah", "rm", container], env=os.environ | store)
                bundle = kiln.folder("bundle")
                kiln.run(["umoci", "raw", "unpack", "--image", f"{self.more}/kiln.oci:{reference.split(':')[1]}", bundle / "rootfs"])
                self.assertEqual(difference(tree_of_folder(bundle / "rootfs"), theirs), [], variant)

    # FROM and pip install

    def test_pip_and_uv_install_what_goes_with_the_pinned_torch_and_refuse_what_does_not(self):
        with self.derived() as run:
            for install in (["pip", "install"], ["uv", "pip", "install"]):
                refused = run("root", *install, "stranger", check=False)
                self.assertNotEqual(refused.returncode, 0, install)
                self.assertRegex(refused.stdout + refused.stderr, "torch.*2.8.0")
            run("root", "pip", "install", "friend")
            self.assertEqual(run("root", "python", "-c", "import friend, torch; print(torch.__version__)").stdout, "2.8.0+cu128\n")
            run("root", "uv", "pip", "install", "--reinstall", "friend")
            # Who wants another torch says so, and gets it.
            run("root", "env", "PIP_CONSTRAINT=", "pip", "install", "stranger")
            self.assertEqual(run("root", "python", "-c", "import torch; print(torch.__version__)").stdout, "9.9\n")

    def test_the_images_user_installs_for_himself(self):
        with self.derived() as run:
            for user in ("1000:1000", "12345:0"):
                home = "HOME=/tmp/home"
                refused = run(user, "env", home, "pip", "install", "stranger", check=False)
                self.assertNotEqual(refused.returncode, 0)
                run(user, "env", home, "pip", "install", "friend")
                where = run(user, "env", home, "python", "-c", "import friend, torch; print(friend.__file__, torch.__file__)").stdout.split()
                self.assertTrue(where[0].startswith("/tmp/home/.local/lib/python3"), where)
                self.assertTrue(where[1].startswith("/opt/kiln/"), where)
                run("root", "rm", "-r", "/tmp/home")


if __name__ == "__main__":
    unittest.main(verbosity=2)
