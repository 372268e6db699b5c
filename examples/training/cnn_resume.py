"""A convolutional network on CIFAR-shaped images, with checkpoints, and training that goes on where it stopped.

On the CPU a run that was stopped and resumed ends with the same bits as one that was not. Ends with 1 when the network
did not learn, when it "learned" shuffled labels, or when resuming changed anything.
"""
import argparse
import os
import pathlib
import sys
import tempfile

import torch
from torch import Tensor, nn
from torch.nn import functional

CLASSES = 10
BATCH = 32


def images(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Images of 3x32x32, each a blurred pattern of its class, moved about and under noise."""
    patterns = torch.randn(CLASSES, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    patterns = functional.interpolate(patterns, size=32, mode="bilinear")
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (count,), generator=generator)
    moved = torch.stack([patterns[label].roll(int(shift), dims=-1) for label, shift in
                         zip(labels, torch.randint(-4, 5, (count,), generator=generator))])  # fmt: skip
    return moved + torch.randn(count, 3, 32, 32, generator=generator), labels


class Network(nn.Sequential):
    def __init__(self) -> None:
        def block(inputs: int, outputs: int) -> list[nn.Module]:
            return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]

        super().__init__(*block(3, 16), *block(16, 32), *block(32, 32), nn.Flatten(), nn.Dropout(0.1),
                         nn.Linear(32 * 4 * 4, CLASSES))  # fmt: skip


class Training:
    """All that a checkpoint holds: what is left out here is what a resumed run would do differently."""

    def __init__(self, data: tuple[Tensor, Tensor], steps: int, device: torch.device) -> None:
        torch.manual_seed(1)
        self.images, self.labels = (part.to(device) for part in data)
        self.model = Network().to(device)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.05, momentum=0.9, nesterov=True)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, steps)
        self.order = torch.Generator().manual_seed(2)  # of the batches
        self.step = 0
        self.device = device

    def run_to(self, step: int) -> None:
        self.model.train()
        while self.step < step:
            batch = torch.randint(len(self.labels), (BATCH,), generator=self.order).to(self.device)
            loss = functional.cross_entropy(self.model(self.images[batch]), self.labels[batch])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.scheduler.step()
            self.step += 1

    def save(self, path: pathlib.Path) -> None:
        """Whole or not at all: a job may be killed while it writes."""
        temporary = path.with_suffix(".part")
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                 "scheduler": self.scheduler.state_dict(), "order": self.order.get_state(), "step": self.step,
                 "dropout": torch.get_rng_state()}  # fmt: skip
        if self.device.type == "cuda":
            state["dropout_cuda"] = torch.cuda.get_rng_state(self.device)
        with open(temporary, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)

    def load(self, path: pathlib.Path) -> None:
        state = torch.load(path, map_location="cpu", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.order.set_state(state["order"])
        self.step = state["step"]
        torch.set_rng_state(state["dropout"])
        if "dropout_cuda" in state:
            torch.cuda.set_rng_state(state["dropout_cuda"], self.device)

    @torch.no_grad()
    def accuracy(self, data: tuple[Tensor, Tensor]) -> float:
        self.model.eval()
        return (self.model(data[0].to(self.device)).argmax(1).cpu() == data[1]).float().mean().item()


def largest_difference(one: nn.Module, other: nn.Module) -> float:
    return max((a - b).abs().max().item() for a, b in
               zip(one.state_dict().values(), other.state_dict().values()))  # fmt: skip


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--steps", type=int, default=25)
    options.add_argument("--checkpoints", type=pathlib.Path, help="folder (default: a temporary one)")
    options = options.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        torch.use_deterministic_algorithms(True)
    training, held_out = images(2000, seed=3), images(500, seed=4)

    whole = Training(training, options.steps, device)
    whole.run_to(options.steps)

    with tempfile.TemporaryDirectory() as temporary:
        checkpoint = (options.checkpoints or pathlib.Path(temporary)) / "checkpoint.pt"
        stopped = Training(training, options.steps, device)
        stopped.run_to(options.steps // 2)
        stopped.save(checkpoint)
        resumed = Training(training, options.steps, device)
        torch.rand(17)  # whatever a new process did before
        resumed.load(checkpoint)
    resumed.run_to(options.steps)
    difference = largest_difference(whole.model, resumed.model)

    shuffled = training[1][torch.randperm(len(training[1]), generator=torch.Generator().manual_seed(5))]
    control = Training((training[0], shuffled), options.steps, device)
    control.run_to(options.steps)

    accuracy, chance = resumed.accuracy(held_out), control.accuracy(held_out)
    print(f"accuracy {accuracy:.3f}, with shuffled labels {chance:.3f}, resumed differs by {difference:g} on {device.type}")
    # On a GPU, convolutions may add in another order from run to run.
    learned = accuracy > 0.9 and chance < 0.3 and (difference == 0 if device.type == "cpu" else difference < 0.1)
    return 0 if learned else 1


if __name__ == "__main__":
    sys.exit(main())
