"""A scheduler driven as a run drives it, while nothing is trained: to see what it sets, or to bring it to a step."""

from __future__ import annotations

from torch.optim import Optimizer

from lrsched.schedulers.base import Scheduler
from lrsched.schedulers.table import Table
from lrsched.train.evaluate import METRICS

SAME: dict[str, float] = dict.fromkeys(METRICS, 1.0)
"""What an evaluation shows while nothing is trained: a closed loop sees a run that never improves."""


def advance(scheduler: Scheduler, optimizer: Optimizer, s: int, every: int) -> None:
    """What happens to a scheduler from rest at ``s`` up to the forward pass of that update.

    Args:
        every: steps between two evaluations.
    """
    setattr(optimizer, "_opt_called", True)  # noqa: B010  (PyTorch warns where no update came before)
    if s and s % every == 0:
        scheduler.observe(s, SAME)
    scheduler.set(s)


def bring(scheduler: Scheduler, optimizer: Optimizer, step: int, every: int) -> None:
    """Bring a new open-loop scheduler and its optimizer's groups to rest after ``step`` updates."""
    for s in range(max(0, step - 1), step) if isinstance(scheduler, Table) else range(step):
        advance(scheduler, optimizer, s, every)
    if step and step % every == 0:
        scheduler.observe(step, SAME)
