"""Any schedule as a ``torch.optim.lr_scheduler.LRScheduler``, for other people's loops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch.optim import Optimizer, lr_scheduler

from lrsched import schedules
from lrsched.errors import CheckpointError, ConfigError, nearest
from lrsched.horizon import Horizon
from lrsched.schedulers.rows import ScheduleRows
from lrsched.schedules import Schedule


class LRScheduler(lr_scheduler.LRScheduler):
    """Update s trains with row s of the schedule's table, to the bit, in any loop that calls ``step()``.

    The constructor puts the values of update 0 into force; each ``step()``, called after an update
    that was made, those of the next one. Past the end the last value holds. ::

        scheduler = lrsched.LRScheduler(optimizer, "cosine", steps)
        for batch in batches:
            ...
            optimizer.step()
            scheduler.step()

    Lightning: return ``{"optimizer": …, "lr_scheduler": {"scheduler": …, "interval": "step"}}`` from
    ``configure_optimizers``. Hugging Face: ``Trainer(optimizers=(optimizer, scheduler))``. Accelerate:
    a prepared scheduler is stepped once for each process, so with several leave it out of ``prepare``
    and step it where ``accelerator.sync_gradients``. With a GradScaler, step it only where the scale
    did not fall: a skipped update is none.

    Resuming: the state is the position and the base values, and nothing else; schedule and horizon are
    those given here. It may be loaded before, after or without the optimizer's, and the scheduler may
    be built on an optimizer that was restored: base values are ``initial_lr`` where a group has one.
    To train on with another base value, set ``initial_lr`` and ``lr`` of the group before building.

    A group that is added later trains on from the rate it is given, as with torch's: its base value is that
    rate / the multiple in force, or its ``initial_lr`` where it brings one.

    It sets each rate, base value times multiple, whatever stood there: beside another scheduler on the same groups
    (``ChainedScheduler``) the two do not multiply. One curve times another is :class:`~lrsched.schedules.Product`.

    Unlike torch's it does not wrap ``optimizer.step``, and does not warn of the order of the two calls.

    Args:
        optimizer: the groups' base values are the peak; groups may be added later.
        schedule: a schedule, or the name of one (``"cosine"``, ``"wsd_s"``) with its defaults.
        horizon: the run, or its steps alone: then a length in epochs or samples is an error.
        last_epoch: updates made before, less one; -1 starts anew.

    Raises:
        ConfigError: an unknown name, or a schedule that does not fit the run or the optimizer.

    References:
        https://docs.pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate

    >>> import torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.5)
    >>> scheduler = LRScheduler(optimizer, schedules.Linear(warmup="1st"), 3)
    >>> rates = []
    >>> for _ in range(4):
    ...     rates.append(optimizer.param_groups[0]["lr"])
    ...     scheduler.step()
    >>> rates
    [0.5, 0.5, 0.25, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, schedule: Schedule | str, horizon: Horizon | int, last_epoch: int = -1
    ) -> None:
        # Not super().__init__: it wraps optimizer.step, and takes a scheduled rate for a base value.
        self.optimizer = optimizer
        schedule = schedule_named(schedule) if isinstance(schedule, str) else schedule
        if not isinstance(schedule, Schedule):
            raise ConfigError("schedule", schedule, "must be a schedule or its name", "as in Cosine() or 'cosine'")
        self._rows = ScheduleRows(schedule, horizon if isinstance(horizon, Horizon) else Horizon(horizon))
        self._go_to(_position(last_epoch + 1))

    def step(self, epoch: int | None = None) -> None:
        """Put the values of the next update into force, or those of update ``epoch``.

        Args:
            epoch: the number of an update, from 0; None: the next one.

        Raises:
            ConfigError: with ``past="raise"``, a second step past the end: the first one follows the
                last update, and no update may come of it.
        """
        self._go_to(self.last_epoch + 1 if epoch is None else _position(epoch))

    def _go_to(self, position: int) -> None:
        rows = self._rows
        if position > rows.last:
            rows.refuse_past(position - 1)
        rows.put(self.optimizer.param_groups, position)
        self.last_epoch = position
        self._step_count = position + 1

    @property
    def base_lrs(self) -> list[float]:
        """The groups' base learning rates, which the schedule scales."""
        self._rows.meet(self.optimizer.param_groups)
        return [base["lr"] for base in self._rows.bases]

    def get_lr(self) -> list[float]:
        """The learning rates of the update to come, by group: a row of the table."""
        self._rows.meet(self.optimizer.param_groups)
        return self._rows.rates(self.last_epoch)

    def get_last_lr(self) -> list[float]:
        """The same: with the table there is one answer."""
        return self.get_lr()

    def state_dict(self) -> dict[str, Any]:
        """The position and the base values, as numbers and containers of them; loads under ``weights_only=True``."""
        self._rows.meet(self.optimizer.param_groups)
        return {"last_epoch": self.last_epoch, "bases": [dict(base) for base in self._rows.bases]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over position and base values, and put the values of that position into force.

        Args:
            state_dict: from :meth:`state_dict`.

        Raises:
            CheckpointError: it is the state of another scheduler.
        """
        try:
            position, bases = _position(state_dict["last_epoch"]), [dict(base) for base in state_dict["bases"]]
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"this is not a state of lrsched.LRScheduler: it holds {', '.join(state_dict) or 'nothing'}"
            ) from error
        self._rows.take_over(bases)
        self._go_to(position)


def schedule_named(name: str) -> Schedule:
    """The schedule of that name, as conf/scheduler has it, with its defaults.

    >>> schedule_named("wsd_s").warmup
    '0st'
    """
    known = {word.lower(): word for word in dir(schedules)}
    if name.lower() in ("plateau", "greedy"):
        rule = "reacts to the metrics of a run, and is no curve over its steps"
        raise ConfigError("schedule", name, rule, "take torch's ReduceLROnPlateau, or train by lrsched.run")
    if name.replace("_", "").lower() not in known:
        raise ConfigError("schedule", name, "there is no such schedule", nearest(name, known))
    return getattr(schedules, known[name.replace("_", "").lower()])()


def _position(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ConfigError("epoch", value, "is the number of completed updates: a whole number, at least 0")
    return value
