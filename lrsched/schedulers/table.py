"""The table scheduler: any schedule, compiled over the run, looked up by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch.optim import Optimizer

from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.schedulers.base import Scheduler, group_names, has_value
from lrsched.schedules import Schedule
from lrsched.schedules.shapes import Floats


class Table(Scheduler):
    """Sets update s to row s of the schedule's table; there is no state, so none can be wrong.

    Args:
        optimizer: its groups' values at this moment are the base values that the schedule scales.
        schedule: the curve.
        horizon: the run.

    Raises:
        ConfigError: the schedule moves a value that the optimizer does not have.
    """

    def __init__(self, optimizer: Optimizer, schedule: Schedule, horizon: Horizon) -> None:
        self._optimizer = optimizer
        self._last = horizon.steps - 1
        self._past = schedule.past
        self._columns: list[list[tuple[str, memoryview]]] = []
        tables: dict[float, dict[str, Floats]] = {}
        for group, name in zip(optimizer.param_groups, group_names(optimizer), strict=True):
            base = float(group["lr"])
            if base not in tables:
                tables[base] = schedule.table(horizon, base)
            columns = tables[base]
            self.moves = tuple(columns)
            for column in columns:
                if not has_value(group, column):
                    raise ConfigError(
                        column,
                        "set",
                        f"the schedule moves {column}, which {type(optimizer).__name__} (group {name!r}) does not have",
                        f"give scheduler.{column}=null, or an optimizer that has it",
                    )
            # A memoryview yields Python floats at the price of a list's lookup, without a list's memory.
            self._columns.append([(column, values.data) for column, values in columns.items()])

    def set(self, step: int) -> None:
        if step > self._last:
            if self._past == "raise":
                raise ConfigError("past", "raise", f"step {step} lies after the schedule's end", "use past=hold")
            step = self._last
        # The groups are asked for anew each time: loading an optimizer's state replaces their dicts.
        for group, columns in zip(self._optimizer.param_groups, self._columns, strict=True):
            for name, values in columns:
                if name in group:
                    group[name] = values[step]
                else:
                    group["betas"] = (values[step], group["betas"][1])

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing to load: the values follow from the config and the step."""
