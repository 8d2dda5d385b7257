"""Find the runs of a sweep that may share steps: runs that differ only in schedule and length."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lrsched.assembly.data import AnySplits, Loaded, load_data
from lrsched.assembly.horizon import LONGEST, foreseen, pace_of, run_horizon
from lrsched.assembly.parts import build_task
from lrsched.assembly.simulate import Foreseen, foresee
from lrsched.assembly.task import facts_of
from lrsched.assembly.weights import build_model
from lrsched.checkpoint.fork_point import kept_by
from lrsched.checkpoint.places import Checkpoint
from lrsched.checkpoint.store import Store
from lrsched.config.settings import Settings
from lrsched.data.counts import Pace
from lrsched.errors import UserError
from lrsched.horizon import Horizon
from lrsched.runs.auto_resume import AUTO
from lrsched.runs.resume import finished
from lrsched.sweep.stages.prefix import Stand, Table, common
from lrsched.sweep.sweep import Valid

IN_TABLES = ("epochs", "steps", "log_every", "evaluate_every")
"""Keys of the trainer that need not be equal: only what happens before a fork must be."""

MOST = 2**30
"""The most bytes of one group's tables; larger ones are not compared."""


@dataclass(frozen=True)
class Member:
    """A job, and where its run stands; ``pace`` is that of its data."""

    job: Valid
    pace: Pace | Horizon
    stand: Stand


def member_of(job: Valid, loaded: Mapping[str, Loaded]) -> Member | None:
    """A job as its run stands, or None if the run cannot share: it lies elsewhere, or its length is unknown."""
    run = job.settings
    if run.resume not in (None, AUTO):
        return None  # it lies elsewhere, with a config of its own
    try:
        if run.dataset.own.train_samples is None:
            own = pace_of(run, load_data(run, loaded)[0].samples)
        else:
            own = foreseen(run, native=False)
        steps = min(run_horizon(run.trainer, own).steps, run.sweep.until or LONGEST)
        return Member(job, own, _stand(job, steps))
    except (UserError, OSError):
        return None  # the run itself will report the error


def _stand(job: Valid, steps: int) -> Stand:
    lent = Store(kept_by(job.folder)).committed()
    kept = frozenset(checkpoint.step for checkpoint in lent if _is_of(checkpoint, job.digest))
    if finished(job.folder):
        return Stand(steps, steps, done=True, kept=kept)
    own = Store(job.folder.checkpoints).committed() if job.folder.holds_a_run() else []
    if not own:
        return Stand(steps, kept=kept)
    return Stand(steps, own[0].step, sound=_is_of(own[0], job.digest), kept=kept)


def _is_of(checkpoint: Checkpoint, digest: str) -> bool:
    """Whether a checkpoint was made by this config alone, without later changes."""
    manifest = checkpoint.manifest
    return manifest.get("config_sha256") == digest and not manifest.get("changes") and not manifest.get("inexact")


@dataclass(frozen=True)
class Group:
    """Runs that may share steps.

    Args:
        indices: their numbers among the members.
        shared: the number of steps that each pair has in common, int64[runs, runs].
    """

    indices: list[int]
    shared: NDArray[np.int64]


def groups(members: Sequence[Member], loaded: Mapping[str, Loaded]) -> Iterator[Group]:
    """Group runs that may share steps: at least two runs, one of them not begun."""
    alike: dict[str, list[int]] = defaultdict(list)
    for index, member in enumerate(members):
        if member.stand.kept or not member.stand.done:
            alike[_without_schedule(member.job.settings)].append(index)
    models: dict[str, nn.Module] = {}
    for together in alike.values():
        if not _can_share([members[index] for index in together]):
            continue
        of_kind: dict[Any, dict[int, Table]] = defaultdict(dict)
        for index in together:
            seen = _seen(members[index], models, loaded)
            if seen is not None:
                of_kind[seen.kind][index] = seen.table[: members[index].stand.steps]
        for tables in of_kind.values():
            size = sum(table.nbytes for table in tables.values())
            if size <= MOST and _can_share([members[index] for index in tables]):
                yield Group(list(tables), common(list(tables.values())))


def _can_share(members: Sequence[Member]) -> bool:
    waiting = [member for member in members if not member.stand.done and member.stand.at < 0]
    # A rollback may need checkpoints from before the fork, which a forked run does not have.
    return len(members) > 1 and bool(waiting) and members[0].job.settings.trainer.on_nonfinite != "rollback"


def _without_schedule(run: Settings) -> str:
    """A config as text without its schedule, its length, and when it logs and evaluates: the tables hold these."""
    config = asdict(run)
    trainer: Mapping[str, Any] = config["trainer"]
    rest = {name: value for name, value in trainer.items() if name not in IN_TABLES}
    return json.dumps({**config, "scheduler": None, "trainer": rest}, sort_keys=True, default=str)


def _built(run: Settings, splits: AnySplits) -> nn.Module:
    return build_model(run, facts_of(run.task, build_task(run, splits), splits.facts), torch.device("cpu"))


def _seen(member: Member, models: dict[str, nn.Module], loaded: Mapping[str, Loaded]) -> Foreseen | None:
    """The values that a run will set; runs of one model share the model, because nothing changes it."""
    run = member.job.settings
    name = run.model.text + run.dataset.text
    try:
        if name not in models:
            models.clear()  # one at a time in memory
            models[name] = _built(run, load_data(run, loaded)[0])
        return foresee(run, models[name], member.pace)
    except (UserError, OSError, ArithmeticError, ValueError, TypeError, RuntimeError):
        return None  # the run itself will report the error
