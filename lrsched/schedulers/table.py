"""The table scheduler: any schedule, compiled over the run, looked up by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch.optim import Optimizer

from lrsched.horizon import Horizon
from lrsched.schedulers.base import Scheduler, group_names
from lrsched.schedulers.rows import ScheduleRows
from lrsched.schedules import Schedule
from lrsched.schedules.shapes import Floats


class Table(Scheduler):
    """Sets update s to row s of the schedule's table; there is no state, so none can be wrong.

    Groups that are added to the optimizer later follow the schedule from the next update on.

    Args:
        optimizer: its groups' base values are what the schedule scales: ``initial_lr`` (and
            ``initial_NAME`` of another value) where a group has one, its values at this moment where not.
        schedule: the curve.
        horizon: the run.

    Raises:
        ConfigError: the schedule moves a value that a group does not have, or speaks of no group.
    """

    def __init__(self, optimizer: Optimizer, schedule: Schedule, horizon: Horizon) -> None:
        group_names(optimizer)
        self._optimizer = optimizer
        self._rows = ScheduleRows(schedule, horizon)
        self._rows.bind(optimizer.param_groups)
        self.moves = self._rows.moves

    def set(self, step: int) -> None:
        if step > self._rows.last:
            self._rows.refuse_past(step)
        self._rows.put(self._optimizer.param_groups, step)

    def values(self) -> dict[tuple[int, str, int | None], Floats]:
        """All that it ever sets: float64[steps] by number of the group, key and item."""
        return self._rows.values()

    def phases(self) -> list[tuple[int, str]]:
        first = group_names(self._optimizer)[0]
        return self._rows.schedule.of_group(first).plan(self._rows.horizon).marks()

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing to load: the values follow from the config, the step and the groups' base values."""
