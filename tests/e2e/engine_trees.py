"""Trees of files that engines made, and how they compare."""
import hashlib
import re
import subprocess
import tarfile

# What an engine leaves that the direct way does not: interpreters write bytecode while pip runs, package managers logs.
# The rest is what `docker create` puts into a container.
TRACES = re.compile(r"(^|/)__pycache__(/|$)|\.pyc$|^var/log/|^var/cache/ldconfig/|\.dist-info/REQUESTED$|"
                    r"^\.$|^\.dockerenv$|^(dev|proc|sys)(/|$)|^etc/(hostname|hosts|resolv\.conf|mtab)$")
# pip's own words: who installed a package, and its list of files, which names that and its scripts.
PIP = re.compile(r"\.dist-info/(INSTALLER|RECORD)$")
# A launcher's text differs between installers, and between pip's own versions: what it starts is the same.
LAUNCHER = re.compile(rb"^(#!.*|from .* import .*|    sys\.exit\(.*)$", re.M)


def content_of(path: str, file) -> str:
    data = file.read()
    if path.startswith("opt/kiln/bin/") and data.startswith(b"#!/opt/kiln/bin/python"):
        data = b"\n".join(LAUNCHER.findall(data))
    return hashlib.sha256(data).hexdigest()


def tree_of_tar(stream) -> dict[str, tuple]:
    """Path → (kind, mode, owner, content) of everything in a tar."""
    found = {}
    with tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in tar:
            path = member.name.removeprefix("./").rstrip("/")
            owner = (member.uid, member.gid)
            if not path or TRACES.search(path):
                continue
            if member.isdir():
                found[path] = ("folder", member.mode & 0o7777, owner, "")
            elif member.issym():
                found[path] = ("link", 0, owner, member.linkname)
            elif member.islnk():
                found[path] = found[member.linkname.removeprefix("./")]
            elif member.isreg():
                content = "" if PIP.search(path) else content_of(path, tar.extractfile(member))
                found[path] = ("file", member.mode & 0o7777, owner, content)
    return found


def tree_of_folder(folder: str) -> dict[str, tuple]:
    with subprocess.Popen(["tar", "-C", folder, "-c", "--numeric-owner", "."], stdout=subprocess.PIPE) as tar:
        return tree_of_tar(tar.stdout)


def difference(ours: dict, theirs: dict) -> list[str]:
    lines = [f"only ours: {path}" for path in sorted(ours.keys() - theirs.keys())]
    lines += [f"only theirs: {path}" for path in sorted(theirs.keys() - ours.keys())]
    lines += [f"{path}: ours {ours[path]}, theirs {theirs[path]}"
              for path in sorted(ours.keys() & theirs.keys()) if ours[path] != theirs[path]]  # fmt: skip
    return lines
