#!/usr/bin/env python3
"""What `torchkiln render` writes for every variant, read by the programs that it is for, and by linters."""
import json
import pathlib
import re
import unittest

import kiln
import linters
from python_packages import enter_environment

VARIANTS = ["runtime", "devel", "jupyter", "ssh", "devel+jupyter+ssh"]
PORTS = {"runtime": [], "devel": [], "jupyter": [8888], "ssh": [2222], "devel-jupyter-ssh": [8888, 2222]}
# A matter of taste: a line for each label and variable of the environment is easier to compare than one long one.
TASTE = {"tally/max-lines"}


class Render(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        project = kiln.folder("project")
        variants = json.dumps(VARIANTS)
        (project / "kiln.toml").write_text(re.sub(r"variants = .*", f"variants = {variants}", kiln.QUICKSTART.read_text()))
        done = kiln.torchkiln("render", "--json", "--cache", kiln.CACHE / "torchkiln", "--output", "context", cwd=project)
        cls.rendered = json.loads(done.stdout)
        cls.folder = project / "context"
        cls.dockerfiles = [project / one["folder"] / "Dockerfile" for one in cls.rendered["contexts"]]
        cls.references = {pathlib.Path(one["folder"]).name: one["reference"] for one in cls.rendered["contexts"]}

    @classmethod
    def tearDownClass(cls):
        kiln.remove(kiln.WORK)

    def test_no_linter_finds_anything_in_any_dockerfile(self):
        self.assertEqual([one["variant"] for one in self.rendered["contexts"]], VARIANTS)
        self.assertEqual(linters.ours(self.dockerfiles), [])
        self.assertEqual(linters.hadolint(self.dockerfiles), [])
        self.assertEqual(linters.checkov(self.dockerfiles), [])
        found = linters.tally(self.dockerfiles, severities=("error", "warning"))
        self.assertEqual([one for one in found if one[1] not in TASTE], [])

    def test_every_file_that_is_named_is_there(self):
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
        # Debian and the Python index have no buildx; the file is read as HCL, the names are those of its reference.
        import hcl2

        with open(self.folder / "docker-bake.hcl") as file:
            bake = hcl2.load(file)
        self.assertEqual(set(bake), {"group", "target"})
        targets = {name: target for block in bake["target"] for name, target in block.items()}
        [group] = [block["default"] for block in bake["group"]]
        self.assertEqual(sorted(flat(group["targets"])), sorted(targets))
        self.assertEqual(set(targets), set(PORTS))
        for name, target in targets.items():
            target = {key: flat(value) for key, value in target.items() if not key.startswith("__")}
            self.assertEqual(set(target), {"context", "dockerfile", "tags", "platforms"})
            self.assertEqual(target["tags"], [self.references[name]])
            self.assertTrue((self.folder / target["context"][0] / target["dockerfile"][0]).is_file())

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


def flat(value) -> list[str]:
    """The texts of a value, which hcl2 may wrap in lists and give with their quotes."""
    if isinstance(value, list):
        return [text for one in value for text in flat(one)]
    return [str(value).strip('"')]


if __name__ == "__main__":
    enter_environment(linters.FOLDER, linters.PACKAGES)
    unittest.main(verbosity=2)
