#!/usr/bin/env python3
"""Tests of the tests: each mutant breaks one thing, and the report must turn red at exactly the tests named for it (or
amber, where a warning is what the thing deserves).

    mutants.py --build-root DIR[:DIR…] --image DIR[:DIR…] [--only NAME]…
    mutants.py --in-place PREFIX [--only NAME]…

Both are overlay folders, the top one first: a Debian root with the packages of build-packages.txt and the image's
wheels; and the image itself without the verifier (its Python environment in /opt/kiln, tini). Needs root and runc.
Source mutants are compiled, so the whole takes an hour; a first run without any mutant must be green.

--in-place is quicker and shows less: this machine compiles against the torch in PREFIX/lib/python3.11/site-packages, only
source mutants are made, and of the tests only those named for a mutant are run, with two that must stay green.
"""
import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
SITE_PACKAGES = "opt/kiln/lib/python3/site-packages"
LEVELS = ["boot", "cpu", "gpu", "multi-gpu"]
MATMULS = {"cpu.matmul.fp64", "cpu.matmul.fp32", "cpu.matmul.bf16"}
CONVOLUTIONS = {"cpu.conv2d.fp32", "cpu.conv2d.bf16", "cpu.conv2d.deterministic"}


@dataclass
class Mutant:
    name: str
    red: set  # the tests that must fail, and no others (tests that need them are skipped)
    amber: set = field(default_factory=set)  # tests that must pass with a warning
    edits: list = field(default_factory=list)  # (source file, text that occurs once, what stands there instead)
    files: dict = field(default_factory=dict)  # path in the image → bytes, None: not there
    argv: list = field(default_factory=lambda: ["/usr/bin/tini", "--", "torchkiln-verify"])
    level: str = "cpu"
    uid: int = 1000
    capabilities: list = field(default_factory=list)
    environment: dict = field(default_factory=dict)
    mounts: list = field(default_factory=list)
    without_mounts: set = field(default_factory=set)


def edit(name, red, file, old, new):
    return Mutant(name, red, edits=[(file, old, new)])


def source_mutants():
    trainer, numerics = "libtorch/trainer.cpp", "libtorch/numerics.cpp"
    return [
        edit("the network does not learn", {"cpu.training.learns", "cpu.training.gradients"},
             trainer, "k_learning_rate = 0.05", "k_learning_rate = 0.0"),
        edit("the labels say nothing", {"cpu.training.learns"},
             trainer, "setting.labels == Labels::shuffled", "true"),
        edit("gradients are not finite", {"cpu.training.learns", "cpu.training.gradients", "cpu.training.repeats",
                                          "cpu.checkpoint"},
             trainer, "loss.backward();", "loss.div(0).backward();"),
        edit("a parameter is not trained", {"cpu.training.gradients"},
             trainer, "s.optimiser.step();", "s.network->norm->bias.mutable_grad().zero_(); s.optimiser.step();"),
        edit("two runs differ", {"cpu.training.repeats", "cpu.checkpoint"},
             trainer, "shuffle(order, random);", "static int runs = 0; Random other(++runs); shuffle(order, other);"),
        edit("the optimiser's state is not restored", {"cpu.checkpoint"},
             trainer, "m_state->optimiser.load(optimiser);", ""),
        edit("the weights are not restored", {"cpu.checkpoint"},
             trainer, "m_state->network->load(network);", ""),
        edit("a wrong reference for matmul", MATMULS | {"cpu.linear_algebra.fp64", "cpu.autocast.bf16"},
             "libtorch/oracle.cpp", "+= factor * b[", "-= factor * b["),
        edit("a wrong reference for the weight gradient", CONVOLUTIONS,
             "libtorch/oracle.cpp", "output_gradient[o] * input[i]", "output_gradient[o] * input[i] * 1.02"),
        edit("a wrong reference for an LSTM's gate", {"cpu.recurrent.fp32"},
             "libtorch/oracle.cpp", "sigmoid(gate(3)) * std::tanh(cell)", "sigmoid(gate(3)) * cell"),
        edit("a wrong reference for a GRU's gate", {"cpu.recurrent.fp32"},
             "libtorch/oracle.cpp", "(1 - update) * fresh + update * state", "update * fresh + (1 - update) * state"),
        edit("a mask that is not there", {"cpu.attention.fp32", "cpu.attention.bf16"},
             "libtorch/sequences.cpp", "mask == Mask::causal);", "false);"),
        edit("convolutions of other bits every time", {"cpu.conv2d.deterministic"},
             "libtorch/convolution.cpp", "return {y.detach(), x.grad(), w.grad()};",
             "static int runs = 0; return {y.detach() + 1e-7 * ++runs, x.grad(), w.grad()};"),
        edit("autocast that does not round", {"cpu.autocast.bf16"},
             "libtorch/autocast.cpp", "set_autocast(m_device, true, m_type);", "set_autocast(m_device, false, m_type);"),
        edit("autocast that stays on", {"cpu.autocast.bf16"},
             "libtorch/autocast.cpp", "set_autocast(m_device, false, m_type);", ""),
        edit("a scaler that does not see infinities", {"cpu.gradient_scaler"},
             "libtorch/gradient_scaler.cpp", "m_found_infinity.item<double>() == 0 ? Gradients",
             "true ? Gradients"),
        edit("a scaler that does not back off", {"cpu.gradient_scaler"},
             "libtorch/gradient_scaler.cpp", "k_backoff_factor = 0.5", "k_backoff_factor = 1"),
        edit("sums that differ from run to run", {"cpu.deterministic"},
             "libtorch/determinism.cpp", "return at::bmm(batches.transpose(1, 2), batches);",
             "static int runs = 0; return at::bmm(batches.transpose(1, 2), batches) + 1e-3 * ++runs;"),
        edit("sums that are wrong every time", {"cpu.deterministic"},
             "libtorch/determinism.cpp", "return nothing.index_add(0, places, values);",
             "return nothing.index_add(0, places, values * 1.001);"),
        edit("a kernel that does not compile", {"cpu.nvrtc"},
             "libtorch/compiler.cpp", "unsigned sum = 0;", "unsigned sum = nothing;"),
        edit("a generator that is told nothing", {"cpu.dcgan.learns"},
             "libtorch/models.cpp", "if (m_signal == Signal::absent) is_real", "if (true) is_real"),
        edit("a diffusion model that is asked for other noise", {"cpu.diffusion.learns"},
             "libtorch/models.cpp", "signal == Signal::present ? noise : normal(noise.sizes())", "normal(noise.sizes())"),
        edit("branches that the data do not choose", {"cpu.conditional.learns"},
             "libtorch/models.cpp", "kinds.eq(kind).nonzero()", "kinds.eq(kind).logical_or(true).nonzero()"),
        edit("a network without its residual path", {"cpu.resnet.learns"},
             "libtorch/models.cpp", "return at::relu(inner + (shortcut.is_empty() ? x : shortcut->forward(x)));",
             "return at::relu(inner * 0);"),
        edit("models that are not seeded", {f"cpu.{one}.repeats" for one in
                                            ("resnet", "dcgan", "diffusion", "conditional")},
             "libtorch/models.cpp", "at::manual_seed(setting.seed);", ""),
        edit("a wrong reference for the Fourier transform", {"cpu.fft.fp64"},
             "libtorch/oracle.cpp", "-2 * std::numbers::pi", "2 * std::numbers::pi"),
        Mutant("a function that is wrong only at its first call", set(), amber={"cpu.elementwise.fp32"},
               edits=[(numerics, "return x.tanh();", "static int calls = 0; "
                       "return calls++ > 0 ? x.tanh() : x.tanh().mul(1.1);")]),
        edit("matmul in lower precision", {"cpu.matmul.fp32", "cpu.matmul.fp64"},
             numerics, "numbers_of(a.matmul(b), device)", "numbers_of(a.to(at::kBFloat16).matmul(b.to(at::kBFloat16)), "
             "device)"),
        edit("a function that is slightly off", {"cpu.elementwise.fp32"},
             numerics, "return x.tanh();", "return x.tanh().mul(1.00001);"),
        edit("the seed has no effect", {"cpu.random"}, numerics, "at::manual_seed(seed);", ""),
        edit("samples of another spread", {"cpu.random"},
             numerics, "place_of(device))), device);", "place_of(device))).mul(1.02), device);"),
        edit("an error that is not thrown", {"cpu.errors"},
             numerics, "at::ones({2, 3}).matmul(at::ones({2, 3}))", "at::ones({2, 3}).matmul(at::ones({3, 2}))"),
        edit("a wrong gradient", {"cpu.autograd"},
             "libtorch/autograd.cpp", "(input.grad() * direction)", "(input.grad() * 1.001 * direction)"),
        edit("another torch than compiled against", {"cpu.versions"},
             "libtorch/versions.cpp", "TORCH_VERSION, release", '"2.7.1", release'),
        edit("a test that hangs", {"cpu.fft.fp64"},
             numerics, "constexpr std::int64_t length = 120;", "constexpr std::int64_t length = 120; for (volatile int "
             "i = 0;;) i = i;"),
        edit("a test that crashes", {"cpu.fft.fp64"},
             numerics, "constexpr std::int64_t length = 120;", "constexpr std::int64_t length = 120; std::abort();"),
        edit("a test that is not there", {"cpu.fft.fp64"}, numerics, '{level + "fft.fp64", on_device(fft)},', ""),
        edit("Python's network does not learn", {"cpu.python.training"},
             "python/verify_python.py", "lr=3e-3", "lr=0.0"),
        edit("Python's gradients are wrong", {"cpu.python.autograd"},
             "python/verify_python.py", "analytic = sum((g * d)", "analytic = sum((1.001 * g * d)"),
        edit("Python hangs", {"cpu.python.versions"},
             "python/verify_python.py", "    differing = {}\n", "    import time; time.sleep(99)\n    differing = {}\n"),
        edit("workers that lose a sample", {"cpu.python.loader"},
             "python/verify_python.py", "float(index * index)", "float(index * index + (index == 7))"),
        edit("a compiled network that is another one", {"cpu.python.compile"},
             "python/verify_python.py", "optimised = run(torch.compile(network", "optimised = run(torch.compile("
             "nn.Sequential(network, nn.Dropout(0.5))"),
        edit("nothing is compiled", {"cpu.python.compile"},
             "python/verify_python.py", "optimised = run(torch.compile(network, backend=backend, fullgraph=True))",
             "optimised = run(network)"),
        edit("a process that sends the wrong numbers", {"cpu.python.distributed"},
             "python/verify_python.py", "reduced = own * (rank + 1)", "reduced = own * (rank + 1) + (rank == 2)"),
        edit("gradients that no process shares", {"cpu.python.distributed"},
             "python/verify_python.py", "parallel(batch[8 * rank", "network(batch[8 * rank"),
    ]


def image_mutants(image):
    libtorch = {t["id"] for t in image.plan if t["program"] == "libtorch" and t["level"] in ("boot", "cpu")}

    def site(path):
        return f"{SITE_PACKAGES}/{path}"

    def glob(pattern):
        return image.find(site(pattern))

    version = image.read(site("torch/version.py"))
    cudnn_metadata = glob("nvidia_cudnn_cu*.dist-info/METADATA")
    return [
        Mutant("root as the user", {"boot.user"}, uid=0),
        Mutant("root with capabilities", {"boot.user", "boot.privileges"}, uid=0, capabilities=["CAP_SYS_ADMIN"]),
        Mutant("no init", {"boot.init", "boot.reaping"}, argv=["/opt/kiln/bin/torchkiln-verify"]),
        Mutant("nothing can be written", {"boot.writable", "cpu.checkpoint", "cpu.python.training"},
               without_mounts={"/tmp", "/dev/shm"}),
        Mutant("a GPU device without a driver", {"boot.driver"},
               mounts=[{"destination": "/dev/nvidiactl", "type": "bind", "source": "/dev/null", "options": ["bind"]}]),
        Mutant("a library from elsewhere", {"boot.libraries"},
               files={"usr/local/lib/libc10.so": image.read(site("torch/lib/libc10.so"))},
               environment={"LD_PRELOAD": "/usr/local/lib/libc10.so"}),
        Mutant("a missing library", libtorch | {"cpu.python.import"},
               files={glob("nvidia/*/lib/libcudnn.so.*"): None}),
        Mutant("a library that is no library", libtorch | {"cpu.python.import"},
               files={glob("nvidia/*/lib/libnccl.so.*"): b"not an ELF file"}),
        Mutant("another torch's record", {"cpu.versions", "cpu.python.versions"},
               files={site("torch/version.py"): version.replace(b"__version__ = '2.", b"__version__ = '1.")}),
        Mutant("another CUDA's record", {"cpu.versions"},
               files={site("torch/version.py"): version.replace(b"cuda: Optional[str] = '1", b"cuda: Optional[str] = '9")}),
        Mutant("another cuDNN's wheel", {"cpu.python.versions"},
               files={cudnn_metadata: image.read(cudnn_metadata).replace(b"\nVersion: 9", b"\nVersion: 8", 1)}),
        Mutant("another torch on Python's path", {"cpu.python.import"},
               files={"usr/local/torch/__init__.py": b"def ones(n):\n  class O:\n    def sum(self): return self\n"
                                                     b"    def item(self): return 3\n  return O()\n"},
               environment={"PYTHONPATH": "/usr/local"}),
        Mutant("no Python", {"cpu.python.import"}, files={"opt/kiln/bin/python3": None}),
        Mutant("no LibTorch program", libtorch, files={"opt/kiln/libexec/torchkiln/verify-libtorch": None}),
        Mutant("no GPU at level gpu", {"gpu.device"}, level="gpu"),
    ]


@contextlib.contextmanager
def overlay(lower, work, writable):
    folder = Path(tempfile.mkdtemp(dir=work))
    root = folder / "root"
    options = f"lowerdir={lower}"
    for name in ("root", "upper", "work"):
        (folder / name).mkdir()
    if writable:
        options += f",upperdir={folder}/upper,workdir={folder}/work"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, root], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-R", root], check=True)
        shutil.rmtree(folder)


class Image:
    """The image's folders, the build root, and what was compiled last."""

    def __init__(self, build_root, image, work):
        self.build_root, self.image, self.work = build_root, image, Path(work)
        self.source, self.output = self.work / "source", self.work / "output"
        shutil.copytree(SOURCE, self.source, ignore=shutil.ignore_patterns("__pycache__"))
        self.plan = []

    def find(self, pattern):
        for lower in self.image.split(":"):
            found = sorted(Path(lower).glob(pattern))
            if found:
                return str(found[0].relative_to(lower))
        raise SystemExit(f"the image has no {pattern}")

    def read(self, path):
        for lower in self.image.split(":"):
            if (Path(lower) / path).exists():
                return (Path(lower) / path).read_bytes()
        raise SystemExit(f"the image has no {path}")

    def compile(self):
        (self.work / "build").mkdir(exist_ok=True)
        shutil.rmtree(self.output, ignore_errors=True)
        self.output.mkdir()
        script = """set -e; cd "$1"; mkdir -p verifier build output
            mount --bind "$2/source" verifier; mount --bind "$2/build" build; mount --bind "$2/output" output
            mount -t proc proc proc; mount -t tmpfs tmpfs tmp
            chroot . env -i PATH=/usr/bin:/bin sh -ec '
              [ -f build/build.ninja ] || cmake -S verifier -B build -G Ninja
              ninja -C build; DESTDIR=/output cmake --install build'"""
        with overlay(self.build_root, self.work, writable=True) as folder:
            done = subprocess.run(["unshare", "-m", "sh", "-c", script, "-", folder / "root", self.work],
                                  capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit("does not compile:\n" + done.stdout[-3000:] + done.stderr[-2000:])

    def run(self, mutant, *arguments):
        with overlay(f"{self.output}:{self.image}", self.work, writable=True) as folder:
            root = folder / "root"
            for path, content in mutant.files.items():
                path = root / path
                if path.exists() or path.is_symlink():
                    path.unlink()
                if content is not None:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
            (folder / "config.json").write_text(json.dumps(self.config(mutant, arguments)))
            name = f"mutant-{os.getpid()}-{time.monotonic_ns()}"
            return subprocess.run(["runc", "run", "-b", folder, name], capture_output=True, text=True)

    @staticmethod
    def config(mutant, arguments):
        mounts = [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["mode=1777"]},
            {"destination": "/sys", "type": "none", "source": "/sys", "options": ["rbind", "ro"]},
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"]},
        ]
        environment = {"PATH": "/opt/kiln/bin:/usr/bin:/bin", "HOME": "/", **mutant.environment}
        sets = ("bounding", "effective", "permitted")
        return {
            "ociVersion": "1.0.2",
            "root": {"path": "root", "readonly": True},
            "mounts": [m for m in mounts if m["destination"] not in mutant.without_mounts] + mutant.mounts,
            "process": {
                "user": {"uid": mutant.uid, "gid": mutant.uid},
                "cwd": "/",
                "args": mutant.argv + list(arguments),
                "env": [f"{name}={value}" for name, value in environment.items()],
                "capabilities": {one: mutant.capabilities for one in sets},
                "noNewPrivileges": True,
            },
            "linux": {"namespaces": [{"type": one} for one in ("pid", "network", "ipc", "uts", "mount")]},
        }


class InPlace:
    """The same on this machine itself, for source mutants only."""

    SENTINELS = ("cpu.elementwise.fp32", "cpu.errors")

    def __init__(self, prefix, work):
        self.prefix, self.work = Path(prefix).resolve(), Path(work)
        self.source = self.work / "source"
        shutil.copytree(SOURCE, self.source, ignore=shutil.ignore_patterns("__pycache__"))
        self.plan = []

    def compile(self):
        site_packages = self.prefix / "lib/python3.11/site-packages"
        for command in (["cmake", "-S", self.source, "-B", self.work / "build", "-G", "Ninja",
                         f"-DCMAKE_INSTALL_PREFIX={self.prefix}", f"-DKILN_SITE_PACKAGES={site_packages}"],
                        ["ninja", "-C", self.work / "build"], ["cmake", "--install", self.work / "build"]):  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                raise SystemExit("does not compile:\n" + done.stdout[-3000:] + done.stderr[-2000:])

    def run(self, mutant, *arguments):
        only = [f"--only={one}" for one in sorted({*mutant.red, *mutant.amber, *self.SENTINELS})]
        environment = os.environ | {"PYTHONPATH": str(self.prefix / "lib/python3.11/site-packages")}
        return subprocess.run([self.prefix / "bin/torchkiln-verify", *arguments, *([] if "--list" in arguments else only)],
                              capture_output=True, text=True, env=environment)  # fmt: skip


def judge(image, mutant):
    """What is wrong with the report that the mutant gets; None when it is red exactly where it must be."""
    done = image.run(mutant, "--level", mutant.level, "--nonce", mutant.name, "--json", "-")
    try:
        report = json.loads(done.stdout)
    except ValueError:
        return f"no report (exit status {done.returncode}): {done.stderr[-1000:]}"
    red = {test["id"] for test in report["tests"] if test["verdict"] == "fail"}
    if red != mutant.red:
        reasons = {t["id"]: t["reason"] for t in report["tests"] if t["verdict"] == "fail"}
        return f"red are {reasons}, not {sorted(mutant.red)}"
    amber = {test["id"] for test in report["tests"] if test["verdict"] == "warn"}
    if not mutant.amber <= amber:
        return f"no warning at {sorted(mutant.amber - amber)}"
    if report["nonce"] != mutant.name:
        return "another nonce"
    if isinstance(image, InPlace):  # boots no image, and runs some tests only
        return None
    levels = LEVELS[:LEVELS.index(mutant.level) + 1]
    if [test["id"] for test in report["tests"]] != [test["id"] for test in image.plan if test["level"] in levels]:
        return "the tests are not those of the plan"
    if (done.returncode == 0) != (not mutant.red):
        return f"exit status {done.returncode}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build-root")
    parser.add_argument("--image")
    parser.add_argument("--in-place")
    parser.add_argument("--only", action="append", default=[])
    options = parser.parse_args()
    if not options.in_place and not (options.build_root and options.image):
        parser.error("either --in-place, or --build-root and --image")
    escaped = 0
    with tempfile.TemporaryDirectory(prefix="mutants-", dir=os.environ.get("TMPDIR")) as work:
        image = InPlace(options.in_place, work) if options.in_place else Image(options.build_root, options.image, work)
        image.compile()
        sound = Mutant("sound", set())
        image.plan = json.loads(image.run(sound, "--list").stdout)["tests"]
        mutants = [sound] + ([] if options.in_place else image_mutants(image)) + source_mutants()
        if options.only:
            mutants = [mutant for mutant in mutants if mutant.name in options.only]
        compiled_with_edits = False
        for mutant in mutants:
            for file, old, new in mutant.edits:
                text = (SOURCE / file).read_text()
                if text.count(old) != 1:
                    raise SystemExit(f"{mutant.name}: {file} has {text.count(old)} times: {old}")
                (image.source / file).write_text(text.replace(old, new))
            if mutant.edits or compiled_with_edits:
                image.compile()
                compiled_with_edits = bool(mutant.edits)
            begin = time.monotonic()
            wrong = judge(image, mutant)
            print(f"{'ESCAPED' if wrong else 'caught' if mutant.red or mutant.amber else 'green'}  {mutant.name}  "
                  f"({time.monotonic() - begin:.0f} s){': ' + wrong if wrong else ''}", flush=True)
            escaped += wrong is not None
            for file, _, _ in mutant.edits:
                shutil.copy(SOURCE / file, image.source / file)
    print(f"{len(mutants) - escaped} of {len(mutants)} as they must be")
    return 1 if escaped else 0


if __name__ == "__main__":
    sys.exit(main())
