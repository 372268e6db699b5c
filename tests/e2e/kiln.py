"""What the end-to-end tests share: the program under test, users, folders, and engines that a test starts and stops.

ctest gives TORCHKILN (the program), KILN_SOURCE (the repository), KILN_WORK (a folder for this run) and KILN_CACHE (a
folder that may live on between runs; every test passes without anything in it).
"""
import contextlib
import hashlib
import json
import os
import pathlib
import pwd
import shutil
import stat
import subprocess
import time

TORCHKILN = os.environ["TORCHKILN"]
SOURCE = pathlib.Path(os.environ["KILN_SOURCE"])
WORK = pathlib.Path(os.environ["KILN_WORK"])
CACHE = pathlib.Path(os.environ["KILN_CACHE"])
QUICKSTART = SOURCE / "examples/quickstart/kiln.toml"
ORDINARY_USER = "kilntest"
(WORK.parent / "documents" / f"{WORK.name}.jsonl").unlink(missing_ok=True)


def run(arguments, *, check=True, timeout=1800, **options):
    """Runs a command and gives its CompletedProcess; a failure shows everything it said."""
    done = subprocess.run([str(a) for a in arguments], text=True, capture_output=True, timeout=timeout, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def torchkiln(*arguments, **options):
    done = run([TORCHKILN, *arguments], **options)
    keep_documents(arguments, done.stdout, options.get("cwd"))
    return done


def keep_documents(arguments, said: str, directory) -> None:
    """Leaves what was printed as JSON, and the lock, for test_schemas.py."""
    documents = []
    if "--json" in arguments and said.startswith("{"):
        documents.append({"json": said})
    lock = pathlib.Path(directory or ".") / "kiln.lock"
    if arguments and arguments[0] in ("lock", "bake") and lock.exists():
        documents.append({"toml": lock.read_text()})
    folder_of_all = WORK.parent / "documents"
    folder_of_all.mkdir(parents=True, exist_ok=True)
    with open(folder_of_all / f"{WORK.name}.jsonl", "a") as file:
        for document in documents:
            file.write(json.dumps({"from": " ".join(str(a) for a in arguments), **document}) + "\n")


def folder(name: str, owner: str | None = None) -> pathlib.Path:
    """A fresh folder below WORK."""
    path = WORK / name
    remove(path)
    path.mkdir(parents=True)
    if owner:
        shutil.chown(path, owner, owner)
    return path


def remove(path: pathlib.Path) -> None:
    """Removes a tree, whoever owns what is in it."""
    if path.exists():
        run(["rm", "-rf", path])


def run_folder(name: str) -> pathlib.Path:
    """A fresh folder for an engine's sockets, whose paths must be short: podman takes at most 50 characters. Made here,
    since podman makes the one above it for root alone."""
    path = pathlib.Path("/run") / f"kiln-{os.getpid()}" / name
    remove(path)
    path.mkdir(parents=True)
    return path


def is_root() -> bool:
    return os.geteuid() == 0


def ordinary_user() -> pwd.struct_passwd:
    """A user without privileges, made once, with subordinate ids as `useradd` gives them."""
    assert is_root(), "this test needs root, to become an ordinary user"
    try:
        return pwd.getpwnam(ORDINARY_USER)
    except KeyError:
        run(["useradd", "--create-home", "--shell", "/bin/bash", ORDINARY_USER], check=False)  # or another test just did
        return pwd.getpwnam(ORDINARY_USER)


def as_ordinary_user(arguments, *, home: pathlib.Path, environment=None, **options):
    user = ordinary_user()
    variables = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")}
    variables |= {"HOME": str(home), "USER": user.pw_name, "LOGNAME": user.pw_name, "TORCHKILN_UV": str(uv())}
    variables |= environment or {}
    return run(
        ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups", *arguments],
        env=variables,
        **options,
    )


def uv() -> pathlib.Path:
    return SOURCE / ".tools/bin/uv"


def tree(root: pathlib.Path, skip=lambda path: False) -> dict[str, tuple]:
    """Path → (kind, mode, content digest or link target) of everything below root."""
    found = {}
    for directory, folders, files in os.walk(root):
        for name in folders + files:
            path = pathlib.Path(directory) / name
            relative = str(path.relative_to(root))
            if skip(relative):
                continue
            status = path.lstat()
            if stat.S_ISLNK(status.st_mode):
                found[relative] = ("link", os.readlink(path))
            elif stat.S_ISDIR(status.st_mode):
                found[relative] = ("folder", stat.S_IMODE(status.st_mode))
            else:
                digest = hashlib.sha256()
                with open(path, "rb") as file:
                    while piece := file.read(1 << 20):
                        digest.update(piece)
                found[relative] = ("file", stat.S_IMODE(status.st_mode), digest.hexdigest())
    return found


def bake(directory: pathlib.Path, cache: pathlib.Path, *extra) -> dict:
    """Bakes the spec in `directory` and gives torchkiln.bake/1."""
    done = torchkiln("bake", "--json", "--progress", "plain", "--cache", cache, *extra, cwd=directory)
    print(done.stderr, flush=True)
    return json.loads(done.stdout)


@contextlib.contextmanager
def dockerd(has_bridge: bool = False):
    """Docker's engine from Debian's docker.io, with a store of its own; gives the environment for its client. With a bridge
    its containers reach networks beyond this machine, and it changes this machine's packet filter."""
    store = folder("docker")
    runtime = run_folder("dockerd")
    log = open(WORK / "dockerd.log", "w")
    engine = subprocess.Popen(
        ["dockerd", "--data-root", store, "--exec-root", runtime / "exec", "--pidfile", runtime / "pid",
         "--host", f"unix://{runtime}/sock", *([] if has_bridge else ["--iptables=false", "--bridge=none"])],
        stdout=log, stderr=log)  # fmt: skip
    environment = os.environ | {"DOCKER_HOST": f"unix://{runtime}/sock", "DOCKER_BUILDKIT": "1"}
    try:
        for _ in range(120):
            if subprocess.run(["/usr/bin/docker", "info"], env=environment, capture_output=True).returncode == 0:
                break
            assert engine.poll() is None, (WORK / "dockerd.log").read_text()[-3000:]
            time.sleep(0.5)
        else:
            raise AssertionError("dockerd did not start: " + (WORK / "dockerd.log").read_text()[-3000:])
        yield environment
    finally:
        engine.terminate()
        engine.wait(60)
        log.close()
        remove(store)
        remove(runtime)


@contextlib.contextmanager
def containers():
    """A store of its own for podman and buildah, and what they need on hybrid control groups; gives their environment."""
    store = folder("containers")
    runroot = run_folder("containers")
    (store / "storage.conf").write_text(f'[storage]\ndriver = "overlay"\ngraphroot = "{store}/store"\nrunroot = "{runroot}"\n')
    (store / "containers.conf").write_text(
        '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n[engine]\ncgroup_manager = "cgroupfs"\nruntime = "runc"\n')
    (store / "tmp").mkdir()  # where they keep what RUN --mount=type=cache has
    environment = {"CONTAINERS_STORAGE_CONF": f"{store}/storage.conf", "CONTAINERS_CONF": f"{store}/containers.conf",
                   "TMPDIR": f"{store}/tmp"}  # fmt: skip
    try:
        yield environment
    finally:
        run(["buildah", "rm", "--all"], env=os.environ | environment, check=False)
        run(["buildah", "rmi", "--all", "--force"], env=os.environ | environment, check=False)
        remove(store)
        remove(runroot)
