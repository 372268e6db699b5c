#!/usr/bin/env python3
"""The main job on real input: bake as an ordinary user and as root, and what others make of the image."""
import importlib.machinery
import json
import os
import pathlib
import resource
import shutil
import subprocess
import time
import types
import unittest

import browser
import kiln

COMPUTE = "import torch; print(torch.__version__, float((torch.ones(64, 64) @ torch.ones(64, 64)).sum()))"
COMPUTED = "2.8.0+cu128 262144.0"


class Bake(unittest.TestCase):
    """The tests run in the order of their names: each looks at what the first one baked."""

    @classmethod
    def setUpClass(cls):
        cls.user_home = kiln.folder("user", owner=kiln.ordinary_user().pw_name)
        cls.root_folder = kiln.folder("root")
        cls.root_cache = kiln.CACHE / "torchkiln"

    @classmethod
    def tearDownClass(cls):
        kiln.remove(kiln.WORK)

    def bake_as_user(self, *extra):
        done = kiln.as_ordinary_user(
            [kiln.TORCHKILN, "bake", "--json", "--progress", "plain", "--cache", self.user_home / "cache", *extra],
            home=self.user_home, cwd=self.user_home / "project")  # fmt: skip
        print(done.stderr, flush=True)
        return json.loads(done.stdout)

    def test_1_an_ordinary_user_bakes_with_nothing_in_the_cache_in_under_six_minutes(self):
        project = self.user_home / "project"
        project.mkdir()
        shutil.copy(kiln.QUICKSTART, project)
        kiln.run(["chown", "-R", kiln.ORDINARY_USER, project])
        start = time.monotonic()
        baked = self.bake_as_user()
        seconds = time.monotonic() - start
        print(f"measured: cold bake as an ordinary user: {seconds:.1f} s")
        type(self).baked = baked
        image = baked["images"][0]
        self.assertEqual(image["reference"], "quickstart/pytorch:2.8.0-cu128-cudnn9-py311-runtime")
        self.assertEqual(image["level_reached"], "cpu")
        self.assertFalse(image["verified"], "without a GPU nothing may be called verified")
        self.assertLess(seconds, 360)

    def test_2_baking_again_changes_nothing_and_takes_under_five_seconds(self):
        lock = (self.user_home / "project/kiln.lock").read_bytes()
        start = time.monotonic()
        again = self.bake_as_user()
        seconds = time.monotonic() - start
        print(f"measured: bake again: {seconds:.2f} s")
        self.assertEqual(again["images"][0]["digest"], self.baked["images"][0]["digest"])
        self.assertTrue(again["images"][0]["verified_before"])
        self.assertEqual((self.user_home / "project/kiln.lock").read_bytes(), lock)
        self.assertLess(seconds, 5)

    def test_3_locking_again_gives_the_same_bytes(self):
        project = self.user_home / "project"
        before = [(project / name).read_bytes() for name in ("kiln.lock", "pylock.toml")]
        kiln.as_ordinary_user([kiln.TORCHKILN, "lock", "--cache", self.user_home / "cache", "--upgrade"],
                              home=self.user_home, cwd=project)  # fmt: skip
        first = [(project / name).read_bytes() for name in ("kiln.lock", "pylock.toml")]
        kiln.as_ordinary_user([kiln.TORCHKILN, "lock", "--cache", self.user_home / "cache", "--upgrade"],
                              home=self.user_home, cwd=project)  # fmt: skip
        self.assertEqual([(project / name).read_bytes() for name in ("kiln.lock", "pylock.toml")], first)
        # What root is to build next is what the user built, even if the index moved in between.
        for name, content in zip(("kiln.lock", "pylock.toml"), before):
            (project / name).write_bytes(content)

    def test_4_root_gets_the_same_digest_under_another_umask_time_zone_and_locale(self):
        for name in ("kiln.toml", "kiln.lock", "pylock.toml"):
            shutil.copy(self.user_home / "project" / name, self.root_folder)
        environment = os.environ | {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "LANG": "C", "HOME": str(self.root_folder)}
        done = kiln.run(
            ["sh", "-c", 'umask 077; exec "$@"', "sh", kiln.TORCHKILN, "bake", "--json", "--progress", "plain",
             "--cache", self.root_cache], cwd=self.root_folder, env=environment)  # fmt: skip
        print(done.stderr, flush=True)
        baked = json.loads(done.stdout)
        self.assertEqual(baked["images"][0]["digest"], self.baked["images"][0]["digest"])
        self.assertEqual(baked["images"][0]["level_reached"], "cpu")
        # The user's copies have served; the disk is needed for the engines.
        pruned = json.loads(kiln.as_ordinary_user(
            [kiln.TORCHKILN, "cache", "prune", "--unused-for", "1s", "--json", "--cache", self.user_home / "cache"], home=self.user_home).stdout)  # fmt: skip
        self.assertGreater(pruned["freed_bytes"], 7e9)  # what is unpacked; the blobs are the project's, too
        self.assertEqual((pruned["kept_bytes"], os.listdir(self.user_home / "cache/unpacked/sha256")), (0, []))
        kiln.remove(self.user_home / "cache")
        kiln.remove(self.user_home / "project/kiln.oci")

    @property
    def image(self):
        return f"oci:{self.root_folder}/kiln.oci:{self.baked['images'][0]['tag']}"

    def test_5_stamp_check_says_what_was_proven_and_refuses_what_was_not(self):
        home = os.environ | {"HOME": str(self.root_folder)}
        proven = kiln.torchkiln("stamp", "check", self.image, "--require", "cpu", env=home)
        self.assertIn("level cpu: not verified on a GPU", proven.stdout)
        key = self.root_folder / ".config/torchkiln/stamp.key"
        self.assertEqual(key.stat().st_mode & 0o777, 0o600)
        refused = kiln.torchkiln("stamp", "check", self.image, "--require", "gpu", env=home, check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertNotIn("proven", refused.stdout)

    def test_5_verify_takes_under_a_minute_of_processor_time_and_has_a_line_for_each_test(self):
        files = [self.root_folder / "report.json", self.root_folder / "report.html"]
        used = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
        start = time.monotonic()
        done = kiln.torchkiln("verify", self.image, "--lock", self.root_folder / "kiln.lock", "--progress", "plain", "-v", "--cache",
                              self.root_cache, *(word for file in files for word in ("--report", file)))  # fmt: skip
        seconds = time.monotonic() - start
        used = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - used
        print(f"measured: level cpu, once unpacked: {seconds:.1f} s, {used:.1f} s of processor time")
        self.assertLess(used, 60)  # alone, the machine needs half a minute; other tests may keep it from its disk
        self.assertLess(seconds, 600)
        report = json.loads(files[0].read_text())
        self.assertEqual(report["level_reached"], "cpu")
        in_image = [test["id"] for test in report["tests"] if test["id"] in done.stderr]
        self.assertGreater(len(in_image), 45)
        lines = [line.split()[:2] for line in done.stderr.splitlines()]
        for test in in_image:
            self.assertEqual(lines.count(["pass", test]), 1, test)
        # The page of a whole report, light and dark.
        with browser.Browser(prefix=[], profile=self.root_folder / "profile") as page:
            page.open(files[1].as_uri())
            self.assertIn("reached: cpu", page.text())
            self.assertEqual(page.evaluate("document.querySelectorAll('tbody tr').length"), len(report["tests"]))
            curves = page.evaluate("document.querySelectorAll('polyline').length")
            self.assertGreater(curves, 4)

    def test_5_the_verifiers_layer_is_under_8_mib(self):
        layout = pathlib.Path(self.image.removeprefix("oci:").rsplit(":", 1)[0])
        digest = json.loads(kiln.run(["skopeo", "inspect", "--raw", self.image]).stdout)
        config = json.loads((layout / "blobs/sha256" / digest["config"]["digest"][7:]).read_text())
        made_by = [entry.get("created_by", "") for entry in config["history"] if not entry.get("empty_layer")]
        sizes = [layer["size"] for layer, text in zip(digest["layers"], made_by, strict=True) if "verifier" in text]
        self.assertEqual(len(sizes), 1, made_by)
        self.assertLess(sizes[0], 8 << 20)
        # It is the source that tests/gpu/run would run on a GPU.
        loader = importlib.machinery.SourceFileLoader("gpu_run", str(kiln.SOURCE / "tests/gpu/run"))
        gpu_run = types.ModuleType(loader.name)
        gpu_run.__file__ = loader.path
        loader.exec_module(gpu_run)
        self.assertIn("torchkiln verifier " + gpu_run.source_digest()[7:19], made_by)

    def test_6_torch_computes_in_the_runner_and_pip_finds_nothing_broken(self):
        done = kiln.torchkiln("run", self.image, "--cache", self.root_cache, "--", "python", "-c", COMPUTE)
        self.assertEqual(done.stdout.strip(), COMPUTED)
        pip = kiln.torchkiln("run", self.image, "--cache", self.root_cache, "--", "pip", "check")
        self.assertEqual(pip.stdout.strip(), "No broken requirements found.")
        user = kiln.torchkiln("run", self.image, "--cache", self.root_cache, "--", "id")
        self.assertEqual(user.stdout.strip(), "uid=1000(kiln) gid=1000(kiln) groups=1000(kiln)")

    def test_6_the_image_and_its_lock_are_judged_alike_by_an_audit(self):
        done = kiln.torchkiln("audit", self.image, self.root_folder / "kiln.lock", "--json",
                              "--host", "name=v,driver=535.104.05,gpu=V100", "--host", "name=k,driver=470.57.02,gpu=K80",
                              check=False)  # fmt: skip
        self.assertEqual(done.returncode, 1, done.stderr)
        verdicts = [(result["host"], result["verdict"]) for result in json.loads(done.stdout)["results"]]
        self.assertEqual(verdicts, [("v", "minor-version")] * 2 + [("k", "driver-too-old")] * 2)

    def test_7_skopeo_reads_the_layout(self):
        told = json.loads(kiln.run(["skopeo", "inspect", self.image]).stdout)
        self.assertEqual(told["Digest"], self.baked["images"][0]["digest"])
        self.assertEqual(told["Labels"]["dev.torchkiln.pytorch"], "2.8.0+cu128")
        self.assertIn("NVIDIA_REQUIRE_CUDA=cuda>=12.0", told["Env"])
        self.assertLessEqual(len(told["Layers"]), 40)

    def test_8_docker_takes_the_image_and_builds_the_dockerfile(self):
        kiln.torchkiln("render", "--cache", self.root_cache, "--output", "context", cwd=self.root_folder)
        with kiln.dockerd() as environment:
            kiln.run(["skopeo", "copy", "--dest-daemon-host", environment["DOCKER_HOST"], self.image,
                      "docker-daemon:kiln:direct"])  # fmt: skip
            docker = ["/usr/bin/docker", "run", "--rm", "--network", "none"]
            self.assertEqual(kiln.run([*docker, "kiln:direct", "python", "-c", COMPUTE], env=environment).stdout.strip(), COMPUTED)
            kiln.run(["/usr/bin/docker", "rmi", "--force", "kiln:direct"], env=environment)
            kiln.run(["/usr/bin/docker", "build", "--network", "host", "--tag", "kiln:dockerfile",
                      *self.build_secrets(), "context/runtime"], env=environment, cwd=self.root_folder)  # fmt: skip
            self.assertEqual(kiln.run([*docker, "kiln:dockerfile", "python", "-c", COMPUTE], env=environment).stdout.strip(), COMPUTED)
            self.assertIn("No broken", kiln.run([*docker, "kiln:dockerfile", "pip", "check"], env=environment).stdout)
            self.assertIn("uid=1000", kiln.run([*docker, "kiln:dockerfile", "id"], env=environment).stdout)

    def build_secrets(self):
        """This machine's own index and certificates, as the Dockerfile's comment says."""
        secrets = ["--secret", "id=ca_certificates,src=/etc/ssl/certs/ca-certificates.crt"]
        settings = {name: os.environ.get("PIP_" + name.upper().replace("-", "_")) for name in ("index-url", "extra-index-url")}
        if any(settings.values()):
            configuration = self.root_folder / "pip.conf"
            configuration.write_text("[global]\n" + "".join(f"{k} = {v}\n" for k, v in settings.items() if v))
        else:
            configuration = next((p for p in (pathlib.Path.home() / ".config/pip/pip.conf", pathlib.Path("/etc/pip.conf")) if p.exists()), None)
        return secrets + (["--secret", f"id=pip_conf,src={configuration}"] if configuration else [])

    def test_9_podman_takes_the_image(self):
        store = kiln.folder("podman")
        runtime = kiln.run_folder("podman")
        podman = ["podman", "--root", store / "store", "--runroot", runtime, "--storage-driver", "overlay",
                  "--cgroup-manager", "cgroupfs", "--runtime", "runc"]  # fmt: skip
        try:
            pulled = kiln.run([*podman, "pull", self.image]).stdout.split()[-1]
            done = kiln.run([*podman, "run", "--rm", "--network", "none", "--ulimit", "nofile=1024:1024",
                             "--ulimit", "nproc=1024:1024", pulled, "python", "-c", COMPUTE])  # fmt: skip
            self.assertEqual(done.stdout.strip(), COMPUTED)
        finally:
            subprocess.run([str(a) for a in [*podman, "rmi", "--all", "--force"]], capture_output=True)
            kiln.remove(store)
            kiln.remove(runtime)


if __name__ == "__main__":
    unittest.main(verbosity=2)
