"""What lies beside the runs in their folders: what sweeps cost and share, what finders answered, what tasks show."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lrsched.errors import CheckpointError
from lrsched.numbers import number, whole
from lrsched.records import NAME as RUN_ID
from lrsched.records import RunFolder, as_row, read_rows
from lrsched.report.folders import ANSWER, SWEEP, own_text
from lrsched.report.runs import RunRecord

PICTURES = 12
"""Runs of which the page shows what their task shows: the first seed of the best candidates."""

TAIL = 65536
"""Bytes at the end of a run's rows that hold the last of them."""

LARGEST = 200_000
"""Bytes of a picture, or of a text, that the page takes in."""


@dataclass(frozen=True)
class Job:
    """A job of a sweep.

    Args:
        run_id: name of its run's folder.
        words: the overrides that not all jobs of the sweep have.
        asked, trained: the updates that it was to make, and those that were made for it alone.
        taken: updates that it took over from the run ``source``, whose schedule is the same until then.
        source: that one's words; empty where none, or nobody knows.
        depth: how many runs stand above it in its tree.
        goes_on: it has not ended: its sweep counts what it trained when it ends.
    """

    run_id: str
    words: str
    asked: int
    trained: int
    taken: int = 0
    source: str = ""
    depth: int = 0
    goes_on: bool = False


@dataclass(frozen=True)
class Cost:
    """What a sweep cost.

    Args:
        folder: of the sweep.
        jobs: of it.
        asked, trained: updates; those of probes are trained too.
        seconds: by the clock on the wall.
    """

    folder: Path
    jobs: Sequence[Job]
    asked: int
    trained: int
    seconds: float

    @property
    def spared(self) -> bool:
        """Whether fewer steps were trained than asked for: runs shared some, or did not reach their end."""
        return self.trained < self.asked

    @property
    def longest(self) -> int:
        """The most updates of a job, at least 1."""
        return max((max(job.asked, job.taken + job.trained) for job in self.jobs), default=0) or 1


def costs(folders: Iterable[Path], runs: Iterable[RunRecord] = ()) -> list[Cost]:
    """Of the sweeps in some folders, those that can be read.

    Args:
        folders: of the sweeps.
        runs: that were read: where those that go on have come to, if that is known.
    """
    read = list(runs)
    return [found for folder in folders if (found := _cost(folder, read))]


def answers(folders: Iterable[Path]) -> list[tuple[Path, Mapping[str, Any]]]:
    """What finders wrote into some folders."""
    found = []
    for folder in folders:
        content = _read(folder / ANSWER)
        if content and isinstance(content.get("candidates", content.get("answers")), list):
            found.append((folder, content))
    return found


@dataclass(frozen=True)
class Look:
    """What a task shows of a run's model.

    Args:
        name: of the picture or the text.
        step: at which it was made.
        address: of the picture, with all of it: ``data:image/png;base64,…``; empty for a text.
        text: the text.
    """

    name: str
    step: int
    address: str = ""
    text: str = ""


def shown(run: RunRecord) -> list[Look]:
    """What a run's task showed last, each name once."""
    folder = RunFolder(run.path).shown
    try:
        files = [] if folder.is_symlink() else sorted(folder.iterdir())
    except OSError:
        return []
    last = {}
    for file in files:
        step, _, name = file.stem.partition("-")
        if step.isdigit() and file.suffix in (".png", ".txt"):
            last[name] = (int(step), file)
    found = []
    for name, (step, file) in last.items():
        try:
            with open(file, "rb", opener=_no_link) as source:
                content = source.read(LARGEST + 1)
        except OSError:
            continue
        title = name.replace("-", " ")
        if file.suffix == ".txt":
            words = content[:LARGEST].decode("utf-8", "replace")
            found.append(Look(title, step, text="".join(c if c.isprintable() or c in "\n\t" else "�" for c in words)))
        elif len(content) <= LARGEST and content.startswith(b"\x89PNG"):
            found.append(Look(title, step, f"data:image/png;base64,{base64.b64encode(content).decode()}"))
    return found


def _no_link(path: str, flags: int) -> int:
    """Open a file of the run's own, and none that a link leads to."""
    return os.open(path, flags | os.O_NOFOLLOW)


def _cost(folder: Path, runs: Sequence[RunRecord]) -> Cost | None:
    content = _read(folder / SWEEP)
    jobs = content.get("jobs")
    if not isinstance(jobs, list):
        return None
    asked, trained = (whole(content.get(key)) or 0 for key in ("steps_asked", "steps_trained"))
    seconds = max(0.0, number(content.get("wall_seconds")) or 0.0)
    read = _told_apart([_job(job) for job in jobs if isinstance(job, dict)])
    if trained < asked:
        steps = {os.path.realpath(run.path): run.step for run in runs if run.step is not None}
        read = [_so_far(folder, job, steps) for job in _with_forks(folder, read)]
        trained += sum(job.trained for job in read if job.goes_on)
    return Cost(folder, read, asked, trained, seconds)


def _so_far(folder: Path, job: Job, steps: Mapping[str, int]) -> Job:
    """A job with the updates that were made for it by now, where it goes on."""
    if not job.goes_on or not RUN_ID.fullmatch(job.run_id):
        return job
    run = folder / job.run_id
    step = steps.get(os.path.realpath(run)) or _last_step(RunFolder(run).metrics)
    return replace(job, trained=max(0, step - job.taken))


def _last_step(file: Path) -> int:
    """The step of the last whole row of a run; 0 where there is none."""
    try:
        with open(file, "rb", opener=_no_link) as rows:
            rows.seek(max(0, os.fstat(rows.fileno()).st_size - TAIL))
            last = rows.read().rpartition(b"\n")[0].rpartition(b"\n")[2]
        return as_row(last)["step"]
    except (OSError, CheckpointError):
        return 0


def _job(job: Mapping[str, Any]) -> Job:
    given = job.get("overrides") or ()
    words = " ".join(map(str, given)) if isinstance(given, list) else str(given)
    asked, trained = (whole(job.get(key)) or 0 for key in ("steps_asked", "steps_trained"))
    goes_on = job.get("status", "") is None and not trained
    return Job(str(job.get("run_id")), words, asked, trained, goes_on=goes_on)


def _told_apart(jobs: Sequence[Job]) -> list[Job]:
    """The jobs with the overrides alone that not all of them have."""
    sets = [set(job.words.split()) for job in jobs]
    common = set.intersection(*sets) if len(sets) > 1 else set()
    apart = [" ".join(word for word in job.words.split() if word not in common) for job in jobs]
    return [replace(job, words=words or job.words) for job, words in zip(jobs, apart, strict=True)]


def _with_forks(folder: Path, jobs: Sequence[Job]) -> list[Job]:
    """The jobs as trees: each below the one that it took steps over from, with these steps."""
    words = {job.run_id: job.words for job in jobs}
    below: dict[str, list[Job]] = {}
    for job in jobs:
        step, source = _fork(folder / job.run_id) if RUN_ID.fullmatch(job.run_id) else (0, "")
        root = source not in words or source == job.run_id
        below.setdefault("" if root else source, []).append(replace(job, taken=step, source=words.get(source, "")))
    waiting, order = below.pop("", [])[::-1], list[Job]()
    while waiting:
        job = waiting.pop()
        order.append(job)
        waiting += [replace(other, depth=job.depth + 1) for other in below.pop(job.run_id, [])[::-1]]
    return [*order, *(job for rest in below.values() for job in rest)]  # a stranger's file may go in circles


def _fork(run: Path) -> tuple[int, str]:
    """The step to which a run took over another one's, and the name of that one's folder."""
    try:
        first = next(read_rows(RunFolder(run).timing), {})
        return (whole(first["step"]) or 0, str(first.get("source"))) if first.get("event") == "fork" else (0, "")
    except (OSError, ValueError, KeyError, AttributeError, RecursionError):
        return 0, ""


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(own_text(file))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
