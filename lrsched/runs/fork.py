"""Fork a run: start from another run's state, to the same bits as if it had made those steps itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Mapping, Sequence
from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from typing import Any

from lrsched.assembly.parts import Parts
from lrsched.assembly.simulate import bring_to
from lrsched.checkpoint.fork_point import Point
from lrsched.checkpoint.places import Checkpoint
from lrsched.checkpoint.store import Store, load
from lrsched.errors import CheckpointError, StorageError, storage
from lrsched.loggers.terminal import is_evaluation
from lrsched.records import DATA, RunFolder, write_atomically
from lrsched.runs.initial import INITIAL
from lrsched.runs.restore import Restored
from lrsched.train.environment import unequal


def find(point: Point, about: Mapping[str, Any], warn: Callable[[str], None]) -> dict[str, Any] | None:
    """Load the state of a fork point; warn and return None if it cannot be used.

    Args:
        point: the state.
        about: data hash and fingerprint of this process; another machine would compute other bits.
        warn: prints why the state cannot be used.
    """
    try:
        found = [checkpoint for checkpoint in Store(point.folder).committed() if checkpoint.step == point.step]
        if not found:
            raise CheckpointError(f"{point.path} is not there")
        _check(found[0], about)
        return load(found[0])
    except (CheckpointError, StorageError) as error:
        warn(f"passed over: {error}; the run makes these {point.step} steps itself")
        return None


def begin(
    parts: Parts, folder: RunFolder, store: Store, point: Point, saved: Mapping[str, Any], about: Mapping[str, Any]
) -> Restored:
    """Take over weights, optimizer, metrics and generators of a state; keep the run's own schedule.

    Killed in between, the run begins at step 0: a checkpoint of step 0, which owns no rows, is written before
    the rows, and the checkpoint that owns them is written last.

    Raises:
        CheckpointError: the state does not fit this model and optimizer.
        StorageError: the file system refused.
    """
    about = {**about, "changes": [], "inexact": []}
    state, rows = parts.state, str(saved["rows"]).encode()
    store.save(0, state.state_dict(), about)
    built = deepcopy(state.optimizer_state()["param_groups"])
    bring_to(state.scheduler, state.optimizer, point.step, parts.timetable.evaluate)
    may_count = state.optimizer.defaults.keys() - {*state.scheduler.moves}
    brought = state.optimizer_state()["param_groups"]
    optimizer = _with_own_groups(saved["run"]["optimizer"], built, brought, may_count)
    own = {"scheduler": deepcopy(state.scheduler.state_dict()), "optimizer": optimizer, "metrics_bytes": len(rows)}
    state.load_state_dict({**saved["run"], **own})
    with storage(f"{folder.metrics} cannot be written"):
        write_atomically(folder.metrics, rows)
        _take_over(point.source.shown, folder.shown, _shown_at(str(saved["rows"]), parts.timetable.show))
    store.save(point.step, state.state_dict(), about)
    note = f"the first {point.step} steps were made by {point.source}, whose schedule is the same until then"
    return Restored(len(rows), about, [note], forked=True)


def _with_own_groups(
    saved: Mapping[str, Any], built: Sequence[Any], brought: Sequence[Any], may_count: Container[str]
) -> dict[str, Any]:
    """An optimizer's state with what the run's own scheduler set; what an optimizer counts in its groups itself stays.

    Args:
        saved: the state.
        built, brought: the run's own groups before its scheduler was brought to this step, and after.
        may_count: entries of a group that are the optimizer's; a scheduler adds others, as OneCycleLR its lowest rate.
    """
    groups = []
    for theirs, was, own in zip(saved["param_groups"], built, brought, strict=True):
        left = {name for name in theirs if name in may_count and name in was and bool(own[name] == was[name])}
        groups.append({name: theirs[name] if name in left else value for name, value in own.items()})
    return {**saved, "param_groups": groups}


def _shown_at(rows: str, every: int | None) -> set[int]:
    """When a run of these rows has shown its model: at the first evaluations after multiples of ``every``."""
    found = [row["step"] for row in map(json.loads, rows.splitlines()) if is_evaluation(row)]
    return {now for before, now in pairwise([0, *found]) if every is not None and now // every > before // every}


def _take_over(theirs: Path, ours: Path, steps: Container[int]) -> None:
    """Copy what another run showed of the model at some steps: it is what this run would have shown."""
    for file in sorted(theirs.glob("*-*.*")):
        number = file.name.partition("-")[0]
        if number.isdigit() and int(number) in steps:
            ours.mkdir(exist_ok=True)
            write_atomically(ours / file.name, file.read_bytes())


def _check(checkpoint: Checkpoint, about: Mapping[str, Any]) -> None:
    manifest = checkpoint.manifest
    if manifest.get(DATA) != about[DATA]:
        raise CheckpointError(f"{checkpoint.path} was made under another {DATA}")
    if manifest.get(INITIAL) != about.get(INITIAL):
        raise CheckpointError(f"{checkpoint.path} began with other weights of init_from")
    if unequal(manifest.get("fingerprint", {}), about["fingerprint"]):
        raise CheckpointError(f"{checkpoint.path} was made under another fingerprint")
    if manifest.get("changes") or manifest.get("inexact"):
        raise CheckpointError(f"{checkpoint.path} belongs to a run that was changed on its way")
