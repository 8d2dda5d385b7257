"""Noise is a function of (seed, step), and its generator is the published one."""

from __future__ import annotations

import numpy as np

from lrsched.horizon import Horizon
from lrsched.schedules import Constant, Noise, Sequence
from lrsched.schedules.noise import normal, splitmix64

RUN = Horizon(steps=20_000)


def test_the_generator_is_splitmix64() -> None:
    """The first outputs for the seed 1234567, as at https://rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64."""
    published = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert splitmix64(1234567, np.arange(5)).tolist() == published
    assert splitmix64(1234567, np.array([3, 1])).tolist() == [published[3], published[1]]


def test_the_noise_is_normal() -> None:
    """Mean and variance within four standard errors: 1/√n and √(2/n)."""
    z = normal(42, np.arange(RUN.steps))
    assert abs(z.mean()) < 4 / RUN.steps**0.5
    assert abs((z**2).mean() - 1) < 4 * (2 / RUN.steps) ** 0.5


def test_another_seed_another_noise() -> None:
    tables = [Noise(of=Constant(), seed=seed).plan(RUN).table() for seed in (0, 0, 1)]
    assert (tables[0] == tables[1]).all()
    assert (tables[0] != tables[2]).any()


def test_the_limit_clips() -> None:
    table = Noise(of=Constant(), std=1.0, limit=0.25).plan(RUN).table()
    assert (table.min(), table.max()) == (0.75, 1.25)
    assert Noise(of=Constant(), std=9.0, limit=1.0).plan(RUN).table().min() == 0.0


def test_the_draw_of_a_step_does_not_depend_on_the_phases() -> None:
    halves = Sequence(parts=[{"length": "50%", "schedule": Constant()}, {"length": "rest", "schedule": Constant()}])
    whole = Noise(of=Constant()).plan(RUN).table()
    np.testing.assert_array_equal(Noise(of=halves).plan(RUN).table(), whole)
