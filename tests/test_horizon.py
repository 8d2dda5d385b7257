"""Durations become whole steps once, by rounding half up, in exact arithmetic."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrsched.errors import ConfigError
from lrsched.horizon import Horizon, half_up, parse


@pytest.mark.parametrize(
    ("duration", "steps"),
    [
        ("29%", 29),  # 0.29 * 100 = 28.999999999999996 in floating point
        ("0.5%", 1),  # a half goes up
        ("0.49%", 0),
        ("2.5%", 3),
        ("1ep", 7),
        ("0.5ep", 4),  # 3.5
        ("2.5ep", 18),  # 17.5
        (".5ep", 4),
        ("13st", 13),
        ("0st", 0),
        ("64sp", 2),
        ("48sp", 2),  # 1.5 updates of 32 samples
        ("47sp", 1),
        (" 5 % ", 5),
        ("300%", 300),
    ],
)
def test_resolve(duration: str, steps: int) -> None:
    assert Horizon(steps=100, steps_per_epoch=7, samples_per_step=32).resolve(duration) == steps


@given(percent=st.integers(0, 1000), steps=st.integers(1, 10**9))
def test_a_percentage_is_exact(percent: int, steps: int) -> None:
    tenths = f"{percent // 10}.{percent % 10}%"
    assert Horizon(steps=steps).resolve(tenths) == (2 * percent * steps + 1000) // 2000


@given(st.fractions(min_value=0, max_value=10**6))
def test_half_up(exact: Fraction) -> None:
    steps = half_up(exact)
    assert steps - Fraction(1, 2) <= exact < steps + Fraction(1, 2)


def test_a_length_that_cannot_be_nothing_is_not_rounded_to_nothing() -> None:
    run = Horizon(steps=1)
    assert run.resolve("5%") == 0
    assert run.resolve("5%", least=1) == 1
    with pytest.raises(ConfigError, match="every=0%: must be at least one step"):
        run.resolve("0%", "every", least=1)


def test_epochs() -> None:
    assert Horizon(steps=10, steps_per_epoch=4).epochs == 2.5
    assert Horizon(steps=10).epochs == 1.0  # nobody knows how long one is: the run counts as one


def test_a_length_in_epochs_needs_to_know_the_steps_of_one() -> None:
    """A horizon of steps alone took 1ep for the whole run."""
    message = "every=2ep: how many steps an epoch has is not known here; give Horizon(1000, steps_per_epoch=NUMBER), "
    for horizon in (Horizon(1000), Horizon(1000).part(300)):
        with pytest.raises(ConfigError) as caught:
            horizon.resolve("2ep", "every")
        assert str(caught.value) == message + "or use % or st"
    assert Horizon(1000, steps_per_epoch=100).resolve("2ep") == 200
    assert [Horizon(1000).resolve(length) for length in ("5%", "7st")] == [50, 7]
    with pytest.raises(ConfigError, match=r"horizon.steps_per_epoch=-1: must be at least 0"):
        Horizon(1000, steps_per_epoch=-1)


@pytest.mark.parametrize("bare", [5, "5", 0.5, "0.5"])
def test_a_bare_number_is_told_how_to_be_written(bare: Any) -> None:
    meant = {"5": "5st, 5ep or 5%", "0.5": "50%"}[str(bare)]
    with pytest.raises(ConfigError) as caught:
        Horizon(steps=10).resolve(bare, "warmup")
    assert str(caught.value) == (
        f"warmup={bare}: a duration carries its unit: 5% (of the run), 2ep (epochs), 500st (steps) or 64000sp "
        f"(samples); write {meant}"
    )


@pytest.mark.parametrize("bare", ["0.05", "0.005", "0.3333", "1", "1.0", "2.5", "99.5", "101", "1000.0", "123456"])
def test_what_is_proposed_for_a_bare_number_is_accepted(bare: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(bare)
    proposed = re.split(", | or ", caught.value.remedy.removeprefix("write "))
    for text in proposed:
        assert parse(text)[0] == Fraction(bare) * (100 if Fraction(bare) < 1 else 1)
    assert proposed == [f"{float(100 * Fraction(bare)):g}%"] or float(bare) >= 1


@pytest.mark.parametrize("text", ["", "%", "-5%", "5 epochs", "5EP", "1e3st", "five", None, [5]])
def test_what_is_no_duration(text: Any) -> None:
    with pytest.raises(ConfigError, match="a duration carries its unit"):
        parse(text)


@pytest.mark.parametrize("text", ["2.5st", "1.5sp"])
def test_steps_and_samples_are_whole(text: str) -> None:
    with pytest.raises(ConfigError, match="are whole numbers"):
        parse(text)


def test_samples_need_a_batch() -> None:
    with pytest.raises(ConfigError, match="samples per step are not known here"):
        Horizon(steps=10).resolve("64sp")


def test_a_run_has_a_step() -> None:
    with pytest.raises(ConfigError, match="a run has at least one step"):
        Horizon(steps=0)
