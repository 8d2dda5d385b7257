"""The records that lie beside runs in a folder: what its sweep says of them, and what a finder answered."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lrsched.report.runs import RunRecord

SWEEP = "sweep.json"

ANSWER = "find.json"
"""What a finder wrote: a folder with it may be shown without a run."""


SweepJob = Mapping[str, Any]
"""What a sweep says of one of its runs; empty where there is none."""


def read_jobs(file: Path) -> dict[str, SweepJob]:
    """The jobs of a sweep by run id; none if its file cannot be read: the folders say more."""
    try:
        jobs = json.loads(own_text(file))["jobs"]
        named = {str(job["run_id"]): job for job in jobs}
        return {} if any("\0" in run_id for run_id in named) else named
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}


def is_own(file: Path) -> bool:
    """Whether a file is there, and no link that leads elsewhere."""
    return file.is_file() and not file.is_symlink()


def own_text(file: Path) -> str:
    """The text of a file that a folder holds itself; a link may lead to what nobody meant to show.

    Raises:
        OSError: there is none, or it is a link.
    """
    with open(file, encoding="utf-8", opener=lambda path, flags: os.open(path, flags | os.O_NOFOLLOW)) as source:
        return source.read()


def unread(folders: Iterable[Path]) -> list[str]:
    """What was passed over: the records of sweeps and finders in some folders that cannot be read, and why."""
    said = []
    for file in (folder / name for folder in folders for name in (SWEEP, ANSWER)):
        try:
            content = json.loads(own_text(file))
            if not isinstance(content, dict):
                raise ValueError("it is no JSON object")
            if file.name == SWEEP and not read_jobs(file) and content.get("jobs") != []:
                raise ValueError("its jobs have no run ids")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError, RecursionError) as error:
            link = file.is_symlink()
            why = "it is a link, and links are not followed" if link else f"it cannot be read ({first_line(error)})"
            what = "what it says of jobs and costs" if file.name == SWEEP else "its answer"
            said.append(f"{file} is passed over: {why}; {what} is not shown, the runs in the folder are")
    return said


def folders(runs: Sequence[RunRecord], paths: Iterable[Path]) -> list[Path]:
    """The folders that were asked for and those that hold the runs, each once."""
    known: dict[str, Path] = {}
    for path in dict.fromkeys([*paths, *(run.path.parent for run in runs)]):
        known.setdefault(os.path.realpath(path), path)
    return list(known.values())


def first_line(error: Exception) -> str:
    """What an error says first."""
    return (str(error).splitlines() or [type(error).__name__])[0]
