"""Restore a run from its newest valid checkpoint: compare everything, then load."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lrsched.assembly.kinds import spec_of
from lrsched.assembly.parts import Parts
from lrsched.assembly.simulate import MOST, rehearse
from lrsched.checkpoint.places import Checkpoint
from lrsched.checkpoint.store import Store
from lrsched.compose.nodes import put, raw, within
from lrsched.config.settings import Settings
from lrsched.console import say
from lrsched.errors import CheckpointError
from lrsched.machine.allowance import allowance
from lrsched.records import DATA
from lrsched.runs.apply_changes import adopt
from lrsched.runs.initial import changed_source
from lrsched.runs.newest import Newest, Record, records
from lrsched.runs.request import RunRequest
from lrsched.train.environment import unequal
from lrsched.units import count

KEYS = {"threads": "threads", "device": "device", "world_size": "trainer.processes"}
"""Items of the fingerprint that a key of a command sets."""

RUN_ID = "TORCHELASTIC_RUN_ID"
"""A variable of each process that torchrun starts."""


@dataclass(frozen=True)
class Restored:
    """A run at rest at the step of its checkpoint.

    Args:
        offset: bytes of ``metrics.jsonl`` that belong to completed steps.
        about: what every later manifest says.
        notes: damaged checkpoints, and what differs from now on; printed already, for the log.
        forked: another run wrote the rows so far, and no logger has read them.
    """

    offset: int
    about: dict[str, Any]
    notes: list[str]
    forked: bool = False


@dataclass(frozen=True)
class _Differences:
    """How the run differs from now on from the one that made the checkpoint.

    Args:
        seen: changes that the checkpoint knows.
        pending: changes made since, of the config and of the data.
        inexact: every change of machine so far.
        notes: the new differences, in words.
    """

    seen: list[Record]
    pending: list[Record]
    inexact: list[Record]
    notes: list[str]


def restore(
    parts: Parts, run: Settings, request: RunRequest, store: Store, newest: Newest, about: Mapping[str, Any]
) -> Restored:
    """Go on from a checkpoint.

    Args:
        parts: of the run, built.
        run: its settings.
        request: its folder and its config.
        store: its checkpoints.
        newest: the one to go on from.
        about: config hash, data hash and fingerprint of this process.

    Raises:
        CheckpointError: it was made with another config, on another machine or other data.
        ConfigError: a change that cannot take effect.
    """
    checkpoint = newest.checkpoint
    complaints = [*newest.complaints]
    complaints += [
        f"{later} has no manifest: its save was not finished" for later in store.unfinished(after=checkpoint.step)
    ]
    passed = [f"passed over: {complaint}; going on from step {checkpoint.step}" for complaint in complaints]
    for message in passed:  # before a refusal of the checkpoint that is left
        request.context.warn(message)
    found = _compare(checkpoint, parts, run, request, about)
    if changed_source(newest.begun_with, run.init_from):
        found.notes.append(f"init_from={run.init_from} holds other weights now; the run goes on with its own")
    notes = found.notes + adopt(parts, newest.saved, newest.earlier.settings, run) + _rest(parts, run)
    if _check_rows(request.folder.metrics, parts.state.metrics_bytes, checkpoint) and not passed:
        notes.append(f"going on from step {checkpoint.step}, the last one saved; rows after it are made again")
    for note in notes:
        say(note)
    changes = [*found.seen, *({**change, "at": checkpoint.step} for change in found.pending)]
    about = {**about, "changes": changes, "inexact": found.inexact}
    return Restored(parts.state.metrics_bytes, about, [*passed, *notes])


def _rest(parts: Parts, run: Settings) -> list[str]:
    """Warn where the steps that a run was made longer by train at next to nothing."""
    if not run.trainer.extensions or parts.horizon.steps > MOST:
        return []
    seen = rehearse(run, spec_of(run.scheduler), parts.horizon, parts.state.model, parts.state.clock)
    return [f"warning: {caution}" for caution in seen.rest]


def _compare(
    checkpoint: Checkpoint, parts: Parts, run: Settings, request: RunRequest, about: Mapping[str, Any]
) -> _Differences:
    """Compare config, data and machine with those of the checkpoint; refuse what the command did not allow."""
    step, seen = checkpoint.step, records(checkpoint.manifest, "changes")
    pending = [asdict(change) for change in run.checkpoint.changes[len(seen) :]]
    _check_config(checkpoint, request, len(run.checkpoint.changes) - len(seen), pending, about)
    notes = [_note(step, change, parts) for change in pending]
    other_data = _other_data(checkpoint, run, pending, about)
    if other_data:
        pending.append({"at": step, "config_sha256": about["config_sha256"], "keys": {DATA: other_data}})
        notes.append(f"from step {step} on: other data: {other_data[0]} -> {other_data[1]}")
    inexact = records(checkpoint.manifest, "inexact")
    differs = _unequal(checkpoint, pending, about)
    if differs:
        words = (f"{name} {old} -> {new}{_why(name, old, run, request)}" for name, (old, new) in differs.items())
        listed = ", ".join(words)
        if not run.checkpoint.inexact:
            raise CheckpointError(_not_exact(checkpoint, listed, differs))
        inexact.append({"at": step, "differences": differs})
        notes.append(f"from step {step} on not bit-exact: {listed}")
    return _Differences(seen, pending, inexact, notes)


def _check_rows(metrics: Path, needed: int, checkpoint: Checkpoint) -> bool:
    """Refuse a file of rows that is shorter than it was when the checkpoint was made; tell whether it is longer."""
    there = bytes_in(metrics)
    if there < needed:
        raise CheckpointError(
            f"{metrics} has {there} bytes, and {needed} belong to {checkpoint.path}: rows are lost; "
            f"put the whole file back, or delete {checkpoint.path} to go on from an older one"
        )
    return there > needed


def bytes_in(path: Path) -> int:
    """The size of a file; 0 without one."""
    return path.stat().st_size if path.exists() else 0


def with_history(request: RunRequest, changes: Sequence[Record]) -> RunRequest:
    """Add the change of data to the config that the request stores, unless it is there already."""
    kept = request.kept if request.kept is not None else request.config
    written = raw(kept, "checkpoint.changes") or []
    if len(written) >= len(changes):
        return request
    put(kept, "checkpoint.changes", [*written, changes[-1]])
    return replace(request, kept=kept, changed=True)


def _check_config(
    checkpoint: Checkpoint, request: RunRequest, missing: int, pending: Sequence[Record], about: Mapping[str, Any]
) -> None:
    """Refuse a stored config that is neither the checkpoint's nor derived from it by recorded changes."""
    expected = pending[0]["config_sha256"] if pending else about["config_sha256"]
    if missing < 0 or checkpoint.manifest.get("config_sha256") != expected:
        raise CheckpointError(
            f"{request.folder.config} is not the config that {checkpoint.path} was made with: it was changed by hand, "
            "or a variable of the environment that it names was; put it back, and change a run that is under way by an "
            "override and checkpoint.allow_change=[KEY]"
        )


def _other_data(
    checkpoint: Checkpoint, run: Settings, pending: Sequence[Record], about: Mapping[str, Any]
) -> list[str] | None:
    """The hashes of the data before and now, or None if they are equal; refuse a difference not allowed."""
    old, new = checkpoint.manifest.get(DATA), about[DATA]
    if old == new:
        return None
    if any(change["keys"].get(DATA, [None, None])[1] == new for change in pending):
        return None
    chosen = any(within(key, ["dataset"]) for change in pending for key in change["keys"])
    if not chosen and "dataset" not in run.checkpoint.allow_change:
        raise CheckpointError(
            f"dataset {run.dataset.target}: its data have SHA-256 {new}, and the run was trained on {old}; "
            "bring the data back, or go on with these by checkpoint.allow_change=[dataset]"
        )
    return [str(old), str(new)]


def _unequal(checkpoint: Checkpoint, pending: Sequence[Record], about: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Items of the fingerprint that differ, except those that the command changes."""
    old, new = checkpoint.manifest.get("fingerprint"), about["fingerprint"]
    if not isinstance(old, Mapping):
        raise CheckpointError(f"{checkpoint.path}: the manifest has no fingerprint")
    meant = {key.removeprefix("trainer.") for change in pending for key in change["keys"]}
    return {name: pair for name, pair in unequal(old, new).items() if name not in meant}


def _why(name: str, old: Any, run: Settings, request: RunRequest) -> str:
    """What allows a run no more threads than it has here, if it did not ask for a number itself."""
    if name != "threads" or isinstance(run.threads, int) or not isinstance(old, int):
        return ""
    here = allowance(old, beside=request.place.beside)
    if here.number >= old:
        return ""
    torchrun = ", which torchrun sets where it is unset," if RUN_ID in os.environ and "OMP_NUM" in here.limit else ""
    return f" ({here.limit}{torchrun} allows no more)"


def _not_exact(checkpoint: Checkpoint, listed: str, unequal: Mapping[str, tuple[Any, Any]]) -> str:
    remedies = []
    if set(unequal) <= KEYS.keys():
        was = {name: "cuda" if name == "device" and old != "cpu" else old for name, (old, _) in unequal.items()}
        remedies = [f"{KEYS[name]}={value}" for name, value in was.items()]
    exact = f"give {' '.join(remedies)} for the same bits, or " if remedies else ""
    return (
        f"{checkpoint.path} was made under other conditions: {listed}; the continuation would not be bit-exact; "
        f"{exact}go on all the same with checkpoint.inexact=true"
    )


def _note(step: int, change: Record, parts: Parts) -> str:
    listed = ", ".join(f"{key} {_text(old)} -> {_text(new)}" for key, (old, new) in change["keys"].items())
    steps = parts.state.clock.steps(parts.horizon.steps)
    length = f"; the run now has {count(steps, 'step')}, {parts.horizon.steps_per_epoch} an epoch"
    resized = any(within(key, ["dataset", "trainer"]) for key in change["keys"])
    return f"from step {step} on: {listed}{length if resized else ''}"


def _text(value: Any) -> str:
    if isinstance(value, Mapping) and "_target_" in value:
        return str(value["_target_"])
    return "null" if value is None else str(value)
