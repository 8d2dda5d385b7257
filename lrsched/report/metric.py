"""Which number the candidates are compared on, which one their rates are chosen by, and which way is better."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lrsched.errors import ConfigError, nearest
from lrsched.report.runs import Run


@dataclass(frozen=True)
class Metric:
    """A metric and its direction.

    Args:
        name: what is compared, ``val/loss`` or the like.
        mode: ``min`` or ``max``.
        chosen_by: what the rates are chosen by; the same, or its counterpart on the validation part.
        chosen_mode: its direction.
    """

    name: str
    mode: str
    chosen_by: str
    chosen_mode: str

    def sign(self, name: str | None = None) -> float:
        """1 where smaller is better, −1 where larger is."""
        return 1.0 if (self.chosen_mode if name == self.chosen_by else self.mode) == "min" else -1.0

    def outcomes(self, runs: Mapping[Any, Run], name: str) -> dict[Any, float]:
        """The values of the runs that finished or diverged, infinitely bad where they are not finite numbers."""
        worst = self.sign(name) * math.inf
        measured = {key: run.metrics.get(name) for key, run in runs.items() if _measured(run, name)}
        return {key: worst if value is None else value for key, value in measured.items()}

    def order(self, values: Iterable[float], name: str | None = None) -> tuple[int, float]:
        """What to sort by: how many diverged, then the mean of the rest, the best first."""
        known = [self.sign(name) * value for value in values]
        finite = [value for value in known if math.isfinite(value)]
        return len(known) - len(finite), math.fsum(finite) / len(finite) if finite else math.inf


def metric_of(runs: Sequence[Run], name: str | None, mode: str | None) -> Metric:
    """The metric asked for, or else the one that most runs monitor.

    What is asked of the test part is compared there, and the rates are chosen by the same metric of the
    validation part: a rate that was chosen by the test part would make its result look better than it is.

    Raises:
        ConfigError: no finished run has it, or it does not say which way is better.
    """
    monitors = Counter((run.config.get("checkpoint.monitor"), run.config.get("checkpoint.mode")) for run in runs)
    modes = {str(key): str(way) for key, way in monitors if key and way}
    usual = next((str(key) for (key, _), _ in monitors.most_common() if key), "val/loss")
    there = sorted({key for run in runs if run.finished for key in run.metrics})
    asked = name or usual
    if there and asked not in there:
        raise ConfigError("--metric", asked, "no finished run has it", nearest(asked, there))
    way = mode or _mode(asked, modes)
    validation = f"val/{asked.partition('/')[2]}"
    if asked.startswith("test/") and validation in there:
        return Metric(asked, way, validation, way)
    return Metric(asked, way, asked, way)


def _measured(run: Run, name: str) -> bool:
    """Whether a metric of a run is known: one that is not finite is."""
    return name in run.metrics if run.finished else run.diverged


def _mode(name: str, modes: dict[str, str]) -> str:
    if name in modes:
        return modes[name]
    for word, mode in (("loss", "min"), ("error", "min"), ("perplexity", "min"), ("accuracy", "max")):
        if word in name:
            return mode
    raise ConfigError("--metric", name, "does not say whether more of it is better", "give --mode max or --mode min")
