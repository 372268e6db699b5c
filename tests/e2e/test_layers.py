#!/usr/bin/env python3
"""Layers: one image in every format, read by tools that are not ours; what a plan foresees; catalogs that are shared; and
that a change moves only what changed. With the stand-in for PyTorch, from real Debian packages and real wheels."""
import contextlib
import json
import pathlib
import tarfile
import tomllib
import unittest

import kiln
import small_index
import test_registry

FORMATS = {
    "gzip": ([], "application/vnd.oci.image.layer.v1.tar+gzip"),
    "single": (["--single-member"], "application/vnd.oci.image.layer.v1.tar+gzip"),
    "zstd": (["--layers", "zstd"], "application/vnd.oci.image.layer.v1.tar+zstd"),
    "raw": (["--layers", "raw"], "application/vnd.oci.image.layer.v1.tar"),
    "estargz": (["--estargz"], "application/vnd.oci.image.layer.v1.tar+gzip"),
}
LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]
TABLE = "containerd.io/snapshot/stargz/toc.digest"


def document(layout: pathlib.Path, digest: str) -> dict:
    return json.loads((layout / "blobs/sha256" / digest.removeprefix("sha256:")).read_bytes())


def manifest_of(layout: pathlib.Path) -> dict:
    (entry,) = json.loads((layout / "index.json").read_text())["manifests"]
    return document(layout, entry["digest"])


class Layers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = kiln.folder("layers")
        cls.project, cls.cache = cls.work / "project", cls.work / "cache"
        cls.project.mkdir()
        cls.stack = contextlib.ExitStack()
        # A wheel large enough for a layer of its own, the same for every Python.
        big = small_index.make_wheel(cls.work / "index/files", "bigdata", "1.0", {"bigdata/__init__.py": "", "bigdata/data": cls.noise(24 << 20)})
        cls.index = cls.stack.enter_context(small_index.Index(cls.work / "index"))
        cls.index.publish(big)
        cls.publish_extra("1.0")
        cls.write_spec(cls.project)
        cls.plan_before = cls.torchkiln("plan", "--json")
        cls.torchkiln("build", "--json")

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()
        kiln.remove(cls.work)

    @staticmethod
    def noise(size: int) -> str:
        state, out = 1, []
        for _ in range(size // 8):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            out.append(f"{state >> 32:08x}")
        return "".join(out)

    @classmethod
    def publish_extra(cls, version):
        cls.index.publish(small_index.make_wheel(cls.work / "index/files", "extra", version))

    @classmethod
    def write_spec(cls, project, variants='["runtime"]'):
        text = small_index.SPEC.replace('["runtime", "devel", "jupyter", "ssh", "devel+jupyter+ssh"]', variants)
        (project / "kiln.toml").write_text(text.replace("[devel]", '[packages]\npython = ["bigdata", "extra"]\n[devel]'))

    @classmethod
    def torchkiln(cls, *arguments, cache=None, project=None, **options):
        done = kiln.torchkiln(*arguments, "--cache", cache or cls.cache, cwd=project or cls.project, env=cls.index.environment, **options)
        return json.loads(done.stdout) if "--json" in arguments and done.returncode == 0 else done

    def test_one_image_in_every_format_read_by_others(self):
        configs, trees, sizes = {}, {}, {}
        for name, (options, media_type) in FORMATS.items():
            layout = self.work / name
            self.torchkiln("build", "--output", layout, *options)
            manifest = manifest_of(layout)
            self.assertEqual({layer["mediaType"] for layer in manifest["layers"]}, {media_type})
            self.assertEqual(all(TABLE in layer.get("annotations", {}) for layer in manifest["layers"]), name == "estargz")
            configs[name] = manifest["config"]["digest"]
            sizes[name] = sum(layer["size"] for layer in manifest["layers"])
            tag = json.loads((layout / "index.json").read_text())["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"]
            inspected = json.loads(kiln.run(["skopeo", "inspect", f"oci:{layout}:{tag}"]).stdout)
            self.assertEqual(len(inspected["Layers"]), len(manifest["layers"]))
            # umoci 0.4.7 and what skopeo hands on to it read gzip; skopeo itself reads and checks every format.
            plain = self.work / f"{name}-plain"
            kiln.run(["skopeo", "copy", "--dest-compress-format", "gzip", f"oci:{layout}:{tag}", f"oci:{plain}:{tag}"])
            source = layout if media_type.endswith("gzip") else plain
            kiln.run(["umoci", "unpack", "--image", f"{source}:{tag}", self.work / f"{name}-bundle"])
            trees[name] = kiln.tree(self.work / f"{name}-bundle/rootfs")
            for folder in (plain, self.work / f"{name}-bundle"):
                kiln.remove(folder)
        self.assertEqual({configs[name] for name in FORMATS if name != "estargz"}, {configs["gzip"]})
        self.assertNotEqual(configs["estargz"], configs["gzip"])
        trees["estargz"].pop("stargz.index.json")
        for name in FORMATS:
            self.assertEqual(trees[name], trees["gzip"], name)
        self.assertLess(sizes["zstd"], sizes["gzip"])
        self.assertLess(abs(sizes["single"] - sizes["gzip"]), sizes["gzip"] / 100)
        print("measured:", {name: f"{size / 1e6:.1f} MB" for name, size in sizes.items()})

    def test_a_container_engine_runs_zstd_and_estargz(self):
        for name in ("zstd", "estargz"):
            layout = self.work / f"run-{name}"
            self.torchkiln("build", "--output", layout, *FORMATS[name][0])
            tag = json.loads((layout / "index.json").read_text())["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"]
            store = self.work / f"podman-{name}"
            kiln.run(test_registry.podman(store, "pull", "--quiet", f"oci:{layout}:{tag}"))
            image = kiln.run(test_registry.podman(store, "images", "--quiet")).stdout.split()[0]
            try:
                done = kiln.run(test_registry.podman(store, "run", "--rm", "--network", "none", *LIMITS, image, "python", "-c", "import bigdata, torch; print(torch.__version__)"))
                self.assertEqual(done.stdout.strip(), "2.8.0+cu128")
            finally:
                kiln.run(test_registry.podman(store, "rmi", "--all", "--force"))
                kiln.remove(store)

    def test_a_plan_foresees_what_a_build_needs_and_what_is_there(self):
        (before,) = self.plan_before["images"]
        self.assertEqual({layer["state"] for layer in before["layers"]}, {"to make"})
        self.assertFalse(before["exact"])
        self.assertGreater(self.plan_before["download"]["files"], 50)
        big = next(layer for layer in before["layers"] if "bigdata" in layer["made_by"])
        after = self.torchkiln("plan", "--json")
        self.assertEqual(after["download"], {"files": 0, "size": 0})
        (image,) = after["images"]
        self.assertEqual({layer["state"] for layer in image["layers"]}, {"in the cache"})
        self.assertTrue(image["exact"])
        exact = next(layer for layer in image["layers"] if "bigdata" in layer["made_by"])
        self.assertEqual([wheel["files"] for wheel in exact["wheels"]], [5])
        self.assertLess(abs(exact["size"] - big["size"]), big["size"] / 100)
        manifest = manifest_of(self.project / "kiln.oci")
        self.assertEqual([layer["digest"] for layer in image["layers"]], [layer["digest"] for layer in manifest["layers"][:-1]])
        self.assertEqual([layer["size"] for layer in image["layers"]], [layer["size"] for layer in manifest["layers"][:-1]])
        fresh = self.torchkiln("plan", "--json", "--output", self.project / "kiln.oci", cache=self.work / "no-cache")
        # The lock notes the wheels' layers; the Debian base is known to no other machine.
        states = [layer["state"] for layer in fresh["images"][0]["layers"]]
        self.assertEqual(states, ["to make"] + ["at the target"] * (len(states) - 1))
        raw = self.torchkiln("plan", "--json", "--layers", "raw")
        self.assertGreater(raw["images"][0]["size"], image["size"])
        self.assertEqual(raw["images"][0]["size"], image["unpacked_size"])

    def test_with_a_catalog_and_a_registry_that_has_the_layers_nothing_is_fetched_or_made(self):
        with test_registry.docker_registry(self.work) as registry:
            self.torchkiln("push", f"oci:{self.project / 'kiln.oci'}", f"{registry}/team/small:a")
            shared = self.torchkiln("cache", "catalog", "push", f"{registry}/team/catalog:1", "--json")
            self.assertGreater(shared["added"], 2)
            again = self.torchkiln("cache", "catalog", "push", f"{registry}/team/catalog:1", "--json")
            self.assertEqual((again["added"], again["digest"]), (0, shared["digest"]))
            cache = self.work / "other-cache"
            learnt = self.torchkiln("cache", "catalog", "pull", f"{registry}/team/catalog:1", "--json", cache=cache)
            self.assertEqual(learnt["added"], shared["layers"])
            layout = self.work / "sparse"
            refused = self.torchkiln("build", "--json", "--offline", "--output", layout, cache=cache, check=False)
            self.assertNotEqual(refused.returncode, 0)  # offline and with an empty cache there is nothing to build from
            self.torchkiln("build", "--json", "--sparse", "--push", f"{registry}/team/small:b", "--output", layout, cache=cache)
            self.assertEqual(manifest_of(layout), manifest_of(self.project / "kiln.oci"))
            blobs = sum(path.stat().st_size for path in (layout / "blobs/sha256").iterdir())
            self.assertLess(blobs, 1 << 20)
            there = [json.loads(kiln.run(["skopeo", "inspect", "--tls-verify=false", f"docker://{registry}/team/small:{tag}"]).stdout)["Digest"] for tag in "ab"]
            self.assertEqual(there[0], there[1])
            done = self.torchkiln("cache", "catalog", "pull", f"{registry}/team/small:a", check=False)
            self.assertIn("is no layer catalog", done.stderr)
            done = self.torchkiln("cache", "catalog", "pull", f"{registry}/team/nothing:1", check=False)
            self.assertEqual(done.returncode, 3)
            self.assertIn("there is nothing under", done.stderr)

    def test_bytecode_is_a_layer_that_python_takes_and_that_has_the_same_bytes_each_time(self):
        layouts = []
        for name in ("bytecode", "bytecode-again"):
            project = self.work / name
            project.mkdir()
            for file in ("kiln.lock", "pylock.toml"):
                (project / file).write_text((self.project / file).read_text())
            self.write_spec(project)
            (project / "kiln.toml").write_text((project / "kiln.toml").read_text().replace("[image]", "[image]\nbytecode = true", 1))
            self.torchkiln("build", "--json", cache=self.cache if name == "bytecode" else self.work / "bytecode-cache", project=project)
            layouts.append(project / "kiln.oci")
        plain, manifest = manifest_of(self.project / "kiln.oci"), manifest_of(layouts[0])
        self.assertEqual(manifest, manifest_of(layouts[1]))
        (digest,) = {layer["digest"] for layer in manifest["layers"][:-1]} - {layer["digest"] for layer in plain["layers"][:-1]}
        lock = tomllib.loads((self.work / "bytecode/kiln.lock").read_text())
        self.assertEqual(lock["bytecode"]["layer"], digest)

        bundle = self.work / "bytecode-bundle"
        tag = json.loads((layouts[0] / "index.json").read_text())["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"]
        kiln.run(["umoci", "unpack", "--image", f"{layouts[0]}:{tag}", bundle])
        with tarfile.open(layouts[0] / "blobs/sha256" / digest.removeprefix("sha256:")) as layer:
            compiled = [name for name in layer.getnames() if name.endswith(".pyc")]
        check = (
            "import importlib.util, marshal, sys\n"
            "for cached in sys.stdin.read().split():\n"
            "    data = open(cached, 'rb').read()\n"
            "    path = importlib.util.source_from_cache(cached)\n"
            "    source = open(path, 'rb').read()\n"
            "    assert data[:4] == importlib.util.MAGIC_NUMBER and data[4:8] == b'\\1\\0\\0\\0', cached\n"
            "    assert data[8:16] == importlib.util.source_hash(source), cached\n"
            "    assert marshal.loads(data[16:]) == compile(source, path, 'exec', dont_inherit=True), cached\n"
        )
        kiln.run(["chroot", bundle / "rootfs", "/usr/bin/python3.11", "-c", check], input="\n".join("/" + name for name in compiled))
        self.assertGreater(len(compiled), 100)
        report = "import bigdata, pip, sys; print(sys.flags.dont_write_bytecode, bigdata.__cached__)"
        done = self.torchkiln("run", f"oci:{layouts[0]}:{tag}", "--", "python", "-v", "-c", report)
        self.assertIn("bigdata/__pycache__/__init__.cpython-311.pyc matches", done.stderr)
        kiln.remove(bundle)

    def test_a_change_moves_only_what_changed(self):
        has = self.project / "kiln.oci"

        def moved(to):
            return self.torchkiln("diff", "--json", f"oci:{has}", f"oci:{to}")

        project = self.work / "with-jupyter"
        project.mkdir()
        for file in ("kiln.lock", "pylock.toml"):
            (project / file).write_text((self.project / file).read_text())
        self.write_spec(project, '["jupyter"]')
        self.torchkiln("build", project=project)
        jupyter = moved(project / "kiln.oci")
        big = next(layer for layer in manifest_of(has)["layers"] if layer["size"] > 8 << 20 and layer["size"] < 14 << 20)
        fetched = {layer["digest"] for layer in jupyter["to_fetch"]}
        own = {layer["digest"] for layer in manifest_of(has)["layers"][:-1]}
        self.assertEqual(fetched & own, set())
        self.assertNotIn(big["digest"], fetched)

        self.publish_extra("1.1")
        changed = self.work / "changed"
        changed.mkdir()
        for file in ("kiln.toml", "kiln.lock", "pylock.toml"):
            (changed / file).write_text((self.project / file).read_text())
        self.torchkiln("lock", "--upgrade", "extra", project=changed)
        self.torchkiln("build", project=changed)
        difference = moved(changed / "kiln.oci")
        self.assertEqual(len(difference["to_fetch"]), 1)  # the layer of the small wheels
        print("measured: bytes to pull with Jupyter", jupyter["bytes_to_pull"], "with one small package changed", difference["bytes_to_pull"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
