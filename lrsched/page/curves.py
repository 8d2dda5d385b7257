"""Curves of runs, from ``metrics.jsonl``: whole, as bands over seeds, and with fewer points than pixels."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from lrsched.records import RunFolder
from lrsched.report.compare import Comparison
from lrsched.report.runs import RunRecord
from lrsched.report.stats import Floats

MOST = 300
"""Points of a curve in the page, about; what a smaller number leaves out, the least and the most of it stay."""


@dataclass(frozen=True)
class Curve:
    """A metric of a run.

    Args:
        steps, values: float64[n]; the steps rise, the values are finite.
    """

    steps: Floats
    values: Floats

    def stairs(self) -> Curve:
        """The same, where it jumps from one level to another, with the level before held until the step before.

        Rows tell a rate now and then: between two levels a line would be a slope, which no update had.

        >>> import numpy as np
        >>> steps = Curve(np.array([0.0, 10, 20, 30]), np.array([1.0, 1.0, 0.1, 0.1])).stairs()
        >>> steps.steps.tolist(), steps.values.tolist()
        ([0.0, 10.0, 19.0, 20.0, 30.0], [1.0, 1.0, 1.0, 0.1, 0.1])
        >>> len(Curve(np.array([0.0, 10, 20, 30]), np.array([1.0, 1.0, 0.5, 0.1])).stairs().steps)  # a decay
        4
        """
        level = self.values[1:] == self.values[:-1]
        before, after = np.append(True, level[:-1]), np.append(level[1:], True)
        apart = np.diff(self.steps) > 1
        places = np.flatnonzero(~level & before & after & apart) if level.any() else np.array([], dtype=np.int64)
        steps = np.insert(self.steps, places + 1, self.steps[places + 1] - 1)
        return Curve(steps, np.insert(self.values, places + 1, self.values[places]))

    def thin(self, most: int = MOST) -> Curve:
        """The same with at most about so many points: the least and the most of each stretch.

        They stand at its start and in its middle, the most first where it falls. So runs with the same steps keep the
        same steps.

        >>> import numpy as np
        >>> thin = Curve(np.arange(8.0), np.array([0.0, 9, 1, 2, 7, 3, 4, 5])).thin(4)
        >>> thin.steps.tolist(), thin.values.tolist()
        ([0.0, 2.0, 4.0, 6.0], [0.0, 9.0, 7.0, 3.0])
        """
        if len(self.steps) <= most:
            return self
        starts = np.array(_starts(len(self.steps), max(1, most // 2)))
        ends = np.append(starts[1:], len(self.steps))
        low, high = np.minimum.reduceat(self.values, starts), np.maximum.reduceat(self.values, starts)
        falls = self.values[starts] > self.values[ends - 1]
        pairs = np.stack([np.where(falls, high, low), np.where(falls, low, high)], axis=1)
        return Curve(np.stack([self.steps[starts], self.steps[(starts + ends) // 2]], axis=1).ravel(), pairs.ravel())


@dataclass(frozen=True)
class Band:
    """A metric of several runs at the steps that all of them share.

    Args:
        steps, mean, low, high: float64[n]: their mean, least and most.
        runs: how many.
    """

    steps: Floats
    mean: Floats
    low: Floats
    high: Floats
    runs: int

    def thin(self, most: int = MOST) -> Band:
        """The same with at most so many points: the mean, the least and the most of each stretch."""
        if len(self.steps) <= most:
            return self
        starts = _starts(len(self.steps), most)
        lengths = np.diff([*starts, len(self.steps)])
        mean = np.add.reduceat(self.mean, starts) / lengths
        low, high = np.minimum.reduceat(self.low, starts), np.maximum.reduceat(self.high, starts)
        return Band(self.steps[starts], mean, low, high, self.runs)


def band(curves: Sequence[Curve]) -> Band | None:
    """The band of some curves; None if they share no step.

    >>> import numpy as np
    >>> one, other = Curve(np.array([0.0, 1, 2]), np.array([3.0, 2, 1])), Curve(np.array([1.0, 2]), np.array([4.0, 5]))
    >>> found = band([one, other])
    >>> found.steps.tolist(), found.mean.tolist(), found.low.tolist()
    ([1.0, 2.0], [3.0, 3.0], [2.0, 1.0])
    """
    there = [curve for curve in curves if len(curve.steps)]
    if not there:
        return None
    steps = there[0].steps
    if any(not np.array_equal(curve.steps, steps) for curve in there[1:]):
        for curve in there[1:]:
            steps = np.intersect1d(steps, curve.steps)
        there = [Curve(steps, curve.values[np.isin(curve.steps, steps)]) for curve in there]
    if not len(steps):
        return None
    values = np.array([curve.values for curve in there])
    return Band(steps, values.mean(0), values.min(0), values.max(0), len(there))


class Reader(Protocol):
    """Where the curves of runs come from."""

    def names(self, run: RunRecord) -> Iterable[str]:
        """What the later rows of a run hold."""
        ...

    def curves(self, run: RunRecord, names: Iterable[str]) -> dict[str, Curve]:
        """Some metrics of a run, by name; those that it has. Of two rows with one step, the later holds."""
        ...


class Files:
    """Reads each curve from its run's ``metrics.jsonl``."""

    def names(self, run: RunRecord) -> Iterable[str]:
        return dict.fromkeys(name for row in _rows(run)[-200:] for name in row)

    def curves(self, run: RunRecord, names: Iterable[str]) -> dict[str, Curve]:
        return _read(run, names)


def _read(run: RunRecord, names: Iterable[str]) -> dict[str, Curve]:
    rows = _rows(run)
    found = {}
    for name in names:
        try:
            steps = np.array([row["step"] for row in rows if name in row], dtype=np.float64)
            values = np.array([row[name] for row in rows if name in row], dtype=np.float64)
        except (KeyError, TypeError, ValueError, OverflowError):  # a stranger's file
            continue
        if not np.all(np.diff(steps) > 0):
            places = list({step: place for place, step in enumerate(steps.tolist())}.values())
            places.sort(key=steps.__getitem__)
            steps, values = steps[places], values[places]
        there = np.isfinite(steps) & np.isfinite(values)
        if there.any():
            found[name] = Curve(steps[there], values[there])
    return found


def names_of(reader: Reader, runs: Sequence[RunRecord], comparison: Comparison, most: int = 6) -> list[str]:
    """The metrics to draw, the compared one first and rates last: of a few runs, which stand for all."""
    there = dict.fromkeys(name for run in _some(runs) for name in reader.names(run))
    if not there:  # those have just begun
        there = dict.fromkeys(next((found for run in runs if (found := list(reader.names(run)))), []))
    drawn = [name for name in there if name.partition("/")[0] in ("val", "train", "test")]
    first = [comparison.metric.name, comparison.metric.chosen_by, "train/loss", "val/loss"]
    found = [name for name in dict.fromkeys([*first, *drawn]) if name in there]
    rates = [name for name in ("lr/default", *there) if name in there and name.startswith("lr/")]
    return [*found[: most - 1], *rates[:1]]


def _some(runs: Sequence[RunRecord]) -> list[RunRecord]:
    finished = [run for run in runs if run.finished] or list(runs)
    return finished[:2] + finished[-1:]


def _rows(run: RunRecord) -> Sequence[Mapping[str, Any]]:
    """The rows of a run that can be read: all of them at once if none is damaged, which is several times as fast."""
    try:
        content = RunFolder(run.path).metrics.read_bytes()
        lines = content[: content.rfind(b"\n") + 1].splitlines()
        rows: list[Any] = json.loads(b"[" + b",".join(lines) + b"]")
    except OSError:
        return []
    except (ValueError, RecursionError):
        rows = list(run.rows())
    return rows if all(map(_is_row, rows)) else []


def _is_row(row: Any) -> bool:
    return type(row) is dict


def _starts(length: int, parts: int) -> list[int]:
    """The first of each of so many stretches of about one length."""
    return sorted({length * part // parts for part in range(parts)})
