"""Runs as they lie on the disk: in and below some folders, and where a sweep says that they are.

Only what a run leaves behind is read, and ``metrics.jsonl`` only where a target or a curve is asked for. Nothing that
was asked for is silently left out, and so each job that a ``sweep.json`` lists is a run here, whatever became of it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from lrsched.errors import ConfigError, nearest
from lrsched.records import RunFolder
from lrsched.report.folder import TRACES, Job, overrides_of, read_run
from lrsched.report.runs import Run


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """All runs in and below some folders, each once, in the order of their paths.

    Raises:
        ConfigError: a path is not there, or holds no run.
    """
    found: dict[str, Run] = {}
    for path in paths:
        here = list(_below(path)) if path.is_dir() else []
        if not here:
            raise ConfigError("PATH", path, *_nothing(path))
        for run in here:
            known = found.setdefault(os.path.realpath(run.path), run)
            if _known(run) > _known(known):
                found[os.path.realpath(run.path)] = run
    return [found[path] for path in sorted(found)]


def _known(run: Run) -> tuple[bool, bool]:
    """How much is known of a run: its config, what its sweep says of it."""
    return bool(run.config), bool(run.overrides)


def _below(folder: Path) -> Iterator[Run]:
    """The run in a folder, or else the jobs of the sweep in it, and the runs in the other folders below it."""
    try:
        with os.scandir(folder) as entries:
            inside = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    except OSError as error:
        yield _unreadable(folder, error)
        return
    names = {name for name, _ in inside}
    if "config.yaml" in names:
        run = read_run(RunFolder(folder), {}, surely=not names.isdisjoint(TRACES))
        if run is not None:
            yield run
            return
    jobs = _jobs(folder / "sweep.json") if "sweep.json" in names else {}
    for name, is_folder in inside:
        if is_folder and not name.startswith(".") and name not in jobs:
            yield from _below(folder / name)
    for run_id, job in jobs.items():
        yield _of_sweep(folder, run_id, job)


def _jobs(file: Path) -> dict[str, Job]:
    """The jobs of a sweep by run id; none if its file cannot be read: the folders say more."""
    try:
        jobs = json.loads(file.read_text("utf-8"))["jobs"]
        named = {str(job["run_id"]): job for job in jobs}
        return {} if any("\0" in run_id for run_id in named) else named
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _of_sweep(sweep: Path, run_id: str, job: Job) -> Run:
    """The run of a job, whatever became of it.

    A sweep over runs that lie elsewhere names them by their way from its folder, ``../one``. A file may come from a
    stranger: it is followed within the folder that holds the sweep's, and no further.
    """
    path = Path(os.path.normpath(sweep / run_id))
    if not _is_near(path, sweep):
        return _absent(path, job, "it lies elsewhere, where a sweep is not followed: give its own path too")
    try:
        names = set(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError):
        names = set[str]()
    except OSError as error:
        return _unreadable(path, error, job)
    if names.isdisjoint(("config.yaml", *TRACES)):
        return _absent(path, job, f"the sweep says {job.get('status', 'nothing')}, and there is no run")
    run = read_run(RunFolder(path), job, surely=True)
    assert run is not None
    return run


def _is_near(path: Path, sweep: Path) -> bool:
    """Whether a path leads below the folder that holds a sweep's, and not to the sweep itself."""
    here, there = Path(os.path.realpath(sweep)), Path(os.path.realpath(path))
    return there != here and here.parent in there.parents


def _absent(path: Path, job: Job, otherwise: str) -> Run:
    """A job that left no run that could be read, by the word of its sweep; ``otherwise``: what to say without one."""
    status, reason = job.get("status", ""), str(job.get("reason") or otherwise)
    if status is None:
        status, reason = "waiting", "not begun yet"
    elif status not in ("failed", "stopped"):
        status, reason = "missing", otherwise
    return Run(path, {}, status, reason, overrides=overrides_of(job))


def _unreadable(folder: Path, error: OSError, job: Job | None = None) -> Run:
    return Run(folder, {}, "broken", f"{error.strerror}: {folder}", overrides=overrides_of(job or {}))


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
