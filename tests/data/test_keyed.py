"""Each item as if Python's, NumPy's and torch's generators were set before it, though those that it spares are not."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from lrsched.data import Items
from lrsched.data.stream import keyed
from lrsched.data.stream.fetch import Fetch, Part, Wanted
from lrsched.errors import DataError
from lrsched.seeds import key


class Some:
    """Items of which some draw.

    Args:
        draw: what they draw.
        drawing: numbers of those that do.
    """

    def __init__(self, draw: Callable[[], Any], drawing: tuple[int, ...]) -> None:
        self.draw, self.drawing = draw, drawing

    def __len__(self) -> int:
        return 12

    def __getitem__(self, number: int) -> list[float]:
        return [float(number), torch.rand(()).item(), float(self.draw()) if number in self.drawing else 0.0]


def restored() -> float:
    """A draw by a generator that is put back afterwards, set by another seed in between."""
    before = np.random.get_state()
    np.random.seed(5)
    drawn = np.random.rand()
    np.random.set_state(before)
    return drawn


def raises_by_chance() -> float:
    if random.random() < 2:
        raise ValueError(f"at {random.random()}")
    return 0.0


DRAWS: dict[str, Callable[[], Any]] = {
    "python": random.random,
    "python's normals": lambda: random.gauss(0, 1),
    "python, all its words": lambda: [random.random() for _ in range(312)][-1],
    "numpy": np.random.rand,
    "numpy's normals, of which it keeps one": np.random.randn,
    "numpy, all its words": lambda: np.random.rand(312)[-1],
    "set anew": lambda: random.seed(3) or random.random(),
    "put back": restored,
    "both": lambda: random.random() + np.random.rand(),
}


def by_hand(items: Any, numbers: list[int]) -> list[Any]:
    made = []
    for number in numbers:
        keyed.set_by(key(7, "item/train", 2, number))
        made.append(items[number])
    return made


@pytest.mark.parametrize("drawing", [(), (0,), (11,), (3, 4, 9), tuple(range(12))], ids=len)
@pytest.mark.parametrize("name", DRAWS)
def test_the_items_are_those_of_generators_that_are_always_set(name: str, drawing: tuple[int, ...]) -> None:
    items = Some(DRAWS[name], drawing)
    fetch = Fetch(Part("train", items), None, 7)
    for numbers in ([5, 3, 11, 0], [4, 9, 1], [3, 3], [2]):
        np.random.randn()  # it keeps a second one
        random.gauss(0, 1)
        assert fetch.items(Wanted(numbers, (2,))) == by_hand(items, numbers)


def test_where_it_cannot_be_seen_whether_they_draw_they_are_always_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyed, "looks", list)
    items = Some(random.random, (1, 2))
    assert Fetch(Part("train", items), None, 7).items(Wanted([1, 2, 0], (2,))) == by_hand(items, [1, 2, 0])


def test_those_that_draw_nothing_are_spared(monkeypatch: pytest.MonkeyPatch) -> None:
    assert keyed.looks()
    often: list[int] = []
    plain = random.seed
    monkeypatch.setattr(random, "seed", lambda seed: often.append(seed) or plain(seed))
    fetch = Fetch(Part("train", Some(random.random, (9,))), None, 7)
    fetch.items(Wanted(range(8), (2,)))
    assert len(often) == 1
    fetch.items(Wanted([8, 9, 10, 11], (2,)))
    assert len(often) == 1 + 1 + 3  # for the batch, and for each from the one that draws on


def test_an_error_is_that_of_the_item_as_its_key_draws_it() -> None:
    said = []
    for numbers in ([3, 4], [4]):
        fetch = Fetch(Part("train", Some(raises_by_chance, (4,))), None, 7)
        with pytest.raises(DataError, match="sample 4 raised ValueError: at ") as caught:
            fetch.items(Wanted(numbers, (2,)))
        said.append(str(caught.value))
    assert said[0] == said[1]


@pytest.mark.parametrize(
    "read",
    [lambda: random.getstate()[1][5], lambda: np.random.get_state(legacy=False)["state"]["key"][0]],
    ids=["python", "numpy"],
)
def test_items_that_read_the_state_of_a_generator_are_refused(read: Callable[[], Any]) -> None:
    data = Items(Some(read, tuple(range(12))), workers=0)
    with pytest.raises(DataError, match="sample 0 is another one when it is made again from the same seeds"):
        data.sha256({})
    Items(Some(torch.initial_seed, tuple(range(12))), workers=0).sha256({})


def test_another_process_looks_for_itself() -> None:
    sparing = keyed.Sparing()
    sparing.begin(3)
    assert sparing.untouched()
    assert not pickle.loads(pickle.dumps(sparing)).untouched()
