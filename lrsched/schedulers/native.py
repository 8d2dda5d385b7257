"""Native schedulers: PyTorch's classes, and anybody's in their form, run live and unchanged."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from torch.optim.lr_scheduler import CyclicLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from lrsched.errors import ConfigError
from lrsched.schedulers.base import Advice, Scheduler, monitored, within_bounds
from lrsched.schedulers.expression import Expression
from lrsched.schedulers.values import put_value

SEEN = ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")
"""What a ``ReduceLROnPlateau`` keeps of the metrics that it has seen."""

Interval = Literal["epoch", "step", "evaluation"]


class Native(Scheduler):
    """Calls ``inner.step()`` where a hand-written PyTorch loop would: between two updates.

    Args:
        inner: the scheduler, built on the run's optimizer.
        interval: after every epoch, every step or every evaluation.
        steps_per_epoch: updates in an epoch.
        monitor: the metric that is handed to a ``ReduceLROnPlateau``.
        until: the step from which on the values in force are held; one that takes a metric goes on.

    Raises:
        ConfigError: a plateau scheduler at interval ``step``: between two updates there is no metric.
    """

    def __init__(
        self,
        inner: LRScheduler,
        interval: Interval,
        steps_per_epoch: int,
        monitor: str = "val/loss",
        until: float = math.inf,
    ) -> None:
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
        self._newest: float | None = None  # the metric that waits for the end of its epoch
        self._until = until
        self._applied = 0  # the update whose values are in force; the constructor of inner set those of update 0

    def set(self, step: int) -> None:
        if step == self._applied:  # the first update, or one that is tried again
            return
        passed = range(min(self._applied + 1, step), step + 1)  # more than one only after a change of pace
        self._applied = step
        if not self._every:
            return
        for number in passed:
            if number % self._every:
                continue
            if not self.takes_metric:
                if number < self._until:
                    self._step()
            elif self._newest is not None:
                self._step(self._newest)

    def observe(self, step: int, metrics: Mapping[str, float]) -> Advice:
        if self.takes_metric:
            self._newest = monitored(self.monitor, metrics, step, self.inner)
            if not self._every or step % self._every == 0:
                self._step(self._newest)
        elif self.interval == "evaluation" and self._applied != step < self._until:  # two updates may share a place
            self._step()
        return Advice.NOTHING

    def _step(self, *metric: float) -> None:
        """Step the inner scheduler; at interval epoch with the newest metric since its last step.

        Raises:
            ConfigError: it fails.
        """
        self._newest = None
        try:
            self.inner.step(*metric)  # type: ignore[arg-type]
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            name = type(self.inner).__name__
            raise ConfigError("scheduler", name, f"ends with an error of its own: {error}") from error

    @property
    def sees_metrics(self) -> bool:
        return self.takes_metric

    @property
    def is_open_loop(self) -> bool:
        """Whether all that it will set is known: it is PyTorch's own and looks at nothing but a counter."""
        parts = list(nested(self.inner))
        functions = [f for part in parts for f in getattr(part, "lr_lambdas", ()) if f is not None]
        return (
            all(type(part).__module__ == LRScheduler.__module__ for part in parts)
            and not any(isinstance(part, ReduceLROnPlateau) for part in parts)
            and all(isinstance(function, Expression) for function in functions)
        )

    def levels(self) -> list[float] | None:
        return [float(group["lr"]) for group in self.inner.optimizer.param_groups] if self.takes_metric else None

    def judges_like(self, old: Scheduler) -> bool:
        return isinstance(old, Native) and self._judged() == old._judged()

    def _judged(self) -> tuple[object, ...]:
        return type(self.inner), self.monitor, getattr(self.inner, "mode", None)

    def go_on_from(self, old: Scheduler, ratios: Sequence[float]) -> None:
        levels, inner = old.levels(), self.inner
        if levels is None or not isinstance(inner, ReduceLROnPlateau):
            raise self.cannot_follow(old)
        if isinstance(old, Native) and self.judges_like(old):
            for name in SEEN:
                setattr(inner, name, getattr(old.inner, name))
            self._newest = old._newest
        bases = [float(rate) for rate in inner.get_last_lr()]  # of the groups that it was built on
        levels = within_bounds(levels, ratios, inner.min_lrs, bases)
        for group, level in zip(inner.optimizer.param_groups, levels, strict=True):
            put_value(group, "lr", None, level)
        inner._last_lr = [*levels]

    def state_dict(self) -> dict[str, Any]:
        waiting = {} if self._newest is None else {"newest": self._newest}
        return {"inner": self.inner.state_dict(), "applied": self._applied, **waiting}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.inner.load_state_dict(state["inner"])
        self._applied, self._newest = state["applied"], state.get("newest")
        # PyTorch warns when it has not seen optimizer.step(); the updates before the checkpoint were not its to see.
        setattr(self.inner.optimizer, "_opt_called", True)  # noqa: B010


def nested(scheduler: Any) -> Iterator[Any]:
    """A scheduler, and those inside it."""
    yield scheduler
    for child in getattr(scheduler, "_schedulers", ()):
        yield from nested(child)
