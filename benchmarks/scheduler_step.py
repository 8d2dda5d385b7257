"""What one step of a scheduler costs: ours against torch's CosineAnnealingLR, with 1 parameter group and with 50.

    python benchmarks/scheduler_step.py --rounds 41

Each candidate steps through a part of a run of 100,000 updates; the number is one step in microseconds. No model is
trained: it is the price that a loop pays beside its updates.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from _measure import interleaved, machine, table
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR

import lrsched
from lrsched.schedulers import Table
from lrsched.schedules import Cosine

RUN = 100_000
CALLS = 2_000


def optimizer(groups: int) -> SGD:
    """Groups with rates of their own, as layer-wise decay gives them."""
    return SGD([{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.1 * 0.9**i} for i in range(groups)])


def stepping(step: Callable[[], object]) -> Callable[[], object]:
    def many() -> None:
        for _ in range(CALLS):
            step()

    return many


def torchs(groups: int) -> Callable[[], object]:
    driven = optimizer(groups)
    scheduler = CosineAnnealingLR(driven, RUN)
    driven.step()  # or it would warn of the order
    return stepping(scheduler.step)


def adapter(groups: int) -> Callable[[], object]:
    return stepping(lrsched.LRScheduler(optimizer(groups), Cosine(), RUN).step)


def trainers(groups: int) -> Callable[[], object]:
    scheduler = Table(optimizer(groups), Cosine(), lrsched.Horizon(RUN))

    def many() -> None:
        for step in range(CALLS):
            scheduler.set(step)

    return many


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=41)
    rounds = arguments.parse_args().rounds
    print(machine())
    for groups in (1, 50):
        candidates = {
            "CosineAnnealingLR.step()": lambda groups=groups: torchs(groups),
            "lrsched.LRScheduler.step()": lambda groups=groups: adapter(groups),
            "Table.set(step)": lambda groups=groups: trainers(groups),
        }
        seconds = interleaved(candidates, rounds)
        print(f"\n{groups} parameter group{'s' * (groups > 1)}, µs a step\n")
        print(table(seconds, "CosineAnnealingLR.step()", unit=1e6 / CALLS))


if __name__ == "__main__":
    main()
