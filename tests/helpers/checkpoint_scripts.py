"""What a run does with its checkpoints, as scenes that can be cut short at any moment."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from lrsched.checkpoint.places import STATE, aside
from lrsched.checkpoint.store import Store
from lrsched.errors import CheckpointError
from tests.checkpoint.conftest import is_state, state

Acknowledge = Callable[[int], None]

BEST = {"w": torch.full((5,), 7.0)}


@dataclass(frozen=True)
class Scene:
    """What lies there before, what is done, and what each acknowledgement promises.

    Args:
        prepare: makes the checkpoints that are there before.
        act: does something, and acknowledges what is then durable: by the value of its :func:`state`.
        before: the value that was acknowledged before, or None.
    """

    prepare: Callable[[Store], None]
    act: Callable[[Store, Acknowledge], None]
    before: int | None


def _two(store: Store) -> None:
    for step in (1, 2):
        store.save(step, state(step), {})


def _next(store: Store, acknowledge: Acknowledge) -> None:
    store.save(3, state(3), {})
    acknowledge(3)
    store.prune(2)


def _first(store: Store, acknowledge: Acknowledge) -> None:
    store.save(0, state(0), {})
    acknowledge(0)
    store.prune(2)


def _only(store: Store) -> None:
    store.save(0, state(0), {})


def _same_step(store: Store, acknowledge: Acknowledge) -> None:
    store.save(0, state(50), {})  # another state of step 0
    acknowledge(50)
    store.prune(2)


def _with_best(store: Store) -> None:
    for step in (1, 2):
        store.save(step, state(step) | {"best_weights": dict(BEST)}, {})


def _linked(store: Store, acknowledge: Acknowledge) -> None:
    """The next checkpoint links to the best weights of the one that was loaded; what it links to is pruned."""
    _, loaded, _ = store.newest()
    store.save(3, state(3) | {"best_weights": loaded["best_weights"]}, {})
    acknowledge(3)
    store.prune(1)


def _left_over(store: Store) -> None:
    """A process was killed while it saved step 2 again."""
    _two(store)
    path = store.folder / "step-0000000002"
    os.replace(path, aside(path))
    path.mkdir()
    (path / STATE).write_bytes(b"half")
    (path / ".manifest.json.1-00.tmp").write_bytes(b"half")
    (store.folder.parent / ".result.json.1-00.tmp").write_bytes(b"half")


def _both(store: Store) -> None:
    """A process was killed when it had saved step 0 again, and before the older one was deleted."""
    path = store.save(0, state(0), {})
    shutil.copytree(path, path.with_name("older"))
    store.save(0, state(50), {})
    os.replace(path.with_name("older"), aside(path))


def _tidy_both(store: Store, acknowledge: Acknowledge) -> None:
    store.tidy()
    store.newest()
    acknowledge(50)


def _tidy(store: Store, acknowledge: Acknowledge) -> None:
    store.tidy()
    acknowledge(2)
    store.newest()
    _next(store, acknowledge)


SCENES = {
    "the first": Scene(lambda store: None, _first, None),
    "the next": Scene(_two, _next, 2),
    "the same step again": Scene(_only, _same_step, 0),
    "the next, linked": Scene(_with_best, _linked, 2),
    "after a kill": Scene(_left_over, _tidy, 2),
    "after a later kill": Scene(_both, _tidy_both, 50),
}
ORDER = (0, 50, 1, 2, 3)
"""States by their value, each later one than the one before."""


def prepared(scene: Scene, folder: Path) -> Path:
    """A run folder as the scene finds it."""
    (folder / "run").mkdir(parents=True)
    (folder / "run" / "config.yaml").write_text("x")
    scene.prepare(Store(folder / "run" / "checkpoints"))
    return folder / "run"


def fresh(template: Path, folder: Path) -> Store:
    """A store on a copy of a run folder."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)
    return Store(folder / "checkpoints")


def found_value(store: Store) -> int | None:
    """The value of the newest valid state; None where there is none. It is that state to the last bit."""
    try:
        checkpoint, loaded, _ = store.newest()
    except CheckpointError:
        return None
    value, best = int(loaded["step"]), loaded.pop("best_weights", BEST)
    assert is_state(loaded, value)
    assert torch.equal(best["w"], BEST["w"])
    assert checkpoint.step == (0 if value == 50 else value)
    return value


def nothing_is_lost(store: Store, acknowledged: int | None) -> None:
    """What was acknowledged, or something newer, is found at once and after sweeping; nothing else is left."""
    for _ in range(2):
        value = found_value(Store(store.folder))
        if acknowledged is not None:
            assert value is not None, f"the checkpoint {acknowledged} is lost"
            assert ORDER.index(value) >= ORDER.index(acknowledged)
        Store(store.folder).tidy()
    left = [path for path in store.folder.parent.rglob("*") if path.name.startswith(".") or path.suffix == ".tmp"]
    assert left == []


def goes_on(store: Store) -> None:
    """Another process can go on: it sweeps, loads, saves and prunes."""
    again = Store(store.folder)
    again.tidy()
    found_value(again)
    again.save(9, state(9), {})
    again.prune(1)
    assert found_value(Store(store.folder)) == 9
    assert [path.name for path in store.folder.iterdir()] == ["step-0000000009"]
