"""The best weights are written once, linked from then on, and verified like everything else."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from lrsched.checkpoint.store import Store
from lrsched.errors import CheckpointError
from tests.checkpoint.conftest import is_state, state


def weights(value: float) -> dict[str, Any]:
    return {"w": torch.full((5,), float(value)), "_extra_state": {"n": 1}}


def with_best(step: int, best: dict[str, Any] | None) -> dict[str, Any]:
    return state(step) | {"best_weights": best}


def file(store: Store, step: int) -> Path:
    return store.folder / f"step-{step:010d}" / "best.pt"


def test_a_checkpoint_gives_back_the_weights_that_it_links_to(store: Store) -> None:
    first, second = weights(1), weights(2)
    for step, best in enumerate([None, first, first, second, second, first]):
        store.save(step, with_best(step, best), {})
    inodes = [file(store, step).stat().st_ino for step in range(1, 6)]
    assert inodes[0] == inodes[1] != inodes[2] == inodes[3]
    assert len(set(inodes)) == 3  # the first weights came back, and no checkpoint is searched for them
    assert not file(store, 0).exists()
    store.prune(1)  # what the others linked to is gone, and the file is not
    checkpoint, loaded, _ = store.newest()
    assert torch.equal(loaded.pop("best_weights")["w"], first["w"])
    assert is_state(loaded, 5)
    assert file(store, 5).stat().st_size == checkpoint.manifest["best"]["bytes"]


def test_the_next_process_links_to_the_file_that_it_loaded(store: Store) -> None:
    store.save(1, with_best(1, weights(1)), {})
    again = Store(store.folder)
    _, loaded, _ = again.newest()
    again.save(2, with_best(2, loaded["best_weights"]), {})
    assert file(store, 2).samefile(file(store, 1))
    again.save(3, with_best(3, weights(1)), {})  # equal, yet not the same: nobody compares them
    assert not file(store, 3).samefile(file(store, 1))


@pytest.mark.parametrize("trouble", ["no links", "gone", "cut short", "another file"])
def test_where_no_link_is_possible_they_are_written_again(store: Store, monkeypatch, trouble: str) -> None:
    best = weights(1)
    store.save(1, with_best(1, best), {})
    if trouble == "no links":

        def refuse(source: Any, target: Any, **_: Any) -> None:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM), str(target))

        monkeypatch.setattr(os, "link", refuse)
    elif trouble == "gone":
        file(store, 1).unlink()
    elif trouble == "cut short":
        os.truncate(file(store, 1), 100)
    else:
        file(store, 1).unlink()
        file(store, 1).symlink_to("/etc/hostname")
    store.save(2, with_best(2, best), {})
    _, loaded, complaints = Store(store.folder).newest()
    assert complaints == []
    assert torch.equal(loaded["best_weights"]["w"], best["w"])


@pytest.mark.parametrize("flip", range(0, 1500, 97))
def test_damage_to_them_is_never_loaded(store: Store, flip: int) -> None:
    store.save(1, with_best(1, weights(1)), {})
    store.save(2, with_best(2, weights(2)), {})
    content = bytearray(file(store, 2).read_bytes())
    content[flip % len(content)] ^= 1
    file(store, 2).write_bytes(content)
    checkpoint, loaded, (complaint,) = Store(store.folder).newest()
    assert complaint == f"{file(store, 2)}: damaged, its SHA-256 is not the manifest's"
    assert checkpoint.step == 1
    assert torch.equal(loaded["best_weights"]["w"], weights(1)["w"])
    file(store, 1).unlink()
    with pytest.raises(CheckpointError, match=r"best\.pt: No such file"):
        Store(store.folder).newest()


CHILD = """
import re, sys
from pathlib import Path
import torch
from lrsched.checkpoint.store import Store

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

weights = {f"w{i}": torch.ones(1_000_000) for i in range(24)}
state = {"model": weights, "best_weights": {name: tensor.clone() for name, tensor in weights.items()}}
store = Store(Path(sys.argv[1]))
store.save(0, {"model": {}}, {})  # what a first save imports
before = peak()
if sys.argv[2] == "saves":
    for step in (1, 2):
        store.save(step, state, {})
print(before, peak())
"""


@pytest.mark.alone
def test_a_save_needs_no_memory_for_a_second_copy(tmp_path: Path) -> None:
    """192 MB of weights and best weights: a copy of either would be half of it."""
    if not re.search("VmHWM", Path("/proc/self/status").read_text("utf-8")):
        pytest.skip("the system does not say how much memory a process had")
    command = [sys.executable, "-c", CHILD, str(tmp_path / "checkpoints"), "saves"]
    before, after = map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert after <= 1.05 * before
    assert len(list((tmp_path / "checkpoints").glob("*/best.pt"))) == 2
