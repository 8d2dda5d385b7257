"""The randomness of an item as a function of a key: Python's, NumPy's and torch's global generators are set by it."""

from __future__ import annotations

import ctypes
import random
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from lrsched.errors import Stopped

WORDS = 624
"""Of the state of Python's and of NumPy's generator."""


def set_by(seed: int) -> None:
    """Set the three generators that an item may draw from."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.default_generator.manual_seed(seed)


class Sparing:
    """Has items made as if the three generators were set before each, and sets those alone that items draw from.

    To set Python's and NumPy's takes 15 µs, a tenth of what a small item takes. They are set before the first item of
    a batch, and looked at after each: their numbers begin anew with the first draw, so that no draw goes unseen. From
    an item on that drew, and is made once more, they are set before each.
    """

    def __init__(self) -> None:
        self._all = False
        self._looks: list[Callable[[], int]] | None = None
        self._before: list[int] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return Sparing, ()  # another process has other memory

    def begin(self, seed: int) -> None:
        """Before the items of a batch, of which the first has this seed."""
        set_by(seed)
        if self._looks is None:
            self._looks = looks()
            self._all = self._all or not self._looks
        self._before = [look() for look in self._looks]

    def make(self, make: Callable[[], Any], seed: int) -> Any:
        """An item, made by its seed."""
        if not self._all:
            torch.default_generator.manual_seed(seed)
            try:
                made = make()
                if self.untouched():
                    return made
            except (Stopped, MemoryError):
                raise
            except Exception:
                if self.untouched():
                    raise
            self._all = True
        set_by(seed)
        return make()

    def untouched(self) -> bool:
        """Whether nobody drew from Python's and NumPy's generators since :meth:`begin`; False: perhaps."""
        return bool(self._looks) and self._before == [look() for look in self._looks or ()]


def looks() -> list[Callable[[], int]]:
    """What to look at to see whether Python's and NumPy's generators were drawn from; nothing: it cannot be seen here.

    Both are Mersenne twisters of 624 words. Set, they stand behind the last word, and the first draw changes all words.
    Their memory is compared with what they tell of it before it is trusted.
    """
    own: Any = getattr(random, "_inst", None)
    state, size = random.getstate()[1], object.__basicsize__
    if own is None or type(own).__basicsize__ < size + 4 * (WORDS + 1):
        return []
    python = id(own) + size
    if _words(python, WORDS + 1) != [state[-1], *state[:-1]]:
        return []
    told: dict[str, Any] = np.random.get_state(legacy=False)
    if told["bit_generator"] != "MT19937":
        return []
    numpy: int = np.random.mtrand._rand._bit_generator.ctypes.state_address
    if _words(numpy, WORDS + 1) != [*told["state"]["key"].tolist(), told["state"]["pos"]]:
        return []
    seen = [(ctypes.c_uint64, python), (ctypes.c_uint64, numpy), (ctypes.c_uint32, numpy + 4 * WORDS)]
    return [_look(kind.from_address(address)) for kind, address in seen]


def _look(memory: Any) -> Callable[[], int]:
    return lambda: memory.value


def _words(address: int, count: int) -> list[int]:
    return list((ctypes.c_uint32 * count).from_address(address))


@contextmanager
def apart() -> Generator[None]:
    """Around items that are made in the process that trains, as if they were made in another one.

    The generators are put back; sums are made on one thread, as in a worker; gradients may be taken.
    """
    python, numpy, drawn, threads = random.getstate(), np.random.get_state(), torch.get_rng_state(), None
    if torch.get_num_threads() != 1:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
    try:
        with torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        if threads is not None:
            torch.set_num_threads(threads)
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(drawn)
