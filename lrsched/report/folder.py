"""One run folder: its config, how it ended and what it measured.

Whatever is wrong with it becomes the status of its run. Of a run that did not finish its sweep may know more than it
could write down itself: who stopped it, or that it was killed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from lrsched.config.digest import was_made_with
from lrsched.records import RunFolder
from lrsched.report.flat import flat
from lrsched.report.runs import Run

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is five times as fast
TRACES = ("result.json", "metrics.jsonl", "train.log", "checkpoints")
"""What tells a run folder from another one that holds a ``config.yaml``."""

NOT_BEGUN = "was not begun"
"""How the reason begins for which a sweep ends without having come to a job: it knows nothing new of its run."""

Job = Mapping[str, Any]
"""What a sweep says of one of its runs; empty where there is none."""


def read_run(folder: RunFolder, job: Job, *, surely: bool) -> Run | None:
    """The run in a folder; None if its config is that of something else.

    Args:
        folder: where it lies.
        job: what its sweep says of it.
        surely: it is a run, whatever its config looks like.
    """

    def broken(reason: str) -> Run:
        return Run(folder.path, {}, "broken", reason, overrides=overrides_of(job))

    try:
        config = yaml.load(folder.config.read_bytes(), LOADER)
        if not isinstance(config, dict) or not {"optimizer", "scheduler"} <= config.keys() or "defaults" in config:
            raise ValueError("it is not the config of a run")
        entries = flat(config)
    except FileNotFoundError:
        return broken("config.yaml is not there") if surely else None
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        return broken(f"config.yaml cannot be read: {_first_line(error)}") if surely else None
    try:
        result = folder.read_result()
        if result is None and folder.result.exists():
            raise ValueError("it is no JSON object")
        status, reason = _end(result, job)
        said = result or {}
        if "config_sha256" in said and not was_made_with(config, said["config_sha256"]):
            return broken("config.yaml is not the one that the run was made with: it was changed by hand")
        metrics = {str(name): _number(value) for name, value in (said.get("metrics") or {}).items()}
        return Run(folder.path, entries, status, reason, said.get("step"), metrics, overrides_of(job))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        reason = f"result.json cannot be read: {_first_line(error)}"
        return Run(folder.path, entries, "broken", reason, overrides=overrides_of(job))


def overrides_of(job: Job) -> tuple[str, ...]:
    """The overrides of a job, as typed."""
    given = job.get("overrides") or ()
    return tuple(map(str, given)) if isinstance(given, (list, tuple)) else tuple(str(given).split())


def _end(result: Mapping[str, Any] | None, job: Job) -> tuple[str, str]:
    """Status and reason. What finished is finished; of the rest the sweep speaks last, if it came to it."""
    own = None if result is None else (str(result["status"]), str(result.get("reason") or ""))
    if own is not None and own[0] == "finished":
        return own
    status, reason = str(job.get("status")), str(job.get("reason") or "")
    tried = bool(reason) and not reason.startswith(NOT_BEGUN)
    if status in ("failed", "stopped") and (tried or own is None):
        return status, reason
    return own or ("unfinished", "it is running, or was killed")


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
