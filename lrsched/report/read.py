"""Find and read runs on disk: those in and below some folders, and those that a sweep lists.

``metrics.jsonl`` is only read where a target or a curve is asked for. Whatever is wrong with a run becomes its status,
so that nothing that was asked for is silently left out: every job of a ``sweep.json`` is a run here. Of a run that did
not finish, its sweep may know more than the run could write down: who stopped it, or that it was killed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from lrsched.config.digest import was_made_with
from lrsched.config.versions import as_read_now
from lrsched.config.walk import flat
from lrsched.ended import Ending, Why, ending_of
from lrsched.errors import ConfigError, nearest
from lrsched.numbers import number, whole
from lrsched.records import DATA, RunFolder
from lrsched.report.folders import ANSWER, SWEEP, SweepJob, first_line, is_own, read_jobs
from lrsched.report.runs import RunRecord
from lrsched.units import FIRST_BETTER, FIRST_UNITS

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is five times as fast
TRACES = ("result.json", "metrics.jsonl", "train.log", "checkpoints")
"""What tells a run folder from another one that holds a ``config.yaml``."""

_GROUP = re.compile(rb"^(?=[A-Za-z_]\w*:)", re.MULTILINE)
"""Where a key of the root begins."""


def read_runs(paths: Sequence[Path]) -> list[RunRecord]:
    """All runs in and below some folders, each once, in the order of their paths.

    Raises:
        ConfigError: a path is not there, or holds neither a run nor a finder's answer.
    """
    found: dict[str, RunRecord] = {}
    for path in paths:
        here = list(_below(path)) if path.is_dir() else []
        if not here and not (is_own(path / ANSWER)):
            raise ConfigError("PATH", path, *_nothing(path))
        for run in here:
            known = found.setdefault(os.path.realpath(run.path), run)
            if _known(run) > _known(known):
                found[os.path.realpath(run.path)] = run
    return [found[path] for path in sorted(found)]


def _known(run: RunRecord) -> tuple[bool, bool]:
    """How much is known of a run: its config, what its sweep says of it."""
    return bool(run.config), bool(run.overrides)


def _below(folder: Path) -> Iterator[RunRecord]:
    """The run in a folder, or else the jobs of the sweep in it, and the runs in the other folders below it."""
    try:
        with os.scandir(folder) as entries:
            inside = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    except OSError as error:
        yield _unreadable(folder, error)
        return
    names = {name for name, _ in inside}
    if "config.yaml" in names:
        run = _read_run(RunFolder(folder), {}, is_run=not names.isdisjoint(TRACES))
        if run is not None:
            yield run
            return
    jobs = read_jobs(folder / SWEEP) if SWEEP in names else {}
    for name, is_folder in inside:
        if is_folder and not name.startswith(".") and name not in jobs:
            yield from _below(folder / name)
    real = Path(os.path.realpath(folder)) if jobs else folder
    for run_id, job in jobs.items():
        yield _run_of_job(folder, real, run_id, job)


def _run_of_job(sweep: Path, real: Path, run_id: str, job: SweepJob) -> RunRecord:
    """The run of a job, whatever became of it.

    A sweep over runs that lie elsewhere names them by their path from its folder, ``../one``. A file may come from a
    stranger: it is followed within the folder that holds the sweep's, and no further.

    Args:
        sweep: its folder, as it was asked for.
        real: the same without links.
        run_id: of the job.
        job: what the sweep says of it.
    """
    path = Path(os.path.normpath(sweep / run_id))
    if not _is_near(path, sweep, real):
        return _absent(path, job, "it lies elsewhere, where a sweep is not followed: give its own path too")
    try:
        names = set(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError):
        names = set[str]()
    except OSError as error:
        return _unreadable(path, error, job)
    if names.isdisjoint(("config.yaml", *TRACES)):
        return _absent(path, job, f"the sweep says {job.get('status', 'nothing')}, and there is no run")
    run = _read_run(RunFolder(path), job, is_run=True)
    assert run is not None
    return run


def _is_near(path: Path, sweep: Path, real: Path) -> bool:
    """Whether a path leads below the folder that holds a sweep's, and not to the sweep itself."""
    if path.parent == sweep and not path.is_symlink():
        return True
    there = Path(os.path.realpath(path))
    return there != real and real.parent in there.parents


def _read_run(folder: RunFolder, job: SweepJob, *, is_run: bool) -> RunRecord | None:
    """The run in a folder; None if its config is that of something else.

    Args:
        folder: where it lies.
        job: what its sweep says of it.
        is_run: whether the folder surely holds a run, whatever its config looks like.
    """

    def broken(reason: str) -> RunRecord:
        return RunRecord(folder.path, {}, "broken", reason, overrides=_overrides(job))

    try:
        config = parsed(folder.config.read_bytes())
        if not isinstance(config, dict) or not {"optimizer", "scheduler"} <= config.keys() or "defaults" in config:
            raise ValueError("it is not the config of a run")
        config = as_read_now(config)
        entries = flat(config)
    except FileNotFoundError:
        return broken("config.yaml is not there") if is_run else None
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        return broken(f"config.yaml cannot be read: {first_line(error)}") if is_run else None
    try:
        result = folder.read_result()
        if result is None and folder.result.exists():
            raise ValueError("it is no JSON object")
        status, reason, ending = _end(result, job)
        said = result or {}
        if "config_sha256" in said and not was_made_with(config, said["config_sha256"]):
            return broken("config.yaml is not the one that the run was made with: it was changed by hand")
        metrics = {str(name): _number(value) for name, value in (said.get("metrics") or {}).items()}
        ways = {name: way for name, way in _words(result, "better", FIRST_BETTER).items() if way in ("min", "max")}
        units, step, overrides = _words(result, "units", FIRST_UNITS), whole(said.get("step")), _overrides(job)
        made = said.get(DATA)
        data = made if isinstance(made, str) else None
        return RunRecord(folder.path, entries, status, reason, *ending, step, metrics, overrides, ways, units, data)
    except (OSError, ValueError, KeyError, AttributeError, TypeError, OverflowError) as error:
        reason = f"result.json cannot be read: {first_line(error)}"
        return RunRecord(folder.path, entries, "broken", reason, overrides=_overrides(job))


def parsed(content: bytes) -> Any:
    """Parse a config: the runs of a sweep say the same in most groups, and each text of a group is parsed once.

    Do not change what is returned; it may be part of another config.

    Raises:
        ValueError, RecursionError, YAMLError: it cannot be read.
    """
    first, *groups = _GROUP.split(content)
    if groups and not first and b"<<" not in content and b"..." not in content:  # joins keys; may end the config
        try:
            parts = [_group(text) for text in groups]
        except (ValueError, RecursionError, yaml.YAMLError):
            parts = []  # a group that needs another one, or is wrong: the whole will say what
        if parts and all(isinstance(part, dict) for part in parts):
            return {key: value for part in parts for key, value in part.items()}
    return yaml.load(content, LOADER)


@lru_cache(maxsize=4096)
def _group(text: bytes) -> Any:
    return yaml.load(text, LOADER)


def _end(result: Mapping[str, Any] | None, job: SweepJob) -> tuple[str, str, Ending]:
    """Status, reason and the fields of an end. A finished run is finished; else its sweep has the last word.

    A sweep that ended before it came to the job knows nothing new of its run.
    """
    own = None if result is None else (str(result["status"]), str(result.get("reason") or ""), ending_of(result))
    if own is not None and own[0] == "finished":
        return own
    status, reason, ending = str(job.get("status")), str(job.get("reason") or ""), ending_of(job)
    tried = bool(reason) and ending.why is not Why.NOT_BEGUN
    if status in ("failed", "stopped") and (tried or own is None):
        return status, reason, ending
    return own or ("unfinished", "it is running, or was killed", Ending(None))


def _absent(path: Path, job: SweepJob, otherwise: str) -> RunRecord:
    """A job that left no readable run, as its sweep describes it; ``otherwise``: the reason if the sweep gives none."""
    status, reason, ending = job.get("status", ""), str(job.get("reason") or otherwise), Ending(None)
    if status is None:
        status, reason = "waiting", "not begun yet"
    elif status in ("failed", "stopped"):
        ending = ending_of(job)
    else:
        status, reason = "missing", otherwise
    return RunRecord(path, {}, status, reason, *ending, overrides=_overrides(job))


def _unreadable(folder: Path, error: OSError, job: SweepJob | None = None) -> RunRecord:
    return RunRecord(folder, {}, "broken", f"{error.strerror}: {folder}", overrides=_overrides(job or {}))


def _overrides(job: SweepJob) -> tuple[str, ...]:
    """The overrides of a job, as typed."""
    given = job.get("overrides") or ()
    return tuple(map(str, given)) if isinstance(given, (list, tuple)) else tuple(str(given).split())


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


def _words(result: Mapping[str, Any] | None, key: str, otherwise: Mapping[str, str]) -> dict[str, str]:
    """What a result says of each metric; in one of 0.1.0, which does not, ``otherwise``."""
    said = {} if result is None else result.get(key, otherwise) or {}
    return {str(name): str(word) for name, word in said.items()}


def _number(value: Any) -> float | None:
    """A metric: not finite, as a result writes it, is None."""
    return None if value is None else number(float(value))
