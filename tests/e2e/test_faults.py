#!/usr/bin/env python3
"""Bad input and a bad world: one clear message, the right exit status, nothing half-made, and the next run succeeds."""
import json
import shutil
import signal
import subprocess
import time
import unittest

import kiln

SPEC = kiln.QUICKSTART.read_text()


class BadInput(unittest.TestCase):
    def setUp(self):
        self.work = kiln.folder("bad-input")

    def resolve(self, text, *arguments):
        (self.work / "kiln.toml").write_text(text)
        return kiln.torchkiln("resolve", *arguments, cwd=self.work, check=False)

    def test_an_unknown_key_is_named_with_its_place_and_the_nearest_known_one(self):
        done = self.resolve(SPEC.replace('pytorch = "2.8"', 'pytroch = "2.8"'))
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"^kiln\.toml:9:1: error: .*pytroch")
        self.assertIn("pytorch", done.stderr.split("hint:")[1])
        self.assertEqual(done.stdout, "")

    def test_a_wrong_type_is_named_with_its_place(self):
        done = self.resolve(SPEC.replace('pytorch = "2.8"', "pytorch = 2.8"))
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"^kiln\.toml:9:11: error: ")

    def test_what_is_no_toml_is_named_with_its_place(self):
        done = self.resolve(SPEC + "\n[require\n")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"^kiln\.toml:\d+:\d+: error: ")

    def test_an_impossible_version_is_a_conflict_with_reasons_sources_and_a_fix_that_works(self):
        done = self.resolve(SPEC.replace('cuda    = "12.8"', 'cuda    = "11.8"'))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"kiln\.toml:10:\d+")
        self.assertRegex(done.stdout, r"manifests/[\w.-]+\.toml:\d+")
        self.assertLessEqual(len(done.stdout.splitlines()), 15)
        document = json.loads(self.resolve(SPEC.replace('cuda    = "12.8"', 'cuda    = "11.8"'), "--json").stdout)
        fixes = document["conflict"]["fixes"]
        self.assertTrue(fixes)
        for fix in fixes:
            arguments = subprocess.run(["sh", "-c", f'printf "%s\\n" {fix["command"]}'], capture_output=True, text=True).stdout.split("\n")[1:-1]
            self.assertEqual(kiln.torchkiln(*arguments, cwd=self.work, check=False).returncode, 0, fix["command"])

    def test_a_missing_spec_and_an_unknown_option_are_usage_errors(self):
        empty = kiln.folder("empty")
        self.assertEqual(kiln.torchkiln("resolve", cwd=empty, check=False).returncode, 2)
        self.assertEqual(kiln.torchkiln("resolve", "--nonsense", cwd=empty, check=False).returncode, 2)
        self.assertEqual(kiln.torchkiln("--help").returncode, 0)

    def test_an_unknown_debian_package_is_named_at_its_place(self):
        (self.work / "kiln.toml").write_text(SPEC + 'system = ["no-such-package-at-all"]\n')
        done = kiln.torchkiln("lock", "--cache", kiln.CACHE / "torchkiln", cwd=self.work, check=False)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertRegex(done.stderr, r"kiln\.toml:\d+:\d+: error: .*no-such-package-at-all")
        self.assertFalse((self.work / "kiln.lock").exists())

    def test_python_packages_that_cannot_go_together_are_an_honest_no(self):
        (self.work / "kiln.toml").write_text(SPEC.replace('["numpy"]', '["numpy<1", "scipy>1.15"]'))
        done = kiln.torchkiln("lock", "--cache", kiln.CACHE / "torchkiln", cwd=self.work, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("numpy", done.stderr)
        self.assertFalse((self.work / "kiln.lock").exists())

    def test_json_is_asked_for_and_given_for_errors_too(self):
        done = self.resolve(SPEC.replace("2.8", "two"), "--json")
        document = json.loads(done.stdout)
        self.assertEqual(document["schema"], "torchkiln.error/1")
        self.assertEqual(document["error"]["code"], "spec-invalid")
        self.assertEqual(document["error"]["where"]["line"], 9)


class BadWorld(unittest.TestCase):
    def setUp(self):
        self.work = kiln.folder("bad-world")
        shutil.copy(kiln.QUICKSTART, self.work)
        self.cache = self.work / "cache"

    def test_an_unreachable_index_is_named_and_nothing_is_written(self):
        done = kiln.torchkiln("lock", "--cache", self.cache, "--index", "http://127.0.0.1:9/simple", cwd=self.work, check=False)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("index", done.stderr)
        self.assertIn("--index", done.stderr.split("hint:")[1])
        self.assertFalse((self.work / "kiln.lock").exists())
        kiln.torchkiln("lock", "--cache", self.cache, cwd=self.work)
        self.assertTrue((self.work / "kiln.lock").exists())

    def test_an_unreachable_mirror_is_named_and_nothing_is_written(self):
        done = kiln.torchkiln("lock", "--cache", self.cache, "--mirror", "http://127.0.0.1:9/debian", cwd=self.work, check=False)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("--mirror", done.stderr.split("hint:")[1])
        self.assertFalse((self.work / "kiln.lock").exists())

    def test_a_password_in_an_address_is_never_shown(self):
        done = kiln.torchkiln("lock", "--cache", self.cache, "--verbose", "--index", "http://someone:hunter2@127.0.0.1:9/simple", cwd=self.work, check=False)
        self.assertNotIn("hunter2", done.stdout + done.stderr)

    def test_without_a_network_and_without_a_cache_offline_says_so(self):
        done = kiln.torchkiln("lock", "--offline", "--cache", self.cache, cwd=self.work, check=False)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("--offline", done.stderr)
        # Nor are the packages of a lock fetched.
        kiln.torchkiln("lock", "--cache", self.cache, cwd=self.work)
        done = kiln.torchkiln("build", "--offline", "--cache", self.work / "empty", cwd=self.work, check=False)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("without --offline it would be fetched", done.stderr)
        self.assertEqual(json.loads((self.work / "kiln.oci/index.json").read_text())["manifests"], [])

    def whole_files(self):
        """No cache entry may be anything but whole: every blob has the digest that is its name."""
        blobs = self.cache / "blobs/sha256"
        for blob in blobs.iterdir() if blobs.exists() else []:
            if blob.suffix != ".part" and not blob.name.startswith("."):
                self.assertEqual(kiln.run(["sha256sum", blob]).stdout.split()[0], blob.name)

    def test_a_full_disk_is_said_leaves_nothing_half_written_and_the_next_run_goes_on(self):
        self.cache.mkdir()
        kiln.run(["mount", "-t", "tmpfs", "-o", "size=120m,mode=755", "tmpfs", self.cache])
        try:
            done = kiln.torchkiln("render", "--cache", self.cache, "--output", "context", cwd=self.work, check=False)
            self.assertEqual(done.returncode, 3, done.stderr)
            self.assertRegex(done.stderr, "No space left on device|free, and this image needs")
            self.assertFalse((self.work / "context/runtime/Dockerfile").exists() and (self.work / "context/runtime/rootfs.tar.gz").exists())
            self.whole_files()
            kiln.run(["mount", "-o", "remount,size=2g", self.cache])
            kiln.torchkiln("render", "--cache", self.cache, "--output", "context", cwd=self.work)
            self.whole_files()
        finally:
            kiln.run(["umount", self.cache])

    def interrupt(self, after, *arguments):
        """Starts torchkiln, sends SIGINT as soon as `after` is on standard error, and gives the exit status."""
        process = subprocess.Popen([kiln.TORCHKILN, *map(str, arguments)], cwd=self.work, text=True, start_new_session=True,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)  # fmt: skip
        said = ""
        for line in process.stderr:
            said += line
            if after in line:
                time.sleep(1.5)
                process.send_signal(signal.SIGINT)
                break
        said += process.stderr.read()
        process.stderr.close()
        status = process.wait(60)
        children = subprocess.run(["ps", "-o", "pid,ppid,pgid,stat,args", "--no-headers", "--sid", str(process.pid)],
                                  capture_output=True, text=True).stdout  # fmt: skip
        # An ended child of an ended child is init's to reap, which is not our matter.
        alive = [line for line in children.splitlines() if line.split()[3][0] != "Z"]
        self.assertEqual(alive, [], "programs outlive an interrupt")
        return status, said

    def test_ctrl_c_while_downloading_and_bootstrapping_ends_at_once_and_the_next_run_succeeds(self):
        kiln.torchkiln("lock", "--cache", self.cache, cwd=self.work)
        status, said = self.interrupt("\"verb\":\"Bootstrapping\"", "render", "--cache", self.cache, "--output", "context", "--progress", "json")
        self.assertEqual(status, 130, said)
        self.assertIn("interrupted", said)
        self.assertFalse((self.work / "context/runtime/rootfs.tar.gz").exists())
        self.whole_files()
        self.assertEqual(list((self.cache / "work").iterdir()), [], "temporary folders are removed")
        kiln.torchkiln("render", "--cache", self.cache, "--output", "context", cwd=self.work)
        self.assertTrue((self.work / "context/runtime/rootfs.tar.gz").exists())
        self.whole_files()

    def test_a_damaged_lock_is_named_with_its_place(self):
        kiln.torchkiln("lock", "--cache", self.cache, cwd=self.work)
        lock = self.work / "kiln.lock"
        lock.write_text(lock.read_text().replace('sha256 = "', 'sha256 = "x', 1))
        done = kiln.torchkiln("build", "--cache", self.cache, cwd=self.work, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"^kiln\.lock:\d+:\d+: error: ")

    def test_a_package_that_has_other_bytes_than_the_lock_says_is_refused(self):
        kiln.torchkiln("lock", "--cache", self.cache, cwd=self.work)
        lock = self.work / "kiln.lock"
        text = lock.read_text()
        at = text.index('name = "tini"')
        digest = text[text.index('sha256 = "', at) + 10 :][:64]
        lock.write_text(text.replace(digest, "0" * 63 + "1"))
        done = kiln.torchkiln("render", "--cache", self.cache, "--output", "context", cwd=self.work, check=False)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("does not have the digest", done.stderr)
        self.assertIn(digest, done.stderr)
        self.assertFalse((self.work / "context/runtime/rootfs.tar.gz").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
