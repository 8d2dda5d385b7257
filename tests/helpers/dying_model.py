"""A model that dies in training in a chosen way; for the tests of sweeps.

``heal`` in the current folder keeps it alive, so that the same command may be given again.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lrsched.models.checks import ImageShape
from lrsched.models.mlp import MLP
from lrsched.signals import stop_flag

DEATH = 8
"""The update in which it dies; the second epoch of the tests' tiny run is under way by then."""


class Mortal(MLP):
    """An MLP whose training ends in its eighth update, by ``death``: one of DEATHS."""

    def __init__(
        self,
        input_shape: ImageShape,
        classes: int,
        *,
        hidden: Sequence[int] = (128,),
        dropout: float = 0.0,
        activation: str = "relu",
        death: str = "none",
    ) -> None:
        super().__init__(input_shape, classes, hidden=hidden, dropout=dropout, activation=activation)  # type: ignore[arg-type]
        self._death, self._updates = death, 0

    def forward(self, x: Tensor) -> Tensor:
        logits = super().forward(x)
        if self.training:
            self._updates += 1
            if self._updates == DEATH and self._death != "none" and not Path("heal").exists():
                return DEATHS[self._death](logits)
        return logits


def _raise(logits: Tensor) -> Tensor:
    print("a word before dying", flush=True)
    raise ValueError("the model has had enough")


def _exit(code: int) -> Any:
    return lambda logits: sys.exit(code)


def _leave(logits: Tensor) -> Tensor:
    print("a word before dying", flush=True)
    os._exit(0)


def _kill(logits: Tensor) -> Tensor:
    print("a word before dying", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
    return logits


def _crash(logits: Tensor) -> Tensor:
    ctypes.string_at(0)  # reads where nothing is
    return logits


def _eat(logits: Tensor) -> Tensor:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**26, resource.RLIM_INFINITY))
    return logits + torch.ones(2**28).sum()  # 1 GiB, where 64 MiB more are allowed


def _hang(logits: Tensor) -> Tensor:
    while True:  # it looks at no flag
        time.sleep(1)


def _poison(logits: Tensor) -> Tensor:
    return logits * float("nan")


def _scancel(*arguments: str) -> Any:
    def ask(logits: Tensor) -> Tensor:
        job = "{SLURM_ARRAY_JOB_ID}_{SLURM_ARRAY_TASK_ID}".format_map(os.environ)
        subprocess.run(["scancel", *arguments, job], check=True)
        return _wait(logits)

    return ask


def _warn(logits: Tensor) -> Tensor:
    os.kill(os.getppid(), signal.SIGUSR2)  # the process that a cluster would send it
    return _wait(logits)


def _wait(logits: Tensor) -> Tensor:
    while stop_flag().number is None:
        time.sleep(0.01)
    return logits


DEATHS = {
    "raise": _raise,
    "exit0": _exit(0),
    "exit3": _exit(3),
    "leave": _leave,
    "kill": _kill,
    "crash": _crash,
    "memory": _eat,
    "hang": _hang,
    "diverge": _poison,
    "cancel": _scancel(),
    "preempt": _scancel("--signal=USR2"),
    "limit": _wait,
    "warn": _warn,
}
