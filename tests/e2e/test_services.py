#!/usr/bin/env python3
"""sshd and JupyterLab in an image with real PyTorch and its verifier: a session and a kernel train, `verify` knows a service
that is open, and what an editor does over ssh works."""
import json
import pathlib
import re
import subprocess
import time
import unittest

import browser
import jupyter_page
import kiln
import ssh_client

TOKEN = "a-token-that-nobody-guesses"
CACHE = kiln.CACHE / "torchkiln"

TRAIN = """import os, torch, matplotlib.pyplot as plt
torch.manual_seed(1)
x = torch.linspace(-1, 1, 64).unsqueeze(1); y = (3 * x).sin()
net = torch.nn.Sequential(torch.nn.Linear(1, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))
optimizer, losses = torch.optim.Adam(net.parameters(), 0.02), []
for _ in range(300):
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(net(x), y)
    loss.backward(); optimizer.step(); losses.append(loss.item())
print('loss', losses[0], 'to', losses[-1], 'CUDA_TEST', os.environ['CUDA_TEST'], 'token', os.environ.get('JUPYTER_TOKEN', 'gone'))
plt.semilogy(losses); plt.title('loss'); plt.show()
"""

# What an editor's server does: listens on a port of the container, and is reached by the client's SOCKS proxy.
SERVER = """exec python -u -c '
import socket, torch
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1])
    connection, _ = server.accept()
    with connection:
        connection.sendall(f"{torch.__version__} {float(torch.ones(8).sum())}".encode())
'
"""
THROUGH_SOCKS = """
import socket, struct, sys
connection = socket.create_connection(("127.0.0.1", 11080))
connection.sendall(b"\\5\\1\\0"); assert connection.recv(2) == b"\\5\\0"
connection.sendall(b"\\5\\1\\0\\1" + socket.inet_aton("127.0.0.1") + struct.pack(">H", int(sys.argv[1])))
assert connection.recv(10)[:2] == b"\\5\\0"
print(connection.makefile().read())
"""

# What somebody may do to an image, and the test that sees it.
OPENED = {
    "boot.sshd": ("etc/ssh/kiln_sshd_config", lambda text: text.replace("PasswordAuthentication no", "PasswordAuthentication yes"),
                  "passwordauthentication is yes, not no"),
    "boot.jupyter": ("etc/jupyter/jupyter_server_config.py", lambda text: text.replace("allow_unauthenticated_access = False", "allow_unauthenticated_access = True"),
                     "ServerApp.allow_unauthenticated_access is true, not false"),
    "static.secrets": ("etc/ssh/ssh_host_ed25519_key", lambda _: "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", ""),
}  # fmt: skip


class Service:
    """`torchkiln run` of a service, in a network of its own; programs of this machine can be run there."""

    def __init__(self, image: str, *command: str):
        self.log = kiln.WORK / f"{command[-1]}.log"
        with open(self.log, "w") as log:
            self._run = subprocess.Popen([kiln.TORCHKILN, "run", image, "--cache", CACHE, "--", *command], stdout=log, stderr=log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._run.terminate()
        self._run.wait(30)

    @property
    def prefix(self) -> list[str]:
        """What leads into its network: that of its init."""
        parents = {}
        for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                pid, name, _, parent = re.match(r"(\d+) \((.*)\) (\S) (\d+)", status.read_text()).groups()
            except OSError:  # it has ended
                continue
            parents[int(pid)] = (name, int(parent))
        for pid, (name, parent) in parents.items():
            while name == "tini" and parent in parents:
                if parent == self._run.pid:
                    return ["nsenter", f"--net=/proc/{pid}/ns/net"]
                parent = parents[parent][1]
        raise AssertionError(f"not running:\n{self.log.read_text()}")

    def wait_for(self, port: int, timeout_s: float = 90) -> list[str]:
        """Until somebody listens there; gives the prefix."""
        deadline = time.monotonic() + timeout_s
        look = f"import socket; socket.create_connection(('127.0.0.1', {port})).close()"
        while True:
            assert self._run.poll() is None and time.monotonic() < deadline, self.log.read_text()
            try:
                prefix = self.prefix
                if kiln.run([*prefix, "python3", "-c", look], check=False).returncode == 0:
                    return prefix
            except AssertionError:
                pass
            time.sleep(0.3)


class Services(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.project = kiln.folder("project")
        (cls.project / "kiln.toml").write_text(re.sub("variants = .*", 'variants = ["jupyter+ssh"]', kiln.QUICKSTART.read_text()))
        cls.baked = kiln.bake(cls.project, CACHE, "--level", "boot")["images"][0]
        cls.image = f"oci:{cls.project}/kiln.oci:{cls.baked['tag']}"
        cls.key = ssh_client.make_key(cls.project, "key")

    @classmethod
    def tearDownClass(cls):
        kiln.remove(kiln.WORK)

    def verify(self, image: str) -> dict[str, dict]:
        """The report's tests, by their ids."""
        report = self.project / "report.json"
        done = kiln.torchkiln("verify", image, "--level", "boot", "--report", report, "--cache", CACHE, check=False)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return {test["id"]: test for test in json.loads(report.read_text())["tests"]}

    def test_verify_finds_services_closed_and_each_that_is_opened_by_name(self):
        self.assertEqual(self.baked["level_reached"], "boot")
        tests = self.verify(self.image)
        self.assertEqual({test["verdict"] for test in tests.values()}, {"pass"})
        self.assertLessEqual({"boot.sshd", "boot.jupyter"}, set(tests))
        layout = f"{self.project}/kiln.oci"
        source = self.image
        for path, change, _ in OPENED.values():
            # Nothing of a host key, which is not there; a file that should be and is not would not change below.
            was = kiln.torchkiln("run", self.image, "--cache", CACHE, "--", "sh", "-c", f"cat /{path} 2>/dev/null || true").stdout
            (self.project / "changed").write_text(change(was))
            self.assertNotEqual(change(was), was)
            kiln.run(["umoci", "insert", "--image", source.removeprefix("oci:"), "--tag", "opened", self.project / "changed", f"/{path}"])
            source = f"oci:{layout}:opened"
        tests = self.verify(source)
        for test, (_, _, words) in OPENED.items():
            self.assertEqual(tests[test]["verdict"], "fail", test)
            self.assertIn(words, tests[test]["reason"])

    def test_ssh_sessions_and_an_editors_server_have_torch(self):
        keys = f"KILN_AUTHORIZED_KEYS={self.key.with_suffix('.pub').read_text().strip()}"
        with Service(self.image, "env", keys, "kiln-sshd") as service:
            prefix = service.wait_for(2222)
            say = "python -c 'import torch; print(torch.__version__, torch.ones(3).sum())'"
            done = kiln.run(ssh_client.command(prefix, self.key, say))
            self.assertEqual(done.stdout, "2.8.0+cu128 tensor(3.)\n")
            with subprocess.Popen(ssh_client.command(prefix, self.key, "bash", options=("-T", "-D", "11080")), stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as editor:  # fmt: skip
                editor.stdin.write(SERVER)
                editor.stdin.close()
                port = editor.stdout.readline().strip()
                self.assertTrue(port.isdigit(), port)
                self.assertEqual(kiln.run([*prefix, "python3", "-c", THROUGH_SOCKS, port]).stdout, "2.8.0+cu128 8.0\n")

    def test_jupyter_trains_and_plots_in_a_browser_for_who_has_the_token(self):
        with Service(self.image, "env", f"JUPYTER_TOKEN={TOKEN}", "CUDA_TEST=seen", "jupyter-lab") as service:
            prefix = service.wait_for(8888)
            with browser.Browser(prefix=prefix, profile=kiln.folder("chromium")) as page:
                page.open(f"{jupyter_page.ADDRESS}/lab")
                self.assertIn("/login", page.evaluate("location.pathname"))
                jupyter_page.log_in(page, "a-wrong-token")
                page.wait("document.body.innerText.includes('Invalid credentials')")
                jupyter_page.log_in(page, TOKEN)
                page.wait("location.pathname == '/lab'")
                self.assertEqual(jupyter_page.put_notebook(page, "train.ipynb", TRAIN), (403, 201))
                output, curve = jupyter_page.run_notebook(page, "train.ipynb", 180)
                picture = kiln.WORK.parent / "jupyter.png"
                page.screenshot(picture)
            print(f"measured: {output.strip()}; see {picture}")
            first, last = (float(word) for word in output.split()[1:4:2])
            self.assertLess(last, first / 10)
            self.assertIn("CUDA_TEST seen", output)
            self.assertIn("token gone", output)
            # The picture: a curve over most of the width that comes down over most of the height.
            self.assertGreater(len(curve), 200)
            self.assertLess(curve[5], 0.3)
            self.assertGreater(curve[-5], 0.6)
            self.assertNotIn(TOKEN, service.log.read_text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
