"""The randomness of an item as a function of a key: Python's, NumPy's and torch's global generators are set by it."""

from __future__ import annotations

import random
from collections.abc import Generator
from contextlib import contextmanager

import numpy as np
import torch


def set_by(seed: int) -> None:
    """Set the three generators that an item may draw from."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.default_generator.manual_seed(seed)


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
