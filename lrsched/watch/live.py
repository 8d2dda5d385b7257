"""The page of runs that go on: made anew when something changed, and told apart into what changed and what did not."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lrsched.errors import ConfigError, UserError
from lrsched.page.curves import Curve
from lrsched.page.page import page
from lrsched.records import RunFolder
from lrsched.report.read import read_runs
from lrsched.report.report import Report, compare_runs
from lrsched.report.runs import RunRecord
from lrsched.watch.follow import Followed

POINTS = 50_000
"""Points of each metric that are kept, of all runs together; the page draws a few hundred of each run."""

SOON, SHARE = 0.5, 3
"""The page is made no sooner than so many seconds after the last time, and so many times the processor's for it."""

PARTS = re.compile(
    r'<(?P<tag>section|header|nav)\b(?: id="(?P<id>[^"]+)")?.*?</(?P=tag)>'
    r'|<script type="application/json" id="(?P<block>lrs-data|lrs-runs)">(?P<content>.*?)</script>',
    re.DOTALL,
)
"""The parts of a page that change: whole elements, and the content of its blocks of data. Text in it is escaped."""


@dataclass(frozen=True)
class Question:
    """What is watched, as ``lrsched report`` takes it.

    Args:
        paths: run folders, and folders that hold them.
        metric, mode, target: see :func:`lrsched.report.compare_paths`.
    """

    paths: Sequence[Path]
    metric: str | None = None
    mode: str | None = None
    target: float | str | None = None


class Live:
    """The page, and what changed in it since a version.

    Args:
        question: what is watched.

    Raises:
        ConfigError: a path holds no run, or no run has the metric.
    """

    def __init__(self, question: Question) -> None:
        self._question = question
        self._roots = [Path(os.path.realpath(path)) for path in question.paths]
        self._followed: dict[Path, Followed] = {}
        self._stamp: Any = None
        self._parts: dict[str, tuple[int, str]] = {}
        self._version, self._text, self._due = 0, "", 0.0
        self._alone = threading.Lock()
        self._refresh()

    def text(self) -> str:
        """The whole page, as of now."""
        with self._alone:
            self._refresh_if_due()
            return self._text

    def changes(self, since: int) -> dict[str, Any]:
        """What changed since a version: ``version``, ``order`` (all parts), ``parts`` (those that changed)."""
        with self._alone:
            self._refresh_if_due()
            parts = {name: text for name, (version, text) in self._parts.items() if version > since}
            return {"version": self._version, "order": list(self._parts), "parts": parts}

    def names(self, run: RunRecord) -> Iterable[str]:
        """See :class:`lrsched.page.curves.Reader`."""
        return list(self._followed[run.path].series)

    def curves(self, run: RunRecord, names: Iterable[str]) -> dict[str, Curve]:
        """See :class:`lrsched.page.curves.Reader`."""
        return self._followed[run.path].curves(names)

    def _refresh_if_due(self) -> None:
        if time.monotonic() >= self._due:
            try:
                self._refresh()
            except (UserError, OSError):  # the folder is gone, or is being made anew: the last page stays
                self._due = time.monotonic() + SOON

    def _refresh(self) -> None:
        start = time.thread_time()
        found = read_runs(self._question.paths)
        runs = [run for run in found if self._is_inside(run.path)]
        if found and not runs:
            rule = "its runs lie elsewhere, and nothing outside the given paths is shown"
            raise ConfigError("PATH", self._question.paths[0], rule, "give the folder that holds them")
        changed = self._follow(runs)
        stamp = [(run.path, run.status, run.reason, run.step, run.metrics) for run in runs]
        if changed or stamp != self._stamp:
            report = compare_runs([self._so_far(run) for run in runs], *self._asked())
            self.metric = report.metric
            self._make(report)
            self._stamp = stamp
        self._due = time.monotonic() + max(SOON, SHARE * (time.thread_time() - start))

    def _asked(self) -> tuple[Any, ...]:
        return self._question.metric, self._question.mode, self._question.target

    def _is_inside(self, path: Path) -> bool:
        """Whether a run lies below the paths that were given, wherever a link leads."""
        there = Path(os.path.realpath(path))
        return any(there == root or root in there.parents for root in self._roots)

    def _follow(self, runs: Sequence[RunRecord]) -> bool:
        """Read the new rows of all runs; return whether there were any."""
        most = max(200, min(1000, POINTS // max(1, len(runs))))
        before = self._followed
        self._followed = {run.path: before.get(run.path) or Followed(RunFolder(run.path).metrics, most) for run in runs}
        changed = [one.update() for one in self._followed.values()]
        return any(changed) or before.keys() != self._followed.keys()

    def _so_far(self, run: RunRecord) -> RunRecord:
        """A run that goes on, with the step and the metrics that it has reached."""
        followed = self._followed[run.path]
        if run.status != "unfinished" or followed.step is None:
            return run
        return replace(run, step=followed.step, metrics={**followed.latest(), **run.metrics})

    def _make(self, report: Report) -> None:
        self._version += 1
        self._text = page(report, self._question.paths, self, self._version)
        self._parts = {
            name: (self._parts[name][0] if self._parts.get(name, (0, None))[1] == text else self._version, text)
            for name, text in parts_of(self._text).items()
        }


def parts_of(text: str) -> Mapping[str, str]:
    """The parts of a page by name: an element's id or tag, or the id of a block of data, whose content it is.

    >>> parts_of('<header>a</header> <section id="w0">b</section>')
    {'header': '<header>a</header>', 'w0': '<section id="w0">b</section>'}
    """
    return {
        found["block"] or found["id"] or found["tag"]: found["content"] if found["block"] else found[0]
        for found in PARTS.finditer(text)
    }
