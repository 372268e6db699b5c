#!/usr/bin/env python3
"""Images to and from a real registry (Debian's docker-registry), beside docker, podman, skopeo and buildah: what we push
they pull and run, what they push we pull and run; passwords, tokens, and certificates of a private authority.

The faults of registries are in test_registry_faults.py."""
import base64
import contextlib
import crypt
import hashlib
import http.server
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import time
import unittest
import urllib.parse
import urllib.request

import kiln
import small_index
from local_registry import docker_registry, free_port

sys.path.insert(0, str(kiln.SOURCE / "tests/support"))
from small_image import Layout, hello, noise, small_layout  # noqa: E402

HELLO = "hello from the image"
RUNROOT = kiln.run_folder("podman")
CERTIFICATES = pathlib.Path("/etc/docker/certs.d")


def podman(store: pathlib.Path, *arguments) -> list:
    return ["podman", "--root", store / "store", "--runroot", RUNROOT, "--storage-driver", "overlay",
            "--cgroup-manager", "cgroupfs", "--runtime", "runc", *arguments]  # fmt: skip


def buildah(store: pathlib.Path, *arguments) -> list:
    return ["buildah", "--root", store / "store", "--runroot", RUNROOT, "--storage-driver", "overlay", *arguments]


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = kiln.folder(cls.__name__)
        cls.layout = small_layout(cls.work / "image")
        cls.image = cls.layout.entries[0]["digest"]

    def setUp(self):
        self.home = self.work / self.id().split(".")[-1][:50]
        self.home.mkdir()

    def program(self, *arguments, check=True, environment=None, **options):
        variables = {k: v for k, v in os.environ.items() if k not in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "SSL_CERT_FILE")}
        variables |= {"HOME": str(self.home), "TORCHKILN_CACHE": str(self.home / "cache")} | (environment or {})
        return kiln.torchkiln(*arguments, check=check, env=variables, timeout=120, **options)

    def push(self, reference, *arguments, layout=None, folder=None, **options):
        done = self.program("push", f"oci:{folder or (layout or self.layout).folder}:1.0", reference, "--json", *arguments, **options)
        return json.loads(done.stdout)["pushed"][0] if done.returncode == 0 else done

    def says_hello(self, reference, **options):
        """Our own `run`, straight from the registry."""
        done = self.program("run", reference, "--", "/bin/hello", **options)
        self.assertEqual(done.stdout.strip(), HELLO)


class Interop(Case):
    """One registry, everybody."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stack = contextlib.ExitStack()
        cls.host = cls.stack.enter_context(docker_registry(cls.work))

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def store(self, name) -> pathlib.Path:
        store = kiln.folder(f"{type(self).__name__}-{name}")
        self.addCleanup(kiln.remove, RUNROOT)
        self.addCleanup(kiln.remove, store)
        return store

    def test_skopeo_pulls_what_we_push_and_we_pull_what_skopeo_pushes(self):
        pushed = self.push(f"{self.host}/team/ours:1.0")
        self.assertEqual(pushed["digest"], self.image)
        seen = json.loads(kiln.run(["skopeo", "inspect", "--tls-verify=false", f"docker://{self.host}/team/ours:1.0"]).stdout)
        self.assertEqual(seen["Digest"], self.image)
        kiln.run(["skopeo", "copy", "--src-tls-verify=false", f"docker://{self.host}/team/ours:1.0", f"oci:{self.home}/copy:1.0"])
        # In OCI's form, in docker's, and with layers of zstd.
        for name, *how in (("oci", "--format=oci"), ("docker", "--format=v2s2"), ("zstd", "--format=oci", "--dest-compress-format=zstd")):
            reference = f"{self.host}/skopeo/{name}:1.0"
            kiln.run(["skopeo", "copy", "--dest-tls-verify=false", *how, f"oci:{self.layout.folder}:1.0", f"docker://{reference}"])
            self.says_hello(reference)
            document = json.loads(self.program("pull", reference, "-o", self.home / name, "--json").stdout)
            seen = json.loads(kiln.run(["skopeo", "inspect", "--tls-verify=false", f"docker://{reference}"]).stdout)
            self.assertEqual(document["digest"], seen["Digest"])
            # What was pulled goes on to the next registry as it is, and out of docker's form too.
            again = self.push(f"{self.host}/again/{name}:1.0", folder=self.home / name)
            self.assertEqual(again["digest"], document["digest"])

    def test_podman_and_buildah(self):
        self.push(f"{self.host}/team/ours:1.0")
        store = self.store("podman")
        source = f"{self.host}/team/ours:1.0"
        limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]
        kiln.run(podman(store, "pull", "--tls-verify=false", source))
        self.assertEqual(kiln.run(podman(store, "run", "--rm", "--network", "none", *limits, source)).stdout.strip(), HELLO)
        kiln.run(podman(store, "push", "--tls-verify=false", source, f"{self.host}/podman/image:1.0"))
        self.says_hello(f"{self.host}/podman/image:1.0")
        container = kiln.run(buildah(store, "from", "--tls-verify=false", source)).stdout.strip()
        kiln.run(buildah(store, "config", "--label", "by=buildah", container))
        kiln.run(buildah(store, "commit", container, "ours-and-theirs"))
        kiln.run(buildah(store, "push", "--tls-verify=false", "ours-and-theirs", f"docker://{self.host}/buildah/image:1.0"))
        self.says_hello(f"{self.host}/buildah/image:1.0")
        kiln.run(podman(store, "rmi", "--all", "--force"))

    def test_docker_and_its_archives(self):
        self.push(f"{self.host}/team/ours:1.0")
        source = f"{self.host}/team/ours:1.0"
        with kiln.dockerd() as environment:
            docker = ["/usr/bin/docker"]
            kiln.run([*docker, "pull", source], env=environment)
            self.assertEqual(kiln.run([*docker, "run", "--rm", "--network", "none", source], env=environment).stdout.strip(), HELLO)
            kiln.run([*docker, "tag", source, f"{self.host}/docker/image:1.0"], env=environment)
            kiln.run([*docker, "push", f"{self.host}/docker/image:1.0"], env=environment)
            self.says_hello(f"{self.host}/docker/image:1.0")
            # The engine's own image: run there, and taken out of it.
            self.says_hello(f"docker:{source}", environment=environment)
            out = self.program("push", f"docker:{source}", f"{self.host}/docker/saved:1.0", "--json", environment=environment)
            self.says_hello(f"{self.host}/docker/saved:1.0")
            self.assertEqual(json.loads(out.stdout)["pushed"][0]["reference"], f"{self.host}/docker/saved:1.0")
            audit = self.program("audit", f"docker:{source}", "--host", "name=a,driver=570.0,gpu=A100", "--json", check=False, environment=environment)
            self.assertEqual(json.loads(audit.stdout)["schema"], "torchkiln.audit/1")

    def test_archives(self):
        archive = self.home / "image.tar"
        with tarfile.open(archive, "w") as tar:
            tar.add(self.layout.folder, arcname=".")
        self.says_hello(f"oci-archive:{archive}")
        pushed = json.loads(self.program("push", f"oci-archive:{archive}:1.0", f"{self.host}/archive/image:1.0", "--json").stdout)
        self.assertEqual(pushed["pushed"][0]["digest"], self.image)
        kiln.run(["skopeo", "copy", f"oci:{self.layout.folder}:1.0", f"docker-archive:{self.home}/docker.tar:team/image:1.0"])
        self.says_hello(f"oci-archive:{self.home}/docker.tar")

    def test_what_refers_to_an_image_goes_along_by_the_tag_that_stands_for_a_list(self):
        layout = small_layout(self.home / "stamped")
        subject = {k: layout.entries[0][k] for k in ("mediaType", "digest", "size")}
        stamps = [layout.referrer(subject, f"application/vnd.example.{i}", b"stamp %d" % i)["digest"] for i in range(2)]
        pushed = self.push(f"{self.host}/team/stamped:1.0", layout=layout)
        self.assertEqual(sorted(pushed["referrers"]), sorted(stamps))
        tag = subject["digest"].replace(":", "-")
        index = json.loads(kiln.run(["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{self.host}/team/stamped:{tag}"]).stdout)
        self.assertEqual(sorted(entry["digest"] for entry in index["manifests"]), sorted(stamps))
        pulled = json.loads(self.program("pull", f"{self.host}/team/stamped:1.0", "-o", self.home / "out", "--json").stdout)
        self.assertEqual(sorted(pulled["referrers"]), sorted(stamps))

    def test_an_audit_reads_two_documents_and_no_layer(self):
        layout = Layout(self.home / "labelled")
        layer = layout.layer({"data": noise(2_000_000)})
        layout.image("1.0", [layer], labels={"dev.torchkiln.pytorch": "2.8.0+cu128", "dev.torchkiln.python": "3.11",
                                             "dev.torchkiln.os": "debian-12"}, env=["NVIDIA_REQUIRE_CUDA=cuda>=12.8"])  # fmt: skip
        self.push(f"{self.host}/team/labelled:1.0", layout=layout)
        audit = self.program("audit", f"{self.host}/team/labelled:1.0", "--host", "name=a,driver=570.133,gpu=A100", "--json", check=False)
        result = json.loads(audit.stdout)["results"][0]
        self.assertEqual((audit.returncode, result["verdict"]), (0, "direct"), result)
        self.assertFalse((self.home / "cache/blobs/sha256" / layer[0]["digest"][7:]).exists())

    def test_a_layer_is_fetched_once_and_what_is_unpacked_not_at_all(self):
        self.push(f"{self.host}/team/ours:1.0")
        self.says_hello(f"{self.host}/team/ours:1.0")
        blobs = self.home / "cache/blobs/sha256"
        layers = json.loads((self.layout.folder / "blobs/sha256" / self.image[7:]).read_text())["layers"]
        for layer in layers:
            (blobs / layer["digest"][7:]).unlink()
        self.says_hello(f"{self.host}/team/ours@{self.image}")
        self.assertFalse(any((blobs / layer["digest"][7:]).exists() for layer in layers))

    def test_what_an_image_is_and_what_another_costs(self):
        base = Layout(self.home / "base")
        shared = base.layer({"shared": noise(400_000, 2)})
        base.image("1.0", [shared, base.layer({"old": b"old"})], labels={"dev.torchkiln.pytorch": "2.8.0+cu128"})
        new = Layout(self.home / "new")
        shared_again, added = new.layer({"shared": noise(400_000, 2)}), new.layer({"new": noise(50_000, 3)})
        new.image("1.0", [shared_again, added])
        for layout, name in ((base, "base"), (new, "new")):
            self.push(f"{self.host}/diff/{name}:1.0", layout=layout)
        seen = json.loads(self.program("inspect", f"{self.host}/diff/base:1.0", "--json").stdout)
        self.assertEqual(seen["facts"], {"pytorch": "2.8.0+cu128"})
        self.assertEqual(seen["layers"][0], {"digest": shared[0]["digest"], "size": shared[0]["size"], "media_type": shared[0]["mediaType"],
                                             "diff_id": shared[1], "made_by": "a test"})  # fmt: skip
        # Out of a registry and out of a layout.
        differs = json.loads(self.program("diff", f"{self.host}/diff/base:1.0", f"oci:{new.folder}:1.0", "--json").stdout)
        self.assertEqual([layer["digest"] for layer in differs["to_fetch"]], [added[0]["digest"]])
        self.assertEqual(differs["bytes_shared"], shared[0]["size"])
        # As much as a node that has the one really fetches: everything but the layer that it has.
        documents = [new.entries[0]["size"], json.loads((new.folder / "blobs/sha256" / new.entries[0]["digest"][7:]).read_text())["config"]["size"]]
        self.assertEqual(differs["bytes_to_pull"], added[0]["size"] + sum(documents))
        self.program("pull", f"{self.host}/diff/base:1.0")
        pulled = json.loads(self.program("pull", f"{self.host}/diff/new:1.0", "--json").stdout)
        self.assertEqual(pulled["fetched"]["size"], added[0]["size"] + documents[1])

    def test_a_large_layer_in_chunks(self):
        layout = Layout(self.home / "large")
        blob = layout.blob(noise(150_000_000), "application/vnd.oci.image.layer.v1.tar")
        layout.image("1.0", [(blob, blob["digest"])])
        self.assertEqual(self.push(f"{self.host}/team/large:1.0", layout=layout)["uploaded"]["blobs"], 2)
        with urllib.request.urlopen(f"http://{self.host}/v2/team/large/blobs/{blob['digest']}") as answer:
            self.assertEqual("sha256:" + hashlib.sha256(answer.read()).hexdigest(), blob["digest"])


class Built(unittest.TestCase):
    """What is baked, pushed on the way. torch is a stand-in."""

    def test_every_variant_under_its_own_tag_with_its_stamp(self):
        work = kiln.folder("Built")
        variants = 'variants = ["runtime", "ssh"]'
        (work / "kiln.toml").write_text(re.sub("variants = .*", variants, small_index.SPEC))
        with docker_registry(work) as host, small_index.Index(kiln.folder("index")) as index:
            environment = index.environment | {"HOME": str(work)}

            def program(*arguments, check=True):
                return kiln.torchkiln(*arguments, "--cache", kiln.CACHE / "torchkiln", check=check, cwd=work, env=environment)

            refused = program("build", "--push", f"{host}/team/pytorch:1.0", check=False)
            self.assertEqual(refused.returncode, 2)
            self.assertIn("one tag cannot name", refused.stderr)
            baked = json.loads(program("bake", "--push", f"{host}/team/pytorch", "--json").stdout)
            references = [image["pushed"][0] for image in baked["images"]]
            self.assertEqual(references, [f"{host}/team/pytorch:{image['tag']}" for image in baked["images"]])
            again = json.loads(program("build", "--push", f"{host}/team/pytorch", "--json").stdout)
            self.assertEqual([image["pushed"] for image in again["images"]], [[reference] for reference in references])
            for image, reference in zip(baked["images"], references):
                seen = json.loads(kiln.run(["skopeo", "inspect", "--tls-verify=false", f"docker://{reference}"]).stdout)
                self.assertEqual(seen["Digest"], image["digest"])
            key = baked["public_key"]
            program("stamp", "check", references[0], "--pub", key, "--require", image["level_reached"])
            # A variant costs a node that has another only what it has more.
            differs = json.loads(program("diff", references[0], references[1], "--json").stdout)
            self.assertGreater(differs["bytes_shared"], 10_000_000)
            self.assertLess(differs["bytes_to_pull"], differs["gets"]["size"])


class TokenServer:
    """distribution's token protocol: JSON web tokens that docker-registry checks against a certificate."""

    def __init__(self, folder: pathlib.Path, password: str):
        self.key, self.certificate, self.password = folder / "token.key", folder / "token.crt", password
        kiln.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tokens",
                  "-keyout", self.key, "-out", self.certificate])  # fmt: skip
        self.scopes: list[str] = []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                given = self.headers.get("Authorization", "")
                if given != "Basic " + base64.b64encode(owner.password.encode()).decode():
                    self.send_response(401)
                    self.end_headers()
                    return
                scopes = urllib.parse.parse_qs(self.path.partition("?")[2]).get("scope", [])
                owner.scopes += scopes
                body = json.dumps({"token": owner.token(scopes), "expires_in": 60}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.realm = f"http://127.0.0.1:{self.server.server_address[1]}/token"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def token(self, scopes) -> str:
        def encoded(data: bytes) -> str:
            return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

        der = "".join(self.certificate.read_text().split("-----")[2].split())
        access = [dict(zip(("type", "name"), scope.split(":"))) | {"actions": scope.split(":")[2].split(",")} for scope in scopes]
        now = int(time.time())
        claims = {"iss": "kiln", "aud": "registry", "sub": "me", "iat": now, "nbf": now - 5, "exp": now + 60,
                  "jti": os.urandom(8).hex(), "access": access}  # fmt: skip
        head = {"typ": "JWT", "alg": "RS256", "x5c": [der]}
        signed = encoded(json.dumps(head).encode()) + "." + encoded(json.dumps(claims).encode())
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=signed.encode(), capture_output=True, check=True).stdout
        return signed + "." + encoded(signature)


class Trust(Case):
    """Who we are, and who they are."""

    def login(self, host, user, password, name=".docker/config.json"):
        file = self.home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"auths": {host: {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}}}))
        return file

    def test_a_password_file(self):
        users = self.work / "users"
        users.write_text("me:" + crypt.crypt("hunter2", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)) + "\n")
        with docker_registry(self.work, f"auth: {{htpasswd: {{realm: kiln, path: {users}}}}}") as host:
            nobody = self.push(f"{host}/team/image:1.0", check=False)
            self.assertEqual(nobody.returncode, 3)
            self.assertIn(f"docker login {host}", nobody.stderr)
            self.login(host, "me", "wrong-hunter2")
            wrong = self.push(f"{host}/team/image:1.0", check=False)
            self.assertEqual(wrong.returncode, 3)
            self.assertNotIn("hunter2", wrong.stdout + wrong.stderr)
            # As podman and docker store it, by their own programs.
            file = self.home / "auth.json"
            kiln.run(["podman", "login", "--tls-verify=false", "--authfile", file, "-u", "me", "-p", "hunter2", host])
            self.push(f"{host}/team/image:1.0", environment={"REGISTRY_AUTH_FILE": str(file)})
            self.login(host, "me", "hunter2")
            self.says_hello(f"{host}/team/image:1.0")

    def test_a_repository_that_was_pushed_to_gives_its_blobs_to_the_next(self):
        with docker_registry(self.work) as host:
            self.push(f"{host}/team/image:1.0")
            again = self.push(f"{host}/team/twin:1.0")
            self.assertEqual(again["uploaded"]["blobs"], 0)
            self.assertGreater(again["mounted"]["blobs"], 1)
            self.says_hello(f"{host}/team/twin:1.0")

    def test_a_token_server(self):
        server = TokenServer(self.home, "me:hunter2")
        auth = f"auth: {{token: {{realm: '{server.realm}', service: registry, issuer: kiln, rootcertbundle: {server.certificate}}}}}"
        with docker_registry(self.work, auth) as host:
            self.login(host, "me", "hunter2")
            self.push(f"{host}/team/image:1.0")
            self.assertIn("repository:team/image:pull,push", server.scopes)
            self.push(f"{host}/team/other:1.0", "--mount-from", "team/image")
            self.assertIn("repository:team/image:pull", server.scopes)
            self.says_hello(f"{host}/team/other:1.0")
            self.login(host, "me", "wrong-hunter2")
            wrong = self.push(f"{host}/team/image:1.0", check=False)
            self.assertEqual(wrong.returncode, 3)
            self.assertIn("the credentials are refused", wrong.stderr)
            self.assertNotIn("hunter2", wrong.stdout + wrong.stderr)

    def test_a_private_authority(self):
        authority, key = self.home / "ca.crt", self.home / "server.key"
        kiln.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=kiln's authority",
                  "-keyout", self.home / "ca.key", "-out", authority])  # fmt: skip
        (self.home / "names").write_text("subjectAltName=DNS:localhost\n")
        kiln.run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", key, "-out", self.home / "server.csr"])
        kiln.run(["openssl", "x509", "-req", "-in", self.home / "server.csr", "-CA", authority, "-CAkey", self.home / "ca.key",
                  "-CAcreateserial", "-days", "2", "-extfile", self.home / "names", "-out", self.home / "server.crt"])  # fmt: skip
        with docker_registry(self.work, f"  tls: {{certificate: {self.home}/server.crt, key: {key}}}") as address:
            port = address.split(":")[1]
            host = f"localhost:{port}"
            unknown = self.push(f"{host}/team/image:1.0", check=False)
            self.assertEqual(unknown.returncode, 3)
            self.assertIn("SSL_CERT_FILE", unknown.stderr)
            self.assertIn(f"/etc/docker/certs.d/{host}/ca.crt", unknown.stderr)
            self.push(f"{host}/team/image:1.0", environment={"SSL_CERT_FILE": str(authority)})
            # The certificate is not for this name, whoever signed it.
            other = self.push(f"127.0.0.1:{port}/team/image:1.0", check=False, environment={"SSL_CERT_FILE": str(authority)})
            self.assertEqual(other.returncode, 3)
            # Where podman and docker look.
            for folder in (self.home / ".config/containers/certs.d", CERTIFICATES):
                (folder / host).mkdir(parents=True)
                self.addCleanup(kiln.remove, folder / host)
                shutil.copy(authority, folder / host)
                self.says_hello(f"{host}/team/image:1.0")
                kiln.remove(folder / host)

    def test_plain_http_is_for_this_machine_or_by_name(self):
        # This machine by a name that does not say so.
        name = socket.gethostname()
        port = free_port()
        with docker_registry(self.work, address=f"{socket.gethostbyname(name)}:{port}"):
            host = f"{name}:{port}"
            refused = self.push(f"{host}/team/image:1.0", check=False, environment={"no_proxy": name})
            self.assertEqual(refused.returncode, 3, refused.stderr)
            self.push(f"{host}/team/image:1.0", "--plain-http", host, environment={"no_proxy": name})


if __name__ == "__main__":
    unittest.main(verbosity=2)
