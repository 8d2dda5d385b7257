"""Any order of training, saving, dying, damage, full disks and moved clocks: no acknowledged checkpoint is lost.

Hypothesis draws the orders. The store and the run's state are real; death is a disk that answers no more.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from torch import nn

from lrsched.checkpoint.lock import RunLock
from lrsched.checkpoint.store import Store
from lrsched.errors import CheckpointError, RunFolderBusy, StorageError
from lrsched.train.state import RunState, weights_sha256
from lrsched.train.update import Update
from tests.helpers.failing_disk import Killed, dying, full
from tests.train.test_update import loader, network, run

DAY = 86_400.0
CALLS_OF_A_SAVE = 30  # and of the pruning after it: a later death does not come


def fresh() -> tuple[RunState, Update]:
    """A run at step 0, with dropout, batch norm and momentum."""
    return run(nn.Sequential(network(dropout=0.2), nn.BatchNorm1d(3)), loader())


class Reference:
    """The hashes of the weights of a run that was never disturbed, by step."""

    def __init__(self) -> None:
        self._hashes: list[str] = []

    def __getitem__(self, step: int) -> str:
        if not self._hashes:
            self._state, self._update = fresh()
            self._hashes.append(weights_sha256(self._state.model))
        while len(self._hashes) <= step:
            self._update(self._state)
            self._hashes.append(weights_sha256(self._state.model))
        return self._hashes[step]


REFERENCE = Reference()


def damage(path: Path, kind: str, at: int) -> None:
    """Damage one file of a checkpoint, or what an earlier damage left of it."""
    if not path.exists() or not path.stat().st_size:
        return
    if kind == "missing":
        path.unlink()
        return
    content = bytearray(path.read_bytes())
    if kind == "truncated":
        content = content[: at % len(content)]
    elif kind == "flipped":
        content[at % len(content)] ^= 1 << at % 8
    else:
        content = bytearray(len(content))
    path.write_bytes(content)


class Machine(RuleBasedStateMachine):
    """A run folder, the process that writes to it while there is one, and what it has acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="machine"))
        self.store = Store(self.folder / "checkpoints")
        self.patch = pytest.MonkeyPatch()
        self.alive: tuple[RunState, Update, RunLock] | None = None
        self.sound: set[int] = set()  # acknowledged, not damaged, and not pruned
        self.keep = 2

    def teardown(self) -> None:
        self.die()
        self.patch.undo()
        shutil.rmtree(self.folder)

    def die(self) -> None:
        """What the kernel does for a process that is gone."""
        if self.alive is not None:
            self.alive[2].release()
        self.alive = None

    @initialize()
    def start(self) -> None:
        self.resume()

    @precondition(lambda self: self.alive is None)
    @rule()
    def resume(self) -> None:
        lock = RunLock(self.folder)
        lock.acquire()
        self.store = Store(self.folder / "checkpoints")
        self.store.tidy()
        assert not list(self.folder.rglob("*.tmp"))
        state, update = fresh()
        self.alive = state, update, lock
        try:
            checkpoint, content, _ = self.store.newest()
        except CheckpointError:
            assert not self.sound, "a sound checkpoint is there, and none was found"
            shutil.rmtree(self.store.folder, ignore_errors=True)
        else:
            state.load_state_dict(content)
            assert state.step == checkpoint.step >= max(self.sound, default=0)
            assert weights_sha256(state.model) == REFERENCE[state.step]

    @precondition(lambda self: self.alive is not None)
    @rule(updates=st.integers(1, 4))
    def train(self, updates: int) -> None:
        assert self.alive is not None
        state, update, _ = self.alive
        for _ in range(updates):
            update(state)
        assert weights_sha256(state.model) == REFERENCE[state.step]

    @precondition(lambda self: self.alive is not None)
    @rule()
    def save(self) -> None:
        assert self.alive is not None
        state = self.alive[0]
        self.store.save(state.step, state.state_dict(), {})
        self.sound.add(state.step)
        self.store.prune(self.keep)
        assert len(self.store.committed()) <= self.keep
        self.forget_pruned()

    @precondition(lambda self: self.alive is not None)
    @rule(call=st.integers(1, CALLS_OF_A_SAVE))
    def kill(self, call: int) -> None:
        assert self.alive is not None
        state = self.alive[0]
        try:
            with dying(call):
                self.store.save(state.step, state.state_dict(), {})
                self.sound.add(state.step)
                self.store.prune(self.keep)
        except Killed:
            pass
        self.forget_pruned()
        self.die()

    @precondition(lambda self: self.alive is not None)
    @rule(write=st.integers(1, 2))
    def fill_disk(self, write: int) -> None:
        assert self.alive is not None
        state = self.alive[0]
        with full(write), pytest.raises(StorageError, match="No space left"):
            self.store.save(state.step, state.state_dict(), {})

    @precondition(lambda self: self.store.committed())
    @rule(
        which=st.integers(0, 3),
        name=st.sampled_from(["state.pt", "manifest.json"]),
        kind=st.sampled_from(["missing", "truncated", "flipped", "zeroed"]),
        at=st.integers(0, 10**6),
    )
    def corrupt(self, which: int, name: str, kind: str, at: int) -> None:
        committed = self.store.committed()
        checkpoint = committed[which % len(committed)]
        damage(checkpoint.path / name, kind, at)
        self.sound.discard(checkpoint.step)

    @rule(keep=st.integers(1, 3))
    def change_keep(self, keep: int) -> None:
        self.keep = keep

    @rule(days=st.sampled_from([-1, 1]))
    def jump_clock(self, days: int) -> None:
        """The time of day jumps, and the times of the files run against their steps."""
        now = time.time() + days * DAY
        self.patch.setattr(time, "time", lambda: now)
        for number, path in enumerate(sorted(self.folder.rglob("*"))):
            os.utime(path, (now - number * DAY, now - number * DAY))

    @precondition(lambda self: self.alive is not None)
    @rule()
    def second_writer(self) -> None:
        with pytest.raises(RunFolderBusy):
            RunLock(self.folder).acquire()

    @invariant()
    def a_sound_checkpoint_is_found(self) -> None:
        if self.sound:
            checkpoint, content, _ = Store(self.store.folder).newest()
            assert checkpoint.step == content["step"] >= max(self.sound)

    def forget_pruned(self) -> None:
        """Older checkpoints may have been pruned; the newest that was acknowledged may not."""
        there = {checkpoint.step for checkpoint in self.store.committed()}
        self.sound = {step for step in self.sound if step in there or step == max(self.sound)}


def play(examples: int, steps: int) -> None:
    long = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],  # a failing order is printed as it was drawn: to shrink it takes minutes
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    run_state_machine_as_test(Machine, settings=long)


def test_fifteen_lives() -> None:
    play(examples=15, steps=15)


@pytest.mark.slow
def test_three_hundred_lives() -> None:
    play(examples=300, steps=40)
