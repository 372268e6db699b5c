#!/usr/bin/env python3
"""Layouts and stamps of ours, looked at by programs that are not ours.

Called by ctest: stamp_interop.py MAKE_STAMPED_LAYOUT FOLDER [unittest arguments]. FOLDER keeps the virtual
environment with the packages below. A program or package that is missing fails the test: a check that did not run
is no check that passed.
"""
import base64
import gzip
import hashlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest

from python_packages import enter_environment

PACKAGES = ["securesystemslib[crypto]==1.6.0", "in-toto-attestation==0.9.3", "sigstore-models==0.0.6"]
STATEMENT_TYPE = "application/vnd.in-toto+json"


def run(*command: object, **options) -> subprocess.CompletedProcess:
    """Runs a program that must succeed; what it said is in the failure."""
    done = subprocess.run([str(part) for part in command], capture_output=True, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command[0]} exited with {done.returncode}: {done.stderr.decode()}{done.stdout.decode()}")
    return done


def make_layer(path: pathlib.Path, files: dict[str, bytes]) -> str:
    """A tar+gzip layer of two gzip members, as the direct engine makes them. Gives its diff_id."""
    tar_bytes = io.BytesIO()
    with tarfile.open(fileobj=tar_bytes, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        folders = sorted({parent for name in files for parent in map(str, pathlib.PurePath(name).parents)} - {"."})
        for folder in folders:
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    content = tar_bytes.getvalue()
    path.write_bytes(gzip.compress(content[:512], mtime=0) + gzip.compress(content[512:], mtime=0))
    return "sha256:" + hashlib.sha256(content).hexdigest()


def signed_bytes(envelope: dict) -> bytes:
    """DSSE's pre-authentication encoding, written down once more from its specification."""
    kind, body = envelope["payloadType"].encode(), base64.b64decode(envelope["payload"])
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)


class Case(unittest.TestCase):
    """A stamped layout of two layers in a folder of its own."""

    maker: pathlib.Path
    files = {"etc/greeting": b"hello\n", "opt/kiln/data": b"x" * 100_000}

    def setUp(self) -> None:
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tk-interop-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.layers: list[object] = []
        for number, (name, content) in enumerate(self.files.items()):
            layer = self.folder / f"layer{number}"
            self.layers += [layer, make_layer(layer, {name: content})]

    def make(self, key: str = "kiln.key", passphrase: object = "-") -> dict:
        self.key = self.folder / key
        self.layout = self.folder / "layout"
        made = json.loads(run(self.maker, self.layout, self.key, passphrase, *self.layers).stdout)
        self.assertTrue(made["satisfied"])
        return made

    def blob(self, digest: str) -> bytes:
        content = (self.layout / "blobs/sha256" / digest.removeprefix("sha256:")).read_bytes()
        self.assertEqual("sha256:" + hashlib.sha256(content).hexdigest(), digest)
        return content

    def bundle(self, made: dict) -> bytes:
        return self.blob(json.loads(self.blob(made["stamp"]))["layers"][0]["digest"])


class OpenSsl(Case):
    def verify(self, made: dict, envelope: dict) -> subprocess.CompletedProcess:
        (self.folder / "message").write_bytes(signed_bytes(envelope))
        (self.folder / "signature").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"], validate=True))
        return subprocess.run(["openssl", "dgst", "-sha256", "-verify", made["public_key"], "-signature",
                               self.folder / "signature", self.folder / "message"], capture_output=True, text=True)

    def test_openssl_accepts_the_signature_and_refuses_it_for_a_changed_payload(self):
        made = self.make()
        envelope = json.loads(self.bundle(made))["dsseEnvelope"]
        self.assertEqual(self.verify(made, envelope).stdout, "Verified OK\n")
        payload = bytearray(base64.b64decode(envelope["payload"]))
        payload[len(payload) // 2] ^= 1
        envelope["payload"] = base64.b64encode(payload).decode()
        self.assertNotEqual(self.verify(made, envelope).returncode, 0)

    def test_openssl_reads_the_keys_and_finds_them_a_pair(self):
        made = self.make()
        run("openssl", "pkey", "-in", self.key, "-check", "-noout")
        public = run("openssl", "pkey", "-in", self.key, "-pubout").stdout
        self.assertEqual(public, pathlib.Path(made["public_key"]).read_bytes())
        hint = json.loads(self.bundle(made))["verificationMaterial"]["publicKey"]["hint"]
        der = run("openssl", "pkey", "-pubin", "-in", made["public_key"], "-outform", "DER").stdout
        self.assertEqual(base64.b64decode(hint), hashlib.sha256(der).digest())

    def test_openssl_opens_a_protected_key_with_the_passphrase_only(self):
        words = self.folder / "words"
        words.write_text("correct horse\n")
        self.make(passphrase=words)
        run("openssl", "pkey", "-in", self.key, "-passin", f"file:{words}", "-check", "-noout")
        words.write_text("correct house\n")
        refused = subprocess.run(["openssl", "pkey", "-in", self.key, "-passin", f"file:{words}", "-noout"],
                                 capture_output=True)
        self.assertNotEqual(refused.returncode, 0)

    def test_keys_that_openssl_made_sign_stamps(self):
        makers = {"pkcs8": ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
                  "sec1": ["openssl", "ecparam", "-name", "prime256v1", "-genkey"]}
        for name, command in makers.items():
            with self.subTest(name):
                key = self.folder / f"{name}.key"
                key.touch(mode=0o600)
                key.write_bytes(run(*command).stdout)
                made = self.make(key.name)
                self.assertEqual(self.verify(made, json.loads(self.bundle(made))["dsseEnvelope"]).stdout, "Verified OK\n")

    def test_an_ed25519_key_of_openssl_signs_stamps_that_openssl_accepts(self):
        key = self.folder / "ed.key"
        key.touch(mode=0o600)
        key.write_bytes(run("openssl", "genpkey", "-algorithm", "ed25519").stdout)
        made = self.make(key.name)
        envelope = json.loads(self.bundle(made))["dsseEnvelope"]
        (self.folder / "message").write_bytes(signed_bytes(envelope))
        (self.folder / "signature").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
        run("openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", made["public_key"], "-sigfile",
            self.folder / "signature", "-in", self.folder / "message")


    def test_the_recipe_in_the_documentation_checks_a_stamp(self):
        made = self.make()
        text = (pathlib.Path(__file__).parents[2] / "docs/stamp.md").read_text()
        recipe = text.split("```sh\n")[1].split("```")[0]
        shutil.copy(made["statements"], self.folder / "image.intoto.jsonl")
        self.assertEqual(run("sh", "-euc", recipe, cwd=self.folder).stdout, b"Verified OK\n")
        line = json.loads((self.folder / "image.intoto.jsonl").read_text())
        line["payload"] = base64.b64encode(b"{}").decode()
        (self.folder / "image.intoto.jsonl").write_text(json.dumps(line))
        refused = subprocess.run(["sh", "-euc", recipe], cwd=self.folder, capture_output=True)
        self.assertNotEqual(refused.returncode, 0)


class InToto(Case):
    def test_securesystemslib_accepts_the_envelope_and_refuses_a_changed_one(self):
        from securesystemslib.dsse import Envelope
        from securesystemslib.exceptions import VerificationError
        from securesystemslib.signer import SSlibKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        made = self.make()
        written = json.loads(self.bundle(made))["dsseEnvelope"]
        public = load_pem_public_key(pathlib.Path(made["public_key"]).read_bytes())
        key = SSlibKey.from_crypto(public, keyid=written["signatures"][0]["keyid"])
        envelope = Envelope.from_dict(json.loads(json.dumps(written)))
        self.assertEqual(list(envelope.verify([key], 1)), [key.keyid])
        self.assertEqual(envelope.payload_type, STATEMENT_TYPE)
        envelope.payload = envelope.payload.replace(b"H200", b"B200")
        with self.assertRaises(VerificationError):
            envelope.verify([key], 1)

    def test_in_toto_attestation_accepts_statement_and_predicate(self):
        from google.protobuf import json_format
        from in_toto_attestation.predicates.test_result.v0.test_result_pb2 import TestResult
        from in_toto_attestation.v1.statement import Statement
        from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage

        made = self.make()
        payload = base64.b64decode(json.loads(self.bundle(made))["dsseEnvelope"]["payload"])
        # Strict: a fifth key at the top, or a subject with a field of its own, raises ParseError.
        message = json_format.Parse(payload, StatementMessage())
        Statement.copy_from_pb(message).validate()
        self.assertEqual(message.subject[0].digest["sha256"], made["image"].removeprefix("sha256:"))
        self.assertEqual(message.predicate_type, "https://in-toto.io/attestation/test-result/v0.1")
        predicate = json_format.Parse(json.dumps(json.loads(payload)["predicate"]), TestResult(),
                                      ignore_unknown_fields=True)
        self.assertEqual(predicate.result, "WARNED")
        self.assertEqual(list(predicate.passed_tests), ["files", "import", "train.cpp"])
        self.assertEqual(list(predicate.warned_tests), ["train.cuda"])
        self.assertEqual([part.name for part in predicate.configuration], ["kiln.lock", "verification-suite"])

    def test_the_lines_beside_the_layout_are_the_envelopes_of_the_bundles(self):
        made = self.make()
        lines = pathlib.Path(made["statements"]).read_text().splitlines()
        self.assertEqual([json.loads(line) for line in lines], [json.loads(self.bundle(made))["dsseEnvelope"]])


class Sigstore(Case):
    def test_sigstore_models_accept_the_bundle(self):
        from sigstore_models.bundle.v1 import Bundle

        made = self.make()
        bundle = Bundle.from_json(self.bundle(made))
        self.assertEqual(bundle.media_type, "application/vnd.dev.sigstore.bundle.v0.3+json")
        self.assertEqual(bundle.dsse_envelope.payload_type, STATEMENT_TYPE)
        # The models mean what they accept: without its envelope it is no bundle.
        spoiled = json.loads(self.bundle(made))
        spoiled["verificationMaterial"].pop("tlogEntries")
        with self.assertRaises(Exception):
            Bundle.from_json(json.dumps(spoiled))


class ImageSpec(Case):
    """What image-spec v1.1 demands, checked by hand."""

    def check_descriptor(self, descriptor: dict) -> bytes:
        self.assertRegex(descriptor["mediaType"], r"^[a-z]+/[a-z0-9.+-]+$")
        self.assertRegex(descriptor["digest"], r"^sha256:[0-9a-f]{64}$")
        content = self.blob(descriptor["digest"])
        self.assertEqual(descriptor["size"], len(content))
        self.assertTrue(all(isinstance(value, str) for value in descriptor.get("annotations", {}).values()))
        return content

    def test_every_document_and_blob_is_as_image_spec_demands(self):
        made = self.make()
        self.assertEqual(json.loads((self.layout / "oci-layout").read_text()), {"imageLayoutVersion": "1.0.0"})
        index = json.loads((self.layout / "index.json").read_text())
        self.assertEqual((index["schemaVersion"], index["mediaType"]),
                         (2, "application/vnd.oci.image.index.v1+json"))
        image_entry, stamp_entry = index["manifests"]
        self.assertEqual(image_entry["annotations"]["org.opencontainers.image.ref.name"], "t")
        self.assertEqual(image_entry["platform"], {"architecture": "amd64", "os": "linux"})
        manifest = json.loads(self.check_descriptor(image_entry))
        self.assertEqual((manifest["schemaVersion"], manifest["mediaType"]),
                         (2, "application/vnd.oci.image.manifest.v1+json"))
        config = json.loads(self.check_descriptor(manifest["config"]))
        self.assertEqual(config["rootfs"]["type"], "layers")
        for layer, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
            self.assertEqual(layer["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip")
            tar_bytes = gzip.decompress(self.check_descriptor(layer))
            self.assertEqual("sha256:" + hashlib.sha256(tar_bytes).hexdigest(), diff_id)
        self.assertEqual(len([entry for entry in config["history"] if not entry.get("empty_layer")]),
                         len(manifest["layers"]))
        stamp = json.loads(self.check_descriptor(stamp_entry))
        self.assertEqual(stamp_entry["artifactType"], stamp["artifactType"])
        self.assertEqual(stamp["subject"], {key: image_entry[key] for key in ("mediaType", "digest", "size")})
        self.assertEqual(self.check_descriptor(stamp["config"]), b"{}")
        self.assertEqual(stamp["config"]["mediaType"], "application/vnd.oci.empty.v1+json")
        named = {entry["digest"].removeprefix("sha256:") for entry in
                 [*index["manifests"], manifest["config"], *manifest["layers"], stamp["config"], *stamp["layers"]]}
        self.assertEqual(set(os.listdir(self.layout / "blobs/sha256")), named)
        self.assertEqual(made["image"], image_entry["digest"])

    def test_making_it_again_changes_no_file(self):
        self.make()
        before = {path: path.read_bytes() for path in self.layout.rglob("*") if path.is_file()}
        self.make()
        after = {path: path.read_bytes() for path in self.layout.rglob("*") if path.is_file()}
        before.pop(self.layout / ".torchkiln.lock"), after.pop(self.layout / ".torchkiln.lock")
        self.assertEqual(before, after)


class Engines(Case):
    def test_skopeo_inspects_the_image(self):
        made = self.make()
        seen = json.loads(run("skopeo", "inspect", f"oci:{self.layout}:t").stdout)
        self.assertEqual(seen["Digest"], made["image"])
        self.assertEqual(len(seen["Layers"]), 2)
        self.assertEqual(seen["Labels"]["org.opencontainers.image.title"], "interop")
        config = json.loads(run("skopeo", "inspect", "--config", f"oci:{self.layout}:t").stdout)
        self.assertEqual(config["config"]["Entrypoint"], ["/usr/bin/tini", "--"])

    def test_skopeo_copies_the_image_without_changing_its_digest(self):
        made = self.make()
        run("skopeo", "--insecure-policy", "copy", "--preserve-digests", f"oci:{self.layout}:t",
            f"oci:{self.folder / 'copy'}:t")
        copied = json.loads((self.folder / "copy/index.json").read_text())
        self.assertEqual(copied["manifests"][0]["digest"], made["image"])

    def test_umoci_unpacks_the_files(self):
        self.make()
        run("umoci", "unpack", "--rootless", "--image", f"{self.layout}:t", self.folder / "bundle")
        root = self.folder / "bundle/rootfs"
        for name, content in self.files.items():
            self.assertEqual((root / name).read_bytes(), content)
        process = json.loads((self.folder / "bundle/config.json").read_text())["process"]
        self.assertEqual(process["args"], ["/usr/bin/tini", "--", "/bin/sh"])
        self.assertEqual(process["cwd"], "/work")

    def test_a_tar_of_the_layout_is_a_docker_archive_of_the_same_image(self):
        self.make()
        archive = self.folder / "archive.tar"
        with tarfile.open(archive, "w") as tar:
            tar.add(self.layout, arcname=".")
        # What `docker load` reads: manifest.json, the configuration and the layers it names.
        run("skopeo", "--insecure-policy", "copy", f"docker-archive:{archive}:team/interop:t",
            f"dir:{self.folder / 'dir'}")
        manifest = json.loads((self.folder / "dir/manifest.json").read_text())
        config_blob = self.folder / "dir" / manifest["config"]["digest"].removeprefix("sha256:")
        ours = json.loads((self.layout / "manifest.json").read_text())[0]
        self.assertEqual(config_blob.read_bytes(), (self.layout / ours["Config"]).read_bytes())


if __name__ == "__main__":
    Case.maker = pathlib.Path(sys.argv[1])
    enter_environment(pathlib.Path(sys.argv[2]).absolute(), PACKAGES)
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
