"""What processes say comes to all of them, and sums are those of the tree, whatever their size and type."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lrsched.errors import ConfigError
from tests.helpers.ranks import on_ranks

if TYPE_CHECKING:
    from torch import Tensor

    from lrsched.ranks.world import World

SIZE = 3
LENGTHS = (6, 3 * 20_000)  # sent whole, and in chunks
FILLED = ((True, True, True), (True, True, False))


def part(rank: int, length: int, kind: str) -> Tensor:
    import torch

    drawn = torch.randn(length, generator=torch.Generator().manual_seed(rank)) * 1000
    return drawn.to(getattr(torch, kind))


def added(world: World) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for length in LENGTHS:
        for kind in ("float32", "float64", "bfloat16", "int64"):
            for filled in FILLED:
                flat = part(world.rank, length, kind)
                world.add(flat, filled)
                found[length, kind, filled] = flat
    return found


def test_sums(tmp_path: Path) -> None:
    import torch

    each = on_ranks(tmp_path / "added", SIZE, added)
    for (length, kind, filled), summed in each[0].items():
        a, b, c = (part(rank, length, kind) for rank in range(SIZE))
        expected = (a + b) + c if all(filled) else a + b
        assert all(torch.equal(found[length, kind, filled], summed) for found in each)
        assert torch.equal(summed, expected)


def said(world: World) -> list[Any]:
    import torch

    buffers = [torch.full((2, 2), world.rank + 1.5), torch.tensor(world.rank > 0), torch.zeros(0)]
    world.hand_out(buffers)
    try:
        world.tell(lambda: refuse(world.rank))
    except ConfigError as error:
        refused = str(error)
    return [
        world.exchange([world.rank, 0.5]),
        world.tell(lambda: {"from": world.rank}),
        world.gather("x" * world.rank),
        [buffer.tolist() for buffer in buffers],
        refused,
    ]


def refuse(rank: int) -> None:
    raise ConfigError("trainer.epochs", rank, "must be at least 1")


def test_what_is_said(tmp_path: Path) -> None:
    expected = [
        [[0.0, 0.5], [1.0, 0.5], [2.0, 0.5]],
        {"from": 0},
        ["", "x", "xx"],
        [[[1.5, 1.5], [1.5, 1.5]], False, []],
        "trainer.epochs=0: must be at least 1",
    ]
    assert on_ranks(tmp_path / "said", SIZE, said) == [expected] * SIZE


def test_one_process_says_it_to_itself() -> None:
    import torch

    from lrsched.ranks.world import ALONE

    flat = torch.tensor([1.0, -0.0])
    ALONE.add(flat, [True])
    assert str(flat.tolist()) == "[1.0, -0.0]"
    assert ALONE.exchange([2.0]) == [[2.0]]
    assert ALONE.gather("a") == ["a"]
    assert ALONE.tell(lambda: "b") == "b"
    with pytest.raises(ConfigError):
        ALONE.tell(lambda: refuse(0))
