"""Who makes which samples of an update: all of them, once, in the order of the parts."""

from __future__ import annotations

import pytest
import torch

from lrsched.data.cut import WHOLE, Cut

SAMPLES = (1, 2, 3, 7, 8, 9, 30, 31, 64)
SIZES = (1, 2, 3, 4, 8)


@pytest.mark.parametrize("samples", SAMPLES)
@pytest.mark.parametrize("entire", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_processes_share_every_micro_batch(samples: int, size: int, entire: bool) -> None:
    numbers, batch = torch.arange(100, 100 + samples), 8
    made: dict[int, list[int]] = {}
    for rank in range(size):
        for piece in Cut(None, rank, size).pieces(numbers, batch, entire=entire):
            taken = piece.taken((piece.numbers,))[0]
            assert len(taken)
            assert piece.part == rank
            made.setdefault(piece.micro, []).extend(taken.tolist())
    assert [made[m] for m in sorted(made)] == [some.tolist() for some in numbers.split(batch)]


@pytest.mark.parametrize("samples", SAMPLES)
@pytest.mark.parametrize("lanes", [1, 2, 4, 8])
def test_lanes_do_not_depend_on_the_processes(samples: int, lanes: int) -> None:
    numbers = torch.arange(samples)
    alone = [(p.part, p.micro, p.numbers.tolist()) for p in Cut(lanes).pieces(numbers, 3)]
    assert [number for *_, some in alone for number in some] == numbers.tolist()
    for size in (size for size in (1, 2, 4, 8) if size <= lanes):
        cuts = [Cut(lanes, rank, size) for rank in range(size)]
        found = [piece for cut in cuts for piece in cut.pieces(numbers, 3)]
        assert [(p.part, p.micro, p.numbers.tolist()) for p in found] == alone
        assert cuts[0].filled(samples, 3) == [bool(cut.pieces(numbers, 3)) for cut in cuts]


@pytest.mark.parametrize("samples", SAMPLES)
@pytest.mark.parametrize("cut", [Cut(4), Cut(8, 0, 2), Cut(None, 0, 3), WHOLE], ids=repr)
def test_sizes_say_what_is_made(samples: int, cut: Cut) -> None:
    numbers, batch = torch.arange(samples), 5
    found = [[0] * len(part) for part in cut.sizes(samples, batch)]
    for rank in range(cut.size):
        for piece in Cut(cut.lanes, rank, cut.size).pieces(numbers, batch):
            found[piece.part][piece.micro] = piece.share[1] - piece.share[0]
    assert found == cut.sizes(samples, batch)


def test_lanes_differ_by_one_and_the_first_are_longer() -> None:
    assert Cut(4).sizes(10, 100) == [[3], [3], [2], [2]]
    assert Cut(4).sizes(2, 100) == [[1], [1], [], []]
    assert Cut(4, 0, 2).filled(2, 100) == [True, False]
