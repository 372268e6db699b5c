#!/usr/bin/env python3
"""The gate, with Debian's docker-registry and programs that are not ours: stamps of two machines beside one image, what
`stamp show` and `stamp check` make of them, `run --require-stamp`, the examples of pipelines, and attacks on the way.

The reports are invented; keys, images, registry and signatures are the real thing."""
import base64
import contextlib
import datetime
import hashlib
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import unittest
import urllib.error
import urllib.request

import kiln
import small_index
from local_registry import docker_registry
from python_packages import enter_environment

sys.path.insert(0, str(kiln.SOURCE / "tests/support"))
from small_image import Layout, hello, small_layout  # noqa: E402

PACKAGES = ["check-jsonschema==0.38.1", "PyYAML==6.0.3", "in-toto-attestation==0.9.3", "PyNaCl==1.6.2"]
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
SUMMARY = "https://slsa.dev/verification_summary/v1"
BILLS = ["https://spdx.dev/Document", "https://cyclonedx.org/bom"]  # and provenance, where there is a lock
H200 = {"name": "NVIDIA H200", "uuid_sha256": "", "compute_capability": "9.0"}
A100 = {"name": "NVIDIA A100-SXM4-80GB", "uuid_sha256": "", "compute_capability": "8.0"}


def time_ago(days: float = 0) -> str:
    return (datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def report_of(digest: str, gpu: dict, driver: str, days=0, verdict="pass") -> dict:
    test = lambda name, level, verdict="pass": {"id": name, "level": level, "verdict": verdict, "reason": "", "measured": 1, "seconds": 1}
    return {"schema": "torchkiln.report/1", "image": {"digest": digest, "name": "team/small:1.0"},
            "lock": {"digest": "sha256:" + "1" * 64}, "suite": {"digest": "sha256:" + "2" * 64}, "nonce": "0" * 32,
            "host": {"kernel": "6", "arch": "x86_64", "cpu": "A processor", "driver": driver, "gpus": [gpu], "runtime": "runc"},
            "versions": {}, "level_asked": "gpu", "level_reached": "gpu" if verdict == "pass" else "cpu",
            "started": time_ago(days + 0.1), "finished": time_ago(days),
            "tests": [test("files", "static"), test("import", "boot"), test("train", "cpu"), test("train.cuda", "gpu", verdict)]}  # fmt: skip


class Gate(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = kiln.folder("gate")
        cls.stack = contextlib.ExitStack()
        cls.addClassCleanup(cls.stack.close)
        cls.host = cls.stack.enter_context(docker_registry(cls.work))

    def setUp(self):
        self.home = self.work / self.id().split(".")[-1][:60]
        self.home.mkdir()
        layout = small_layout(self.home / "image")
        self.layout, self.digest = layout.folder, layout.entries[0]["digest"]
        self.key, self.public = self.home / "team.key", self.home / "team.pub"
        self.reference = f"{self.host}/{self.home.name.lower()}/small:1.0"
        self.program("push", f"oci:{self.layout}:1.0", self.reference)

    def program(self, *arguments, check=True, **options):
        variables = {k: v for k, v in os.environ.items() if k not in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE")}
        variables |= {"HOME": str(self.home), "TORCHKILN_CACHE": str(self.home / "cache")}
        return kiln.torchkiln(*arguments, check=check, env=variables, timeout=120, **options)

    def stamp(self, image, *arguments, key=None, **report):
        path = self.home / "report.json"
        path.write_text(json.dumps(report_of(**({"digest": self.digest, "gpu": H200, "driver": "570.133.20"} | report))))
        return json.loads(self.program("stamp", image, "--report", path, "--key", key or self.key, "--json", *arguments).stdout)

    def check(self, image, *arguments) -> dict:
        """The verdict, which the exit status must be, too."""
        done = self.program("stamp", "check", image, "--json", *(arguments or ("--pub", self.public)), check=False)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        verdict = json.loads(done.stdout)
        self.assertEqual(verdict["satisfied"], done.returncode == 0)
        return verdict

    def reasons(self, image, *arguments) -> set[str]:
        verdict = self.check(image, *arguments)
        self.assertFalse(verdict["satisfied"])
        self.assertTrue(all(refusal["remedy"] for refusal in verdict["refusals"]))
        return {refusal["reason"] for refusal in verdict["refusals"]}

    def fetch(self, path: str, accept="*/*") -> bytes:
        repository = self.reference.split("/", 1)[1].rsplit(":", 1)[0]
        request = urllib.request.Request(f"http://{self.host}/v2/{repository}/{path}", headers={"Accept": accept})
        with urllib.request.urlopen(request) as answer:
            return answer.read()

    def attestations(self) -> dict:
        return json.loads(self.fetch(f"manifests/sha256-{self.digest[7:]}.att", "application/vnd.oci.image.manifest.v1+json"))

    # What it is for.

    def test_stamps_of_two_machines_add_up(self):
        self.stamp(self.reference, "--valid-for", "90d")
        wanted = ["--pub", self.public, "--require", "gpu", "--gpu", "sm_90", "--gpu", "A100", "--driver-at-least", "535"]
        self.assertIn("A100", self.check(self.reference, *wanted)["unmet"][0])
        self.stamp(self.reference, gpu=A100, driver="535.183.01", days=3)
        self.assertTrue(self.check(self.reference, *wanted, "--max-age", "90d")["satisfied"])
        seen = json.loads(kiln.run(["skopeo", "inspect", "--tls-verify=false", f"docker://{self.reference}"]).stdout)
        self.assertEqual(seen["Digest"], self.digest)

        shown = json.loads(self.program("stamp", "show", self.reference, "--pub", self.public, "--json").stdout)
        self.assertEqual([(run["level"], run["gpus"][0]["name"], run["driver"]) for run in shown["runs"]],
                         [("gpu", "NVIDIA H200", "570.133.20"), ("gpu", "NVIDIA A100-SXM4-80GB", "535.183.01")])  # fmt: skip
        ends = [run["valid_until"] for run in shown["runs"]]
        self.assertIsNone(ends[1])
        self.assertEqual(datetime.datetime.fromisoformat(ends[0]) - datetime.datetime.fromisoformat(shown["runs"][0]["finished"]),
                         datetime.timedelta(days=90))  # fmt: skip
        self.assertEqual([one["predicate_type"] for one in shown["statements"]], [SUMMARY, *BILLS, SUMMARY])  # the bills once
        text = self.program("stamp", "show", self.reference, "--pub", self.public).stdout
        self.assertRegex(text, r"proven +gpu +NVIDIA H200 \(9\.0\), driver 570\.133\.20")

    def test_a_failed_run_is_shown_and_signed_as_failed(self):
        self.stamp(self.reference, verdict="fail")
        self.assertEqual(self.reasons(self.reference), {"failed"})
        shown = json.loads(self.program("stamp", "show", self.reference, "--pub", self.public, "--json").stdout)
        self.assertEqual([(run["result"], run["verified"]) for run in shown["runs"]], [("FAILED", False)])
        self.assertIn("failed", self.program("stamp", "show", self.reference, "--pub", self.public).stdout)

    def test_the_attestation_tag_holds_every_envelope_and_what_others_put_there(self):
        self.stamp(self.reference)
        first = self.attestations()
        self.assertEqual([layer["annotations"]["predicateType"] for layer in first["layers"]], [TEST_RESULT, SUMMARY, *BILLS])
        for layer in first["layers"]:
            self.assertEqual(layer["mediaType"], "application/vnd.dsse.envelope.v1+json")
            self.assertEqual(layer["annotations"]["dev.cosignproject.cosign/signature"], "")
            content = self.fetch(f"blobs/{layer['digest']}")
            self.assertEqual("sha256:" + hashlib.sha256(content).hexdigest(), layer["digest"])
            envelope = json.loads(content)
            kind, body = envelope["payloadType"].encode(), base64.b64decode(envelope["payload"])
            (self.home / "message").write_bytes(b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body))
            (self.home / "signature").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
            kiln.run(["openssl", "dgst", "-sha256", "-verify", self.public, "-signature", self.home / "signature", self.home / "message"])
            self.assertEqual(json.loads(body)["subject"][0]["digest"]["sha256"], self.digest[7:])
        config = json.loads(self.fetch(f"blobs/{first['config']['digest']}"))
        self.assertEqual(config["rootfs"]["diff_ids"], [layer["digest"] for layer in first["layers"]])

        # Somebody else, who knows of no other stamp, adds theirs; a push of the layout adds nothing twice.
        self.stamp(self.reference, gpu=A100, driver="535.183.01", key=self.home / "other.key")
        self.assertEqual(self.attestations()["layers"][:4], first["layers"])
        self.assertEqual(len(self.attestations()["layers"]), 8)
        self.program("pull", self.reference, "-o", self.home / "copy")
        self.program("push", f"oci:{self.home}/copy:1.0", self.reference)
        self.assertEqual(len(self.attestations()["layers"]), 8)

    def test_in_toto_attestation_reads_the_summary(self):
        from google.protobuf import json_format
        from in_toto_attestation.predicates.vsa.v1.vsa_pb2 import VerificationSummary
        from in_toto_attestation.v1.statement import Statement
        from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage

        self.stamp(self.reference)
        envelope = json.loads(self.fetch(f"blobs/{self.attestations()['layers'][1]['digest']}"))
        message = json_format.Parse(base64.b64decode(envelope["payload"]), StatementMessage())
        Statement.copy_from_pb(message).validate()
        self.assertEqual(message.predicate_type, SUMMARY)
        fields = json_format.MessageToDict(message.predicate)
        # An array by slsa.dev/spec/v1.0/verification_summary; that package's model has one text.
        levels = fields.pop("verifiedLevels")
        predicate = json_format.ParseDict(fields, VerificationSummary())  # strict
        self.assertEqual(predicate.verification_result, "PASSED")
        self.assertEqual(levels,
                         ["TORCHKILN_STATIC", "TORCHKILN_BOOT", "TORCHKILN_CPU", "TORCHKILN_GPU", "TORCHKILN_SM_90"])  # fmt: skip
        self.assertEqual(predicate.policy.digest["sha256"], "2" * 64)

    def test_a_policy_says_the_same_from_a_file(self):
        self.stamp(self.reference)
        policy = self.home / "policy.toml"
        example = (kiln.SOURCE / "examples/gate/policy.toml").read_text()
        policy.write_text(example)
        self.assertTrue(self.check(self.reference, "--policy", policy)["satisfied"])
        policy.write_text(example.replace("sm_90", "sm_80"))
        self.assertEqual(self.reasons(self.reference, "--policy", policy), {"wrong-gpu"})
        for line, complaint in (('keys = ["team.pub"]', "keys"), ('level = "gpu"', "level"), ('max_age = "90d"', "max_age")):
            policy.write_text(re.sub(re.escape(line), line.replace('"', "'", 1).replace("'", '"?', 1), example))
            refused = self.program("stamp", "check", self.reference, "--policy", policy, check=False)
            self.assertEqual(refused.returncode, 2, complaint)
            self.assertRegex(refused.stderr, r"policy\.toml:\d+", complaint)
        policy.write_text(example.replace("max_age", "max_agee"))
        self.assertIn("max_age", self.program("stamp", "check", self.reference, "--policy", policy, check=False).stderr)
        policy.write_text('schema = "torchkiln.policy/1"\n')
        self.assertIn("a stamp counts only by its key", self.program("stamp", "check", self.reference, "--policy", policy, check=False).stderr)

    def test_run_lets_through_only_what_was_proven(self):
        gate = ["--require-stamp", "--pub", self.public, "--require", "gpu", "--gpu", "sm_90"]
        for image in (self.reference, f"oci:{self.layout}:1.0"):
            with self.subTest(image):
                self.key.exists() or self.stamp(image, gpu=A100)  # makes the key, and proves something else
                refused = self.program("run", image, *gate, "--", "/bin/hello", check=False)
                self.assertEqual(refused.returncode, 1)
                self.assertNotIn("hello from the image", refused.stdout)
                self.assertIn("sm_90", refused.stdout)
                self.stamp(image)
                self.assertEqual(self.program("run", image, *gate, "--", "/bin/hello").stdout, "hello from the image\n")
        self.assertEqual(self.program("run", "docker:team/small", *gate, check=False).returncode, 2)
        self.assertEqual(self.program("run", self.reference, "--pub", self.public, check=False).returncode, 2)

    def test_run_refuses_a_layer_that_was_changed_under_a_good_stamp(self):
        self.stamp(f"oci:{self.layout}:1.0")
        manifest = json.loads((self.layout / "blobs/sha256" / self.digest[7:]).read_text())
        layer = self.layout / "blobs/sha256" / manifest["layers"][0]["digest"][7:]
        content = bytearray(layer.read_bytes())
        content[-9] ^= 1
        layer.write_bytes(content)
        shutil.rmtree(self.home / "cache")  # where the layer lies unpacked as it was
        refused = self.program("run", f"oci:{self.layout}:1.0", "--require-stamp", "--pub", self.public, "--", "/bin/hello", check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertNotIn("hello from the image", refused.stdout)

    def test_a_key_in_cosigns_own_form_signs(self):
        """As sigstore/cosign and go-securesystemslib write them: scrypt, and NaCl's secretbox by another library."""
        import nacl.secret

        plain, words = self.home / "plain.key", self.home / "words"
        kiln.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", plain])
        kiln.run(["openssl", "pkey", "-in", plain, "-pubout", "-out", self.public])
        der = subprocess.run(["openssl", "pkcs8", "-topk8", "-nocrypt", "-in", plain, "-outform", "DER"], capture_output=True, check=True).stdout

        def write(password: bytes, cost=1 << 16, header="SIGSTORE"):
            salt, nonce = os.urandom(32), os.urandom(24)
            key = hashlib.scrypt(password, salt=salt, n=min(cost, 1 << 16), r=8, p=1, maxmem=1 << 28, dklen=32)
            sealed = nacl.secret.SecretBox(key).encrypt(der, nonce).ciphertext
            encoded = lambda data: base64.b64encode(data).decode()
            document = {"kdf": {"name": "scrypt", "params": {"N": cost, "r": 8, "p": 1}, "salt": encoded(salt)},
                        "cipher": {"name": "nacl/secretbox", "nonce": encoded(nonce)}, "ciphertext": encoded(sealed)}  # fmt: skip
            body = base64.encodebytes(json.dumps(document).encode()).decode()
            self.key.write_text(f"-----BEGIN ENCRYPTED {header} PRIVATE KEY-----\n{body}-----END ENCRYPTED {header} PRIVATE KEY-----\n")
            self.key.chmod(0o600)

        words.write_text("correct horse\n")
        write(b"correct horse")
        self.stamp(self.reference, "--passphrase-file", words)
        self.assertTrue(self.check(self.reference)["satisfied"])
        write(b"", header="COSIGN")
        self.stamp(self.reference, days=1)
        self.assertEqual(len(self.check(self.reference)["proofs"]), 2)
        for password, cost, complaint in ((b"other", 1 << 16, "does not open with this passphrase"), (b"correct horse", 1 << 24, "gibibyte")):
            write(password, cost)
            refused = self.program("stamp", self.reference, "--report", self.home / "report.json", "--key", self.key,
                                   "--passphrase-file", words, check=False)  # fmt: skip
            self.assertEqual(refused.returncode, 2)
            self.assertIn(complaint, refused.stderr)

    # Attacks.

    def test_a_stamp_that_ran_out_or_is_too_old(self):
        self.stamp(self.reference, "--valid-for", "2d", days=3)
        self.assertEqual(self.reasons(self.reference), {"expired"})
        self.stamp(self.reference, days=100)
        self.assertEqual(self.reasons(self.reference, "--pub", self.public, "--max-age", "90d"), {"expired", "too-old"})
        self.assertTrue(self.check(self.reference)["satisfied"])

    def test_a_stamp_of_another_lock(self):
        self.stamp(self.reference)
        policy = self.home / "policy.toml"
        policy.write_text('schema = "torchkiln.policy/1"\nkeys = ["team.pub"]\nlock = "kiln.lock"\n')
        missing = self.program("stamp", "check", self.reference, "--policy", policy, check=False)
        self.assertEqual(missing.returncode, 2)
        (self.home / "kiln.toml").write_text(small_index.SPEC)
        with small_index.Index(self.home / "index") as index:
            kiln.torchkiln("lock", "--cache", kiln.CACHE / "torchkiln", cwd=self.home, env=index.environment)
        self.assertEqual(self.reasons(self.reference, "--policy", policy), {"wrong-lock"})
        self.assertEqual(self.reasons(self.reference, "--pub", self.public, "--lock", self.home / "kiln.lock"), {"wrong-lock"})

    def test_a_stamp_replayed_on_another_image(self):
        """The referrer is copied word for word, with the other image as its subject."""
        self.stamp(f"oci:{self.layout}:1.0")
        other = Layout(self.home / "other")
        image = other.image("1.0", [other.layer({"bin/hello": hello(), "extra": b"extra"})])
        subject = other.entries[0]
        index = json.loads((self.layout / "index.json").read_text())
        for entry in index["manifests"]:
            if "artifactType" not in entry:
                continue
            manifest = json.loads((self.layout / "blobs/sha256" / entry["digest"][7:]).read_text())
            for part in (manifest["config"], *manifest["layers"]):
                shutil.copy(self.layout / "blobs/sha256" / part["digest"][7:], other.folder / "blobs/sha256")
            manifest["subject"] = {key: subject[key] for key in ("mediaType", "digest", "size")}
            blob = other.blob(json.dumps(manifest).encode(), manifest["mediaType"])
            other.entries.append(blob | {key: entry[key] for key in ("artifactType", "annotations") if key in entry})
        other.write_index()
        self.assertIsNotNone(image)
        self.assertEqual(self.reasons(f"oci:{other.folder}:1.0"), {"wrong-image"})
        self.program("push", f"oci:{other.folder}:1.0", self.reference)
        self.assertEqual(self.reasons(self.reference), {"wrong-image"})

    def test_a_tag_moved_between_verify_and_stamp(self):
        path = self.home / "report.json"
        path.write_text(json.dumps(report_of(self.digest, H200, "570.133.20")))
        other = Layout(self.home / "other")
        other.image("1.0", [other.layer({"bin/hello": hello(), "extra": b"extra"})])
        self.program("push", f"oci:{other.folder}:1.0", self.reference)
        refused = self.program("stamp", self.reference, "--report", path, "--key", self.key, check=False)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("is about " + self.digest, refused.stderr)
        self.assertFalse(self.public.exists() and self.check(self.reference)["satisfied"])

    def test_a_registry_that_answers_with_another_image(self):
        """For the digest that was asked for, and for what its tag leads to."""
        self.stamp(self.reference)
        other = Layout(self.home / "other")
        other.image("1.0", [other.layer({"bin/hello": hello(), "extra": b"extra"})])
        changed = (other.folder / "blobs/sha256" / other.entries[0]["digest"][7:]).read_bytes()
        with Liar(self.host, f"/manifests/{self.digest}", changed) as liar:
            by_digest = f"{liar}/{self.reference.split('/', 1)[1].rsplit(':', 1)[0]}@{self.digest}"
            refused = self.program("stamp", "check", by_digest, "--pub", self.public, check=False)
            self.assertEqual(refused.returncode, 3, refused.stdout)
            self.assertIn("digest", refused.stderr)
            run = self.program("run", by_digest, "--require-stamp", "--pub", self.public, "--", "/bin/hello", check=False)
            self.assertNotEqual(run.returncode, 0)
            self.assertNotIn("hello from the image", run.stdout)
        with Liar(self.host, "/manifests/1.0", changed) as liar:  # a tag may lead anywhere: what it leads to has no stamp
            by_tag = f"{liar}/{self.reference.split('/', 1)[1]}"
            done = self.program("stamp", "check", by_tag, "--pub", self.public, check=False)
            self.assertNotEqual(done.returncode, 0)

    def test_a_registry_that_hides_or_alters_stamps_turns_no_into_yes_never(self):
        self.stamp(self.reference, gpu=A100)
        with Liar(self.host, f"/manifests/sha256-{self.digest[7:]}", None) as liar:
            self.assertEqual(self.check(f"{liar}/{self.reference.split('/', 1)[1]}")["proofs"], [])
        bundle = self.bundle_digest()
        content = self.fetch(f"blobs/{bundle}")
        shutil.rmtree(self.home / "cache")
        with Liar(self.host, f"/blobs/{bundle}", content[:-20] + b" " * 20) as liar:
            done = self.program("stamp", "check", f"{liar}/{self.reference.split('/', 1)[1]}", "--pub", self.public, check=False)
            self.assertNotEqual(done.returncode, 0)

    def bundle_digest(self) -> str:
        index = json.loads(self.fetch(f"manifests/sha256-{self.digest[7:]}", "application/vnd.oci.image.index.v1+json"))
        stamp = next(one for one in index["manifests"] if one["annotations"]["dev.sigstore.bundle.predicateType"] == TEST_RESULT)
        return json.loads(self.fetch(f"manifests/{stamp['digest']}", stamp["mediaType"]))["layers"][0]["digest"]

    # Pipelines.

    def test_the_pipelines_are_what_their_readers_read(self):
        checker = pathlib.Path(sys.prefix) / "bin/check-jsonschema"
        for name, schema in (("github-workflow.yml", "vendor.github-workflows"), ("gitlab-ci.yml", "vendor.gitlab-ci")):
            with self.subTest(name):
                path = kiln.SOURCE / "examples/gate" / name
                kiln.run([checker, "--builtin-schema", schema, path])
                spoiled = self.home / name
                spoiled.write_text(path.read_text().replace("runs-on:", "runs_on:").replace("    - torchkiln stamp check", "    torchkiln: stamp check"))
                self.assertNotEqual(subprocess.run([checker, "--builtin-schema", schema, spoiled], capture_output=True).returncode, 0)

    def test_the_gates_of_the_pipelines_do_what_they_say(self):
        import yaml

        github = yaml.safe_load((kiln.SOURCE / "examples/gate/github-workflow.yml").read_text())
        gitlab = yaml.safe_load((kiln.SOURCE / "examples/gate/gitlab-ci.yml").read_text())
        sign = github["jobs"]["prove"]["steps"][1]["run"]
        gates = [github["jobs"]["gate"]["steps"][-1]["run"], gitlab["gate"]["script"][0]]
        signs = [sign, "\n".join(gitlab["prove"]["after_script"])]
        key = self.home / "made/team.key"
        key.parent.mkdir()
        kiln.run(["sh", "-c", f"umask 077; openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {key}"])
        kiln.run(["openssl", "pkey", "-in", key, "-pubout", "-out", self.public])
        shutil.copy(kiln.SOURCE / "examples/gate/policy.toml", self.home / "policy.toml")
        (self.home / "bin").mkdir()
        (self.home / "bin/torchkiln").symlink_to(kiln.TORCHKILN)
        environment = os.environ | {"HOME": str(self.home), "IMAGE": self.reference, "TORCHKILN_CACHE": str(self.home / "cache"),
                                    "PATH": f"{self.home}/bin:{os.environ['PATH']}"}  # fmt: skip

        def shell(script, key_variable):
            return subprocess.run(["bash", "-euc", script], cwd=self.home, env=environment | {"STAMP_KEY": key_variable}, capture_output=True, text=True)

        for gate in gates:
            self.assertEqual(shell(gate, "").returncode, 1)
        for gpu, script, variable in ((A100, signs[0], key.read_text()), (H200, signs[1], str(key))):
            (self.home / "report.json").write_text(json.dumps(report_of(self.digest, gpu, "570.133.20")))
            done = shell(script, variable)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertFalse((self.home / "stamp.key").exists())
            for gate in gates:
                self.assertEqual(shell(gate, "").returncode, 0 if gpu is H200 else 1)


@contextlib.contextmanager
def Liar(host: str, path_end: str, body: bytes | None):
    """A registry between us and the real one that answers with `body` where a path ends so; 404 without one."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def answer(self, status, headers, content):
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "transfer-encoding", "connection", "date"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def do_GET(self):
            request = urllib.request.Request(f"http://{host}{self.path}", method=self.command,
                                             headers={k: v for k, v in self.headers.items() if k.lower() != "host"})  # fmt: skip
            try:
                with urllib.request.urlopen(request) as real:
                    status, headers, content = real.status, dict(real.headers), real.read()
            except urllib.error.HTTPError as error:
                status, headers, content = error.code, dict(error.headers), error.read()
            if self.path.split("?")[0].endswith(path_end):
                status, content = (404, b"{}") if body is None else (200, body)
            self.answer(status, headers, content)

        do_HEAD = do_GET

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    enter_environment(kiln.CACHE / "test_stamp", PACKAGES)
    unittest.main(verbosity=2)
