"""Log rows as TensorBoard events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lrsched.loggers._events import EventFile, session_end, session_start
from lrsched.loggers.base import POSITION, Logger, Row, RunInfo
from lrsched.units import PERCENT, metric_of, unit_of

PARTS = ("train", "val", "test")
"""The parts of the data, in which a metric of the task is measured."""


class TensorBoard(Logger):
    """Events below ``tensorboard/``: a scalar for each name of a row over the step, what the task shows, the config.

    Uses TensorBoard's own record writer: ``torch.utils.tensorboard`` takes 1.4 s to import and 95 µs
    for a row of four values; this takes 0.1 s, at the first row, and 33 µs (2 cores, Python 3.11).

    - A resumed run starts with a session log of its first step, which makes TensorBoard drop the points
      that the killed process wrote from there on.
    - The hyperparameters are the start and the end of a session, without a summary of the experiment:
      the plugin would take its columns from the summary of one arbitrary run; without any, it shows
      the union over all runs, and every scalar as a metric.
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

    def write(self, row: Row) -> None:
        if self._events is None:
            self._events = self._begin()
        scalars = {name: value for name, value in row.items() if name not in POSITION and not isinstance(value, str)}
        self._step = int(row["step"])
        self._add(self._events, scalars)

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
        self._write_session(session_start(flat(self._run.config)))
        events = EventFile(self._folder)
        events.add_purge(self._run.resumed_at or 0)  # a reader takes the second one of a run for its first restart
        return events

    def _write_session(self, session: Any) -> None:
        events = EventFile(self._folder, ".hparams")
        events.add_session(session)
        events.close()


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
