"""OpenSSH's own client, for servers that a test has in a network of their own."""
import pathlib

import kiln


def make_key(folder: pathlib.Path, name: str) -> pathlib.Path:
    """A new private key, and its public one in NAME.pub."""
    kiln.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name])
    return folder / name


def command(prefix: list[str], key: pathlib.Path, *arguments, options: tuple[str, ...] = (), user: str = "kiln", program: str = "ssh") -> list[str]:
    """ssh or scp (whose arguments name the host) to port 2222 of the loopback address that `prefix` leads to."""
    defaults = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes",
               "-o", "IdentitiesOnly=yes", "-i", key]  # fmt: skip
    where = ["-P", "2222"] if program == "scp" else ["-p", "2222", f"{user}@127.0.0.1"]
    return [str(word) for word in [*prefix, program, *options, *defaults, *where, *arguments]]
