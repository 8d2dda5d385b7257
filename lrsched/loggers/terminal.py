"""Show a run's progress on stderr, or in the notebook that makes it."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from lrsched.console import in_notebook, is_interactive
from lrsched.loggers._notebook import NotebookBar
from lrsched.loggers.base import Logger, Row, RunInfo
from lrsched.units import PERCENT, shown, unit_of

REFRESH_SECONDS = 0.1


class Terminal(Logger):
    """A progress bar on a terminal or below a notebook's cell, one plain line per evaluation elsewhere (CI, pipes).

    A row reads the clock; the bar is drawn at most ten times a second, in the calling thread (0.6 ms
    each). Samples per second count the time since the first row, evaluations included, so that the
    time left is realistic.

    Args:
        stream: where to write, None for stderr or the notebook.
        interactive: whether to draw a bar; None: if the stream is a terminal.
        clock: seconds of a monotonic clock.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        interactive: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream, self._interactive, self._clock = stream, interactive, clock

    def open(self, run: RunInfo) -> None:
        self._run = run
        self._out = self._stream or sys.stderr
        self._last: dict[str, Any] = {"step": run.resumed_at or 0}
        self._first: tuple[int, float] | None = None  # step and time of the first row
        self._drawn = -math.inf
        self._rated = -1
        self._bar = self._new_bar(run)

    def write(self, row: Row) -> None:
        now = self._clock()
        self._first = self._first or (int(row["step"]), now)
        self._last.update(row)
        if not is_evaluation(row):
            self._rated = int(row["step"])  # the step whose loss and rate the row shows
        if self._bar is None:
            if is_evaluation(row):
                run, step = self._run, int(row["step"])
                of = run.steps / run.steps_per_epoch if run.epochs is None else run.epochs
                epochs = f"{row.get('epoch', step / run.steps_per_epoch):.2f}/{of:.4g}"
                print(f"step {step}/{run.steps}  epoch {epochs}  {self._measured(now)}", file=self._out, flush=True)
        elif now - self._drawn >= REFRESH_SECONDS:
            self._drawn = now
            self._bar.draw(int(row["step"]), self._measured(now))

    def close(self, metrics: Mapping[str, float], status: str = "finished") -> None:
        if self._bar is not None:
            self._bar.draw(int(self._last["step"]), self._measured(self._clock()))
            self._bar.close()

    def _new_bar(self, run: RunInfo) -> _Bar | NotebookBar | None:
        if self._stream is None and self._interactive is None and in_notebook():
            return NotebookBar(run.steps)
        interactive = is_interactive(self._out) if self._interactive is None else self._interactive
        return _Bar(self._out, run) if interactive else None

    def _measured(self, now: float) -> str:
        """The newest values in one line; a narrow terminal cuts its end."""
        last, parts = self._last, []
        start, began = self._first or (0, now)
        per_second = (last["step"] - start) / (now - began) if now > began else 0.0
        if per_second > 0:
            parts.append(f"{span((self._run.steps - last['step']) / per_second)} left")
        stale = "" if last["step"] - self._rated <= 1 else f" at {self._rated}"
        if "train/loss" in last:
            parts.append(f"loss {last['train/loss']:.4f}{stale}")
        if "val/loss" in last:
            parts.append(_evaluated(last, self._run.units))
        rates = [value for name, value in last.items() if name.startswith("lr/")]
        if rates:
            parts.append(f"lr {rates[0]:.3g}{stale}")
        if per_second > 0:
            parts.append(f"{per_second * self._run.samples_per_step:,.0f} samples/s")
        return "  ".join(parts)


def _evaluated(row: Row, units: Mapping[str, str]) -> str:
    """The metrics of the validation part: the loss, and the others after it; a lone percentage needs no name."""
    values = {name.removeprefix("val/"): float(value) for name, value in row.items() if name.startswith("val/")}
    others = {name: shown(unit_of(name, units), value) for name, value in values.items() if name != "loss"}
    named = [f"{name} {text}" for name, text in others.items()]
    if len(others) == 1 and PERCENT in (units.get(name) for name in others):
        named = list(others.values())
    told = shown(unit_of("loss", units), values["loss"])
    return f"val {told} ({', '.join(named)})" if named else f"val {told}"


class _Bar:
    """A rich progress bar, drawn by :meth:`draw` alone: no thread refreshes it."""

    def __init__(self, stream: TextIO, run: RunInfo) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.table import Column

        self._progress = Progress(
            BarColumn(table_column=Column(max_width=20)),
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            console=Console(file=stream, force_terminal=True),
            auto_refresh=False,
            redirect_stdout=False,  # stdout is for results; other output on stderr appears above the bar
        )
        self._steps = run.steps
        self._progress.start()
        self._task = self._progress.add_task("", total=run.steps, completed=run.resumed_at or 0)

    def draw(self, step: int, text: str) -> None:
        self._progress.update(self._task, completed=step, description=f"{step}/{self._steps}  {text}", refresh=True)

    def close(self) -> None:
        self._progress.stop()


def is_evaluation(row: Row) -> bool:
    """Whether a row has metrics of an evaluation."""
    return any(name.startswith("val/") for name in row)


def span(seconds: float) -> str:
    """Format seconds as m:ss or h:mm:ss.

    >>> span(61.6), span(3600)
    ('1:02', '1:00:00')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
