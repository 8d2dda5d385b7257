"""The loop of ``memory.py`` that one writes by hand: torch, our networks, and data that another process wrote.

python benchmarks/_by_hand.py write mlp FILE ROOT      the samples, as float32 in [N, 1, 28, 28] or bytes in [N, T]
python benchmarks/_by_hand.py train mlp FILE           as many updates as ours, and an evaluation
"""

from __future__ import annotations

import sys

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

STEPS = {"mlp": 422, "cnn": 40, "gpt": 20}
HELD_OUT = {"mlp": 6000, "cnn": 6000, "gpt": 2000}


def write(kind: str, file: str, root: str) -> None:
    """Write the samples of a data set and their labels."""
    from lrsched.data import MNIST, PythonSource

    if kind == "gpt":
        torch.save((PythonSource().load().train[0],), file)
        return
    x, y = MNIST(root=root).load().train[:2]
    x = x.float()
    torch.save(((x - x.mean()) / x.std(), y), file)


def model_of(kind: str) -> nn.Module:
    """The network that the config of ours names."""
    from lrsched.models import CNN, GPT, MLP

    if kind == "gpt":
        return GPT(vocabulary=256, context=128)
    pictures = {"input_shape": (1, 28, 28), "classes": 10}
    return MLP(**pictures) if kind == "mlp" else CNN(**pictures)


def loss_of(model: nn.Module, kind: str, some: list[Tensor]) -> Tensor:
    """The mean loss of a batch."""
    if kind == "gpt":
        tokens = some[0].long()
        return cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
    return cross_entropy(model(some[0]), some[1].long())


def train(kind: str, file: str) -> None:
    """Train and evaluate, as short as it can be written."""
    columns = torch.load(file, weights_only=True)
    out = HELD_OUT[kind]
    held, columns = [column[:out] for column in columns], [column[out:] for column in columns]
    batch, large = (16, 64) if kind == "gpt" else (128, 1024)
    model = model_of(kind)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)
    order = torch.randperm(len(columns[0]))
    for step in range(STEPS[kind]):
        j = order[step * batch : (step + 1) * batch]
        loss_of(model, kind, [column[j] for column in columns]).backward()
        optimizer.step()
        optimizer.zero_grad()
    with torch.inference_mode():
        for start in range(0, (2 if kind != "mlp" else 6) * large, large):
            loss_of(model.eval(), kind, [column[start : start + large] for column in held])


if __name__ == "__main__":
    {"write": write, "train": train}[sys.argv[1]](*sys.argv[2:])
