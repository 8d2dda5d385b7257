"""Choose the metric that candidates are compared by, the one that chooses their rates, and which way is better.

Nothing is computed here: ``train.evaluate`` did.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lrsched.errors import ConfigError, nearest
from lrsched.report.runs import USED, RunRecord
from lrsched.units import metric_of as unit_metric


@dataclass(frozen=True)
class Metric:
    """A metric and its direction.

    Args:
        name: the metric to compare, such as ``val/loss``.
        mode: ``min`` or ``max``.
        chosen_by: the metric that chooses the rates: the same, or its counterpart on the validation part.
        chosen_mode: the direction of that one.
    """

    name: str
    mode: str
    chosen_by: str
    chosen_mode: str

    def sign(self, name: str | None = None) -> float:
        """1 if smaller is better, −1 if larger is."""
        return 1.0 if (self.chosen_mode if name == self.chosen_by else self.mode) == "min" else -1.0

    def outcomes(self, runs: Mapping[Any, RunRecord], name: str) -> dict[Any, float]:
        """The values of the runs that finished or diverged; infinitely bad where they are not finite."""
        worst = self.sign(name) * math.inf
        measured = {key: run.metrics.get(name) for key, run in runs.items() if _is_measured(run, name)}
        return {key: worst if value is None or not runs[key].finished else value for key, value in measured.items()}

    def order(self, values: Iterable[float], name: str | None = None) -> tuple[int, float]:
        """Sort key, the best first: how many diverged, then the mean of the rest."""
        known = [self.sign(name) * value for value in values]
        finite = [value for value in known if math.isfinite(value)]
        return len(known) - len(finite), math.fsum(finite) / len(finite) if finite else math.inf


def metric_of(runs: Sequence[RunRecord], name: str | None, mode: str | None) -> Metric:
    """The metric that was asked for, or else the one that most runs monitor, of the weights that each of them uses.

    A metric of the test part is compared there, while the same metric of the validation part chooses the rates: a rate
    chosen by the test part would make its result look better than it is.

    Raises:
        ConfigError: no finished run has it, or none says which way is better.
    """
    monitors = Counter(run.config.get("checkpoint.monitor") for run in runs)
    modes = {str(run.config.get("checkpoint.monitor")): str(run.config.get("checkpoint.mode")) for run in runs}
    modes = {key: way for key, way in modes.items() if way in ("min", "max")}  # of 0.1.0, whose results hold none
    for run in runs:
        modes |= {f"{part}/{name}": way for name, way in run.better.items() for part in ("val", "test", "train")}
    usual = next((str(key) for key, _ in monitors.most_common() if key), "val/loss")
    if any(run.uses_average for run in runs):
        usual = f"val/{USED}{unit_metric(usual)}"
    there = sorted({key for run in runs if run.finished for key in run.metrics})
    asked = name or usual
    if there and asked not in there:
        raise ConfigError("--metric", asked, "no finished run has it", nearest(asked, there))
    if not there:  # nothing has been measured that one could be better in
        modes.setdefault(asked, "min")
    way = mode or _mode(asked, modes)
    validation = f"val/{asked.partition('/')[2]}"
    if asked.startswith("test/") and validation in there:
        return Metric(asked, way, validation, way)
    return Metric(asked, way, asked, way)


def _is_measured(run: RunRecord, name: str) -> bool:
    """Whether a metric of a run is known, finite or not."""
    return name in run.metrics if run.finished else run.diverged


def _mode(name: str, modes: Mapping[str, str]) -> str:
    if name not in modes:
        rule = "no result says whether more of it is better"
        raise ConfigError("--metric", name, rule, "give --mode max or --mode min")
    return modes[name]
