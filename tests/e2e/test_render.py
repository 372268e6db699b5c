#!/usr/bin/env python3
"""What `torchkiln render` writes for every variant, read by the programs that it is for, and by linters."""
import hashlib
import json
import pathlib
import re
import tarfile
import unittest

import kiln
import linters
import small_index
from company_base import make_base
from local_registry import docker_registry
from python_packages import enter_environment

VARIANTS = ["runtime", "devel", "jupyter", "ssh", "devel+jupyter+ssh"]
SMALL = re.sub("variants = .*", 'variants = ["runtime", "ssh"]', small_index.SPEC)
PORTS = {"runtime": [], "devel": [], "jupyter": [8888], "ssh": [2222], "devel-jupyter-ssh": [8888, 2222]}


def family(variants: list[str]) -> str:
    """The quickstart in these variants."""
    return re.sub(r"variants = .*", f"variants = {json.dumps(variants)}", kiln.QUICKSTART.read_text())


def render(project: pathlib.Path, spec: str, environment=None) -> dict:
    """What torchkiln.render/1 says of a project with this spec."""
    (project / "kiln.toml").write_text(spec)
    done = kiln.torchkiln("render", "--json", "--cache", kiln.CACHE / "torchkiln", "--output", "context", cwd=project, env=environment)
    return json.loads(done.stdout)


def dockerfiles(project: pathlib.Path, rendered: dict) -> list[pathlib.Path]:
    return [project / one["folder"] / "Dockerfile" for one in rendered["contexts"]]


class Linted(unittest.TestCase):
    """Every way to write a spec that shows in a Dockerfile: the image, the toolkit, the base, Python, what is on top."""

    @classmethod
    def setUpClass(cls):
        cls.index = cls.enterClassContext(small_index.Index(kiln.folder("index")))
        cls.layout = make_base(kiln.folder("base"))
        cls.host = cls.enterClassContext(docker_registry(kiln.folder("registry")))
        kiln.run(["skopeo", "copy", "--dest-tls-verify=false", f"oci:{cls.layout}:base", f"docker://{cls.host}/company/debian:12"])

    @classmethod
    def tearDownClass(cls):
        kiln.remove(kiln.WORK)

    def check(self, name: str, spec: str, *lines: str, real: bool = False) -> None:
        """No linter finds anything in any Dockerfile; the files have these lines, so that they are what they should be."""
        project = kiln.folder(name)
        files = dockerfiles(project, render(project, spec, None if real else self.index.environment))
        for line in lines:
            self.assertTrue(any(line in file.read_text() for file in files), line)
        self.assertEqual(linters.ours(files), [])
        self.assertEqual(linters.hadolint(files), [])
        self.assertEqual(linters.checkov(files), [])
        self.assertEqual(linters.tally(files, settings=linters.TALLY_SETTINGS), [])

    def test_quickstart_as_a_family(self):
        self.check("family", family(VARIANTS), "AS verifier", "FROM jupyter AS ssh", real=True)

    def test_toolkit_of_wheels_for_cuda_13(self):
        spec = re.sub(r"pytorch = .*", "", family(["devel", "devel+jupyter"])).replace('"12.8"', '"13.0"')
        self.check("wheels", spec, "requirements-devel.txt", real=True)

    def test_toolkit_of_archives_and_no_verifier(self):
        self.check("archives", small_index.SPEC, "ADD devel-cuda.tar.gz /")

    def test_a_base_of_a_layout_and_of_a_registry(self):
        for name, image, line in (("layout", f"oci:{self.layout}:base", "ADD rootfs.tar.gz /"),
                                  ("image", f"{self.host}/company/debian:12", f"FROM {self.host}/company/debian@sha256:")):  # fmt: skip
            with self.subTest(name):
                self.check(name, SMALL + f'[base]\nimage = "{image}"\n', line)

    def test_a_base_with_a_python_of_its_own(self):
        archive = self.index.root / "python.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            tar.add("/usr/bin/python3.11", "python/bin/python3.11")
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        self.check("python", SMALL + f'[base.python]\nversion = "3.11"\nurl = "{self.index.address.removesuffix("simple")}python.tar.gz"\n'
                   f'sha256 = "{digest}"\n', "ADD python.tar.gz /")  # fmt: skip

    def test_an_image_on_top_of_another(self):
        (kiln.folder("below") / "kiln.toml").write_text(SMALL)
        self.index.publish(small_index.make_wheel(self.index.root / "files", "zebra", "1.0", requires=("torch>=2",)))
        self.check("extends", 'schema = "torchkiln.spec/1"\nextends = "../below/kiln.toml"\n[image]\nname = "small/more"\n'
                   '[packages]\npython = ["zebra"]\nsystem = ["tcpdump"]\n', "FROM ssh AS extension-1", "ADD extension-1.tar.gz /")  # fmt: skip


class Render(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        project = kiln.folder("project")
        cls.rendered = render(project, family(VARIANTS))
        cls.project, cls.folder = project, project / "context"
        cls.references = {pathlib.Path(one["folder"]).name: one["reference"] for one in cls.rendered["contexts"]}

    @classmethod
    def tearDownClass(cls):
        kiln.remove(kiln.WORK)

    def test_rendered_again_it_has_the_same_bytes_and_says_how_to_run_it(self):
        said = kiln.torchkiln("render", "--cache", kiln.CACHE / "torchkiln", "--output", "again", cwd=self.project).stdout
        for word in ("--gpus all", "--shm-size", "--read-only", "no-new-privileges", "--cap-drop ALL"):
            self.assertIn(word, said)

        def content(folder: pathlib.Path) -> dict[str, tuple]:
            return {str(file.relative_to(folder)): (oct(file.lstat().st_mode), file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest())
                    for file in folder.rglob("*")}  # fmt: skip

        first, again = content(self.folder), content(self.project / "again")
        self.assertGreater(len(first), 20)
        self.assertEqual(first, again)

    def test_every_file_that_is_named_is_there(self):
        self.assertEqual([one["variant"] for one in self.rendered["contexts"]], VARIANTS)
        files = {pathlib.Path(one).name for one in self.rendered["files"]}
        self.assertEqual(files, {"compose.yaml", "docker-bake.hcl", "devcontainer.json", "pod.yaml",
                                 *(f"{name}.def" for name in PORTS)})  # fmt: skip
        for name in files:
            self.assertTrue((self.folder / name).read_text().endswith("\n"))

    def test_compose_reads_its_file_and_grants_little(self):
        import yaml

        profiles = [argument for name in PORTS for argument in ("--profile", name)]
        done = kiln.run(["docker-compose", "--file", self.folder / "compose.yaml", *profiles, "config"])
        services = yaml.safe_load(done.stdout)["services"]
        self.assertEqual(set(services), set(PORTS))
        for name, service in services.items():
            with self.subTest(name):
                self.assertEqual(service["image"], self.references[name])
                self.assertEqual(pathlib.Path(service["build"]["context"]), self.folder / name)
                self.assertEqual((service["cap_drop"], service["read_only"], service["user"]), (["ALL"], True, "1000:1000"))
                self.assertEqual((service["security_opt"], service["tmpfs"]), (["no-new-privileges:true"], ["/tmp"]))
                self.assertEqual((service["pids_limit"], service["shm_size"]), (4096, "8gb"))
                self.assertEqual(service.get("ports", []), [f"127.0.0.1:{port}:{port}/tcp" for port in PORTS[name]])
                devices = service["deploy"]["resources"]["reservations"]["devices"]
                self.assertEqual(devices, [{"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}])

    def test_bake_builds_every_image(self):
        done = kiln.run([buildx(), "bake", "--print", "--file", self.folder / "docker-bake.hcl"], cwd=self.folder)
        bake = json.loads(done.stdout)
        self.assertEqual(set(bake["group"]["default"]["targets"]), set(PORTS))
        self.assertEqual(set(bake["target"]), set(PORTS))
        for name, target in bake["target"].items():
            self.assertEqual(set(target), {"context", "dockerfile", "tags", "platforms"})
            self.assertEqual((target["tags"], target["platforms"]), ([self.references[name]], ["linux/amd64"]))
            self.assertTrue((self.folder / target["context"] / target["dockerfile"]).is_file())

    def test_kubernetes_takes_the_pods_and_they_are_restricted(self):
        import yaml

        pods_file = self.folder / "pod.yaml"
        linters.run("kubernetes-validate", "--strict", pods_file)
        pods = list(yaml.safe_load_all(pods_file.read_text()))
        self.assertEqual([pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in pods], list(PORTS))
        for name, pod in zip(PORTS, pods):
            # What the pod security standard "restricted" asks for.
            spec, [container] = pod["spec"], pod["spec"]["containers"]
            self.assertTrue(spec["securityContext"]["runAsNonRoot"])
            self.assertEqual(spec["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
            self.assertFalse(container["securityContext"]["allowPrivilegeEscalation"])
            self.assertEqual(container["securityContext"]["capabilities"], {"drop": ["ALL"]})
            self.assertEqual(container["image"], self.references[name])
            self.assertEqual([port["containerPort"] for port in container.get("ports", [])], PORTS[name])

    def test_devcontainer_follows_its_schema(self):
        import jsonschema

        text = (self.folder / "devcontainer.json").read_text()
        container = json.loads("\n".join(line for line in text.splitlines() if not line.lstrip().startswith("//")))
        schema = json.loads((pathlib.Path(__file__).parent / "devcontainer.schema.json").read_text())
        jsonschema.validate(container, schema)
        self.assertEqual(container["image"], self.references["devel-jupyter-ssh"])
        with self.assertRaises(jsonschema.ValidationError):
            jsonschema.validate(container | {"forwardPorts": ["ssh"]}, schema)

    def test_apptainer_definitions_are_read(self):
        # Neither Debian 12 nor the Python index has Apptainer; Singularity Python has a reader of its own.
        from spython.main.parse.parsers import get_parser

        for name, reference in self.references.items():
            recipe = get_parser("singularity")(str(self.folder / f"{name}.def")).parse()["spython-base"]
            self.assertEqual(recipe.fromHeader, reference)
            self.assertEqual(recipe.cmd, 'exec /usr/local/bin/kiln-entry "$@"')
            self.assertIn("PYTHONNOUSERSITE=1", recipe.environ)
            self.assertIn("import torch", "\n".join(recipe.install))  # where it keeps the lines of %test


def buildx() -> pathlib.Path:
    """Docker's buildx out of Debian 13, since Debian 12 has none: a static program."""
    folder = kiln.CACHE / "buildx"
    [program, *_] = [*folder.glob("usr/libexec/docker/cli-plugins/docker-buildx"), None]
    if not program:
        kiln.remove(folder)
        targets = kiln.run(["apt-get", "indextargets", "--format", "$(REPO_URI)"]).stdout.split()
        mirror = next(uri for uri in targets if uri.rstrip("/").endswith("/debian"))
        kiln.run(["mmdebstrap", "--variant=extract", "--include=docker-buildx", "trixie", folder, mirror])
        [program] = folder.glob("usr/libexec/docker/cli-plugins/docker-buildx")
    return program


if __name__ == "__main__":
    enter_environment(linters.FOLDER, linters.PACKAGES)
    unittest.main(verbosity=2)
