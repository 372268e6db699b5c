"""The Python side of torchkiln-verify: torch as the image's own interpreter imports it.

Reads and answers lines of JSON as worker/worker.hpp describes. Needs torch and nothing else.
"""
import json
import math
import os
import platform
import re
import shutil
import sys

CLASSES = 8
SIDE = 12
BATCH = 64
STEPS = 60
HELD_OUT = 512


class TestFailure(Exception):
    """The test could not come to a measurement."""


def torch_import(context):
    """Modules of torch that are not the image's own; importing is the point."""
    import torch

    where = os.path.realpath(context["site_packages"]) + os.sep
    files = {  # torch.ops and torch.classes are made in memory: they have no spec
        name: os.path.realpath(module.__spec__.origin)
        for name, module in sorted(sys.modules.items())
        if name.split(".")[0] in ("torch", "functorch", "triton")
        and getattr(module, "__spec__", None) is not None
        and module.__spec__.has_location
    }
    strays = {name: file for name, file in files.items() if not file.startswith(where)}
    if torch.ones(3).sum().item() != 3:
        raise TestFailure("torch imports but does not add")
    return len(strays), {"modules": len(files), **strays}


def installed(name):
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def installed_like(pattern):
    """The version of the one installed package whose name matches: nvidia-cudnn-cu12, -cu13 and so on."""
    from importlib import metadata

    found = {d.version for d in metadata.distributions() if re.fullmatch(pattern, d.metadata["Name"] or "")}
    return found.pop() if len(found) == 1 else ", ".join(sorted(found)) or None


def cudnn_runtime():
    """91002 is 9.10.2, and 8902 is 8.9.2 (cudnn_version.h)."""
    import torch

    code = torch.backends.cudnn.version()
    thousands = 10000 if code >= 90000 else 1000
    return f"{code // thousands}.{code % thousands // 100}.{code % 100}"


def nccl_runtime():
    """22703 is 2.27.3 (nccl.h); torch.cuda.nccl.version() is what torch was compiled with."""
    import ctypes

    code = ctypes.c_int()
    if ctypes.CDLL("libnccl.so.2").ncclGetVersion(ctypes.byref(code)) != 0:
        return None
    return f"{code.value // 10000}.{code.value % 10000 // 100}.{code.value % 100}"


def cudnn_compiled():
    """What torch was compiled with, as the report writes it; None where torch has no CUDA."""
    import torch

    if torch.version.cuda is None:
        return None
    major, minor, patch = torch._C._cudnn.getCompileVersion()
    return f"{major}.{minor}.{patch}"


def three_numbers(version):
    return version and ".".join(version.split(".")[:3])


def is_compatible(compiled, runtime):
    """The same major version, and not older than what was compiled with."""
    compiled, runtime = (tuple(map(int, text.split("."))) for text in (compiled, runtime))
    return compiled[0] == runtime[0] and compiled <= runtime


def versions(context):
    """Wheel metadata, torch.version, the libraries found at run time."""
    import torch

    differing = {}

    def compare(name, one, other):
        if one is None or one != other:
            differing[name] = f"{one} and {other}"

    release = torch.__version__.split("+")[0]
    compare("torch: wheel, module", (installed("torch") or "").split("+")[0], release)
    if torch.version.cuda is not None:
        # cuDNN keeps its ABI within a major version; torch 2.8 is compiled with 9.8.0 and asks for 9.10.2.
        if not is_compatible(cudnn_compiled(), cudnn_runtime()):
            differing["cuDNN: compiled, runtime"] = f"{cudnn_compiled()} and {cudnn_runtime()}"
        # A wheel's fourth number is that of its build.
        compare("cuDNN: wheel, runtime", three_numbers(installed_like(r"nvidia[-_]cudnn[-_]cu\d+")), cudnn_runtime())
        compare("NCCL: wheel, runtime", three_numbers(installed_like(r"nvidia[-_]nccl[-_]cu\d+")), nccl_runtime())
    return len(differing), differing


def autograd(context):
    """torch's gradients against central differences along random directions, in double."""
    import torch

    generator = torch.Generator().manual_seed(context["seed"])

    def normal(*sizes):
        return torch.randn(*sizes, dtype=torch.float64, generator=generator)

    torch.manual_seed(context["seed"])  # of the layers' weights
    layer = torch.nn.MultiheadAttention(8, 2, batch_first=True, dtype=torch.float64)
    lstm = torch.nn.LSTM(4, 5, batch_first=True, dtype=torch.float64)
    cases = {
        "conv2d, pooling": (lambda x, w: torch.nn.functional.max_pool2d(torch.nn.functional.conv2d(x, w), 2),
                            (normal(2, 3, 8, 8), normal(4, 3, 3, 3))),
        "attention": (lambda x: layer(x, x, x, need_weights=False)[0], (normal(2, 5, 8),)),
        "lstm": (lambda x: lstm(x)[0], (normal(2, 6, 4),)),
        "einsum, softmax": (lambda a, b: torch.einsum("ij,jk->ik", a, b).softmax(-1), (normal(4, 5), normal(5, 6))),
    }
    errors = {}
    for name, (function, inputs) in cases.items():
        leaves = [x.requires_grad_() for x in inputs]
        output = function(*leaves)
        weights = normal(*output.shape)
        gradients = torch.autograd.grad(output, leaves, weights)
        directions = [normal(*x.shape) for x in leaves]
        length = math.sqrt(sum(d.square().sum().item() for d in directions))
        step = 1e-5 / length
        with torch.no_grad():
            ahead, behind = (
                (function(*(x + sign * step * d for x, d in zip(leaves, directions))) * weights).sum().item()
                for sign in (1, -1)
            )
        analytic = sum((g * d).sum().item() for g, d in zip(gradients, directions))
        norm = math.sqrt(sum(g.square().sum().item() for g in gradients))
        errors[name] = abs(analytic - (ahead - behind) / (2 * step)) / length / norm
    worst = max(errors.values(), key=lambda error: math.inf if math.isnan(error) else error)
    return worst, errors


def train(seed, shuffled):
    """Losses of a small network on generated pictures, and its loss on held-out ones with their right labels."""
    import torch
    from torch import nn

    generator = torch.Generator().manual_seed(seed)
    patterns = torch.randn(CLASSES, 1, SIDE, SIDE, generator=generator)

    def draw(count):
        labels = torch.randint(CLASSES, (count,), generator=generator)
        return patterns[labels] + torch.randn(count, 1, SIDE, SIDE, generator=generator), labels

    images, labels = draw(BATCH * 10)
    held_out_images, held_out_labels = draw(HELD_OUT)
    if shuffled:
        labels = labels[torch.randperm(len(labels), generator=generator)]
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.GELU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.GELU(), nn.Flatten(),
        nn.Linear(16 * (SIDE // 2) ** 2, CLASSES),
    )
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    losses = []
    for step in range(STEPS):
        begin = step * BATCH % len(images)
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(network(images[begin:begin + BATCH]), labels[begin:begin + BATCH])
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    network.eval()
    with torch.no_grad():
        held_out = nn.functional.cross_entropy(network(held_out_images), held_out_labels).item()
    return losses, held_out


def training(context):
    """As cpu.training.learns: the control is credited with chance at most."""
    losses, held_out = train(context["seed"], shuffled=False)
    control_losses, control = train(context["seed"], shuffled=True)
    if not all(map(math.isfinite, losses + [held_out, control])):
        raise TestFailure("a loss is not finite")
    chance = math.log(CLASSES)
    return min(chance, control) - held_out, {
        "held-out loss": held_out,
        "held-out loss of the control": control,
        "chance": chance,
        "losses": losses,
        "losses of the control": control_losses,
    }


def place_of(context):
    """Where a test of the level runs: the first GPU, or the processor."""
    import torch

    return torch.device("cuda", 0) if context["level"] == "gpu" else torch.device("cpu")


class Squares:
    """A data set whose samples tell where they come from."""

    COUNT = 96
    SHAPE = (3, 32, 32)

    def __len__(self):
        return self.COUNT

    def __getitem__(self, index):
        import torch

        return torch.full(self.SHAPE, float(index * index)), index, os.getpid()


def loader(context):
    """Samples from worker processes: every one once, in its order, through shared memory, intact."""
    import torch

    place = place_of(context)
    pinned = place.type == "cuda"
    workers = 2
    differing, seen, processes = 0, [], set()
    for images, indices, pids in torch.utils.data.DataLoader(
        Squares(), batch_size=8, num_workers=workers, pin_memory=pinned
    ):
        if pinned and not images.is_pinned():
            raise TestFailure("a batch is not pinned")
        if not pinned and not images.is_shared():
            raise TestFailure("a batch did not come through shared memory")
        expected = indices.double().square().reshape(-1, 1, 1, 1).expand(-1, *Squares.SHAPE)
        differing += (images.to(place, non_blocking=pinned).cpu() != expected).sum().item()
        seen += indices.tolist()
        processes |= set(pids.tolist())
    if seen != list(range(Squares.COUNT)):
        raise TestFailure("samples are missing, doubled or out of order")
    if len(processes) != workers or os.getpid() in processes:
        raise TestFailure(f"{len(processes)} processes loaded samples, not {workers} workers")
    return differing, {"workers": workers}


def has_compiler():
    """Inductor writes C++ (on a GPU, Triton writes C) against Python's headers."""
    import sysconfig

    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    return bool(compiler) and os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h"))


def compiled(context):
    """torch.compile against eager, forward and gradients. Without a compiler in the image Inductor has nothing to compile
    with; graph capture and the graphs of the gradients are then run all the same."""
    import torch
    from torch import nn

    place = place_of(context)
    backend = "inductor" if has_compiler() else "aot_eager"
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = os.environ["TRITON_CACHE_DIR"] = context["scratch"] + "/inductor"
    torch.manual_seed(context["seed"])
    torch.set_float32_matmul_precision("highest")
    network = nn.Sequential(nn.Linear(24, 48), nn.GELU(), nn.LayerNorm(48), nn.Linear(48, 8)).to(place)
    inputs = torch.randn(16, 24, device=place)

    def run(function):
        network.zero_grad()
        output = function(inputs)
        output.square().mean().backward()
        return [output.detach()] + [parameter.grad.clone() for parameter in network.parameters()]

    eager = run(network)
    torch._dynamo.reset()
    counters = torch._dynamo.utils.counters
    before = counters["stats"]["unique_graphs"]
    optimised = run(torch.compile(network, backend=backend, fullgraph=True))
    graphs = counters["stats"]["unique_graphs"] - before
    if graphs < 1:
        raise TestFailure("nothing was compiled: there is no graph")
    errors = [((one - other).norm() / other.norm()).item() for one, other in zip(optimised, eager)]
    return max(errors, key=lambda error: math.inf if math.isnan(error) else error), {"backend": backend, "graphs": graphs}


def graph(context):
    """A training step captured as a CUDA graph, replayed over new data, against the same steps run eagerly."""
    import torch
    from torch import nn

    place, steps = torch.device("cuda", 0), 5

    def make():
        torch.manual_seed(context["seed"])
        network = nn.Sequential(nn.Linear(32, 64), nn.Tanh(), nn.Linear(64, 1)).to(place)
        return network, torch.optim.SGD(network.parameters(), lr=0.05)

    generator = torch.Generator().manual_seed(context["seed"])
    batches = [torch.randn(16, 32, generator=generator).to(place) for _ in range(steps)]

    def step(network, optimiser, batch):
        optimiser.zero_grad(set_to_none=True)
        (network(batch) - batch.sum(1, keepdim=True)).square().mean().backward()
        optimiser.step()

    network, optimiser = make()
    for batch in batches:
        step(network, optimiser, batch)
    expected = [parameter.detach().clone() for parameter in network.parameters()]

    network, optimiser = make()
    start = {name: value.clone() for name, value in network.state_dict().items()}
    static = batches[0].clone()
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # what is chosen and allocated once must not happen during the capture
        for _ in range(3):
            step(network, optimiser, static)
    torch.cuda.current_stream().wait_stream(side)
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        step(network, optimiser, static)
    network.load_state_dict(start)
    for batch in batches:
        static.copy_(batch)
        captured.replay()
    torch.cuda.synchronize()
    return sum((one != other).sum().item() for one, other in zip(network.parameters(), expected)), {"steps": steps}


def in_process(rank, count, store, seed, kind, results):
    """One process of the distributed test: collectives with known sums, then gradients of its share of a batch."""
    import torch
    import torch.distributed as dist

    torch.set_num_threads(1)
    # Containers without network have no interface but this one.
    os.environ["GLOO_SOCKET_IFNAME"] = os.environ["NCCL_SOCKET_IFNAME"] = "lo"
    place = torch.device(kind, rank) if kind == "cuda" else torch.device("cpu")
    if kind == "cuda":
        torch.cuda.set_device(place)
    dist.init_process_group("nccl" if kind == "cuda" else "gloo", init_method="file://" + store, rank=rank, world_size=count)
    try:
        own = torch.arange(4096, dtype=torch.float32, device=place).remainder(1024)
        ranks = range(1, count + 1)  # process r has `own` times r: whole numbers, which float32 adds up exactly
        reduced = own * (rank + 1)
        dist.all_reduce(reduced)
        wrong = (reduced != own * sum(ranks)).sum().item()
        sent = own * (rank + 1)
        dist.broadcast(sent, src=count - 1)
        wrong += (sent != own * count).sum().item()
        gathered = [torch.zeros_like(own) for _ in range(count)]
        dist.all_gather(gathered, own * (rank + 1))
        wrong += sum((one != own * r).sum().item() for one, r in zip(gathered, ranks))
        if kind == "cuda":  # gloo learned it only in torch 2.6 or so
            part = torch.zeros(4096 // count, device=place)
            dist.reduce_scatter_tensor(part, own[: len(part) * count] * (rank + 1))
            wrong += (part != own[rank * len(part) : (rank + 1) * len(part)] * sum(ranks)).sum().item()
        wrong += wrong_gradients(rank, count, seed, place)
        results.put((rank, wrong, ""))
    except Exception as error:
        results.put((rank, 0, f"{type(error).__name__}: {error}"))
    finally:
        dist.destroy_process_group()


def wrong_gradients(rank, count, seed, place):
    """DistributedDataParallel's gradients: the same bits in every process, and those of the whole batch."""
    import torch
    import torch.distributed as dist
    from torch import nn
    from torch.nn.parallel import DistributedDataParallel

    torch.manual_seed(seed + rank)  # DistributedDataParallel has to make the weights the same
    network = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 4)).to(place)
    parallel = DistributedDataParallel(network, device_ids=[place.index] if place.type == "cuda" else None)
    generator = torch.Generator().manual_seed(seed)
    batch = torch.randn(8 * count, 16, generator=generator).to(place)
    parallel(batch[8 * rank : 8 * (rank + 1)]).square().mean().backward()
    mine = torch.cat([parameter.grad.flatten() for parameter in network.parameters()])
    everybody = [torch.zeros_like(mine) for _ in range(count)]
    dist.all_gather(everybody, mine)
    wrong = sum((one != mine).sum().item() for one in everybody)
    network.zero_grad()
    network(batch).square().mean().backward()
    whole = torch.cat([parameter.grad.flatten() for parameter in network.parameters()])
    return wrong + int(not (mine - whole).norm() <= 1e-5 * whole.norm())


def distributed(context):
    """Several processes, one a GPU, or four on the processor."""
    import torch
    import torch._dynamo  # DistributedDataParallel imports it: once here, not once in every process
    import torch.multiprocessing

    kind = "cpu" if context["level"] == "cpu" else "cuda"
    count = {"cpu": 4, "gpu": 1, "multi-gpu": torch.cuda.device_count()}[context["level"]]
    # CUDA does not survive a fork; without it a forked process need not import torch again.
    processes = torch.multiprocessing.get_context("fork" if kind == "cpu" else "spawn")
    results = processes.Queue()
    store = os.path.join(context["scratch"], f"store-{context['level']}")
    if os.path.exists(store):
        os.unlink(store)
    workers = [
        processes.Process(target=in_process, args=(rank, count, store, context["seed"], kind, results), daemon=True)
        for rank in range(count)
    ]
    for worker in workers:
        worker.start()
    answers = [results.get() for _ in workers]  # a process that says nothing costs the test's time-out
    for worker in workers:
        worker.join()
    failed = [f"process {rank}: {error}" for rank, _, error in sorted(answers) if error]
    if failed:
        raise TestFailure("; ".join(failed))
    return sum(wrong for _, wrong, _ in answers), {"processes": count, "backend": "gloo" if kind == "cpu" else "nccl"}


TESTS = {
    "cpu.python.import": torch_import,
    "cpu.python.versions": versions,
    "cpu.python.autograd": autograd,
    "cpu.python.training": training,
    "cpu.python.loader": loader,
    "cpu.python.compile": compiled,
    "cpu.python.distributed": distributed,
    "gpu.python.graph": graph,
    "gpu.python.loader": loader,
    "gpu.python.compile": compiled,
    "gpu.python.distributed": distributed,
    "multi-gpu.python.distributed": distributed,
}


def facts():
    """A torch that does not import is the first test's to report."""
    versions = {"python": platform.python_version()}
    try:
        compiled = cudnn_compiled()
    except Exception:
        compiled = None
    if compiled is not None:
        versions["cudnn_compiled"] = compiled
    return {"facts": {"versions": versions, "host": {}}}


# As in worker/fault.cpp: only the host can cause these.
HOST_FAULTS = (
    "out of memory",
    "driver version is insufficient",
    "busy or unavailable",
    "no CUDA-capable device",
    "uncorrectable ECC error",
    "uncorrectable NVLink error",
    "hardware stack error",
    "the launch timed out",
    "system not yet initialized",
    "system has unsupported display driver",
    "forward compatibility was attempted",
    "Found no NVIDIA driver",
    "CUDA_ERROR_SYSTEM",
    "GPU is lost",
)


def fault_of(error):
    return "host" if any(text in error for text in HOST_FAULTS) else "image"


def answer(test, context):
    if test not in TESTS:
        return {"test": test, "failure": "this program has no test of that name", "fault": "image"}
    try:
        measured, details = TESTS[test](context | {"level": test.split(".")[0]})
    except Exception as error:  # whatever it is, it is this test's failure
        text = f"{type(error).__name__}: {error}"
        return {"test": test, "failure": text.split("\n")[0], "fault": fault_of(text), "details": {"error": text[:4000]}}
    if not math.isfinite(measured):
        measured = str(measured)
    return {"test": test, "measured": measured, "details": details}


def main():
    # Only answers go to the original standard output; what libraries print goes to standard error.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def send(message):
        out.write(json.dumps(message) + "\n")
        out.flush()

    context = json.loads(sys.stdin.readline())
    send(facts())
    for line in sys.stdin:
        send(answer(json.loads(line)["test"], context))


if __name__ == "__main__":
    main()
