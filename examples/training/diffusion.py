"""A diffusion model: a small UNet learns to take noise away (Ho, Jain and Abbeel, 2020), compiled by torch.compile.

torch.compile builds C++ on the CPU and, through Triton, C on a GPU: the image needs a compiler, as the devel variant has.
Where there is none this ends with 2, unless --eager asks for the same training without compiling. Ends with 1 when the
network did not learn: its error is compared with that of guessing, its pictures with real ones.
"""
import argparse
import os
import shutil
import sys

import torch
from torch import Tensor, nn
from torch.nn import functional

STEPS_OF_NOISE = 50
BATCH = 32


def stripes(count: int, generator: torch.Generator) -> Tensor:
    """Pictures of 1x16x16: stripes, upright or level, at any phase."""
    line = torch.sin(0.8 * torch.arange(16.0) + 6.28 * torch.rand(count, 1, generator=generator))
    level = line.unsqueeze(2).expand(-1, -1, 16)
    is_level = torch.rand(count, 1, 1, generator=generator) < 0.5
    return torch.where(is_level, level, level.transpose(1, 2)).unsqueeze(1)


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.GroupNorm(4, outputs), nn.SiLU(),
                                          nn.Conv2d(outputs, outputs, 3, padding=1), nn.GroupNorm(4, outputs), nn.SiLU())  # fmt: skip
        self.time = nn.Linear(16, inputs)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        return self.convolutions(x + self.time(time)[:, :, None, None])


class UNet(nn.Module):
    """Down, across and up again, with what went down at each level beside what comes up."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.across, self.up = Block(1, 16), Block(16, 32), Block(48, 16)
        self.last = nn.Conv2d(16, 1, 1)
        self.register_buffer("frequencies", torch.exp(torch.linspace(0, -4, 8)))

    def forward(self, x: Tensor, step: Tensor) -> Tensor:
        angles = step[:, None] * self.frequencies
        time = torch.cat([angles.sin(), angles.cos()], dim=1)
        high = self.down(x, time)
        low = self.across(functional.avg_pool2d(high, 2), time)
        return self.last(self.up(torch.cat([high, functional.interpolate(low, scale_factor=2.0)], dim=1), time))


class Noise:
    """How much of a picture is left at each step."""

    def __init__(self, device: torch.device) -> None:
        self.added = torch.linspace(0.005, 0.2, STEPS_OF_NOISE, device=device)
        self.left = torch.cumprod(1 - self.added, dim=0)

    def put_on(self, pictures: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        left = self.left[step].view(-1, 1, 1, 1)
        return left.sqrt() * pictures + (1 - left).sqrt() * noise

    @torch.no_grad()
    def take_away(self, model: nn.Module, x: Tensor) -> Tensor:
        for step in reversed(range(STEPS_OF_NOISE)):
            guess = model(x, torch.full((len(x),), float(step), device=x.device))
            x = (x - self.added[step] / (1 - self.left[step]).sqrt() * guess) / (1 - self.added[step]).sqrt()
            if step > 0:
                x = x + self.added[step].sqrt() * torch.randn_like(x)
        return x


def distance(one: Tensor, other: Tensor) -> float:
    """Sliced Wasserstein: both seen along random directions, sorted, subtracted."""
    directions = functional.normalize(torch.randn(one[0].numel(), 128, generator=torch.Generator().manual_seed(7)), dim=0)
    seen = [(part.flatten(1).cpu() @ directions).sort(dim=0).values for part in (one, other)]
    return (seen[0] - seen[1]).abs().mean().item()


def missing_compiler(device: torch.device) -> str:
    """What torch.compile would call and does not find; empty where all is there."""
    wanted = os.environ.get("CXX", "g++") if device.type == "cpu" else os.environ.get("CC", "gcc")
    return "" if shutil.which(wanted) else wanted


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--steps", type=int, default=250)
    options.add_argument("--eager", action="store_true", help="do not compile")
    options = options.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not options.eager and (compiler := missing_compiler(device)):
        print(f"torch.compile needs {compiler}, which is not in this image: run it in a devel variant, or with --eager",
              file=sys.stderr)  # fmt: skip
        return 2
    torch.manual_seed(1)
    model = UNet().to(device)
    network = model if options.eager else torch.compile(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    noising = Noise(device)
    chance = torch.Generator().manual_seed(2)

    def error(pictures: Tensor) -> Tensor:
        step = torch.randint(STEPS_OF_NOISE, (len(pictures),), generator=chance).to(device)
        noise = torch.randn(pictures.shape, generator=chance).to(device)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
            guess = network(noising.put_on(pictures.to(device), noise, step), step.float())
        return functional.mse_loss(guess.float(), noise)

    for _ in range(options.steps):
        loss = error(stripes(BATCH, chance))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    with torch.no_grad():
        measured = sum(error(stripes(BATCH, chance)).item() for _ in range(8)) / 8
    start = torch.randn(128, 1, 16, 16, generator=chance).to(device)
    real = stripes(128, chance)
    made, noise = distance(noising.take_away(model, start), real), distance(start, real)
    how = "eagerly" if options.eager else "compiled"
    # Noise has a variance of 1, so that guessing 0 everywhere has an error of 1.
    print(f"error {measured:.3f}, of guessing 1.000; distance to real pictures {made:.3f}, of noise {noise:.3f}; {how} on {device.type}")
    return 0 if measured < 0.35 and made < 0.8 * noise else 1


if __name__ == "__main__":
    sys.exit(main())
