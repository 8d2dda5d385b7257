"""No damage is ever loaded in silence: flipped bits, files cut short, pages of zeros, in state and in manifest.

A load may only succeed with the very state and manifest that were written.
"""

from __future__ import annotations

import random
import resource
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
import torch

from lrsched.checkpoint.store import Store, load
from lrsched.errors import CheckpointError
from tests.checkpoint.conftest import in_a_child, refit, state

PAGE = 4096


def big(step: int) -> dict:
    """A state of some pages: about 20 kB."""
    draw = torch.Generator().manual_seed(step)
    weights = {f"layer{i}": torch.randn(8, 64, generator=draw) for i in range(6)}
    return {**state(step), "model": weights, "rates": [0.1 / k for k in range(1, 100)]}


def same(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return type(a) is type(b) and a == b


@pytest.fixture
def files(store: Store) -> tuple[Path, Path]:
    """State and manifest of a sound checkpoint, with all entries that a run writes."""
    path = store.save(
        7, big(7), {"config_sha256": "c0ffee00" * 8, "fingerprint": {"torch": "2.14", "threads": 1, "isa": "AVX512"}}
    )
    return path / "state.pt", path / "manifest.json"


def outcomes(store: Store, path: Path, damages: Iterable[bytes]) -> tuple[int, int]:
    """Put each damaged content into a file and try to load it; returns how many were refused and were harmless."""
    good = path.read_bytes()
    manifest = store.committed()[0].manifest
    refused = harmless = 0
    for content in damages:
        path.write_bytes(content)
        (found,) = store.found()
        try:
            loaded = load(found)
        except CheckpointError:
            refused += 1
        else:
            assert same(loaded, big(7))
            assert found.manifest == manifest
            harmless += 1
    path.write_bytes(good)
    assert same(load(store.found()[0]), big(7))
    return refused, harmless


def flips(content: bytes, number: int, seed: int) -> Iterator[bytes]:
    """The content with one bit flipped, at places drawn by chance."""
    draw = random.Random(seed)
    for _ in range(number):
        damaged = bytearray(content)
        damaged[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        yield bytes(damaged)


def every_flip(content: bytes) -> Iterator[bytes]:
    for at in range(len(content)):
        for bit in range(8):
            damaged = bytearray(content)
            damaged[at] ^= 1 << bit
            yield bytes(damaged)


def truncations(content: bytes, step: int = 1) -> Iterator[bytes]:
    return (content[:size] for size in range(0, len(content), step))


def zeroed(content: bytes, number: int) -> Iterator[bytes]:
    """The content with a page of zeros, as a file system leaves it that lost a block; not where it was zeros."""
    draw = random.Random(2)
    for _ in range(number):
        at = draw.randrange(len(content) - PAGE)
        yield content[:at] + bytes(PAGE) + content[at + PAGE :]


def test_flipped_bits_of_the_state(store: Store, files: tuple[Path, Path]) -> None:
    content = files[0].read_bytes()
    assert outcomes(store, files[0], flips(content, 2000, seed=0)) == (2000, 0)


@pytest.mark.slow
def test_ten_thousand_flipped_bits_of_the_state(store: Store, files: tuple[Path, Path]) -> None:
    content = files[0].read_bytes()
    assert outcomes(store, files[0], flips(content, 10_000, seed=1)) == (10_000, 0)


def test_flipped_bits_of_the_manifest(store: Store, files: tuple[Path, Path]) -> None:
    content = files[1].read_bytes()
    refused, harmless = outcomes(store, files[1], flips(content, 500, seed=3))
    assert refused + harmless == 500
    assert refused > 450  # a blank that becomes a tab says the same


@pytest.mark.slow
def test_every_bit_of_the_manifest(store: Store, files: tuple[Path, Path]) -> None:
    content = files[1].read_bytes()
    refused, harmless = outcomes(store, files[1], every_flip(content))
    assert refused + harmless == 8 * len(content)
    assert harmless < 8 * content.count(b" ")


def test_a_file_that_was_cut_short(store: Store, files: tuple[Path, Path]) -> None:
    for path in files:
        content = path.read_bytes()
        sample = [*truncations(content, 97), content[:-1], content[:-2]]
        if path == files[1]:
            sample.remove(content[:-1])  # all but the last line break
        assert outcomes(store, path, sample) == (len(sample), 0)


@pytest.mark.slow
def test_a_file_that_was_cut_short_anywhere(store: Store, files: tuple[Path, Path]) -> None:
    state_bytes, manifest_bytes = (path.read_bytes() for path in files)
    assert len(state_bytes) > 15_000
    assert outcomes(store, files[0], truncations(state_bytes)) == (len(state_bytes), 0)
    assert outcomes(store, files[1], truncations(manifest_bytes)) == (len(manifest_bytes) - 1, 1)  # its last line break


def test_pages_of_zeros(store: Store, files: tuple[Path, Path]) -> None:
    assert outcomes(store, files[0], zeroed(files[0].read_bytes(), 50)) == (50, 0)


@pytest.mark.slow
def test_five_hundred_pages_of_zeros(store: Store, files: tuple[Path, Path]) -> None:
    assert outcomes(store, files[0], zeroed(files[0].read_bytes(), 500)) == (500, 0)


# Beneath the hash: somebody damages the file, and makes a manifest that fits. What then loads may be wrong, as
# nobody can know what was meant; but nothing else may happen than a load or a CheckpointError.


def frugal(function: Callable[[], None]) -> None:
    """Call it, and see that it took less than a gigabyte of memory."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    function()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before  # kB
    assert grown < 2**20, f"{grown} kB"


def try_all(store: Store, path: Path, damages: Iterable[bytes]) -> None:
    for content in damages:
        refit(path, content)
        try:
            store.newest()
        except CheckpointError:
            continue


@pytest.mark.parametrize("kind", ["flips", "truncations", "zeros", "noise"])
def test_beneath_the_hash(store: Store, files: tuple[Path, Path], kind: str) -> None:
    content = files[0].read_bytes()
    draw = random.Random(5)
    damages = {
        "flips": lambda: flips(content, 1000, seed=4),
        "truncations": lambda: truncations(content, 199),
        "zeros": lambda: zeroed(content, 100),
        "noise": lambda: (draw.randbytes(draw.randrange(2000)) for _ in range(200)),
    }
    in_a_child(lambda: frugal(lambda: try_all(store, files[0].parent, damages[kind]())), seconds=60)


@pytest.mark.slow
def test_every_bit_of_the_pickle_and_of_the_directory_beneath_the_hash(store: Store) -> None:
    """A small checkpoint, every bit of it: the archive's headers and the pickle are most of it."""
    path = store.save(7, state(7), {})
    content = (path / "state.pt").read_bytes()
    in_a_child(lambda: frugal(lambda: try_all(store, path, every_flip(content))), seconds=500)
