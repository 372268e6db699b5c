#!/usr/bin/env python3
"""SBOMs and provenance of real images, read by programs that are not ours: spdx-tools, cyclonedx-python-lib,
packageurl-python and in-toto-attestation, which go into a virtual environment in the folder of downloads. What must be in
them is listed by dpkg-query and importlib.metadata inside the images, and by tomllib from the lock. torch is a stand-in."""
import copy
import json
import os
import re
import tomllib
import unittest

import kiln
import small_index
from python_packages import enter_environment

PACKAGES = ["spdx-tools==0.8.5", "cyclonedx-python-lib[json-validation]==11.12.0", "packageurl-python==0.17.6",
            "in-toto-attestation==0.9.3"]  # fmt: skip
SPEC = re.sub("variants = .*", 'variants = ["runtime", "jupyter"]', small_index.SPEC)
CUDART = "torch/lib/libcudart-d0da41ae.so.11.0"
LIST_WHEELS = """
import importlib.metadata, json
print(json.dumps([[one.metadata["Name"], one.version] for one in importlib.metadata.distributions(path=["/opt/kiln/lib/python3/site-packages"])]))
"""
PREDICATES = {"spdx": "https://spdx.dev/Document", "cyclonedx": "https://cyclonedx.org/bom",
              "provenance": "https://slsa.dev/provenance/v1"}  # fmt: skip


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def purls_of_spdx(document: dict) -> dict[str, str | None]:
    """Package URL → SHA-256, or None."""
    found = {}
    for package in document["packages"]:
        for reference in package.get("externalRefs", []):
            found[reference["referenceLocator"]] = next((c["checksumValue"] for c in package.get("checksums", [])), None)
    return found


def purls_of_cyclonedx(bom: dict) -> dict[str, str | None]:
    return {one["purl"]: next((h["content"] for h in one.get("hashes", [])), None) for one in bom["components"] if "purl" in one}


def purls_of_provenance(predicate: dict) -> dict[str, str | None]:
    return {one["uri"]: one["digest"]["sha256"] for one in predicate["buildDefinition"]["resolvedDependencies"] if "uri" in one}


PURLS = {"spdx": purls_of_spdx, "cyclonedx": purls_of_cyclonedx, "provenance": purls_of_provenance}


def differences(wanted: dict[str, str], format: str, document: dict) -> list[str]:
    """What is in the image and not in the document, the other way round, or with another digest."""
    found = {purl: digest for purl, digest in PURLS[format](document).items() if purl.startswith(("pkg:deb/", "pkg:pypi/"))}
    return [f"{purl}: {found.get(purl)} instead of {wanted.get(purl)}" for purl in sorted(wanted.keys() | found.keys())
            if (purl in found, found.get(purl)) != (purl in wanted, wanted.get(purl))]  # fmt: skip


class Sbom(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.project = kiln.folder("project")
        files = {"torch/__init__.py": small_index.TORCH_SOURCE, CUDART: "a library of NVIDIA's\n"}
        root = kiln.folder("index")
        with small_index.Index(root) as index:
            (root / "simple/torch/index.html").unlink()
            index.publish(small_index.make_wheel(root / "with-library", "torch", small_index.TORCH, files, tag=small_index.TAG))
            (cls.project / "kiln.toml").write_text(SPEC)
            done = kiln.torchkiln("build", "--json", "--progress", "plain", "--cache", kiln.CACHE / "torchkiln", cwd=cls.project, env=index.environment)
        cls.images = {image["tag"].rsplit("-", 1)[1]: image for image in json.loads(done.stdout)["images"]}
        cls.lock = tomllib.loads((cls.project / "kiln.lock").read_text())

    @classmethod
    def tearDownClass(cls):
        kiln.remove(kiln.WORK)

    def reference(self, variant: str) -> str:
        return f"oci:{self.project}/kiln.oci:{self.images[variant]['tag']}"

    def sbom(self, variant: str, format: str, *options, **others):
        others.setdefault("cwd", self.project)
        return kiln.torchkiln("sbom", self.reference(variant), "--format", format, "--cache", kiln.CACHE / "torchkiln", *options, **others)

    def inside(self, variant: str, *command: str) -> str:
        return kiln.torchkiln("run", self.reference(variant), "--cache", kiln.CACHE / "torchkiln", "--", *command).stdout

    def wanted(self, variant: str) -> dict[str, str]:
        """What the image's own package managers list, by package URL, with the lock's digest."""
        from packageurl import PackageURL

        debs = {(one["name"], one["version"], one["architecture"]): one for one in self.lock["debian"]}
        wheels = {normal(one["name"]): one for one in self.lock["wheel"]}
        found = {}
        for line in self.inside(variant, "dpkg-query", "-W", "-f", "${Package}\t${Version}\t${Architecture}\n").splitlines():
            name, version, architecture = line.split("\t")
            purl = PackageURL("deb", "debian", name, version, {"arch": architecture, "distro": "debian-12"})
            found[purl.to_string()] = debs.pop((name, version, architecture))["sha256"]
        for name, version in json.loads(self.inside(variant, "python", "-c", LIST_WHEELS)):
            found[PackageURL("pypi", None, normal(name), version).to_string()] = wheels.pop(normal(name))["sha256"]
        # What is in the lock and not in the image is for another variant, or for the verifier.
        for left in [*debs.values(), *wheels.values()]:
            self.assertTrue(left.get("parts"), left)
            self.assertNotIn(variant, left["parts"])
        return found

    def test_every_package_of_the_image_is_in_every_document_with_the_locks_digest(self):
        for variant in self.images:
            wanted = self.wanted(variant)
            self.assertGreater(len(wanted), 60)
            for format in PREDICATES:
                with self.subTest(variant=variant, format=format):
                    document = json.loads(self.sbom(variant, format).stdout)
                    self.assertEqual(differences(wanted, format, document), [])
        self.assertGreater(len(self.wanted("jupyter")), len(self.wanted("runtime")) + 50)

    def test_a_package_that_is_left_out_or_changed_is_noticed(self):
        wanted = self.wanted("runtime")
        lists = {"spdx": lambda d: d["packages"], "cyclonedx": lambda d: d["components"],
                 "provenance": lambda d: d["buildDefinition"]["resolvedDependencies"]}  # fmt: skip
        for format, entries in lists.items():
            document = json.loads(self.sbom("runtime", format).stdout)
            for number in range(len(entries(document))):
                spoiled = copy.deepcopy(document)
                gone = entries(spoiled).pop(number)
                if re.search(r"pkg:(deb|pypi)/", json.dumps(gone)):
                    self.assertEqual(len(differences(wanted, format, spoiled)), 1, gone)
            some_digest = wanted["pkg:pypi/torch@2.8.0"]
            spoiled = json.loads(json.dumps(document).replace(some_digest, "0" * 64))
            self.assertEqual(len(differences(wanted, format, spoiled)), 1)

    def test_spdx_tools_find_nothing_wrong(self):
        from spdx_tools.spdx.parser.parse_anything import parse_file
        from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

        def complaints(text: str) -> list[str]:
            file = kiln.WORK / "image.spdx.json"
            # They take no address without a domain, such as that of this test's own index; SPDX does.
            file.write_text(re.sub(r"http://127\.0\.0\.1:\d+/", "https://index.example.org/", text))
            return [one.validation_message for one in validate_full_spdx_document(parse_file(str(file)), "SPDX-2.3")]

        for variant in self.images:
            text = self.sbom(variant, "spdx").stdout
            self.assertEqual(complaints(text), [])
        # They mean what they accept.
        self.assertNotEqual(complaints(re.sub(r'"licenseDeclared":"LicenseRef-\w+"', '"licenseDeclared":"LicenseRef-none"', text, count=1)), [])
        document = json.loads(text)
        image = document["packages"][0]
        self.assertEqual("sha256:" + image["checksums"][0]["checksumValue"], self.digest("jupyter"))
        self.assertIn(self.digest("jupyter").removeprefix("sha256:"), document["documentNamespace"])

    def digest(self, variant: str) -> str:
        index = json.loads((self.project / "kiln.oci/index.json").read_text())
        return next(one["digest"] for one in index["manifests"]
                    if one["annotations"]["org.opencontainers.image.ref.name"] == self.images[variant]["tag"])  # fmt: skip

    def test_cyclonedx_tools_find_nothing_wrong(self):
        from cyclonedx.schema import SchemaVersion
        from cyclonedx.validation.json import JsonStrictValidator

        validator = JsonStrictValidator(SchemaVersion.V1_6)
        for variant in self.images:
            text = self.sbom(variant, "cyclonedx").stdout
            self.assertIsNone(validator.validate_str(text))
        self.assertIsNotNone(validator.validate_str(text.replace('"container"', '"crate"', 1)))
        bom = json.loads(text)
        known = {"image"} | {one["bom-ref"] for whole in bom["components"] for one in [whole, *whole.get("components", [])]}
        named = {one for dependency in bom["dependencies"] for one in [dependency["ref"], *dependency["dependsOn"]]}
        self.assertEqual(known, named)

    def test_package_urls_are_canonical(self):
        from packageurl import PackageURL

        for format in PREDICATES:
            for purl in PURLS[format](json.loads(self.sbom("jupyter", format).stdout)):
                self.assertEqual(PackageURL.from_string(purl).to_string(), purl)

    def test_statements_are_about_the_image(self):
        from google.protobuf import json_format
        from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance
        from in_toto_attestation.v1.statement import Statement
        from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage

        for format, predicate_type in PREDICATES.items():
            text = self.sbom("runtime", format, "--statement").stdout
            message = json_format.Parse(text, StatementMessage())  # strict: no fifth key
            Statement.copy_from_pb(message).validate()
            self.assertEqual(message.predicate_type, predicate_type)
            self.assertEqual("sha256:" + message.subject[0].digest["sha256"], self.digest("runtime"))
            self.assertEqual(json.loads(text)["predicate"], json.loads(self.sbom("runtime", format).stdout))
        provenance = json_format.Parse(self.sbom("runtime", "provenance").stdout, Provenance())  # no unknown field
        self.assertEqual(provenance.run_details.builder.id, "https://torchkiln.dev/builder/local/v1")
        self.assertEqual(provenance.build_definition.external_parameters["resolution"]["pytorch"], small_index.TORCH)

    def test_the_bytes_depend_on_nothing_but_the_image_and_its_lock(self):
        elsewhere = kiln.folder("elsewhere")
        lock = self.project / "kiln.lock"
        environment = os.environ | {"TZ": "Asia/Tokyo", "LC_ALL": "C", "SOURCE_DATE_EPOCH": "1"}
        for format in PREDICATES:
            here = self.sbom("runtime", format).stdout
            there = kiln.torchkiln("sbom", self.reference("runtime"), "--format", format, "--lock", lock, "-o", elsewhere / "document",
                                   "--cache", kiln.WORK / "cold-cache", cwd=elsewhere, env=environment)  # fmt: skip
            self.assertEqual((elsewhere / "document").read_text(), here)
            self.assertIn(f"{format} of {self.digest('runtime')}\n", there.stdout)

    def test_libraries_of_nvidia_inside_torch_are_parts_of_it(self):
        document = json.loads(self.sbom("runtime", "spdx").stdout)
        by_id = {package["SPDXID"]: package for package in document["packages"]}
        parts = {by_id[one["relatedSpdxElement"]]["name"]: by_id[one["relatedSpdxElement"]] for one in document["relationships"]
                 if one["spdxElementId"] == "SPDXRef-wheel-torch"}  # fmt: skip
        self.assertEqual(parts["libcudart-d0da41ae.so.11.0"]["versionInfo"], "11.0")
        self.assertEqual(parts["libcudart-d0da41ae.so.11.0"]["packageFileName"], CUDART)
        held = self.inside("runtime", "sha256sum", f"/opt/kiln/lib/python3/site-packages/{CUDART}").split()[0]
        self.assertEqual(parts["libcudart-d0da41ae.so.11.0"]["checksums"][0]["checksumValue"], held)

    def test_without_the_lock_the_packages_are_listed_and_it_is_said_what_is_missing(self):
        elsewhere = kiln.folder("without-lock")
        done = self.sbom("runtime", "cyclonedx", cwd=elsewhere)
        self.assertIn("without the image's lock", done.stderr)
        found = PURLS["cyclonedx"](json.loads(done.stdout))
        self.assertLessEqual(self.wanted("runtime").keys(), found.keys())
        done = self.sbom("runtime", "provenance", cwd=elsewhere, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("provenance needs the lock that the image was made from", done.stderr)

    def test_another_lock_is_refused(self):
        elsewhere = kiln.folder("another-lock")
        text = (self.project / "kiln.lock").read_text()
        (elsewhere / "kiln.lock").write_text(text.replace('uid = 1000', 'uid = 1001'))
        done = self.sbom("runtime", "spdx", "--lock", elsewhere / "kiln.lock", check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("the image was made from the lock sha256:", done.stderr)
        # One that only happens to lie here is not taken.
        self.assertIn("without the image's lock", self.sbom("runtime", "spdx", cwd=elsewhere).stderr)


if __name__ == "__main__":
    enter_environment((kiln.CACHE / "sbom").absolute(), PACKAGES)
    unittest.main(verbosity=2)
