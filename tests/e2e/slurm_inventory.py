#!/usr/bin/env python3
"""Slurm's own words, read as an inventory: a controller and two nodes of it run here, as this user.

Called by ctest: slurm_inventory.py PRINT_INVENTORY. Debian's Slurm (22.05) has --json in sinfo only; its "nodes" are
those of `scontrol show node --json` in later releases.
"""
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import unittest

WAIT_S = 60

SLURM = """
ClusterName=forge
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
GresTypes=gpu
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdParameters=config_overrides
NodeName=anvil NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2 Gres=gpu:a100:3,gpu:v100:1
NodeName=plain NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2
PartitionName=all Nodes=ALL Default=YES
"""
GRES = """
NodeName=anvil Name=gpu Type=a100 File={folder}/gpu[0-2] Cores=0
NodeName=anvil Name=gpu Type=v100 File={folder}/gpu3
"""


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class SlurmInventory(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        temporary = tempfile.TemporaryDirectory(prefix="tk-slurm-")
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)
        (cls.folder / "state").mkdir()
        for number in range(4):
            (cls.folder / f"gpu{number}").touch()
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        words = {"folder": cls.folder, "ports": free_ports(3), "user": user, "host": socket.gethostname().split(".")[0]}
        (cls.folder / "slurm.conf").write_text(SLURM.format(**words))
        (cls.folder / "gres.conf").write_text(GRES.format(**words))
        cls.environment = {**os.environ, "SLURM_CONF": str(cls.folder / "slurm.conf")}
        for command in (["slurmctld", "-D"], ["slurmd", "-D", "-N", "anvil"], ["slurmd", "-D", "-N", "plain"]):
            log = open(cls.folder / (command[-1] + ".log"), "w")
            cls.addClassCleanup(log.close)
            daemon = subprocess.Popen(command, env=cls.environment, stdout=log, stderr=log)
            cls.addClassCleanup(daemon.wait)
            cls.addClassCleanup(daemon.terminate)
        cls.wait_for_nodes()

    @classmethod
    def wait_for_nodes(cls) -> None:
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            shown = subprocess.run(["scontrol", "show", "node"], env=cls.environment, capture_output=True, text=True)
            if shown.stdout.count("Arch=") == 2:
                return
            time.sleep(0.2)
        logs = "\n".join(path.read_text() for path in cls.folder.glob("*.log"))
        raise AssertionError(f"the nodes did not come up: {shown.stdout}{shown.stderr}\n{logs}")

    def machines(self, name: str, *command: str) -> list[str]:
        said = subprocess.run(command, env=self.environment, capture_output=True, check=True).stdout
        (self.folder / name).write_bytes(said)
        read = subprocess.run([PRINT_INVENTORY, self.folder / name], capture_output=True, text=True)
        self.assertEqual(read.returncode, 0, read.stderr + said.decode())
        return read.stdout.splitlines()

    def check(self, lines: list[str]) -> None:
        machine = os.uname().machine
        self.assertEqual(len(lines), 2, lines)
        self.assertRegex(lines[0], r"^anvil; 3 x a100 \(a person's word\) \[[^;]*\]; "
                                   r"1 x v100 \(a person's word\) \[[^;]*\]; " + machine + r" \[[^;]*\]$")
        self.assertRegex(lines[1], r"^plain; no GPU \[[^;]*\]; " + machine + r" \[[^;]*\]$")

    def test_the_text_of_scontrol_names_gpus_by_type(self) -> None:
        self.check(self.machines("nodes.txt", "scontrol", "show", "node"))

    def test_one_line_a_node_is_the_same(self) -> None:
        self.check(self.machines("oneliner.txt", "scontrol", "--oneliner", "show", "node"))

    def test_json_is_the_same(self) -> None:
        self.check(self.machines("nodes.json", "sinfo", "--json"))


if __name__ == "__main__":
    PRINT_INVENTORY = sys.argv.pop(1)
    unittest.main(verbosity=2)
