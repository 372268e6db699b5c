#!/usr/bin/env python3
"""Every variant of a small family, run as people run them: sshd with a real ssh client, JupyterLab in a real browser,
containers with a read-only root, an unknown user and no network. torch is a stand-in; test_services.py and test_devel.py
have the real one."""
import json
import os
import pathlib
import subprocess
import tarfile
import time
import unittest

import browser
import jupyter_page
import kiln
import small_index
import ssh_client

CPU_ONLY = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"]
TOKEN = "a-token-that-nobody-guesses"


class Podman:
    """podman with a store of its own, and containers that end with the test."""

    def __init__(self):
        self.store = kiln.folder("podman")
        self.runtime = kiln.run_folder("podman")
        self.options = ["--storage-driver", "overlay"]

    def __call__(self, *arguments, **options):
        return self.run(["podman", "--root", self.store / "store", "--runroot", self.runtime, *self.options,
                         "--cgroup-manager", "cgroupfs", "--runtime", "runc", *arguments], **options)  # fmt: skip

    def run(self, arguments, **options):
        return kiln.run(arguments, **options)

    def pull(self, image: str) -> str:
        return self("pull", "--quiet", image).stdout.split()[-1]

    def end(self):
        self("rm", "--all", "--force", "--time", "0", check=False)
        self("rmi", "--all", "--force", check=False)
        kiln.remove(self.store)
        kiln.remove(self.runtime)


class RootlessPodman(Podman):
    """The same as an ordinary user."""

    def __init__(self):
        self.store = kiln.folder("rootless", owner=kiln.ordinary_user().pw_name)
        self.runtime = kiln.run_folder("rootless")
        self.runtime.chmod(0o700)
        os.chown(self.runtime, kiln.ordinary_user().pw_uid, kiln.ordinary_user().pw_gid)
        self.options = ["--storage-driver", "overlay"]  # the kernel's own, for ordinary users since Linux 5.13

    def run(self, arguments, **options):
        return kiln.as_ordinary_user(arguments, home=self.store, environment={"XDG_RUNTIME_DIR": str(self.runtime)},
                                     cwd="/", **options)  # fmt: skip


class Container:
    """A running container without a network but its own loopback; programs of this machine can be run there."""

    def __init__(self, podman: Podman, image: str, *options: str, command: tuple[str, ...] = ()):
        self.podman = podman
        self.id = podman("run", "--detach", "--network", "none", *CPU_ONLY, *options, image, *command).stdout.strip()
        self.pid = podman("inspect", "--format", "{{.State.Pid}}", self.id).stdout.strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.podman("rm", "--force", "--time", "0", self.id, check=False)

    @property
    def inside_network(self) -> list[str]:
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net"]

    def logs(self) -> str:
        done = self.podman("logs", self.id)
        return done.stdout + done.stderr

    def execute(self, *command: str, check: bool = True):
        return self.podman("exec", self.id, *command, check=check)

    def wait_well(self, *services: str, timeout_s: float = 60) -> None:
        deadline = time.monotonic() + timeout_s
        while self.execute("kiln-health", *services, check=False).returncode != 0:
            assert time.monotonic() < deadline, f"not well in {timeout_s} s:\n{self.logs()}"
            time.sleep(0.3)

    def stop(self) -> tuple[float, int]:
        """Seconds that SIGTERM took, and the exit status; a container that does not heed it is killed after 20 s."""
        start = time.monotonic()
        self.podman("stop", "--time", "20", self.id)
        seconds = time.monotonic() - start
        return seconds, int(self.podman("inspect", "--format", "{{.State.ExitCode}}", self.id).stdout)


class Variants(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.project = kiln.folder("project")
        (cls.project / "kiln.toml").write_text(small_index.SPEC)
        start = time.monotonic()
        with small_index.Index(kiln.folder("index")) as index:
            done = kiln.torchkiln("bake", "--json", "--progress", "plain", "--cache", kiln.CACHE / "torchkiln",
                                  cwd=cls.project, env=index.environment)  # fmt: skip
        print(done.stderr, f"measured: five variants: {time.monotonic() - start:.1f} s", flush=True)
        cls.images = {image["tag"].split("py311-")[1]: image for image in json.loads(done.stdout)["images"]}
        cls.podman = Podman()
        cls.addClassCleanup(cls.podman.end)
        cls.loaded = {}
        cls.keys = kiln.folder("keys")
        for name in ("right", "wrong", "host"):
            ssh_client.make_key(cls.keys, name)
        (cls.keys / "host").rename(cls.keys / "ssh_host_ed25519_key")
        (cls.keys / "host.pub").rename(cls.keys / "ssh_host_ed25519_key.pub")

    @property
    def public_key(self) -> str:
        return (self.keys / "right.pub").read_text().strip()

    def start(self, variant: str, *options: str, command: tuple[str, ...] = ()) -> Container:
        if variant not in self.loaded:
            self.loaded[variant] = self.podman.pull(f"oci:{self.project}/kiln.oci:{self.images[variant]['tag']}")
        return Container(self.podman, self.loaded[variant], *options, command=command)

    def ssh(self, container: Container, *arguments, key: str = "right", check: bool = True, **options):
        return kiln.run(ssh_client.command(container.inside_network, self.keys / key, *arguments, **options), check=check)

    def layers(self, variant: str) -> list[str]:
        reference = f"oci:{self.project}/kiln.oci:{self.images[variant]['tag']}"
        return json.loads(kiln.run(["skopeo", "inspect", reference]).stdout)["Layers"]

    def blob(self, digest: str) -> pathlib.Path:
        return self.project / "kiln.oci/blobs/sha256" / digest.removeprefix("sha256:")

    # The family

    def test_family_shares_every_layer_below_its_parts(self):
        runtime = self.layers("runtime")[:-1]  # the last one is the configuration
        for variant in ("devel", "jupyter", "ssh", "devel-jupyter-ssh"):
            self.assertEqual(self.layers(variant)[: len(runtime)], runtime, variant)
        devel = self.layers("devel")[:-1]
        self.assertEqual(self.layers("devel-jupyter-ssh")[: len(devel)], devel)

    def test_family_no_layer_holds_a_host_key_a_token_or_a_device(self):
        for variant in self.images:
            for digest in self.layers(variant):
                with tarfile.open(self.blob(digest)) as layer:
                    for entry in layer:
                        self.assertNotIn("ssh_host_", entry.name)
                        self.assertFalse(entry.isdev(), entry.name)
        history = json.dumps([json.loads(self.blob(d).read_text()) for d in self.configurations()])
        for word in ("TOKEN=", "PASSWORD", "AUTHORIZED_KEYS"):
            self.assertNotIn(word, history)

    def configurations(self) -> list[str]:
        manifests = [json.loads(self.blob(image["digest"]).read_text()) for image in self.images.values()]
        return [manifest["config"]["digest"] for manifest in manifests]

    def test_family_says_ports_health_and_signal(self):
        ports, health = {}, {}
        for tag, digest in zip(self.images, self.configurations()):
            config = json.loads(self.blob(digest).read_text())["config"]
            ports[tag], health[tag] = sorted(config.get("ExposedPorts", {})), config["Healthcheck"]["Test"]
            self.assertEqual(config["StopSignal"], "SIGTERM")
            self.assertEqual(config["User"], "1000:1000")
            self.assertNotIn("Volumes", config)
        self.assertEqual(ports["devel-jupyter-ssh"], ["2222/tcp", "8888/tcp"])
        self.assertEqual(ports["runtime"], [])
        self.assertEqual(health["jupyter"], ["CMD", "kiln-health", "jupyter"])

    # runtime and devel

    def test_runtime_has_nothing_to_compile_with_and_devel_has(self):
        tools = ["gcc", "g++", "cc", "as", "ld", "make", "cmake", "ninja", "git", "gdb", "pkg-config", "nvcc"]
        look = f"for p in {' '.join(tools)}; do command -v $p >/dev/null && echo $p; done; true"
        with self.start("runtime", command=("sleep", "60")) as runtime:
            self.assertEqual(runtime.execute("sh", "-c", look).stdout, "")
            left = "find / -xdev '(' -path '/var/lib/apt/lists/*' -o -path '/var/cache/apt/*' -o -path '*/.cache/*' -o -name Python.h ')' -type f -size +0 2>/dev/null; true"
            self.assertEqual(runtime.execute("sh", "-c", left).stdout, "")
        with self.start("devel", command=("sleep", "60")) as devel:
            self.assertEqual(devel.execute("sh", "-c", look).stdout.split(), tools)
            # The toolkit of NVIDIA's archives.
            cuda = "nvcc --version; echo $CUDA_HOME; cat $LD_LIBRARY_PATH/libcudart.so; ls $CUDA_HOME/include $CUDA_HOME/LICENSE*; echo $CPATH"
            said = devel.execute("sh", "-c", cuda).stdout
            for words in ("release 12.8", "/usr/local/cuda\na library", "cuda_runtime.h", "LICENSE.cuda_nvcc", "site-packages/nvidia/cublas/include:"):
                self.assertIn(words, said)
            program = "#include <Python.h>\nint main(){Py_Initialize();return PyRun_SimpleString(\"import sys\");}"
            build = f"cd /tmp && printf '%s' '{program}' >x.cpp && g++ x.cpp $(python3-config --cflags --embed --ldflags) -o x && ./x"
            devel.execute("sh", "-c", build)
        for options in (("--read-only", "--tmpfs", "/tmp:exec"), ("--user", "12345:0", "--cap-drop", "ALL")):
            self.podman("run", "--rm", "--network", "none", *CPU_ONLY, *options, self.load("devel"), "sh", "-c", f"nvcc --version && {build}")

    def test_a_container_runs_read_only_as_an_unknown_user_without_a_network(self):
        say = "import getpass, os, tempfile, torch; print(getpass.getuser(), os.environ['HOME'], os.getuid()); open(os.path.expanduser('~/x'), 'w')"
        for options, expected in (
            ((), "kiln /home/kiln 1000"),
            (("--read-only", "--tmpfs", "/tmp"), "kiln /tmp/kiln-1000 1000"),
            (("--user", "12345:0"), "kiln /tmp/kiln-12345 12345"),
            (("--user", "12345:0", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"), "kiln /tmp/kiln-12345 12345"),
        ):
            with self.subTest(options=options):
                done = self.podman("run", "--rm", "--network", "none", *CPU_ONLY, *options, self.load("runtime"), "python", "-c", say)
                self.assertEqual(done.stdout.strip(), expected)

    def test_rootless_an_ordinary_users_podman_runs_every_variant(self):
        podman = RootlessPodman()
        self.addCleanup(podman.end)
        layout = podman.store / "image"  # what an ordinary user may read: a copy
        for variant, image in self.images.items():
            kiln.run(["skopeo", "copy", f"oci:{self.project}/kiln.oci:{image['tag']}", f"oci:{layout}:{variant}"])
            with self.subTest(variant), Container(
                podman, podman.pull(f"oci:{layout}:{variant}"), "--env", f"KILN_AUTHORIZED_KEYS={self.public_key}", "--read-only", "--tmpfs", "/tmp",
                command=("sleep", "600") if variant in ("runtime", "devel") else ()) as container:  # fmt: skip
                container.wait_well(*[service for service in ("jupyter", "ssh") if service in variant])
                self.assertEqual(container.execute("sh", "-c", "id -u && python -c 'import torch; print(torch.__version__)'").stdout.split(), ["1000", "2.8.0+cu128"])
                if "ssh" in variant:
                    self.assertEqual(self.ssh(container, "id -u; touch ~/x && echo written").stdout.split(), ["1000", "written"])
                self.assertLess(container.stop()[0], 10)

    def test_health_is_seen_by_docker(self):
        with kiln.dockerd() as environment:
            name = "kiln:devel-jupyter-ssh"
            kiln.run(["skopeo", "copy", "--dest-daemon-host", environment["DOCKER_HOST"],
                      f"oci:{self.project}/kiln.oci:{self.images['devel-jupyter-ssh']['tag']}", f"docker-daemon:{name}"])  # fmt: skip
            docker = "/usr/bin/docker"
            started = kiln.run([docker, "run", "--detach", "--network", "none", "--read-only", "--tmpfs", "/tmp", "--user", "12345:0",
                                "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--health-interval", "1s",
                                "--env", f"KILN_AUTHORIZED_KEYS={self.public_key}", name], env=environment).stdout.strip()  # fmt: skip

            def becomes(state: str) -> None:
                deadline = time.monotonic() + 60
                while (now := kiln.run([docker, "inspect", "--format", "{{.State.Health.Status}}", started], env=environment).stdout.strip()) != state:
                    assert time.monotonic() < deadline, f"{now}, not {state}"
                    time.sleep(0.5)

            becomes("healthy")
            # Both services are asked: with one of them stopped in its tracks the container is not well.
            for service in ("sshd", "jupyter-lab"):
                for signal, state in (("STOP", "unhealthy"), ("CONT", "healthy")):
                    kill = f"for p in /proc/[0-9]*; do grep -q ^{service} $p/comm && kill -{signal} ${{p#/proc/}}; done; true"
                    kiln.run([docker, "exec", started, "sh", "-c", kill], env=environment)
                    becomes(state)
            start = time.monotonic()
            kiln.run([docker, "stop", "--time", "20", started], env=environment)
            self.assertLess(time.monotonic() - start, 10)

    def load(self, variant: str) -> str:
        with self.start(variant, command=("true",)):
            return self.loaded[variant]

    def test_work_can_be_written_by_the_user_and_by_unknown_ones_of_the_root_group(self):
        places = ["/workspace", "/data", "/checkpoints"]
        for user in ("1000:1000", "12345:0"):
            volumes = [word for place in places for word in ("--volume", f"{place[1:]}-{user[:2]}:{place}")]
            look = f"touch {' '.join(f'{place}/x' for place in places)} && pwd && stat -c '%u:%g %a' {' '.join(places)}"
            done = self.podman("run", "--rm", "--network", "none", *CPU_ONLY, "--user", user, *volumes, self.load("runtime"), "sh", "-c", look)
            self.assertEqual(done.stdout.splitlines(), ["/workspace", *["1000:0 775"] * 3])

    def test_every_variant_ends_within_ten_seconds_of_sigterm(self):
        key = ("--env", f"KILN_AUTHORIZED_KEYS={self.public_key}")
        for variant, options, command in (("runtime", (), ("python", "-c", "import time; time.sleep(600)")), ("devel", (), ("sleep", "600")),
                                          ("jupyter", (), ()), ("ssh", key, ()), ("devel-jupyter-ssh", key, ())):  # fmt: skip
            with self.subTest(variant=variant), self.start(variant, *options, command=command) as container:
                container.wait_well(*[service for service in ("jupyter", "ssh") if service in variant])
                seconds, status = container.stop()
                print(f"measured: {variant} ends {seconds:.1f} s after SIGTERM, status {status}")
                self.assertLess(seconds, 10)
                self.assertNotEqual(status, 137)

    # ssh

    def test_ssh_lets_in_the_right_key_and_nothing_else(self):
        with self.start("ssh", "--env", f"KILN_AUTHORIZED_KEYS={self.public_key}", "--env", "NVIDIA_TEST=a b") as container:
            container.wait_well("ssh")
            done = self.ssh(container, "python -c 'import os, torch; print(torch.__version__, os.environ[\"NVIDIA_TEST\"], os.environ[\"VIRTUAL_ENV\"])'; id -un; pwd; umask")
            self.assertEqual(done.stdout.split("\n"), ["2.8.0+cu128 a b /opt/kiln", "kiln", "/home/kiln", "0022", ""])
            login = self.ssh(container, "bash -lc 'command -v python'", options=("-tt",))
            self.assertEqual(login.stdout.strip(), "/opt/kiln/bin/python")
            for key, user, options in (("wrong", "kiln", ()), ("right", "root", ()), ("right", "kiln", ("-o", "PreferredAuthentications=password,keyboard-interactive"))):
                refused = self.ssh(container, "true", key=key, user=user, options=options, check=False)
                self.assertEqual(refused.returncode, 255)
                self.assertIn("Permission denied (publickey)", refused.stderr)
            self.assertIn("kiln-sshd: host key 256 SHA256:", container.logs())

    def test_ssh_the_running_sshds_settings_are_the_hardened_ones(self):
        # The host key is in the user's home, so that a volume keeps it.
        wanted = """port 2222; permitrootlogin no; passwordauthentication no; kbdinteractiveauthentication no; permitemptypasswords no;
            authenticationmethods publickey; usepam no; hostkey /home/kiln/.local/share/kiln/ssh/ssh_host_ed25519_key; x11forwarding no;
            allowagentforwarding no; allowtcpforwarding local; permittunnel no; permituserenvironment no; maxauthtries 3; logingracetime 20;
            maxstartups 10:30:60; clientaliveinterval 60; allowusers kiln; strictmodes yes; loglevel VERBOSE; pidfile none"""
        with self.start("ssh", "--env", f"KILN_AUTHORIZED_KEYS={self.public_key}") as container:
            container.wait_well("ssh")
            state = "/home/kiln/.local/share/kiln/ssh"
            told = container.execute("sh", "-c", f"/usr/sbin/sshd -T -f {state}/sshd_config; stat -c 'mode %a %n' {state}/*").stdout.splitlines()
            for setting in wanted.split(";"):
                self.assertIn(setting.strip(), told)
            for name in ("authorized_keys", "ssh_host_ed25519_key"):
                self.assertIn(f"mode 600 {state}/{name}", told)

    def test_ssh_a_session_of_devel_has_the_toolkit(self):
        with self.start("devel-jupyter-ssh", "--env", f"KILN_AUTHORIZED_KEYS={self.public_key}", "--env", f"JUPYTER_TOKEN={TOKEN}",
                        "--env", "CUDA_VISIBLE_DEVICES=0,1") as container:  # fmt: skip
            container.wait_well("ssh")
            said = self.ssh(container, "echo $CUDA_HOME $CUDA_VISIBLE_DEVICES $NVIDIA_VISIBLE_DEVICES; nvcc --version").stdout
            self.assertEqual(said, "/usr/local/cuda 0,1 all\nCuda compilation tools, release 12.8, V12.8.93\n")

    def test_ssh_a_volume_keeps_the_host_key_that_was_made(self):
        keys = []
        for _ in range(2):
            with self.start("ssh", "--env", f"KILN_AUTHORIZED_KEYS={self.public_key}", "--volume", "ssh-state:/home/kiln/.local") as container:
                container.wait_well("ssh")
                keys.append(kiln.run([*container.inside_network, "ssh-keyscan", "-p", "2222", "-t", "ed25519", "127.0.0.1"]).stdout.split()[-1])
        self.assertEqual(keys[0], keys[1])

    def test_ssh_copies_files_and_forwards_jupyters_port(self):
        with self.start("devel-jupyter-ssh", "--env", f"KILN_AUTHORIZED_KEYS={self.public_key}", "--env", f"JUPYTER_TOKEN={TOKEN}") as container:
            container.wait_well("jupyter", "ssh")
            sent, back = kiln.WORK / "sent", kiln.WORK / "back"
            sent.write_bytes(os.urandom(100_000))
            self.ssh(container, sent, "kiln@127.0.0.1:/workspace/file", program="scp")
            self.ssh(container, "kiln@127.0.0.1:/workspace/file", back, program="scp")
            self.assertEqual(back.read_bytes(), sent.read_bytes())
            ask = f"import time, urllib.request; time.sleep(2); print(urllib.request.urlopen('http://127.0.0.1:18888/api/status?token={TOKEN}').status)"
            forward = subprocess.Popen(ssh_client.command(container.inside_network, self.keys / "right", options=("-N", "-L", "18888:127.0.0.1:8888")))
            try:
                answer = kiln.run([*container.inside_network, "python3", "-c", ask], env={"PATH": os.environ["PATH"]})
            finally:
                forward.terminate()
                forward.wait()
            self.assertEqual(answer.stdout.strip(), "200")

    def test_ssh_serves_whoever_the_container_runs_as(self):
        for options in (("--read-only", "--tmpfs", "/tmp"), ("--user", "12345:0"), ("--user", "12345:0", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL")):
            with self.subTest(options=options), self.start("ssh", "--env", f"KILN_AUTHORIZED_KEYS={self.public_key}", *options) as container:
                container.wait_well("ssh")
                uid = "12345" if "12345:0" in options else "1000"
                told = self.ssh(container, "id -u; echo $HOME; touch ~/x && echo written").stdout.split()
                self.assertEqual(told, [uid, f"/tmp/kiln-{uid}", "written"])

    def test_ssh_keeps_the_host_key_that_is_mounted_and_makes_another_in_every_container(self):
        host = (self.keys / "ssh_host_ed25519_key.pub").read_text().split()[1]
        seen = set()
        for options in (("--volume", f"{self.keys}:/run/keys:ro", "--env", "KILN_SSH_DIR=/run/keys", "--user", "0:0"), (), ()):
            if "--user" in options:
                # What is mounted belongs to this machine's root; the container's user reads a copy of its own.
                own = kiln.folder("host-key")
                for name in ("ssh_host_ed25519_key", "ssh_host_ed25519_key.pub"):
                    (own / name).write_bytes((self.keys / name).read_bytes())
                    (own / name).chmod(0o600)
                    os.chown(own / name, 1000, 1000)
                os.chown(own, 1000, 1000)
                options = ("--volume", f"{own}:/run/keys:ro", "--env", "KILN_SSH_DIR=/run/keys")
            with self.start("ssh", "--env", f"KILN_AUTHORIZED_KEYS={self.public_key}", *options) as container:
                container.wait_well("ssh")
                scanned = kiln.run([*container.inside_network, "ssh-keyscan", "-p", "2222", "-t", "ed25519", "127.0.0.1"]).stdout.split()[-1]
                seen.add(scanned)
                self.assertEqual(scanned == host, bool(options))
        self.assertEqual(len(seen), 3)

    def test_ssh_does_not_start_where_nobody_could_enter_or_root_would(self):
        for options, words in ((("--env", "KILN_AUTHORIZED_KEYS=nonsense"), "nobody could enter"), ((), "nobody could enter"), (("--env", "KILN_AUTHORIZED_KEYS_FILE=/none"), "there is no /none"), (("--user", "0:0", "--env", f"KILN_AUTHORIZED_KEYS={self.public_key}"), "not as root")):
            done = self.podman("run", "--rm", "--network", "none", *CPU_ONLY, *options, self.load("ssh"), check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(words, done.stderr)

    # Jupyter

    def api(self, container: Container, address: str) -> int:
        ask = f"import urllib.request, urllib.error\ntry: print(urllib.request.urlopen('http://127.0.0.1:8888{address}').status)\nexcept urllib.error.HTTPError as e: print(e.code)"
        return int(kiln.run([*container.inside_network, "python3", "-c", ask], env={"PATH": os.environ["PATH"]}).stdout)

    def test_jupyter_takes_its_secret_from_a_file_and_makes_one_up_where_there_is_none(self):
        secret = kiln.folder("secret") / "token"
        secret.write_text(TOKEN + "\n")
        secret.chmod(0o644)
        with self.start("jupyter", "--volume", f"{secret}:/run/secrets/token:ro", "--env", "JUPYTER_TOKEN_FILE=/run/secrets/token") as container:
            container.wait_well("jupyter")
            self.assertEqual([self.api(container, "/api/status" + q) for q in ("", "?token=wrong", f"?token={TOKEN}")], [403, 403, 200])
            self.assertNotIn(TOKEN, container.logs())
        with self.start("jupyter", "--user", "12345:0", "--read-only", "--tmpfs", "/tmp") as container:
            container.wait_well("jupyter")
            made_up = container.execute("sh", "-c", "stat -c %a /tmp/kiln-12345/.local/share/kiln/jupyter-token; cat /tmp/kiln-12345/.local/share/kiln/jupyter-token")
            mode, token = made_up.stdout.split()
            self.assertEqual((mode, len(token)), ("600", 48))
            self.assertEqual([self.api(container, "/api/status" + q) for q in ("", f"?token={token}")], [403, 200])
            self.assertNotIn(token, container.logs())
            self.assertIn(token[:4] + "…", container.logs())

    def test_jupyters_settings_are_the_hardened_ones_whatever_the_environment_says(self):
        # As the server itself has them once its configuration is read.
        ask = """import json, sys
from jupyter_server.serverapp import ServerApp
app = ServerApp(); app.initialize(["--ServerApp.port=9999"], find_extensions=False)
provider = app.identity_provider
print(json.dumps({name: getattr(app, name) for name in ("allow_origin", "allow_origin_pat", "allow_root", "allow_unauthenticated_access",
    "disable_check_xsrf", "open_browser", "ip")} | {"token": len(provider.token), "change": provider.allow_password_change}))"""
        options = ("--env", "JUPYTER_SERVER_ALLOW_UNAUTHENTICATED_ACCESS=True")
        done = self.podman("run", "--rm", "--network", "none", *CPU_ONLY, *options, self.load("jupyter"), "python", "-c", ask)
        self.assertEqual(json.loads(done.stdout.splitlines()[-1]), {
            "allow_origin": "", "allow_origin_pat": "", "allow_root": False, "allow_unauthenticated_access": False,
            "disable_check_xsrf": False, "open_browser": False, "ip": "0.0.0.0", "token": 48, "change": False})  # fmt: skip

    def test_jupyter_takes_an_argon2_password_and_then_no_token(self):
        make = "from jupyter_server.auth import passwd; print(passwd('correct horse'))"
        hashed = self.podman("run", "--rm", "--network", "none", *CPU_ONLY, self.load("jupyter"), "python", "-c", make).stdout.strip()
        file = kiln.folder("password") / "hash"
        file.write_text(hashed + "\n")
        with self.start("jupyter", "--volume", f"{file}:/run/secrets/hash:ro", "--env", "JUPYTER_PASSWORD_HASH_FILE=/run/secrets/hash") as container:
            container.wait_well("jupyter")
            self.assertEqual([self.api(container, "/api/status" + q) for q in ("", "?token=")], [403, 403])
            self.assertNotIn(hashed, container.logs())
        with self.start("jupyter", "--env", f"JUPYTER_PASSWORD_HASH={hashed}") as container:
            container.wait_well("jupyter")
            self.assertEqual(self.api(container, "/api/status?token="), 403)
            with browser.Browser(prefix=container.inside_network, profile=kiln.folder("chromium")) as page:
                page.open(f"{jupyter_page.ADDRESS}/lab")
                jupyter_page.log_in(page, "wrong battery")
                page.wait("document.body.innerText.includes('Invalid credentials')")
                jupyter_page.log_in(page, "correct horse")
                page.wait("location.pathname == '/lab'")
            self.assertNotIn(hashed, container.logs())

    def test_jupyter_refuses_an_empty_or_unreadable_secret_and_root(self):
        for options, words in (
            (("--env", "JUPYTER_TOKEN="), "JUPYTER_TOKEN is empty; everybody could enter"),
            (("--env", "JUPYTER_TOKEN_FILE=/dev/null"), "JUPYTER_TOKEN_FILE is empty; everybody could enter"),
            (("--env", "JUPYTER_TOKEN_FILE=/none"), "No such file"),
            (("--env", "JUPYTER_PASSWORD_HASH=sha1:abc"), "is no argon2 hash"),
            (("--user", "0:0"), "Running as root is not recommended"),
        ):
            done = self.podman("run", "--rm", "--network", "none", *CPU_ONLY, *options, self.load("jupyter"), check=False, timeout=60)
            self.assertEqual(done.returncode, 1, options)
            self.assertIn(words, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
