#!/usr/bin/env python3
"""Registries that fail, lie, or have what Debian's docker-registry lacks: what push and pull do then. The registry here
is tests/support/faulty_registry.py; test_registry.py has real ones."""
import base64
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import unittest

import kiln

sys.path.insert(0, str(kiln.SOURCE / "tests/support"))
from faulty_registry import FaultyRegistry, digest_of  # noqa: E402
from small_image import INDEX, Layout, noise, small_layout  # noqa: E402

LARGE = 64 << 20  # what goes in one request


def auth_of(user_and_password: str) -> dict:
    return {"auth": base64.b64encode(user_and_password.encode()).decode()}


class Case(unittest.TestCase):
    def setUp(self):
        self.work = kiln.folder(self.id().split(".")[-1][:60])
        self.cache = self.work / "cache"

    def registry(self, **options) -> FaultyRegistry:
        registry = FaultyRegistry(**options)
        self.addCleanup(registry.close)
        return registry

    def layout(self, name="image") -> Layout:
        return small_layout(self.work / name)

    def large_layout(self, size=LARGE + 10_000_000) -> Layout:
        layout = Layout(self.work / "large")
        blob = layout.blob(noise(size), "application/vnd.oci.image.layer.v1.tar")
        layout.image("1.0", [(blob, blob["digest"])])
        return layout

    def run_program(self, *arguments, check=True, environment=None, **options):
        variables = {k: v for k, v in os.environ.items() if k not in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE")}
        variables |= {"HOME": str(self.work), "TORCHKILN_CACHE": str(self.cache)} | (environment or {})
        return kiln.torchkiln(*arguments, check=check, env=variables, timeout=120, **options)

    def push(self, layout, registry, *extra, repository="team/image", **options):
        done = self.run_program("push", f"oci:{layout.folder}:1.0", f"{registry.host}/{repository}:1.0", "--json", *extra, **options)
        return json.loads(done.stdout)["pushed"][0] if done.returncode == 0 else done

    def pull(self, registry, *extra, name="out", reference="team/image:1.0", **options):
        done = self.run_program("pull", f"{registry.host}/{reference}", "-o", self.work / name, "--json", *extra, **options)
        return json.loads(done.stdout) if done.returncode == 0 else done

    def login(self, registry, password, **entry):
        """As `docker login` leaves it."""
        (self.work / ".docker").mkdir(exist_ok=True)
        auths = {registry.host: entry or auth_of(password)}
        (self.work / ".docker/config.json").write_text(json.dumps({"auths": auths}))

    def manifest_of(self, layout) -> str:
        return layout.entries[0]["digest"]

    def assert_whole(self, folder):
        for path in pathlib.Path(folder, "blobs/sha256").iterdir():
            self.assertEqual(hashlib.sha256(path.read_bytes()).hexdigest(), path.name)

    def refused(self, done, code, *words):
        self.assertNotIsInstance(done, dict, "it should have failed")
        self.assertEqual(done.returncode, code, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)


class Push(Case):
    def test_every_blob_is_looked_for_first_and_sent_once(self):
        registry, layout = self.registry(), self.layout()
        first = self.push(layout, registry)
        self.assertEqual((first["uploaded"]["blobs"], first["present"]["blobs"]), (3, 0))
        self.assertEqual(registry.manifests["team/image", "1.0"][1], (layout.folder / "blobs/sha256" / self.manifest_of(layout)[7:]).read_bytes())
        posts = len(registry.seen("POST"))
        second = self.push(layout, registry)
        self.assertEqual((second["uploaded"]["blobs"], second["present"]["blobs"]), (0, 3))
        self.assertEqual(len(registry.seen("POST")), posts)

    def test_blobs_of_another_repository_are_mounted(self):
        registry, layout = self.registry(), self.layout()
        self.push(layout, registry, repository="team/base")
        pushed = self.push(layout, registry, "--mount-from", "nobody/here", "--mount-from", "team/base")
        self.assertEqual((pushed["uploaded"]["blobs"], pushed["mounted"]["blobs"]), (0, 3))

    def test_two_references_cost_one_upload(self):
        registry, layout = self.registry(), self.layout()
        done = self.run_program("push", f"oci:{layout.folder}:1.0", f"{registry.host}/a:1.0", f"{registry.host}/b/c:2.0", "--json")
        first, second = json.loads(done.stdout)["pushed"]
        self.assertEqual((first["uploaded"]["blobs"], second["mounted"]["blobs"]), (3, 3))
        self.assertEqual(first["digest"], second["digest"])

    def test_a_mount_that_becomes_an_upload_is_one(self):
        registry, layout = self.registry(mounts=False), self.layout()
        self.push(layout, registry, repository="team/base")
        before = len(registry.seen("POST"))
        pushed = self.push(layout, registry, "--mount-from", "team/base")
        self.assertEqual(pushed["uploaded"]["blobs"], 3)
        self.assertEqual(len(registry.seen("POST")) - before, 3)  # the upload that the mount began is used

    def test_a_mount_that_was_not_one_is_noticed(self):
        registry, layout = self.registry(), self.layout()
        registry.fault("POST", "mount=", times=3, status=201)
        pushed = self.push(layout, registry, "--mount-from", "team/base")
        self.assertEqual(pushed["uploaded"]["blobs"], 3)

    def test_a_large_blob_goes_in_chunks_and_goes_on_where_it_broke(self):
        registry, layout = self.registry(relative=True), self.large_layout(LARGE * 2 + 5)
        registry.fault("PATCH", "uploads/", skip=1, after=1_000_000)
        self.push(layout, registry)
        ranges = [headers["Content-Range"] for headers in registry.seen("PATCH")]
        broken = LARGE + 1_000_000
        self.assertEqual(ranges, [f"0-{LARGE - 1}", f"{LARGE}-{2 * LARGE - 1}", f"{broken}-{2 * LARGE + 4}"])
        self.assertEqual(len(registry.seen("GET", "uploads/")), 1)

    def test_the_registry_says_how_long_a_chunk_is_at_least(self):
        registry, layout = self.registry(chunk_min=LARGE + 6_000_000), self.large_layout()
        self.push(layout, registry)
        self.assertEqual([h["Content-Range"] for h in registry.seen("PATCH")],
                         [f"0-{LARGE + 6_000_000 - 1}", f"{LARGE + 6_000_000}-{LARGE + 9_999_999}"])  # fmt: skip

    def test_416_is_asked_about_and_an_upload_that_is_lost_begins_again(self):
        registry, layout = self.registry(), self.large_layout()
        registry.fault("PATCH", "uploads/", elsewhere=True)
        registry.fault("PATCH", "uploads/", skip=1, lose=True)
        self.push(layout, registry)
        self.assertEqual(len(registry.seen("POST")), 1 + 1 + 2)  # the configuration's, the layer's, and two more

    def test_a_busy_registry_is_waited_for(self):
        registry, layout = self.registry(), self.large_layout()
        for method, path in (("HEAD", "/blobs/"), ("POST", "/blobs/"), ("PATCH", "/blobs/"), ("PUT", "/blobs/"), ("PUT", "/manifests/")):
            registry.fault(method, path, status=429, headers={"Retry-After": "1"})
        registry.fault("PATCH", "/blobs/", status=503)
        self.push(layout, registry)
        self.assertIn(("team/image", "1.0"), registry.manifests)

    def test_a_registry_that_stays_broken_ends_the_push_in_time(self):
        registry, layout = self.registry(), self.layout()
        registry.fault("PUT", "/manifests/", times=99, status=503)
        self.refused(self.push(layout, registry, check=False), 3, "status 503")
        self.assertEqual(len(registry.seen("PUT", "/manifests/")), 5)

    def test_what_is_forbidden_is_not_tried_again_and_says_why(self):
        registry, layout = self.registry(), self.layout()
        registry.fault("POST", "/blobs/", times=99, status=403, error=b'{"errors":[{"code":"DENIED","message":"not \\u001b[31myours"}]}')
        done = self.push(layout, registry, check=False)
        self.refused(done, 3, "status 403, denied: not  [31myours", "docker login")
        self.assertNotIn("\x1b", done.stderr)

    def test_a_registry_that_stores_other_bytes_is_caught(self):
        for method, path in (("PUT", "/blobs/"), ("PUT", "/manifests/"), ("HEAD", "/blobs/")):
            registry, layout = self.registry(), self.layout(f"{method}{path[1]}")
            if method == "HEAD":
                self.push(layout, registry)
            registry.fault(method, path, digest="sha256:" + "0" * 64)
            self.refused(self.push(layout, registry, check=False), 3, "sha256:" + "0" * 64)

    def test_a_layout_whose_blob_has_other_bytes_is_refused_by_the_registry_and_named(self):
        registry, layout = self.registry(), self.layout()
        layer = json.loads((layout.folder / "blobs/sha256" / self.manifest_of(layout)[7:]).read_text())["layers"][1]
        path = layout.folder / "blobs/sha256" / layer["digest"][7:]
        path.write_bytes(b"x" + path.read_bytes()[1:])
        self.refused(self.push(layout, registry, check=False), 3, "digest_invalid", path.name)

    def test_an_upload_that_goes_to_another_host_goes_without_authorization(self):
        registry, layout = self.registry(password="me:hunter2"), self.layout()
        other = self.registry()
        self.login(registry, "me:hunter2")
        registry.fault("POST", "/blobs/", times=99, status=202, headers={"Location": f"http://{other.host}/v2/x/blobs/uploads/here"})
        done = self.push(layout, registry, check=False)
        self.refused(done, 3, "lost the upload")  # the other does not know it
        self.assertTrue(other.seen("PUT"))
        self.assertFalse(any("Authorization" in headers for _, _, headers in other.requests))


class Tokens(Case):
    def test_tokens_are_asked_for_by_scope_and_again_when_they_are_spent(self):
        registry, layout = self.registry(password="me:hunter2", token_life=2), self.layout()
        self.login(registry, "me:hunter2")
        self.push(layout, registry)
        self.assertIn(["repository:team/image:pull,push"], registry.scopes)
        self.assertIn(["repository:team/image:pull"], registry.scopes)
        self.assertGreater(len(registry.scopes), 3)
        self.pull(registry)
        self.assert_whole(self.work / "out")

    def test_an_identity_token_is_exchanged(self):
        registry, layout = self.registry(password="refresh-me", token_life=100), self.layout()
        self.login(registry, "", identitytoken="refresh-me")
        self.push(layout, registry)
        self.assertEqual(len(registry.seen("POST", "/token")), len(registry.scopes))

    def test_a_mount_asks_for_the_right_to_read_there(self):
        registry, layout = self.registry(password="me:hunter2", token_life=100), self.layout()
        self.login(registry, "me:hunter2")
        self.push(layout, registry, "--mount-from", "team/base")
        self.assertIn(["repository:team/base:pull", "repository:team/image:pull,push"], [sorted(s) for s in registry.scopes])

    def test_a_helper_is_asked_and_what_it_says_is_not_shown(self):
        registry, layout = self.registry(password="me:hunter2", token_life=100), self.layout()
        tools = self.work / "tools"
        tools.mkdir()
        helper = tools / "docker-credential-kiln"
        helper.write_text('#!/bin/sh\n[ "$1" = get ] || exit 1\nread host\n[ "$host" = "%s" ] || exit 1\n'
                          'echo \'{"ServerURL":"x","Username":"me","Secret":"hunter2"}\'\n' % registry.host)  # fmt: skip
        helper.chmod(0o755)
        config = self.work / "config"
        config.mkdir()
        path = {"PATH": f"{tools}:{os.environ['PATH']}", "DOCKER_CONFIG": str(config)}
        for words in ({"credsStore": "kiln"}, {"credHelpers": {registry.host: "kiln"}}):
            (config / "config.json").write_text(json.dumps(words))
            self.push(layout, registry, environment=path)
        (config / "config.json").write_text(json.dumps({"credsStore": "../kiln"}))
        self.refused(self.push(layout, registry, check=False, environment=path), 2, "no name of a credential helper")
        helper.write_text("#!/bin/sh\necho '{hunter2'\n")
        (config / "config.json").write_text(json.dumps({"credsStore": "kiln"}))
        done = self.push(layout, registry, check=False, environment=path)
        self.assertEqual(done.returncode, 2)
        self.assertNotIn("hunter2", done.stdout + done.stderr)

    def test_podmans_file_is_read_and_the_longest_path_wins(self):
        registry, layout = self.registry(password="me:hunter2"), self.layout()
        file = self.work / "auth.json"
        file.write_text(json.dumps({"auths": {registry.host: auth_of("other:x"), f"{registry.host}/team": auth_of("me:hunter2")}}))
        self.push(layout, registry, environment={"REGISTRY_AUTH_FILE": str(file)})

    def test_no_secret_is_ever_shown(self):
        registry, layout = self.registry(password="me:hunter2", token_life=100), self.layout()
        nobody = self.push(layout, registry, "--verbose", check=False)
        self.refused(nobody, 3, "docker login")
        self.login(registry, "me:wrong-hunter3")
        done = self.push(layout, registry, "--verbose", check=False)
        self.refused(done, 3, "the credentials are refused")
        (self.work / ".docker/config.json").write_text('{"auths": {"x": {"auth": "hunter3" "')
        broken = self.push(layout, registry, "--verbose", check=False)
        for said in (nobody, done, broken):
            self.assertNotIn("hunter", said.stdout + said.stderr)


class Pull(Case):
    def pushed(self, **options):
        registry, layout = self.registry(**options), self.layout()
        self.push(layout, registry)
        return registry, layout

    def layer_of(self, layout, number=1):
        return json.loads((layout.folder / "blobs/sha256" / self.manifest_of(layout)[7:]).read_text())["layers"][number]["digest"]

    def test_what_comes_is_what_was_pushed(self):
        registry, layout = self.pushed()
        pulled = self.pull(registry)
        self.assertEqual(pulled["digest"], self.manifest_of(layout))
        for path in (layout.folder / "blobs/sha256").iterdir():
            self.assertEqual((self.work / "out/blobs/sha256" / path.name).read_bytes(), path.read_bytes())
        self.assertEqual(self.pull(registry)["fetched"]["blobs"], 0)
        by_digest = self.pull(registry, name="by-digest", reference="team/image@" + pulled["digest"])
        self.assertEqual(by_digest["tag"], "sha256-" + pulled["digest"][7:])

    def test_a_cut_connection_is_gone_on_with_by_range(self):
        registry, layout = self.pushed()
        layer = self.layer_of(layout)
        registry.fault("GET", layer, times=2, cut=100_000)
        self.pull(registry)
        self.assertEqual([h.get("Range") for h in registry.seen("GET", layer)], [None, "bytes=100000-", "bytes=200000-"])
        self.assert_whole(self.work / "out")

    def test_a_server_that_ignores_ranges_begins_again(self):
        registry, layout = self.pushed()
        registry.fault("GET", self.layer_of(layout), cut=100_000)
        registry.fault("GET", self.layer_of(layout), ignore_range=True)
        self.pull(registry)
        self.assert_whole(self.work / "out")

    def test_a_slow_or_busy_registry_is_waited_for(self):
        registry, layout = self.pushed()
        registry.fault("GET", self.layer_of(layout), status=503)
        registry.fault("GET", self.layer_of(layout, 0), status=429, headers={"Retry-After": "1"})
        registry.fault("GET", "/manifests/", slow=2)
        self.pull(registry)
        self.assert_whole(self.work / "out")

    def test_a_layer_is_unpacked_while_another_is_on_its_way(self):
        registry, layout = self.pushed()
        manifest = json.loads((layout.folder / "blobs/sha256" / self.manifest_of(layout)[7:]).read_text())
        config = json.loads((layout.folder / "blobs/sha256" / manifest["config"]["digest"][7:]).read_text())
        first = self.cache / "unpacked/sha256" / config["rootfs"]["diff_ids"][0][7:]
        when = []
        registry.fault("GET", self.layer_of(layout), until=lambda: when.append(first.is_dir()) or when[-1])
        self.run_program("run", f"{registry.host}/team/image:1.0", "--", "/bin/hello")
        self.assertTrue(when[-1])

    def test_other_bytes_than_the_digest_says_are_never_kept(self):
        registry, layout = self.pushed()
        layer = self.layer_of(layout)
        good = registry.blobs["team/image", layer]
        for bytes_ in (b"x" + good[1:], good[:-1], good + b"x"):
            registry.faults.clear()
            registry.fault("GET", layer, times=99, body=bytes_)
            done = self.pull(registry, check=False)
            self.refused(done, 3, layer)
            self.assertFalse((self.work / "out/blobs/sha256" / layer[7:]).exists())
            self.assertEqual(json.loads((self.work / "out/index.json").read_text())["manifests"], [])
        registry.faults.clear()
        self.pull(registry)
        self.assert_whole(self.work / "out")

    def test_a_manifest_with_another_digest_is_refused(self):
        registry, layout = self.pushed()
        other = json.dumps(json.loads(registry.manifests["team/image", "1.0"][1]) | {"annotations": {"a": "b"}}).encode()
        registry.fault("GET", "/manifests/", body=other)
        self.refused(self.pull(registry, check=False, reference="team/image@" + self.manifest_of(layout)), 3, "does not have the digest")
        registry.fault("GET", "/manifests/", digest="sha256:" + "0" * 64)
        self.refused(self.pull(registry, check=False), 3, "another digest than they have")

    def test_a_redirect_to_another_host_goes_without_authorization(self):
        registry, layout = self.registry(password="me:hunter2"), self.layout()
        storage = self.registry()
        self.login(registry, "me:hunter2")
        self.push(layout, registry)
        layer = self.layer_of(layout)
        storage.blobs["x", layer] = registry.blobs["team/image", layer]
        registry.fault("GET", layer, redirect=f"http://localhost:{storage.port}/v2/x/blobs/{layer}?signature=sesame")
        self.pull(registry)
        self.assertEqual(len(storage.requests), 1)
        self.assertNotIn("Authorization", storage.requests[0][2])
        self.assert_whole(self.work / "out")

    def test_a_signed_address_is_not_shown(self):
        registry, layout = self.pushed()
        registry.fault("GET", self.layer_of(layout), times=99, redirect="http://127.0.0.1:1/blob?signature=sesame")
        done = self.pull(registry, check=False)
        self.refused(done, 3)
        self.assertNotIn("sesame", done.stdout + done.stderr)

    def test_layers_that_the_cache_has_are_not_fetched(self):
        registry, layout = self.pushed()
        self.run_program("pull", f"{registry.host}/team/image:1.0")
        before = len(registry.seen("GET", self.layer_of(layout)))
        self.assertEqual(self.pull(registry)["fetched"]["blobs"], 0)
        self.assertEqual(len(registry.seen("GET", self.layer_of(layout))), before)
        self.assert_whole(self.work / "out")

    def test_a_bad_byte_in_the_cache_is_found_and_fetched_again(self):
        registry, layout = self.pushed()
        self.run_program("pull", f"{registry.host}/team/image:1.0")
        cached = self.cache / "blobs/sha256" / self.layer_of(layout)[7:]
        data = cached.read_bytes()
        cached.chmod(0o644)
        cached.write_bytes(b"x" + data[1:])
        self.pull(registry)
        self.assert_whole(self.work / "out")

    def test_an_image_that_is_not_there_says_so_and_nothing_is_left(self):
        registry, _ = self.pushed()
        self.refused(self.pull(registry, check=False, reference="team/image:2.0"), 3, f"there is no {registry.host}/team/image:2.0")

    def test_offline_asks_nobody(self):
        registry, _ = self.pushed()
        before = len(registry.requests)
        self.refused(self.pull(registry, "--offline", check=False), 3, "--offline")
        self.assertEqual(len(registry.requests), before)

    def test_a_mirror_is_asked_first_and_its_own_registry_for_what_it_lacks(self):
        registry, layout = self.pushed()
        mirror = self.registry()
        self.push(layout, mirror)
        option = ("--registry-mirror", f"{registry.host}=http://{mirror.host}")
        before = len(registry.seen("GET", "/blobs/"))
        self.pull(registry, *option)
        self.assertEqual(len(registry.seen("GET", "/blobs/")), before)
        del mirror.blobs["team/image", self.layer_of(layout)]
        self.pull(registry, *option, name="second")
        self.assertEqual(len(registry.seen("GET", "/blobs/")), before + 1)
        mirror.close()
        self.pull(registry, *option, name="third")
        self.assert_whole(self.work / "third")

    def test_two_processes_pull_the_same_at_once(self):
        registry, layout = self.pushed()
        registry.fault("GET", self.layer_of(layout), slow=1)
        results = []
        threads = [threading.Thread(target=lambda: results.append(self.pull(registry))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual({result["digest"] for result in results}, {self.manifest_of(layout)})
        self.assertEqual(len(registry.seen("GET", self.layer_of(layout))), 1)
        self.assert_whole(self.work / "out")


class Indexes(Case):
    def test_one_tag_for_two_platforms_and_each_machine_takes_its_own(self):
        registry = self.registry()
        layouts = {}
        for architecture in ("amd64", "arm64"):
            layout = layouts[architecture] = Layout(self.work / architecture)
            layout.image("1.0", [layout.layer({"etc/arch": architecture.encode()})], architecture=architecture)
        pushed = self.push(layouts["amd64"], registry, "--and", f"oci:{layouts['arm64'].folder}:1.0")
        kind, data = registry.manifests["team/image", "1.0"]
        self.assertEqual((kind, digest_of(data)), (INDEX, pushed["digest"]))
        for architecture, layout in layouts.items():
            pulled = self.pull(registry, "--platform", f"linux/{architecture}", name=f"out-{architecture}")
            self.assertEqual(pulled["digest"], self.manifest_of(layout))
        self.refused(self.pull(registry, "--platform", "linux/s390x", check=False, name="none"), 2, "it has linux/amd64, linux/arm64")
        done = self.push(layouts["amd64"], registry, "--and", f"oci:{layouts['amd64'].folder}:1.0", check=False)
        self.refused(done, 2, "two images are for linux/amd64")

    def test_an_index_tells_variants_apart_and_the_first_is_for_who_does_not_ask(self):
        registry, layout = self.registry(), Layout(self.work / "family")
        digests = {}
        for variant in ("runtime", "jupyter"):
            labels = {"dev.torchkiln.variant": variant, "org.opencontainers.image.version": f"2.8.0-{variant}"}
            digests[variant] = layout.image(variant, [layout.layer({"etc/variant": variant.encode()})], labels=labels)["digest"]
        other = Layout(self.work / "arm64")
        other.image("1.0", [other.layer({"etc/arch": b"arm64"})], architecture="arm64", labels={"dev.torchkiln.variant": "runtime"})
        self.run_program("push", f"oci:{layout.folder}", f"{registry.host}/team/image:1.0", "--index", "--and", f"oci:{other.folder}")
        entries = json.loads(registry.manifests["team/image", "1.0"][1])["manifests"]
        self.assertEqual([(entry["platform"]["architecture"], entry["annotations"]["dev.torchkiln.variant"]) for entry in entries],
                         [("amd64", "runtime"), ("amd64", "jupyter"), ("arm64", "runtime")])  # fmt: skip
        self.assertEqual(entries[1]["annotations"]["org.opencontainers.image.version"], "2.8.0-jupyter")
        self.assertEqual(self.pull(registry, name="first")["digest"], digests["runtime"])
        self.assertEqual(self.pull(registry, "--variant", "jupyter", name="jupyter")["digest"], digests["jupyter"])
        self.refused(self.pull(registry, "--variant", "ssh", check=False, name="none"), 2, "it has linux/amd64 runtime, linux/amd64 jupyter")
        # Of one image that is not in an index, too.
        self.run_program("push", f"oci:{layout.folder}:runtime", f"{registry.host}/team/image:1.0")
        self.refused(self.pull(registry, "--variant", "jupyter", check=False, name="other"), 2, "is the variant runtime, not jupyter")

    def test_a_layout_without_a_tag_means_all_its_images(self):
        registry, layout = self.registry(), Layout(self.work / "variants")
        shared = layout.layer({"etc/shared": b"x"})
        for variant in ("1.0-runtime", "1.0-devel"):
            layout.image(variant, [shared, layout.layer({"etc/variant": variant.encode()})])
        done = self.run_program("push", f"oci:{layout.folder}", f"{registry.host}/team/image", "--json")
        pushed = json.loads(done.stdout)["pushed"]
        self.assertEqual([p["reference"].split(":")[-1] for p in pushed], ["1.0-runtime", "1.0-devel"])
        self.assertEqual([p["uploaded"]["blobs"] for p in pushed], [3, 2])
        done = self.run_program("push", f"oci:{layout.folder}", f"{registry.host}/team/image:1.0", check=False)
        self.refused(done, 2, "one tag cannot name 2 images")


class Referrers(Case):
    def referred(self, count=3):
        layout = self.layout()
        subject = {k: v for k, v in layout.entries[0].items() if k in ("mediaType", "digest", "size")}
        kinds = [f"application/vnd.example.kind{i}" for i in range(count)]
        return layout, [layout.referrer(subject, kind, kind.encode())["digest"] for kind in kinds]

    def check(self, registry, layout, digests):
        self.assertEqual(sorted(self.push(layout, registry)["referrers"]), sorted(digests))
        self.assertEqual(sorted(self.pull(registry)["referrers"]), sorted(digests))
        self.assert_whole(self.work / "out")
        # Pushed again, nothing is listed twice.
        self.push(layout, registry)
        self.assertEqual(sorted(self.pull(registry, name="again")["referrers"]), sorted(digests))

    def test_they_go_along_by_the_registrys_own_list_page_by_page(self):
        layout, digests = self.referred()
        registry = self.registry(page_size=2)
        self.check(registry, layout, digests)
        self.assertNotIn(("team/image", self.tag(layout)), registry.manifests)

    def test_they_go_along_by_a_tag_where_there_is_no_list(self):
        layout, digests = self.referred()
        registry = self.registry(referrers=False)
        self.check(registry, layout, digests)
        listed = json.loads(registry.manifests["team/image", self.tag(layout)][1])["manifests"]
        self.assertEqual([entry["artifactType"] for entry in listed], [f"application/vnd.example.kind{i}" for i in range(3)])
        self.assertEqual(listed[0]["annotations"], {"about": "application/vnd.example.kind0"})

    def tag(self, layout):
        return self.manifest_of(layout).replace(":", "-")

    def test_what_others_add_to_the_tag_at_the_same_time_stays(self):
        for etags in (True, False):
            layout, digests = self.referred(1) if etags else (self.first, self.digests)
            self.first, self.digests = layout, digests
            registry = self.registry(referrers=False, etags=etags)
            other = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:" + "1" * 64, "size": 2}
            theirs = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [other]}).encode()
            key = ("team/image", self.tag(layout))
            registry.manifests[key] = (INDEX, json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).encode())

            def interfere(rounds=[1]):
                puts = [path for method, path, _ in registry.requests if method == "PUT" and "/manifests/sha256-" in path]
                if puts and rounds:
                    rounds.pop()
                    registry.manifests[key] = (INDEX, theirs)

            # Just before ours is stored: with conditions it is refused and merged.
            registry.between = interfere if etags else lambda: None
            self.push(layout, registry)
            listed = [entry["digest"] for entry in json.loads(registry.manifests[key][1])["manifests"]]
            self.assertIn(digests[0], listed)
            if etags:
                self.assertIn(other["digest"], listed)

    def test_what_is_listed_and_is_about_something_else_is_left_out(self):
        layout, digests = self.referred(1)
        registry = self.registry(referrers=False)
        self.push(layout, registry)
        kind, image = registry.manifests["team/image", "1.0"]
        entry = {"mediaType": kind, "digest": digest_of(image), "size": len(image)}
        gone = entry | {"digest": "sha256:" + "2" * 64}
        key = ("team/image", self.tag(layout))
        listed = json.loads(registry.manifests[key][1])
        listed["manifests"] += [entry, gone]
        registry.manifests[key] = (INDEX, json.dumps(listed).encode())
        done = self.run_program("pull", f"{registry.host}/team/image:1.0", "-o", self.work / "out", "--json")
        self.assertEqual(json.loads(done.stdout)["referrers"], digests)
        self.assertIn("is about something else", done.stderr)


class Memory(Case):
    def test_no_blob_is_ever_held_in_memory(self):
        registry, layout = self.registry(), self.large_layout(300 << 20)

        def peak(*arguments):
            """The high-water mark, as the kernel keeps it, until shortly before the end."""
            variables = os.environ | {"HOME": str(self.work), "TORCHKILN_CACHE": str(self.cache)}
            with subprocess.Popen([kiln.TORCHKILN, *map(str, arguments)], env=variables, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, text=True) as process:  # fmt: skip
                highest = 0
                while process.poll() is None:
                    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
                    if "torchkiln" in status.splitlines()[0] and "VmHWM" in status:
                        highest = max(highest, int(status.split("VmHWM:")[1].split()[0]) << 10)
                    time.sleep(0.005)
                self.assertEqual(process.returncode, 0, process.stderr.read())
            self.assertGreater(highest, 0)
            return highest

        pushing = peak("push", f"oci:{layout.folder}:1.0", f"{registry.host}/team/image:1.0")
        pulling = peak("pull", f"{registry.host}/team/image:1.0", "-o", self.work / "out")
        print(f"peak resident memory: push {pushing >> 20} MiB, pull {pulling >> 20} MiB, of a blob of 300 MiB")
        self.assertLess(max(pushing, pulling), 64 << 20)


if __name__ == "__main__":
    unittest.main()
