"""The Python side of torchkiln-verify: torch as the image's own interpreter imports it.

Reads and answers lines of JSON as worker/worker.hpp describes. Needs torch and nothing else.
"""
import json
import math
import os
import platform
import re
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


TESTS = {
    "cpu.python.import": torch_import,
    "cpu.python.versions": versions,
    "cpu.python.autograd": autograd,
    "cpu.python.training": training,
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


def answer(test, context):
    if test not in TESTS:
        return {"test": test, "failure": "this program has no test of that name", "fault": "image"}
    try:
        measured, details = TESTS[test](context)
    except Exception as error:  # whatever it is, it is this test's failure
        return {"test": test, "failure": f"{type(error).__name__}: {error}", "fault": "image"}
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
