#!/usr/bin/env python3
"""The examples do what they say: every spec resolves, every training script learns in the image of the quickstart."""
import json
import re
import shutil
import time
import unittest

import kiln

EXAMPLES = kiln.SOURCE / "examples"
# One thread: on a busy machine, OpenMP's threads wait for each other longer than they compute.
PYTHON = ["env", "OMP_NUM_THREADS=1", "python", "-"]


class Specs(unittest.TestCase):
    def test_every_spec_resolves(self):
        specs = sorted(EXAMPLES.glob("*/kiln.toml"))
        self.assertGreaterEqual(len(specs), 5)
        for spec in specs:
            with self.subTest(spec.parent.name):
                answer = json.loads(kiln.torchkiln("resolve", spec, "--json").stdout)
                self.assertEqual(answer["status"], "resolved")


class Training(unittest.TestCase):
    """In the image, without network, as its user."""

    @classmethod
    def setUpClass(cls):
        cls.folder = kiln.folder("quickstart")
        cls.cache = kiln.CACHE / "torchkiln"
        shutil.copy(kiln.QUICKSTART, cls.folder)
        cls.image = f"oci:{cls.folder}/kiln.oci:{kiln.bake(cls.folder, cls.cache)['images'][0]['tag']}"

    @classmethod
    def tearDownClass(cls):
        kiln.remove(kiln.WORK)

    def in_image(self, script: str, *command, **options):
        start = time.monotonic()
        text = (EXAMPLES / "training" / script).read_text()
        done = kiln.torchkiln("run", self.image, "--cache", self.cache, "--", *command, input=text, **options)
        print(f"measured: {script}: {time.monotonic() - start:.1f} s: {done.stdout.strip()}", flush=True)
        return done

    def test_cnn_learns_and_a_resumed_run_has_the_same_bits(self):
        self.assertIn("resumed differs by 0 on cpu", self.in_image("cnn_resume.py", *PYTHON).stdout)

    def test_resnet_learns_in_bfloat16_and_channels_last(self):
        self.assertIn("in torch.bfloat16, channels_last True", self.in_image("resnet_amp.py", *PYTHON).stdout)

    def test_dcgan_learns(self):
        self.in_image("dcgan.py", *PYTHON)

    def test_diffusion_learns_eagerly_and_says_what_compiling_needs(self):
        self.assertIn("eagerly on cpu", self.in_image("diffusion.py", *PYTHON, "--eager").stdout)
        refused = self.in_image("diffusion.py", *PYTHON, check=False)
        self.assertEqual((refused.returncode, refused.stdout), (2, ""))
        self.assertIn("torch.compile needs g++", refused.stderr)

    def test_conditional_network_learns(self):
        self.in_image("conditional.py", *PYTHON)

    def test_ddp_learns_in_two_processes_and_refuses_to_be_alone(self):
        start = "cat >/tmp/ddp.py && exec env OMP_NUM_THREADS=1 torchrun --standalone --nproc-per-node {} /tmp/ddp.py --steps {}"
        done = self.in_image("ddp.py", "sh", "-c", start.format(2, 120))
        self.assertRegex(done.stdout, "weights differ by 0, 2 processes by gloo")
        self.assertNotEqual(self.in_image("ddp.py", "sh", "-c", start.format(1, 1), check=False).returncode, 0)

    def test_a_script_that_does_not_learn_fails(self):
        for script in ("cnn_resume.py", "dcgan.py"):
            with self.subTest(script):
                done = self.in_image(script, *PYTHON, "--steps", "2", check=False)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertTrue(re.search(r"accuracy|distance", done.stdout))


if __name__ == "__main__":
    unittest.main(verbosity=2)
