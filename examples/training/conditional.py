"""A network whose shape is its input: it walks a logical expression and calls a small network for each operator.

Which modules run, and how often, depends on the data, which Python's own control flow decides. Trained on expressions up
to three operators deep, asked about deeper ones that it has never seen. Ends with 1 when it did not learn, or when it
"learned" shuffled answers.
"""
import argparse
import random
import sys

import torch
from torch import Tensor, nn
from torch.nn import functional

OPERATORS = {"and": lambda a, b: a and b, "or": lambda a, b: a or b, "xor": lambda a, b: a != b}
SIZE = 16
BATCH = 32

Expression = bool | tuple  # True, False, ("not", e) or (operator, e, e)


def expression(chance: random.Random, depth: int) -> Expression:
    if depth == 0:
        return chance.random() < 0.5
    if chance.random() < 0.2:
        return ("not", expression(chance, depth - 1))
    # One side keeps the depth, the other is as deep as it likes.
    sides = [expression(chance, depth - 1), expression(chance, chance.randrange(depth))]
    chance.shuffle(sides)
    return (chance.choice(list(OPERATORS)), *sides)


def value(of: Expression) -> bool:
    if isinstance(of, bool):
        return of
    if of[0] == "not":
        return not value(of[1])
    return OPERATORS[of[0]](value(of[1]), value(of[2]))


class Evaluator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.leaves = nn.Embedding(2, SIZE)
        self.operators = nn.ModuleDict(
            {name: nn.Sequential(nn.Linear((1 if name == "not" else 2) * SIZE, 32), nn.Tanh(), nn.Linear(32, SIZE), nn.Tanh())
             for name in ("not", *OPERATORS)})  # fmt: skip
        self.answer = nn.Linear(SIZE, 2)

    def walk(self, of: Expression) -> Tensor:
        if isinstance(of, bool):
            return self.leaves.weight[int(of)]
        return self.operators[of[0]](torch.cat([self.walk(part) for part in of[1:]]))

    def forward(self, expressions: list[Expression]) -> Tensor:
        return self.answer(torch.stack([self.walk(one) for one in expressions]))


def train(expressions: list[Expression], answers: Tensor, steps: int, device: torch.device) -> Evaluator:
    torch.manual_seed(1)
    model = Evaluator().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    order = torch.Generator().manual_seed(2)
    for _ in range(steps):
        batch = torch.randint(len(answers), (BATCH,), generator=order)
        loss = functional.cross_entropy(model([expressions[i] for i in batch]), answers[batch].to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


@torch.no_grad()
def accuracy(model: Evaluator, expressions: list[Expression]) -> float:
    answers = torch.tensor([int(value(one)) for one in expressions])
    return (model(expressions).argmax(1).cpu() == answers).float().mean().item()


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--steps", type=int, default=100)
    options = options.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    chance = random.Random(3)
    training = [expression(chance, 1 + i % 3) for i in range(1500)]
    deeper = [expression(chance, 5) for _ in range(200)]
    answers = torch.tensor([int(value(one)) for one in training])

    model = train(training, answers, options.steps, device)
    control = train(training, answers[torch.randperm(len(answers), generator=torch.Generator().manual_seed(5))],
                    options.steps, device)  # fmt: skip
    measured, guessed = accuracy(model, deeper), accuracy(control, deeper)
    print(f"accuracy {measured:.3f} on deeper expressions, with shuffled answers {guessed:.3f}, on {device.type}")
    return 0 if measured > 0.9 and guessed < 0.7 else 1


if __name__ == "__main__":
    sys.exit(main())
