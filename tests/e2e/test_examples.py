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
CACHE = kiln.CACHE / "torchkiln"


class Specs(unittest.TestCase):
    def test_every_spec_resolves(self):
        specs = sorted(EXAMPLES.glob("*/kiln.toml"))
        self.assertGreaterEqual(len(specs), 5)
        for spec in specs:
            with self.subTest(spec.parent.name):
                answer = json.loads(kiln.torchkiln("resolve", spec, "--json").stdout)
                self.assertEqual(answer["status"], "resolved")

    def test_specs_that_the_python_index_alone_can_answer_are_locked(self):
        # The team's V100s need PyTorch's build for CUDA 12.6, which only PyTorch's own index has; the paper is baked below.
        for name in ("multi-gpu", "inference-slim"):
            with self.subTest(name):
                project = kiln.folder(name)
                shutil.copy(EXAMPLES / name / "kiln.toml", project)
                print(kiln.torchkiln("lock", "--cache", CACHE, cwd=project).stdout, flush=True)
                self.assertTrue(json.loads(kiln.torchkiln("lock", "--check", "--json", cwd=project).stdout)["current"])

    def test_the_papers_citation_is_the_digest_and_its_lock_gives_it_again(self):
        digests = []
        for name in ("paper", "reader"):
            project = kiln.folder(name)
            for file in ("kiln.toml", "cite.py"):
                shutil.copy(EXAMPLES / "paper" / file, project)
            if name == "reader":  # who has the paper's two files, and nothing else
                shutil.copy(kiln.WORK / "paper/kiln.lock", project)
            cited = kiln.run([project / "cite.py", "--cache", CACHE, "--level", "static"]).stdout
            [digest] = re.findall(r"howpublished = \{paper/experiments@(sha256:[0-9a-f]{64})\}", cited)
            self.assertIn("tested to level static", cited)
            index = json.loads((project / "kiln.oci/index.json").read_text())
            self.assertIn(digest, [image["digest"] for image in index["manifests"]])
            digests.append(digest)
            kiln.remove(project / "kiln.oci")
        self.assertEqual(digests[0], digests[1])


class Training(unittest.TestCase):
    """In the image, without network, as its user."""

    @classmethod
    def setUpClass(cls):
        cls.folder = kiln.folder("quickstart")
        shutil.copy(kiln.QUICKSTART, cls.folder)
        cls.image = f"oci:{cls.folder}/kiln.oci:{kiln.bake(cls.folder, CACHE)['images'][0]['tag']}"

    @classmethod
    def tearDownClass(cls):
        kiln.remove(kiln.WORK)

    def in_image(self, script: str, *command, **options):
        start = time.monotonic()
        text = (EXAMPLES / "training" / script).read_text()
        done = kiln.torchkiln("run", self.image, "--cache", CACHE, "--", *command, input=text, **options)
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
