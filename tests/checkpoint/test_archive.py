"""What a stranger put into a checkpoint is data, and no more of it than lies in the file."""

from __future__ import annotations

import io
import pickle
import resource
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._utils import _rebuild_tensor_v2

from lrsched.checkpoint.archive import packed, unpacked
from lrsched.checkpoint.store import Store
from lrsched.errors import CheckpointError
from tests.checkpoint.conftest import is_state, refit, state

HERE = Path("state.pt")


class Call:
    """Pickled, it asks who loads it to call a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.function, self.arguments


class Pickler(pickle.Pickler):
    def persistent_id(self, obj: Any) -> Any:
        return obj if isinstance(obj, tuple) and obj[:1] == ("storage",) else None


def pickled(value: Any) -> bytes:
    """A pickle in the dialect of torch.save."""
    buffer = io.BytesIO()
    Pickler(buffer, protocol=2).dump({"w": value})
    return buffer.getvalue()


def archive(
    entries: dict[str, bytes], storage: bytes = b"\0" * 48, compression: int = zipfile.ZIP_STORED, front: bytes = b""
) -> bytes:
    """An archive as torch.save lays it out."""
    buffer = io.BytesIO()
    buffer.write(front)
    with zipfile.ZipFile(buffer, "a", compression) as file:
        for name, content in {**entries, "archive/version": b"3\n", "archive/data/0": storage}.items():
            file.writestr(name, content)
    return buffer.getvalue()


def tensor(numel: int, size: int, stride: int = 1, offset: int = 0) -> Call:
    storage = ("storage", torch.FloatStorage, "0", "cpu", numel)
    return Call(_rebuild_tensor_v2, storage, offset, (size,), (stride,), False, OrderedDict())


def claims(value: Any) -> bytes:
    return archive({"archive/data.pkl": pickled(value)})


def test_a_state_is_the_state_that_was_packed() -> None:
    assert is_state(unpacked(packed(state(3)), HERE), 3)
    made_here = unpacked(claims(tensor(12, 12)), HERE)  # the archives below fail for what is wrong in them alone
    assert torch.equal(made_here["w"], torch.zeros(12))


def test_code_in_a_checkpoint_does_not_run(store: Store, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    bomb = Call(open, str(canary), "w")
    modern, legacy = io.BytesIO(), io.BytesIO()
    torch.save({"model": bomb}, modern)
    torch.save({"model": bomb}, legacy, _use_new_zipfile_serialization=False)
    path = store.save(1, state(1), {})
    for content in (modern.getvalue(), legacy.getvalue(), pickle.dumps(bomb), b"", b"PK\x03\x04"):
        refit(path, content)
        with pytest.raises(CheckpointError):
            store.newest()
        assert not canary.exists()


def test_a_compressed_archive_is_refused_before_it_is_unpacked() -> None:
    bomb = archive({"archive/data.pkl": pickled(1)}, bytes(10_000_000), zipfile.ZIP_DEFLATED)
    assert len(bomb) < 20_000
    with pytest.raises(CheckpointError, match="compressed"):
        unpacked(bomb, HERE)


@pytest.mark.parametrize("name", ["/etc/x", "../x", "archive/../../x", "archive\\..\\x", "archive/data.pkl"])
def test_entries_are_named_as_torch_names_them(name: str) -> None:
    good = {"archive/data.pkl": pickled(tensor(12, 12))}
    content = archive({**good, "archive/data.pkX": b"x", "REPLACED": b"x"} if name in good else {**good, name: b"x"})
    if name in good:  # zipfile would warn of two entries of one name
        content = content.replace(b"archive/data.pkX", b"archive/data.pkl")
    with pytest.raises(CheckpointError, match="names its entries"):
        unpacked(content, HERE)


@pytest.mark.parametrize("front", [b"#!/bin/sh\n", b"PK\x03\x04" + bytes(40)])
def test_an_archive_behind_something_else_is_refused(front: bytes) -> None:
    content = front + archive({"archive/data.pkl": pickled(tensor(12, 12))})
    with pytest.raises(CheckpointError, match="does not begin"):
        unpacked(content, HERE)


CLAIMS = {
    "a storage of 40 GB": tensor(10**10, 10**10),
    "a storage of 80 bytes": tensor(20, 20),
    "a storage of 2**64 bytes": tensor(2**62, 4),
    "a size beyond its storage": tensor(12, 10**10),
    "an offset before its storage": tensor(12, 12, offset=-5),
    "an offset behind its storage": tensor(12, 12, offset=1),
    "a bytearray of 16 GB": Call(bytearray, 2**34),
    "a tensor of 16 TB": Call(torch.Tensor, 2**42),
}


@pytest.mark.parametrize("value", CLAIMS.values(), ids=CLAIMS.keys())
def test_what_a_pickle_claims_to_hold_is_not_believed(value: Call) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CheckpointError):
        unpacked(claims(value), HERE)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


@pytest.mark.parametrize("value", [3, [1], "x", None])
def test_what_is_no_state_is_said(value: Any) -> None:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    with pytest.raises(CheckpointError, match=f"holds a {type(value).__name__}, not a state"):
        unpacked(buffer.getvalue(), HERE)
