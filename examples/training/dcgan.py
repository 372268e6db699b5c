"""A deep convolutional GAN (DCGAN) on small generated pictures: a disc of any size at any place.

What it made is compared with real pictures by the sliced Wasserstein distance of their pixels. Ends with 1 when the trained
generator is not much nearer to them than the untrained one.
"""
import argparse
import sys

import torch
from torch import Tensor, nn
from torch.nn import functional

NOISE = 16
BATCH = 32


def discs(count: int, generator: torch.Generator) -> Tensor:
    """Pictures of 1x16x16 in -1 … 1, as the generator's tanh makes them."""
    center = 5 + 6 * torch.rand(count, 2, 1, 1, generator=generator)
    radius = 2 + 2.5 * torch.rand(count, 1, 1, generator=generator)
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    distance = ((x - center[:, 0]) ** 2 + (y - center[:, 1]) ** 2).sqrt()
    return torch.tanh(2 * (radius - distance)).unsqueeze(1)


def generator() -> nn.Module:
    return nn.Sequential(
        nn.ConvTranspose2d(NOISE, 64, 4, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
        nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
        nn.ConvTranspose2d(32, 1, 4, stride=2, padding=1), nn.Tanh())  # fmt: skip


def discriminator() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 32, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
        nn.Conv2d(32, 64, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(64), nn.LeakyReLU(0.2),
        nn.Conv2d(64, 1, 4), nn.Flatten(0))  # fmt: skip


def as_in_the_paper(module: nn.Module) -> None:
    """Radford, Metz and Chintala (2016), section 4: weights from a normal distribution, 0.02 wide."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0, 0.02)


def distance(one: Tensor, other: Tensor) -> float:
    """Sliced Wasserstein: both seen along random directions, sorted, subtracted."""
    directions = functional.normalize(torch.randn(one[0].numel(), 128, generator=torch.Generator().manual_seed(7)), dim=0)
    seen = [(part.flatten(1).cpu() @ directions).sort(dim=0).values for part in (one, other)]
    return (seen[0] - seen[1]).abs().mean().item()


@torch.no_grad()
def pictures_of(maker: nn.Module, count: int, device: torch.device) -> Tensor:
    # With the statistics of the batch, as in training: few steps leave the running ones behind.
    return maker(torch.randn(count, NOISE, 1, 1, generator=torch.Generator().manual_seed(8)).to(device))


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--steps", type=int, default=100)
    options = options.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    uses_amp = device.type == "cuda"
    torch.manual_seed(1)
    maker, judge = generator().apply(as_in_the_paper).to(device), discriminator().apply(as_in_the_paper).to(device)
    for_maker, for_judge = (torch.optim.Adam(one.parameters(), lr=1e-3, betas=(0.5, 0.999)) for one in (maker, judge))
    scalers = [torch.amp.GradScaler(device.type, enabled=uses_amp) for _ in range(2)]
    chance = torch.Generator().manual_seed(2)
    real = discs(512, torch.Generator().manual_seed(3))
    untrained = distance(pictures_of(maker, 512, device), real)

    def learn(loss: Tensor, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler) -> None:
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    for _ in range(options.steps):
        noise = torch.randn(BATCH, NOISE, 1, 1, generator=chance).to(device)
        with torch.autocast(device.type, enabled=uses_amp):
            made = maker(noise)
            # -log(judge(real)) - log(1 - judge(made)), by softplus, which does not overflow
            loss = functional.softplus(-judge(discs(BATCH, chance).to(device))).mean() + functional.softplus(judge(made.detach())).mean()
        learn(loss, for_judge, scalers[0])
        with torch.autocast(device.type, enabled=uses_amp):
            loss = functional.softplus(-judge(made)).mean()
        learn(loss, for_maker, scalers[1])

    trained = distance(pictures_of(maker, 512, device).float(), real)
    same = distance(discs(512, torch.Generator().manual_seed(4)), real)
    print(f"distance to real pictures {trained:.3f}, untrained {untrained:.3f}, of real ones among themselves {same:.3f}, "
          f"on {device.type}")  # fmt: skip
    return 0 if trained < untrained / 2 else 1


if __name__ == "__main__":
    sys.exit(main())
