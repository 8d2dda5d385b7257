"""The clock of a run: where its updates lie in its epochs, whatever changed on the way.

A run that is resumed with another number of updates an epoch (batch size, accumulation, split, limits, other data)
goes on at the same epoch. Its completed updates keep their numbers; a new clock says what the later ones mean::

    epoch      samples seen / samples of an epoch; never goes back
    place      the step of the plan that an update takes its rate from. The plan is made at the new pace for the
               whole run, and the first update takes its place half-up(epoch · updates an epoch)
    samples    the unseen ones of the epoch that is under way, in its own order, as many as the rest of it has;
               batches that were passed over count as seen, so that the data may be ahead of the epoch

The rest of the epoch that was under way may have one update more or less than the plan has left for it. Places are
therefore whole again from the next epoch's start: there the plan and the data go together.

With ``trainer.steps`` the plan is in updates: places are the numbers of the updates, and the epoch alone follows
the clock. A run that never changes its pace has one clock, that of its data, from step 0 on: places are steps.

Checkpoints hold the clock and those before it; those of 0.1.0 hold none, and had the pace of their config.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lrsched.data.counts import Pace
from lrsched.errors import CheckpointError
from lrsched.horizon import half_up

if TYPE_CHECKING:  # a preview counts without torch
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Clock:
    """The pace of a run from step ``start`` on.

    Args:
        samples: training samples.
        pace: updates of an epoch.
        start: completed updates when this pace began.
        passed: batches passed over by then.
        epoch: passes over the data by then.
        left: samples that were left of the epoch under way by then; 0 if it was at its end.
        drawn: passes over the data by then, the batches passed over among them.
        unseen: int64, the samples that this pass had not drawn by then, in its order; None: it was at its end.
        trained: bool [N], for each sample of the data, held-out ones too, whether it was trained on by then; None:
            not known.
        unit: updates of this pace in the time of one when the scheduler was configured.
        in_steps: the run's length is given in steps.
        before: the earlier clocks, oldest first.

    >>> first = Clock(1294, Pace(64, 21))
    >>> now = first.then(63, Clock(1294, Pace(256, 6)))
    >>> [(s, now.place(s), now.epoch_at(s)) for s in (63, 64, 69)]
    [(63, 18, 3.0), (64, 19, 3.1978361669242656), (69, 24, 4.0)]
    >>> now.steps(36), now.place_before(42)
    (81, 12)
    """

    samples: int
    pace: Pace
    start: int = 0
    passed: int = 0
    epoch: Fraction = Fraction(0)
    left: int = 0
    drawn: Fraction = Fraction(0)
    unseen: Tensor | None = None
    trained: Tensor | None = None
    unit: Fraction = Fraction(1)
    in_steps: bool = False
    before: tuple[Clock, ...] = ()

    def then(self, step: int, new: Clock, passed: int = 0) -> Clock:
        """The clock of a run whose pace changes after ``step`` updates, and batches passed over, to that of ``new``."""
        epoch = self.exactly(step)
        return replace(
            new,
            start=step,
            passed=passed,
            epoch=epoch,
            left=new.rest_of(epoch),
            drawn=self.data.exactly(step + passed - self.passed),
            unit=Fraction(1) if new.in_steps else self.unit * new.pace.steps_per_epoch / self.pace.steps_per_epoch,
            before=(*self.before, replace(self, unseen=None, trained=None, before=())),
        )

    @cached_property
    def data(self) -> Clock:
        """The clock of the batches: counts those that are passed over, too."""
        if not self.start:
            return self
        return replace(self, epoch=self.drawn, left=0 if self.unseen is None else len(self.unseen))

    def rest_of(self, epoch: Fraction) -> int:
        """Samples of this pace that are left of the epoch under way."""
        return half_up(-epoch % 1 * self.epoch_samples)

    @property
    def epoch_samples(self) -> int:
        """Samples that an epoch trains on."""
        return min(self.samples, self.pace.steps_per_epoch * self.pace.samples_per_step)

    @cached_property
    def updates_left(self) -> int:
        """Updates that the samples left make."""
        return -(-self.left // self.pace.samples_per_step)

    @cached_property
    def next_epoch(self) -> int:
        """The first epoch that this pace makes as a whole."""
        return -(-self.epoch.numerator // self.epoch.denominator)

    def locate(self, update: int) -> tuple[int, int]:
        """The epoch of an update since the start and its number in it; the rest of an epoch counts from 0, too."""
        if update < self.updates_left:
            return self.next_epoch - 1, update
        epoch, number = divmod(update - self.updates_left, self.pace.steps_per_epoch)
        return self.next_epoch + epoch, number

    def exactly(self, step: int) -> Fraction:
        """The passes over the data after ``step`` updates: samples seen / samples of an epoch."""
        epoch, number = self.locate(step - self.start)
        if epoch >= self.next_epoch:
            return epoch + Fraction(min(number * self.pace.samples_per_step, self.epoch_samples), self.epoch_samples)
        return self.epoch + (self.next_epoch - self.epoch) * Fraction(number * self.pace.samples_per_step, self.left)

    def epoch_at(self, step: int) -> float:
        """The epoch in rows and results; a run of one pace counts the updates."""
        return float(self.exactly(step)) if self.start else step / self.pace.steps_per_epoch

    def place(self, step: int) -> int:
        """The step of the plan that update ``step`` stands at."""
        if self.in_steps or not self.start:
            return step
        epoch, number = self.locate(step - self.start)
        if epoch >= self.next_epoch:
            return epoch * self.pace.steps_per_epoch + number
        first = half_up(self.epoch * self.pace.steps_per_epoch)
        return min(first + number, self.next_epoch * self.pace.steps_per_epoch - 1)

    def steps(self, places: int) -> int:
        """The updates that a run has made at the end of a plan of so many steps."""
        if self.in_steps or not self.start:
            return places
        return self.start + self.updates_left + places - self.next_epoch * self.pace.steps_per_epoch

    def place_before(self, step: int) -> int:
        """The step of the plan, at this pace, that the run stood at after ``step`` updates, at whatever pace."""
        if self.in_steps or step >= self.start:
            return self.place(step)
        return half_up(self.of_update(step).exactly(step) * self.pace.steps_per_epoch)

    def of_update(self, update: int) -> Clock:
        """The clock by which an update was made."""
        clocks = (*self.before, self)
        number = max(n for n, clock in enumerate(clocks) if clock.start <= update)
        return replace(clocks[number], before=clocks[:number])

    def is_due(self, step: int, every: int) -> bool:
        """Whether a multiple of ``every`` places lies at this step, or was passed over since the step before it."""
        here = self.place(step)
        return here % every == 0 or (step > self.start > 0 and here // every > self.place(step - 1) // every)

    def missed(self, step: int, every: int) -> range:
        """The places since the step before at which something was due, without an update; not that of ``step``."""
        if not step > self.start > 0:
            return range(0)
        return range((self.place(step - 1) // every + 1) * every, self.place(step) // every * every, every)

    def last(self, step: int, every: int) -> int:
        """The last step up to ``step`` at which something is due every ``every`` places, or the start of this clock."""
        return next((s for s in range(step, self.start, -1) if self.is_due(s, every)), self.start)

    def state_dict(self) -> dict[str, Any]:
        """Everything as numbers, and the unseen samples as a tensor."""
        return {
            "samples": self.samples,
            "samples_per_step": self.pace.samples_per_step,
            "steps_per_epoch": self.pace.steps_per_epoch,
            "start": self.start,
            "passed": self.passed,
            "epoch": list(self.epoch.as_integer_ratio()),
            "left": self.left,
            "drawn": list(self.drawn.as_integer_ratio()),
            "unseen": self.unseen,
            "trained": self.trained,
            "unit": list(self.unit.as_integer_ratio()),
            "in_steps": self.in_steps,
            "before": [clock.state_dict() for clock in self.before],
        }

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Clock:
        """The clock that a checkpoint holds.

        Raises:
            CheckpointError: it holds something else.
        """
        try:
            return cls(
                samples=int(state["samples"]),
                pace=Pace(int(state["samples_per_step"]), int(state["steps_per_epoch"])),
                start=int(state["start"]),
                passed=int(state["passed"]),
                epoch=Fraction(*state["epoch"]),
                left=int(state["left"]),
                drawn=Fraction(*state["drawn"]),
                unseen=state["unseen"],
                trained=state["trained"],
                unit=Fraction(*state["unit"]),
                in_steps=bool(state["in_steps"]),
                before=tuple(cls.of(clock) for clock in state["before"]),
            )
        except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            raise CheckpointError(f"the clock in the checkpoint cannot be read: {error!r}") from error
