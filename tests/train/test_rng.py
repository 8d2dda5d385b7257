"""The global generators, which users' code draws from, are seeded, saved and restored with the run."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest
import torch

from lrsched.train.rng import generators_state, seed_generators, set_generators

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _as_they_were():
    before = generators_state(CPU)
    yield
    set_generators(before, CPU)


def draw() -> list[float]:
    return [random.random(), random.gauss(0, 1), np.random.rand(), np.random.randn(), torch.rand(()).item()]


def test_equal_seeds_give_equal_draws_and_others_differ() -> None:
    seed_generators(5)
    first = draw()
    seed_generators(6)
    other = draw()
    seed_generators(5)
    assert draw() == first
    assert all(a != b for a, b in zip(first, other, strict=True))


def test_a_state_that_went_through_a_file_gives_the_next_draws() -> None:
    seed_generators(0)
    draw()  # leaves half of a Gaussian pair behind in Python and NumPy
    buffer = io.BytesIO()
    torch.save(generators_state(CPU), buffer)
    expected = [draw() for _ in range(3)]
    buffer.seek(0)
    set_generators(torch.load(buffer, weights_only=True), CPU)
    assert [draw() for _ in range(3)] == expected
