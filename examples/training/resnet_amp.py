"""A residual network in mixed precision (AMP) and channels_last, the memory layout that tensor cores want.

float16 with a gradient scaler on a GPU, bfloat16 on the CPU. Ends with 1 when the network did not learn, when it
"learned" shuffled labels, or when it was not computed as said.
"""
import argparse
import sys

import torch
from torch import Tensor, nn
from torch.nn import functional

CLASSES = 8
BATCH = 32


def images(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Gratings: the class is their direction; phase, strength and noise are chance."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (count,), generator=generator)
    angle = (labels * torch.pi / CLASSES).view(-1, 1, 1)
    phase = 6.28 * torch.rand(count, 1, 1, generator=generator)
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    gratings = torch.sin(1.2 * (x * torch.cos(angle) + y * torch.sin(angle)) + phase)
    strength = 0.5 + torch.rand(count, 3, 1, 1, generator=generator)
    return strength * gratings.unsqueeze(1) + 0.5 * torch.randn(count, 3, 16, 16, generator=generator), labels


class Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)])
        self.shortcut = nn.Identity() if stride == 1 else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.norms[0](self.first(x)))
        return functional.relu(self.norms[1](self.second(y)) + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.blocks = nn.Sequential(Residual(16, 16, 1), Residual(16, 32, 2), Residual(32, 64, 2))
        self.head = nn.Linear(64, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        features = self.blocks(self.stem(x))
        self.features_are = (features.dtype, features.is_contiguous(memory_format=torch.channels_last))
        return self.head(features.mean(dim=(2, 3)))


def train(data: tuple[Tensor, Tensor], steps: int, device: torch.device, dtype: torch.dtype) -> ResNet:
    torch.manual_seed(1)
    pictures = data[0].to(device, memory_format=torch.channels_last)
    labels = data[1].to(device)
    model = ResNet().to(device, memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    # Gradients of float16 are too small for it unless they are scaled; bfloat16 has float32's range.
    scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
    order = torch.Generator().manual_seed(2)
    for _ in range(steps):
        batch = torch.randint(len(labels), (BATCH,), generator=order).to(device)
        with torch.autocast(device.type, dtype=dtype):
            loss = functional.cross_entropy(model(pictures[batch]), labels[batch])
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    return model.eval()


@torch.no_grad()
def accuracy(model: ResNet, data: tuple[Tensor, Tensor], device: torch.device, dtype: torch.dtype) -> float:
    with torch.autocast(device.type, dtype=dtype):
        answers = model(data[0].to(device, memory_format=torch.channels_last)).argmax(1)
    return (answers.cpu() == data[1]).float().mean().item()


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--steps", type=int, default=25)
    options = options.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.float16 if device.type == "cuda" else torch.bfloat16
    training, held_out = images(2000, seed=3), images(300, seed=4)
    shuffled = training[1][torch.randperm(len(training[1]), generator=torch.Generator().manual_seed(5))]

    model = train(training, options.steps, device, dtype)
    control = train((training[0], shuffled), options.steps, device, dtype)
    measured, chance = accuracy(model, held_out, device, dtype), accuracy(control, held_out, device, dtype)
    computed_as, is_channels_last = model.features_are
    print(f"accuracy {measured:.3f}, with shuffled labels {chance:.3f}, in {computed_as}, "
          f"channels_last {is_channels_last}, on {device.type}")  # fmt: skip
    learned = measured > 0.9 and chance < 0.35
    return 0 if learned and computed_as == dtype and is_channels_last else 1


if __name__ == "__main__":
    sys.exit(main())
