#!/usr/bin/env python3
"""SBOMs and provenance of real images, read by programs that are not ours: spdx-tools, cyclonedx-python-lib,
packageurl-python and in-toto-attestation, which go into a virtual environment in the folder of downloads. What must be in
them is listed by dpkg-query and importlib.metadata inside the images, and by tomllib from the lock. torch is a stand-in."""
import copy
import functools
import json
import os
import pathlib
import re
import tomllib
import unittest

import kiln
import small_index
from company_base import make_base
from python_packages import enter_environment

PACKAGES = ["spdx-tools==0.8.5", "cyclonedx-python-lib[json-validation]==11.12.0", "packageurl-python==0.17.6",
            "in-toto-attestation==0.9.3"]  # fmt: skip
SPEC = re.sub("variants = .*", 'variants = ["runtime", "jupyter"]', small_index.SPEC)
CUDART = "torch/lib/libcudart-d0da41ae.so.11.0"
# tcpdump comes from the spec that extends the other one, with an account of its own; zebra from our index.
MORE = """schema = "torchkiln.spec/1"
extends = "../project/kiln.toml"
[image]
name = "small/more"
[packages]
python = ["zebra"]
system = ["tcpdump"]
"""
ON_BASE = re.sub("variants = .*", 'variants = ["runtime"]', small_index.SPEC) + '[base]\nimage = "oci:../base/layout:base"\n'
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


def differences(wanted: dict[str, str | None], format: str, document: dict) -> list[str]:
    """What is in the image and not in the document, the other way round, or with another digest."""
    if format == "provenance":  # there, what has no digest is part of the base image
        wanted = {purl: digest for purl, digest in wanted.items() if digest}
    found = {purl: digest for purl, digest in PURLS[format](document).items() if purl.startswith(("pkg:deb/", "pkg:pypi/"))}
    return [f"{purl}: {found.get(purl)} instead of {wanted.get(purl)}" for purl in sorted(wanted.keys() | found.keys())
            if (purl in found, found.get(purl)) != (purl in wanted, wanted.get(purl))]  # fmt: skip


class Image:
    """An image of a project's layout, with the lock beside it."""

    def __init__(self, folder: pathlib.Path, tag: str):
        self.folder, self.tag, self.variant = folder, tag, tag.rsplit("-", 1)[1]
        self.reference = f"oci:{folder}/kiln.oci:{tag}"
        self.lock = tomllib.loads((folder / "kiln.lock").read_text())
        entries = json.loads((folder / "kiln.oci/index.json").read_text())["manifests"]
        self.digest = next(one["digest"] for one in entries if one["annotations"]["org.opencontainers.image.ref.name"] == tag)

    def sbom(self, format: str, *options, **others):
        others.setdefault("cwd", self.folder)
        return kiln.torchkiln("sbom", self.reference, "--format", format, "--cache", kiln.CACHE / "torchkiln", *options, **others)

    def document(self, format: str) -> dict:
        return json.loads(self.sbom(format).stdout)

    def inside(self, *command: str) -> str:
        return kiln.torchkiln("run", self.reference, "--cache", kiln.CACHE / "torchkiln", "--", *command).stdout

    @functools.cached_property
    def wanted(self) -> dict[str, str | None]:
        """What the image's own package managers list, by package URL, with the lock's digest."""
        from packageurl import PackageURL

        debs = {(one["name"], one["version"], one["architecture"]): one for one in self.lock["debian"]}
        wheels = {normal(one["name"]): one for one in self.lock["wheel"]}
        found = {}
        for line in self.inside("dpkg-query", "-W", "-f", "${Package}\t${Version}\t${Architecture}\n").splitlines():
            name, version, architecture = line.split("\t")
            purl = PackageURL("deb", "debian", name, version, {"arch": architecture, "distro": "debian-12"})
            found[purl.to_string()] = debs.pop((name, version, architecture), {}).get("sha256")
        for name, version in json.loads(self.inside("python", "-c", LIST_WHEELS)):
            found[PackageURL("pypi", None, normal(name), version).to_string()] = wheels.pop(normal(name))["sha256"]
        # What is in the lock and not in the image is for another variant.
        for left in [*debs.values(), *wheels.values()]:
            assert left.get("parts") and self.variant not in left["parts"], left
        return found


class Sbom(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        files = {"torch/__init__.py": small_index.TORCH_SOURCE, CUDART: "a library of NVIDIA's\n"}
        root = kiln.folder("index")
        with small_index.Index(root) as index:
            (root / "simple/torch/index.html").unlink()
            index.publish(small_index.make_wheel(root / "with-library", "torch", small_index.TORCH, files, tag=small_index.TAG))
            index.publish(small_index.make_wheel(root / "files", "zebra", "1.0+stripes", requires=("torch>=2",)))
            make_base(kiln.folder("base"))
            cls.images = {}
            for name, spec in (("project", SPEC), ("more", MORE), ("on-base", ON_BASE)):
                cls.build(index, name, spec)
        cls.runtime, cls.jupyter = cls.images["project runtime"], cls.images["project jupyter"]

    @classmethod
    def build(cls, index: small_index.Index, name: str, spec: str) -> None:
        folder = kiln.folder(name)
        (folder / "kiln.toml").write_text(spec)
        done = kiln.torchkiln("build", "--json", "--progress", "plain", "--cache", kiln.CACHE / "torchkiln", cwd=folder, env=index.environment)
        for one in json.loads(done.stdout)["images"]:
            image = Image(folder, one["tag"])
            cls.images[f"{name} {image.variant}"] = image

    @classmethod
    def tearDownClass(cls):
        kiln.remove(kiln.WORK)

    def test_every_package_of_the_image_is_in_every_document_with_the_locks_digest(self):
        self.assertEqual(len(self.images), 5)
        for name, image in self.images.items():
            self.assertGreater(len(image.wanted), 60)
            for format in PREDICATES:
                with self.subTest(image=name, format=format):
                    self.assertEqual(differences(image.wanted, format, image.document(format)), [])
            if name != "on-base runtime":
                self.assertNotIn(None, image.wanted.values())
        self.assertGreater(len(self.jupyter.wanted), len(self.runtime.wanted) + 50)
        more = self.images["more runtime"].wanted
        self.assertLess(self.runtime.wanted.items(), more.items())
        self.assertIn("pkg:pypi/zebra@1.0%2Bstripes", more)

    def test_a_base_image_is_there_by_its_digest_and_its_packages_without(self):
        image = self.images["on-base runtime"]
        status = kiln.run(["tar", "-xOf", kiln.WORK / "base/debian.tar", "./var/lib/dpkg/status"]).stdout
        theirs = re.findall("^Package: (.*)$", status, re.M)
        without = [purl for purl, digest in image.wanted.items() if not digest]
        self.assertEqual(sorted(re.sub("%2B", "+", purl[len("pkg:deb/debian/"):].split("@")[0]) for purl in without), sorted(theirs))
        base = json.loads((kiln.WORK / "base/layout/index.json").read_text())["manifests"][0]["digest"]
        [component] = [one for one in image.document("cyclonedx")["components"] if one["type"] == "container"]
        self.assertEqual("sha256:" + component["hashes"][0]["content"], base)
        self.assertIn({"sha256": base.removeprefix("sha256:")},
                      [one["digest"] for one in image.document("provenance")["buildDefinition"]["resolvedDependencies"]])  # fmt: skip

    def test_a_package_that_is_left_out_or_changed_is_noticed(self):
        wanted = self.runtime.wanted
        lists = {"spdx": lambda d: d["packages"], "cyclonedx": lambda d: d["components"],
                 "provenance": lambda d: d["buildDefinition"]["resolvedDependencies"]}  # fmt: skip
        for format, entries in lists.items():
            document, noticed = self.runtime.document(format), 0
            for number in range(len(entries(document))):
                spoiled = copy.deepcopy(document)
                gone = entries(spoiled).pop(number)
                if re.search(r"pkg:(deb|pypi)/", json.dumps(gone)):
                    self.assertEqual(len(differences(wanted, format, spoiled)), 1, gone)
                    noticed += 1
            self.assertEqual(noticed, len(wanted))
            some_digest = wanted[f"pkg:pypi/torch@{small_index.TORCH}"]
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

        for image in self.images.values():
            text = image.sbom("spdx").stdout
            self.assertEqual(complaints(text), [])
            described = json.loads(text)["packages"][0]
            self.assertEqual("sha256:" + described["checksums"][0]["checksumValue"], image.digest)
        # They mean what they accept.
        text = self.jupyter.sbom("spdx").stdout
        spoiled = re.sub(r'"licenseDeclared":"LicenseRef-\w+"', '"licenseDeclared":"LicenseRef-none"', text, count=1)
        self.assertNotEqual(complaints(spoiled), [])

    def test_cyclonedx_tools_find_nothing_wrong(self):
        from cyclonedx.schema import SchemaVersion
        from cyclonedx.validation.json import JsonStrictValidator

        validator = JsonStrictValidator(SchemaVersion.V1_6)
        for image in self.images.values():
            text = image.sbom("cyclonedx").stdout
            self.assertIsNone(validator.validate_str(text))
            bom = json.loads(text)
            known = {"image"} | {one["bom-ref"] for whole in bom["components"] for one in [whole, *whole.get("components", [])]}
            named = {one for dependency in bom["dependencies"] for one in [dependency["ref"], *dependency["dependsOn"]]}
            self.assertEqual(known, named)
        self.assertIsNotNone(validator.validate_str(text.replace('"container"', '"crate"', 1)))

    def test_package_urls_are_canonical(self):
        from packageurl import PackageURL

        for format in PREDICATES:
            for purl in PURLS[format](self.jupyter.document(format)):
                self.assertEqual(PackageURL.from_string(purl).to_string(), purl)

    def test_statements_are_about_the_image(self):
        from google.protobuf import json_format
        from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance
        from in_toto_attestation.v1.statement import Statement
        from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage

        for format, predicate_type in PREDICATES.items():
            text = self.runtime.sbom(format, "--statement").stdout
            message = json_format.Parse(text, StatementMessage())  # strict: no fifth key
            Statement.copy_from_pb(message).validate()
            self.assertEqual(message.predicate_type, predicate_type)
            self.assertEqual("sha256:" + message.subject[0].digest["sha256"], self.runtime.digest)
            self.assertEqual(json.loads(text)["predicate"], self.runtime.document(format))
        provenance = json_format.Parse(self.runtime.sbom("provenance").stdout, Provenance())  # no unknown field
        self.assertEqual(provenance.run_details.builder.id, "https://torchkiln.dev/builder/local/v1")
        self.assertEqual(provenance.build_definition.external_parameters["resolution"]["pytorch"], small_index.TORCH)

    def test_the_bytes_depend_on_nothing_but_the_image_and_its_lock(self):
        elsewhere = kiln.folder("elsewhere")
        environment = os.environ | {"TZ": "Asia/Tokyo", "LC_ALL": "C", "SOURCE_DATE_EPOCH": "1"}
        for format in PREDICATES:
            there = kiln.torchkiln("sbom", self.runtime.reference, "--format", format, "--lock", self.runtime.folder / "kiln.lock", "-o",
                                   elsewhere / "document", "--cache", kiln.WORK / "cold-cache", cwd=elsewhere, env=environment)  # fmt: skip
            self.assertEqual((elsewhere / "document").read_text(), self.runtime.sbom(format).stdout)
            self.assertIn(f"{format} of {self.runtime.digest}\n", there.stdout)

    def test_libraries_of_nvidia_inside_torch_are_parts_of_it(self):
        document = self.runtime.document("spdx")
        by_id = {package["SPDXID"]: package for package in document["packages"]}
        held = [by_id[one["relatedSpdxElement"]] for one in document["relationships"] if one["spdxElementId"] == "SPDXRef-wheel-torch"]
        [part] = [one for one in held if one["name"] == "libcudart-d0da41ae.so.11.0"]
        self.assertEqual((part["versionInfo"], part["packageFileName"]), ("11.0", CUDART))
        digest = self.runtime.inside("sha256sum", f"/opt/kiln/lib/python3/site-packages/{CUDART}").split()[0]
        self.assertEqual(part["checksums"][0]["checksumValue"], digest)

    def test_without_the_lock_the_packages_are_listed_and_it_is_said_what_is_missing(self):
        elsewhere = kiln.folder("without-lock")
        done = self.runtime.sbom("cyclonedx", cwd=elsewhere)
        self.assertIn("without the image's lock", done.stderr)
        without = dict.fromkeys(self.runtime.wanted)
        self.assertEqual(differences(without, "cyclonedx", json.loads(done.stdout)), [])
        done = self.runtime.sbom("provenance", cwd=elsewhere, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("provenance needs the lock that the image was made from", done.stderr)

    def test_another_lock_is_refused(self):
        elsewhere = kiln.folder("another-lock")
        text = (self.runtime.folder / "kiln.lock").read_text()
        (elsewhere / "kiln.lock").write_text(text.replace("uid = 1000", "uid = 1001"))
        done = self.runtime.sbom("spdx", "--lock", elsewhere / "kiln.lock", check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("the image was made from the lock sha256:", done.stderr)
        # One that only happens to lie here is not taken.
        self.assertIn("without the image's lock", self.runtime.sbom("spdx", cwd=elsewhere).stderr)


if __name__ == "__main__":
    enter_environment((kiln.CACHE / "sbom").absolute(), PACKAGES)
    unittest.main(verbosity=2)
