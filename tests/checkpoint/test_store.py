"""A checkpoint is whole or not there, and what is damaged is never loaded."""

from __future__ import annotations

import io
import json
import pickle
import random
import zipfile
from pathlib import Path

import pytest
import torch

from lrsched.checkpoint import Store
from lrsched.checkpoint.store import load
from lrsched.errors import CheckpointError, StorageError


def state(value: float) -> dict:
    return {"step": int(value), "model": {"w": torch.full((3, 4), value)}, "name": "x", "none": None}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "checkpoints")


def test_what_was_saved_is_found_newest_first_by_step(store: Store) -> None:
    for step in (9, 10, 2):
        store.save(step, state(step), {"config_sha256": "c"})
    checkpoint, loaded, complaints = store.newest()
    assert checkpoint.path.name == "step-0000000010"
    assert torch.equal(loaded["model"]["w"], torch.full((3, 4), 10.0))
    assert [c.step for c in store.committed()] == [10, 9, 2]
    assert checkpoint.manifest["config_sha256"] == "c"
    assert complaints == []


def test_equal_states_give_equal_bytes(store: Store) -> None:
    a, b = store.save(1, state(5), {}), store.save(2, state(5), {})
    assert (a / "state.pt").read_bytes() == (b / "state.pt").read_bytes()


def test_pruning_keeps_the_newest_and_the_spared(store: Store) -> None:
    for step in range(6):
        store.save(step, state(step), {})
    store.prune(2, spare=[1])
    assert [c.step for c in store.committed()] == [5, 4, 1]
    assert sorted(path.name for path in store.folder.iterdir()) == [f"step-{step:010d}" for step in (1, 4, 5)]


def test_every_single_flip_is_noticed_and_the_older_one_is_taken(store: Store) -> None:
    store.save(1, state(1), {})
    path = store.save(2, state(2), {}) / "state.pt"
    good = path.read_bytes()
    draw = random.Random(0)
    for _ in range(200):
        at, bit = draw.randrange(len(good)), draw.randrange(8)
        damaged = bytearray(good)
        damaged[at] ^= 1 << bit
        path.write_bytes(damaged)
        checkpoint, _, complaints = store.newest()
        assert checkpoint.step == 1
        assert "SHA-256" in complaints[0]


@pytest.mark.parametrize("keep", [0, 1, 100, -1])
def test_a_truncated_file_is_noticed(store: Store, keep: int) -> None:
    path = store.save(1, state(1), {}) / "state.pt"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="the manifest says"):
        store.newest()


def test_without_its_manifest_a_checkpoint_is_none(store: Store) -> None:
    path = store.save(1, state(1), {})
    for content in (b"", b"{", b"[]", b'{"schema": 1, "step": 7}'):
        (path / "manifest.json").write_bytes(content)
        assert store.committed() == []
    with pytest.raises(CheckpointError, match="no valid checkpoint"):
        store.newest()


def commit(store: Store, content: bytes) -> Path:
    """Put foreign bytes under a manifest that fits them, as somebody with ill intent would."""
    import hashlib

    path = store.save(1, state(1), {})
    (path / "state.pt").write_bytes(content)
    manifest = json.loads((path / "manifest.json").read_text())
    manifest |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (path / "manifest.json").write_text(json.dumps(manifest))
    return path


class Bomb:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple:
        return (open, (str(self.canary), "w"))


def test_code_in_a_checkpoint_does_not_run(store: Store, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    modern, legacy = io.BytesIO(), io.BytesIO()
    torch.save({"model": Bomb(canary)}, modern)
    torch.save({"model": Bomb(canary)}, legacy, _use_new_zipfile_serialization=False)
    for content in (modern.getvalue(), legacy.getvalue(), pickle.dumps(Bomb(canary)), b"", b"PK\x03\x04"):
        commit(store, content)
        with pytest.raises(CheckpointError):
            store.newest()
        assert not canary.exists()


def test_a_compressed_archive_is_refused_before_it_is_unpacked(store: Store) -> None:
    plain, packed = io.BytesIO(), io.BytesIO()
    torch.save({"w": torch.zeros(1_000_000)}, plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry))
    assert len(packed.getvalue()) < len(plain.getvalue()) / 100
    commit(store, packed.getvalue())
    with pytest.raises(CheckpointError, match="compressed"):
        load(store.committed()[0])


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be written"):
        Store(tmp_path / "file").save(1, state(1), {})
