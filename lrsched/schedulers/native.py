"""Native schedulers: PyTorch's classes, and anybody's in their form, run live and unchanged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from torch.optim.lr_scheduler import CyclicLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from lrsched.errors import ConfigError
from lrsched.schedulers.base import Advice, Scheduler, monitored
from lrsched.schedulers.expression import Expression

Interval = Literal["epoch", "step", "evaluation"]


class Native(Scheduler):
    """Calls ``inner.step()`` where a hand-written PyTorch loop would: between two updates.

    Args:
        inner: the scheduler, built on the run's optimizer.
        interval: after every epoch, every step or every evaluation.
        steps_per_epoch: updates in an epoch.
        monitor: the metric that is handed to a ``ReduceLROnPlateau``.

    Raises:
        ConfigError: a plateau scheduler at interval ``step``: between two updates there is no metric.
    """

    def __init__(self, inner: LRScheduler, interval: Interval, steps_per_epoch: int, monitor: str = "val/loss") -> None:
        self.inner, self.interval, self.monitor = inner, interval, monitor
        self._every = {"epoch": steps_per_epoch, "step": 1, "evaluation": 0}[interval]
        self.takes_metric = isinstance(inner, ReduceLROnPlateau)
        if self.takes_metric and interval == "step":
            raise ConfigError(
                "interval",
                "step",
                f"{type(inner).__name__} steps on a metric, and a metric comes with an evaluation",
                "use interval=evaluation, with trainer.evaluate_every=1st for one after each step",
            )
        cycles_momentum = isinstance(inner, (CyclicLR, OneCycleLR)) and getattr(inner, "cycle_momentum", False)
        self.moves = ("lr", "momentum") if cycles_momentum else ("lr",)
        self._applied = 0  # the update whose values are in force; the constructor of inner set those of update 0

    def set(self, step: int) -> None:
        if step == self._applied:  # the first update, or one that is tried again
            return
        passed = range(min(self._applied + 1, step), step + 1)  # more than one only after a change of pace
        self._applied = step
        if self._every and not self.takes_metric:
            for _ in (number for number in passed if number % self._every == 0):
                self.inner.step()

    def observe(self, step: int, metrics: Mapping[str, float]) -> Advice:
        if self.takes_metric:
            # At interval epoch, evaluations inside an epoch are not its to see.
            if not self._every or step % self._every == 0:
                self.inner.step(monitored(self.monitor, metrics, step, self.inner))  # type: ignore[arg-type]
        elif self.interval == "evaluation":
            self.inner.step()
        return Advice.NOTHING

    @property
    def sees_metrics(self) -> bool:
        return self.takes_metric

    @property
    def is_open_loop(self) -> bool:
        """Whether all that it will set is known: it is PyTorch's own and looks at nothing but a counter."""
        parts = list(_nested(self.inner))
        functions = [f for part in parts for f in getattr(part, "lr_lambdas", ()) if f is not None]
        return (
            all(type(part).__module__ == LRScheduler.__module__ for part in parts)
            and not any(isinstance(part, ReduceLROnPlateau) for part in parts)
            and all(isinstance(function, Expression) for function in functions)
        )

    def rescale(self, ratios: Sequence[float]) -> None:
        """Scale the base rates, those of the schedulers inside a composite too."""
        for scheduler in _nested(self.inner):
            if hasattr(scheduler, "base_lrs"):
                scheduler.base_lrs = [base * ratio for base, ratio in zip(scheduler.base_lrs, ratios, strict=True)]
            scheduler._last_lr = [group["lr"] for group in scheduler.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        return {"inner": self.inner.state_dict(), "applied": self._applied}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.inner.load_state_dict(state["inner"])
        self._applied = state["applied"]
        # PyTorch warns when it has not seen optimizer.step(); the updates before the checkpoint were not its to see.
        setattr(self.inner.optimizer, "_opt_called", True)  # noqa: B010


def _nested(scheduler: Any) -> Iterator[Any]:
    yield scheduler
    for child in getattr(scheduler, "_schedulers", ()):
        yield from _nested(child)
