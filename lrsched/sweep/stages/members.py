"""Find the runs of a sweep that may share steps: they differ in schedule and length alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lrsched.assembly.data import Loaded, load_data
from lrsched.assembly.horizon import LONGEST, foreseen, run_horizon
from lrsched.assembly.parts import build_model
from lrsched.assembly.simulate import Foreseen, foresee
from lrsched.checkpoint.fork_point import kept_by
from lrsched.checkpoint.places import Checkpoint
from lrsched.checkpoint.store import Store
from lrsched.config.settings import Settings
from lrsched.data.counts import Pace, pace
from lrsched.errors import UserError
from lrsched.horizon import Horizon
from lrsched.records import RunFolder
from lrsched.runs.auto_resume import AUTO
from lrsched.runs.resume import finished
from lrsched.sweep.stages.prefix import Stand, Table, common
from lrsched.sweep.sweep import Valid

MOST = 2**30
"""Bytes that the tables of one group may fill while they are compared."""


@dataclass(frozen=True)
class Member:
    """A run and where it stands; ``pace`` is that of its data."""

    job: Valid
    run: Settings
    folder: RunFolder
    pace: Pace | Horizon
    stand: Stand


def member_of(job: Valid, loaded: Mapping[str, Loaded]) -> Member | None:
    """A run as it stands, or None if its data cannot be loaded: its length is unknown."""
    run, folder = job.settings, job.folder
    if run.resume not in (None, AUTO):
        return None  # it lies elsewhere, with a config of its own
    try:
        own = _pace(run, loaded)
        steps = min(run_horizon(run.trainer, own).steps, run.sweep.until or LONGEST)
        stand = _stand(job, steps)
    except (UserError, OSError):
        return None  # the run itself will say why
    return Member(job, run, folder, own, stand)


def _pace(run: Settings, loaded: Mapping[str, Loaded]) -> Pace | Horizon:
    """The pace of a run's data, from the config's counts, else from the data."""
    if run.dataset.own.train_samples is not None:
        return foreseen(run, native=False)
    splits, t = load_data(run, loaded)[0], run.trainer
    return pace(
        len(splits.train_y),
        batch_size=run.dataset.own.batch_size,
        accumulate=t.accumulate,
        limit=t.limit_batches,
        overfit=t.overfit_batches,
    )


def _stand(job: Valid, steps: int) -> Stand:
    folder = job.folder
    kept = [checkpoint for checkpoint in Store(kept_by(folder)).committed() if _is_of(checkpoint, job.digest)]
    steps_kept = frozenset(checkpoint.step for checkpoint in kept)
    if finished(folder):
        return Stand(steps, steps, done=True, kept=steps_kept)
    own = Store(folder.checkpoints).committed() if folder.holds_a_run() else []
    if not own:
        return Stand(steps, kept=steps_kept)
    return Stand(steps, own[0].step, sound=_is_of(own[0], job.digest), kept=steps_kept)


def _is_of(checkpoint: Checkpoint, digest: str) -> bool:
    """Whether a config makes this state: nothing was changed on the way."""
    manifest = checkpoint.manifest
    return manifest.get("config_sha256") == digest and not manifest.get("changes") and not manifest.get("inexact")


@dataclass(frozen=True)
class Group:
    """Runs that may share steps.

    Args:
        indices: their numbers among the members.
        shared: how many steps any two of them have in common, int64[runs, runs].
    """

    indices: list[int]
    shared: NDArray[np.int64]


def groups(members: Sequence[Member], loaded: Mapping[str, Loaded]) -> Iterator[Group]:
    """Groups of runs that may share steps: at least two runs, one not begun."""
    alike: dict[str, list[int]] = {}
    for index, member in enumerate(members):
        if member.stand.kept or not member.stand.done:
            alike.setdefault(_without_schedule(member.run), []).append(index)
    models: dict[str, nn.Module] = {}
    for together in alike.values():
        if not _can_share([members[index] for index in together]):
            continue
        of_kind: dict[Any, list[tuple[int, Table]]] = {}
        for index in together:
            seen = _seen(members[index], models, loaded)
            if seen is not None:
                of_kind.setdefault(seen.kind, []).append((index, seen.table[: members[index].stand.steps]))
        for found in of_kind.values():
            size = sum(table.nbytes for _, table in found)
            if size <= MOST and _can_share([members[index] for index, _ in found]):
                yield Group([index for index, _ in found], common([table for _, table in found]))


def _can_share(members: Sequence[Member]) -> bool:
    waiting = [member for member in members if not member.stand.done and member.stand.at < 0]
    # A rollback goes back to checkpoints of before the fork, which a forked run does not have.
    return len(members) > 1 and bool(waiting) and members[0].run.trainer.on_nonfinite != "rollback"


def _without_schedule(run: Settings) -> str:
    """All of a config but its schedule and its length, as text."""
    config = asdict(run)
    trainer: Mapping[str, Any] = config["trainer"]
    rest = {name: value for name, value in trainer.items() if name not in ("epochs", "steps")}
    return json.dumps({**config, "scheduler": None, "trainer": rest}, sort_keys=True, default=str)


def _seen(member: Member, models: dict[str, nn.Module], loaded: Mapping[str, Loaded]) -> Foreseen | None:
    """The values a run will set; runs of one model share it, as nothing changes it."""
    run = member.run
    name = run.model.text + run.dataset.text
    try:
        if name not in models:
            models.clear()  # one at a time in memory
            models[name] = build_model(run, load_data(run, loaded)[0], torch.device("cpu"))
        return foresee(run, models[name], member.pace)
    except (UserError, OSError, ArithmeticError, ValueError, TypeError, RuntimeError):
        return None  # the run itself will say why
