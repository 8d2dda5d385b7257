"""The three promises: the same course on any number of processes, the same bits on as many, with lanes on any.

Real processes, real gloo.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.helpers.ranks import Trained, train_on

TINY = ("trainer.epochs=2", "model.hidden=[16]")
TEXT = (
    "dataset=python_source",
    "dataset.megabytes=0.03",
    "dataset.context=16",
    "model=gpt",
    "model.layers=1",
    "model.width=16",
    "model.dropout=0.1",
    "task=language_model",
    "dataset.batch_size=6",
)
IMAGES = ("model=cnn", "model.channels=[4, 8]", "model.hidden=16")

IN_LANES: dict[str, Sequence[str]] = {
    # 90 in 4 lanes: 23, 23, 22, 22; and the last update of an epoch is smaller.
    "cnn, batch norm, dropout": (
        *IMAGES,
        "trainer.lanes=4",
        "dataset.batch_size=90",
        "optimizer=adamw",
        "trainer.clip_norm=0.5",
    ),
    "gpt, accumulated": (*TEXT, "trainer.lanes=4", "trainer.accumulate=3"),
}


def course(place: Path, size: int, overrides: Sequence[str], updates: int = 7) -> Trained:
    """What the updates came to, in each of the processes."""
    found = train_on(place / str(size), size, overrides, updates)
    assert all(each == found[0] for each in found)
    return found[0]


@pytest.mark.parametrize("case", IN_LANES)
def test_lanes_are_the_same_bits_on_any_number_of_processes(case: str, tmp_path: Path) -> None:
    one, two, four = (course(tmp_path, size, IN_LANES[case]) for size in (1, 2, 4))
    assert one == two == four


def test_without_lanes_the_course_is_the_same_up_to_rounding(tmp_path: Path) -> None:
    overrides = (*TINY, "trainer.accumulate=2", "dataset.batch_size=50")
    one, three = (course(tmp_path, size, overrides) for size in (1, 3))
    assert three.losses == pytest.approx(one.losses, rel=1e-5)
    assert three.norms == pytest.approx(one.norms, rel=1e-5)
    assert three.metrics == pytest.approx(one.metrics, rel=1e-5)
    assert three.weights != one.weights  # the sums are others: what equal bits would hide
    again = course(tmp_path / "again", 3, overrides)
    assert again == three
