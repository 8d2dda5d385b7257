"""Schedulers, an optimizer and a model of one's own, whose states hold what PyTorch's own never do."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import LRScheduler

from lrsched.models import MLP


def cosine(epoch: int) -> Any:
    """A cosine over four epochs: a scalar of numpy."""
    return 0.5 * (1 + np.cos(np.pi * min(epoch, 4) / 4))


class Remembering(LRScheduler):
    """Keeps every rate that it gave in an array, and gives the mean of half the first rate and the last one."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.past = np.zeros(0)
        super().__init__(optimizer)

    def get_lr(self) -> list[Any]:
        rates = [0.5 * (base / 2 + (self.past[-1] if self.past.size else base)) for base in self.base_lrs]
        self.past = np.append(self.past, rates[0])
        return rates


class Growing(LRScheduler):
    """Its state gains a name and its tensor an element with every step; the rate falls with their number."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.seen = torch.zeros(0)
        super().__init__(optimizer)

    def get_lr(self) -> list[Any]:
        self.seen = torch.cat([self.seen, torch.ones(1)])
        self.__dict__[f"at_{len(self.seen)}"] = len(self.seen)
        names = sum(name.startswith("at_") for name in self.__dict__)
        return [base / (len(self.seen) + names) for base in self.base_lrs]


class Reckoning(LRScheduler):
    """Counts in scalars of numpy, whole and real; the rate falls with both."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.count, self.share, self.begun = np.int64(0), np.float32(1), np.bool_(False)
        super().__init__(optimizer)

    def get_lr(self) -> list[Any]:
        self.count, self.share, self.begun = np.int64(self.count + 1), np.float32(self.share * 0.75), np.bool_(True)
        return [float(base) * float(self.share) / int(self.count) for base in self.base_lrs]


class Queueing(LRScheduler):
    """Keeps its last rates in a deque, from the third one on."""

    def __init__(self, optimizer: torch.optim.Optimizer, late: bool = False) -> None:
        self.last: Any = [] if late else deque(maxlen=3)
        super().__init__(optimizer)

    def get_lr(self) -> list[Any]:
        if self.last_epoch == 2:
            self.last = deque(self.last, maxlen=3)
        self.last.append(self.base_lrs[0])
        return list(self.base_lrs)


class Counting(SGD):
    """Counts its steps in a scalar of numpy for each parameter."""

    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                state["count"] = np.int64(state.get("count", 0) + 1)
        return super().step(closure)


class Counted(MLP):
    """Counts its forward passes in an extra state, and scales its output by it."""

    def __init__(self, input_shape: tuple[int, ...], classes: int, **arguments: Any) -> None:
        super().__init__(input_shape, classes, **arguments)
        self.passes: dict[str, Any] = {"passes": 0, "seen": np.zeros(1)}

    def get_extra_state(self) -> dict[str, Any]:
        return {**self.passes, "seen": self.passes["seen"].copy()}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.passes = {**state, "seen": state["seen"].copy()}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.passes["passes"] += 1
            self.passes["seen"] += len(x)
        return super().forward(x) * (1 + 1 / self.passes["passes"] + 1 / float(self.passes["seen"][0]))


class Widening(torch.nn.Module):
    """A buffer that grows with every forward pass in training, and loads whatever length it had."""

    def __init__(self, input_shape: tuple[int, ...], classes: int, **arguments: Any) -> None:
        super().__init__()
        self.body = MLP(input_shape, classes, **arguments)
        self.register_buffer("seen", torch.zeros(0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.seen = torch.cat([self.seen, torch.ones(1)])
        return self.body(x) / (1 + len(self.seen))

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        self.seen = torch.zeros_like(state[f"{prefix}seen"])
        super()._load_from_state_dict(state, prefix, *rest)
