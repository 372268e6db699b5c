"""Distributed data parallel training: every process has its share of the data, all have the same network.

    torchrun --standalone --nproc-per-node 2 ddp.py

NCCL and a GPU a process where there are GPUs, gloo on the CPU. Ends with 1 when the network did not learn, when the
processes do not end with the same weights, or when their averaged gradient is not that of all data in one process.
"""
import argparse
import gc
import os
import sys

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

CLASSES = 5
BATCH = 64  # of all processes together


def points(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """The arms of a spiral, one a class, which no straight line tells apart."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (count,), generator=generator)
    radius = 0.2 + torch.rand(count, generator=generator)
    angle = 4 * radius + 6.2832 * labels / CLASSES + 0.1 * torch.randn(count, generator=generator)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1), labels


def network() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, CLASSES))


def train(data: tuple[Tensor, Tensor], steps: int, device: torch.device) -> DistributedDataParallel:
    model = DistributedDataParallel(network().to(device), device_ids=[device] if device.type == "cuda" else None)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    order = torch.Generator().manual_seed(2)  # the same in all processes: each takes its share of a batch
    for _ in range(steps):
        share = torch.randint(len(data[1]), (BATCH,), generator=order)[dist.get_rank() :: dist.get_world_size()]
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
            loss = functional.cross_entropy(model(data[0][share].to(device)), data[1][share].to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


def gradient_error(data: tuple[Tensor, Tensor], device: torch.device) -> float:
    """How far the gradient that the processes average is from that of one process with all of a batch."""
    alone = network().to(device)
    together = DistributedDataParallel(network().to(device), device_ids=[device] if device.type == "cuda" else None)
    mine = slice(dist.get_rank(), BATCH, dist.get_world_size())
    for model, part in ((alone, slice(0, BATCH)), (together, mine)):
        functional.cross_entropy(model(data[0][part].to(device)), data[1][part].to(device)).backward()
    return max((a.grad - b.grad).abs().max().item() for a, b in
               zip(alone.parameters(), together.parameters()))  # fmt: skip


def spread(model: nn.Module) -> float:
    """The largest difference of any weight between processes."""
    weights = torch.cat([part.detach().flatten() for part in model.parameters()])
    low, high = weights.clone(), weights.clone()
    dist.all_reduce(low, dist.ReduceOp.MIN)
    dist.all_reduce(high, dist.ReduceOp.MAX)
    return (high - low).max().item()


@torch.no_grad()
def accuracy(model: nn.Module, data: tuple[Tensor, Tensor], device: torch.device) -> float:
    return (model(data[0].to(device)).argmax(1).cpu() == data[1]).float().mean().item()


def learns(steps: int, device: torch.device) -> bool:
    training, held_out = points(2000, seed=3), points(500, seed=4)
    shuffled = training[1][torch.randperm(len(training[1]), generator=torch.Generator().manual_seed(5))]
    error = gradient_error(training, device)
    model = train(training, steps, device)
    control = train((training[0], shuffled), steps, device)
    measured, chance = accuracy(model, held_out, device), accuracy(control, held_out, device)
    differ = spread(model)
    if dist.get_rank() == 0:
        print(f"accuracy {measured:.3f}, with shuffled labels {chance:.3f}, gradient off by {error:.1e}, weights differ by "
              f"{differ:g}, {dist.get_world_size()} processes by {dist.get_backend()}")  # fmt: skip
    dist.barrier()
    return measured > 0.9 and chance < 0.4 and differ == 0 and error < 1e-5 and dist.get_world_size() > 1


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--steps", type=int, default=120)
    options = options.parse_args()
    if "LOCAL_RANK" not in os.environ:
        print("start it with: torchrun --standalone --nproc-per-node 2 ddp.py", file=sys.stderr)
        return 2
    has_gpu = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if has_gpu else torch.device("cpu")
    if has_gpu:
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if has_gpu else "gloo")
    try:
        return 0 if learns(options.steps, device) else 1
    finally:
        # Models hold on to the group, in cycles, and it to its threads: one that lives when Python ends aborts it.
        gc.collect()
        dist.destroy_process_group()


if __name__ == "__main__":
    sys.exit(main())
