"""Runs as they lie on the disk: each one's config, how it ended and what it measured.

Only what a run leaves behind is read, and ``metrics.jsonl`` only where a target or a curve is asked for. Whatever is
wrong with a folder becomes the status of its run: nothing that was asked for is silently left out.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lrsched.errors import ConfigError, nearest
from lrsched.records import RunFolder, read_rows
from lrsched.report.flat import Flat, flat

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is five times as fast
TRACES = ("result.json", "metrics.jsonl", "train.log", "checkpoints")
"""What tells a run folder from another one that holds a ``config.yaml``."""

DROPPED = "ranked"
"""How the reason begins for which successive halving leaves a run where it is."""


@dataclass(frozen=True)
class Run:
    """One run, or one that was to be.

    Args:
        path: its folder.
        config: dotted keys and their values, as composed; empty where there is none that can be read.
        status: ``finished``, ``failed`` or ``stopped`` as it says itself; ``unfinished``: it is running, or was
            killed; ``missing``: a job of a sweep that left no folder; ``broken``: its files cannot be read.
        reason: why, in words.
        step: completed updates, None where unknown.
        metrics: at its end; None for a value that was not finite.
        overrides: those of the sweep's job, as typed.
    """

    path: Path
    config: Flat
    status: str
    reason: str = ""
    step: int | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """Its rows, as far as they can be read: what is damaged measured nothing."""
        try:
            yield from read_rows(RunFolder(self.path).metrics)
        except (OSError, ValueError):
            return

    @property
    def finished(self) -> bool:
        return self.status == "finished"

    @property
    def diverged(self) -> bool:
        """Whether a loss, a gradient or a metric was not finite: an answer too, and the worst."""
        if self.finished:
            return any(value is None for value in self.metrics.values())
        return self.status == "failed" and self.reason.startswith("NotFinite")

    @property
    def dropped(self) -> bool:
        """Whether a sweep left it behind, because others had come further with as many steps."""
        return self.status == "stopped" and self.reason.startswith(DROPPED)

    @property
    def decided(self) -> bool:
        """Whether its outcome is known: it finished, or diverged."""
        return self.finished or self.diverged


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """All runs in and below some folders, each once, in the order of their paths.

    Raises:
        ConfigError: a path is not there, or holds no run.
    """
    found: dict[Path, Run] = {}
    for path in paths:
        here = list(_below(path)) if path.is_dir() else []
        if not here:
            raise ConfigError("PATH", path, *_nothing(path))
        for run in here:
            found.setdefault(run.path.resolve(), run)
    return [found[path] for path in sorted(found)]


def ends(runs: Sequence[Run]) -> Counter[str]:
    """How many runs ended in which way; what diverged is counted as that."""
    return Counter("diverged" if run.diverged else run.status for run in runs)


def _below(folder: Path, job: Mapping[str, Any] | None = None) -> Iterator[Run]:
    """The run in a folder, or else the runs in the folders below it and the jobs that left none.

    Args:
        folder: where to look.
        job: what a sweep says of it.
    """
    try:
        with os.scandir(folder) as entries:
            inside = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    except OSError as error:
        yield Run(folder, {}, "broken", f"{error.strerror}: {folder}")
        return
    names = {name for name, _ in inside}
    if "config.yaml" in names:
        run = _read(RunFolder(folder), job or {}, surely=not names.isdisjoint(TRACES))
        if run is not None:
            yield run
            return
    jobs = _jobs(folder / "sweep.json") if "sweep.json" in names else {}
    for name, is_folder in inside:
        if is_folder and not name.startswith("."):
            yield from _below(folder / name, jobs.get(name))
    for run_id, said in jobs.items():
        if run_id not in names:
            reason = str(said.get("reason") or f"the sweep says {said.get('status', 'nothing')}")
            yield Run(folder / run_id, {}, "missing", reason, overrides=_overrides(said))


def _read(folder: RunFolder, job: Mapping[str, Any], *, surely: bool) -> Run | None:
    """The run in a folder with a config; None if that is the config of something else."""
    overrides = _overrides(job)
    try:
        config = yaml.load(folder.config.read_bytes(), LOADER)
        if not isinstance(config, dict) or not {"optimizer", "scheduler"} <= config.keys() or "defaults" in config:
            raise ValueError("it is not the config of a run")
        entries = flat(config)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        reason = f"config.yaml cannot be read: {_first_line(error)}"
        return Run(folder.path, {}, "broken", reason, overrides=overrides) if surely else None
    try:
        result = folder.read_result()
        if result is None and folder.result.exists():
            raise ValueError("it is no JSON object")
        if result is None:
            status, reason = str(job.get("status")), str(job.get("reason") or "")
            if status not in ("failed", "stopped"):
                status, reason = "unfinished", "it is running, or was killed"
            return Run(folder.path, entries, status, reason, overrides=overrides)
        metrics = {str(name): _number(value) for name, value in (result.get("metrics") or {}).items()}
        status, reason = str(result["status"]), str(result.get("reason") or "")
        if status == "stopped" and job.get("status") == status:  # the sweep knows why it was not taken further
            reason = str(job.get("reason") or reason)
        return Run(folder.path, entries, status, reason, result.get("step"), metrics, overrides)
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        reason = f"result.json cannot be read: {_first_line(error)}"
        return Run(folder.path, entries, "broken", reason, overrides=overrides)


def _jobs(file: Path) -> dict[str, Mapping[str, Any]]:
    """The jobs of a sweep by run id; none if its file cannot be read: the folders say more."""
    try:
        jobs = json.loads(file.read_text("utf-8"))["jobs"]
        return {str(job["run_id"]): job for job in jobs}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _overrides(job: Mapping[str, Any]) -> tuple[str, ...]:
    given = job.get("overrides") or ()
    return tuple(map(str, given)) if isinstance(given, (list, tuple)) else tuple(str(given).split())


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _nothing(path: Path) -> tuple[str, str]:
    """Why there is no run at a path, and what to do about it."""
    parents = [parent for parent in path.absolute().parents if (parent / "config.yaml").is_file()]
    if path.exists():
        remedy = f"did you mean {os.fspath(parents[0])!r}?" if parents else "give outputs/NAME, of a run or of a sweep"
        return "there is no run in it", remedy
    beside = path.absolute().parent
    folders = [item.name for item in beside.iterdir() if item.is_dir()] if beside.is_dir() else []
    remedy = nearest(path.name, folders) if folders else "give outputs/NAME, of a run or of a sweep"
    return "there is no such folder", remedy
