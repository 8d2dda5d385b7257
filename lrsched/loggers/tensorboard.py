"""Log rows as TensorBoard events."""

from __future__ import annotations

import math
import shlex
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from lrsched.loggers._events import EventFile, experiment, session_end, session_start
from lrsched.loggers.base import POSITION, Logger, Row, RunInfo
from lrsched.records import AVERAGE
from lrsched.units import PERCENT, metric_of, unit_of

PARTS = ("train", "val", "test")
"""The parts of the data, in which a metric of the task is measured."""

FIRST = ("dataset", "model", "optimizer", "optimizer.lr", "scheduler", "seed", "task")
"""What one looks for first in the hyperparameters of a run alone."""

COLUMNS = "sweep.tfevents"
"""The file in a sweep's folder; TensorBoard reads every file with ``tfevents`` in its name."""

MOST_PHASES = 100
"""So many are events of their own; all are in the text ``schedule/plan``."""


class TensorBoard(Logger):
    """Events below ``tensorboard/``: a scalar for each name of a row over the step, what the task shows, the config.

    Uses TensorBoard's own record writer: ``torch.utils.tensorboard`` takes 1.4 s to import and 95 µs
    for a row of four values; this takes 0.1 s, at the first row, and 33 µs (2 cores, Python 3.11).

    - A resumed run starts with a session log of its first step, which makes TensorBoard drop the points
      that the killed process wrote from there on.
    - The phases of the schedule and its restarts are texts at their first steps, ``schedule/phase``; so is a restart
      of one that is known by its rates alone.
    - The hyperparameters are the start and the end of a session: what shapes the result, choices by their YAML's name.
      Their table shows the best evaluation's metrics and those of the test part. The plugin takes its columns from one
      summary, of whichever run it finds it in: a run alone has one, and of a sweep's runs none, but the sweep has one
      of them all (:func:`write_columns`).
    - They are in small files of their own, ``*.hparams``: the plugin uses the first that it reads, so a
      resumed run deletes the old ones.

    References:
        Abadi et al., TensorFlow, 2016, https://arxiv.org/abs/1603.04467
        The hparams plugin, https://www.tensorflow.org/tensorboard/hyperparameter_tuning_with_hparams
    """

    def open(self, run: RunInfo) -> None:
        self._run = run
        self._folder = run.folder / "tensorboard"
        self._events: EventFile | None = None
        self._seen: set[str] = set()
        self._step = 0
        self._rates = Rates()

    @property
    def look(self) -> str:
        return f"tensorboard --logdir {shlex.quote(str(self._run.folder))}"

    def write(self, row: Row) -> None:
        if self._events is None:
            self._events = self._begin()
        scalars = {name: value for name, value in row.items() if name not in POSITION and not isinstance(value, str)}
        self._step = int(row["step"])
        self._add(self._events, scalars)
        if not self._run.phases and (told := self._rates.restart(scalars)):
            self._events.add_text(self._step, "schedule/phase", told)

    def show(self, step: int, name: str, content: bytes | str) -> None:
        if self._events is None:
            self._events = self._begin()
        if isinstance(content, str):
            self._events.add_text(step, f"shown/{name}", content)
        else:
            self._events.add_picture(step, f"shown/{name}", content)

    def flush(self) -> None:
        if self._events is not None:
            self._events.flush()

    def close(self, metrics: Mapping[str, float], status: str = "finished") -> None:
        """Write the final metrics that no row had, and the end of the session.

        A stopped run gets no end: it may go on. A run without rows writes nothing.
        """
        if self._events is None:
            return
        late = {name: value for name, value in metrics.items() if name not in self._seen}
        if late:
            self._add(self._events, late)
        self._events.close()
        if status != "stopped":
            self._write_session(session_end(status == "finished"))

    def _add(self, events: EventFile, scalars: Mapping[str, float]) -> None:
        """Add the points of this step, those of a new name with what it means."""
        new = [name for name in scalars if name not in self._seen]
        self._seen.update(new)
        about = {name: text for name in new if (text := described(name, self._run))}
        events.add_scalars(self._step, scalars, about)

    def _begin(self) -> EventFile:
        self._folder.mkdir(parents=True, exist_ok=True)
        for old in self._folder.glob("*.hparams"):
            old.unlink()
        run, begin = self._run, self._run.resumed_at or 0
        parameters = run.hyperparameters or flat(run.config)
        self._write_session(session_start(parameters))
        if run.group is None and run.hyperparameters:
            monitor = str((run.config.get("checkpoint") or {}).get("monitor"))
            values = {name: [value] for name, value in parameters.items()}
            self._write_session(experiment(values, columns(run.better, monitor), FIRST))
        events = EventFile(self._folder)
        events.add_purge(begin)  # a reader takes the second one of a run for its first restart
        if run.phases:
            ends = [*(start for start, _ in run.phases[1:]), run.steps]
            lines = [f"{name} [{start}, {end})" for (start, name), end in zip(run.phases, ends, strict=True)]
            events.add_text(begin, "schedule/plan", "\n".join(lines))
            for (start, _), line in list(zip(run.phases, lines, strict=True))[:MOST_PHASES]:
                if start >= begin:
                    events.add_text(start, "schedule/phase", line)
        return events

    def _write_session(self, session: Any) -> None:
        events = EventFile(self._folder, ".hparams")
        events.add_session(session)
        events.close()


class Rates:
    """Finds restarts in the rates of rows: one that rises after it fell."""

    def __init__(self) -> None:
        self._last, self._falling = math.nan, False

    def restart(self, scalars: Mapping[str, float]) -> str:
        """What to say of a restart in this row; empty for none.

        >>> rates = Rates()
        >>> [rates.restart({"lr/default": rate}) for rate in (0.1, 0.2, 0.1, 0.1, 0.2)]
        ['', '', '', '', 'restart: lr/default rises from 0.1 to 0.2']
        """
        name = next((name for name in scalars if name.startswith("lr/")), None)
        if name is None:
            return ""
        last, rate = self._last, scalars[name]
        told = f"restart: {name} rises from {last:g} to {rate:g}" if self._falling and rate > last else ""
        self._falling = rate < last or (self._falling and rate == last)
        self._last = rate
        return told


def columns(better: Mapping[str, str], monitor: str) -> list[str]:
    """The metrics in the table of hyperparameters: the monitored one at its best, the others then, the test part.

    >>> columns({"loss": "min", "accuracy": "max", "average/loss": "min"}, "val/accuracy")
    ['best/val/accuracy', 'test/accuracy', 'best/val/loss', 'test/loss', 'test/average/loss']
    """
    order = sorted(better, key=lambda name: ("/" in name, name != metric_of(monitor)))
    best = {f"best/{monitor}": None} if monitor.startswith("val/") and metric_of(monitor) in better else {}
    tags = [tag for name in order for tag in (f"best/val/{name}", f"test/{name}")]
    return list(dict.fromkeys([*best, *(tag for tag in tags if not tag.startswith(f"best/val/{AVERAGE}"))]))


def write_columns(
    folder: Path,
    runs: Sequence[Mapping[str, bool | int | float | str]],
    varied: Collection[str],
    better: Mapping[str, str],
    monitor: str,
) -> None:
    """Write what the plugin shows of the runs of a sweep, as ``sweep.tfevents`` in the sweep's folder.

    Args:
        folder: of the sweep.
        runs: the hyperparameters of each.
        varied: those that come first.
        better: which way each metric of the task is.
        monitor: the metric that comes first.
    """
    names = list(dict.fromkeys(name for run in runs for name in run))
    values = {name: [run[name] for run in runs if name in run] for name in names}
    (folder / COLUMNS).unlink(missing_ok=True)
    file = EventFile(folder, name=COLUMNS)
    file.add_session(experiment(values, columns(better, monitor), varied))
    file.close()


def described(name: str, run: RunInfo) -> str:
    """What TensorBoard says beside the name of a metric: its unit, and which way is better; empty for another name.

    >>> from pathlib import Path
    >>> described("val/rmse", RunInfo(Path(), {}, 1, 1, 1, better={"rmse": "min"}, units={"rmse": "points"}))
    'in points, the less the better'
    """
    unit, way = unit_of(name, run.units), run.better.get(metric_of(name), "")
    if name.partition("/")[0] not in PARTS or not way:
        return ""
    told = f"in {unit}" if unit != PERCENT else "a fraction"
    return ", ".join([*([told] if unit else []), "the less the better" if way == "min" else "the more the better"])


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, bool | int | float | str]:
    """Flatten a nested config to dotted names; lists become text, and None the text ``null``.

    >>> flat({"optimizer": {"lr": 0.1, "betas": [0.9, 0.999]}, "resume": None})
    {'optimizer.lr': 0.1, 'optimizer.betas': '[0.9, 0.999]', 'resume': 'null'}
    """
    names: dict[str, bool | int | float | str] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            names |= flat(value, f"{name}.")
        elif value is None:
            names[name] = "null"
        else:
            names[name] = value if isinstance(value, (bool, int, float, str)) else str(value)
    return names
