"""Bad values: key, value, rule and remedy, before the first step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.schedules import (
    SGDR,
    WSD,
    WSDS,
    Chebyshev,
    Cosine,
    Cyclic,
    Exponential,
    FlatCosine,
    InverseSqrt,
    InverseTime,
    Linear,
    MultiStep,
    Noam,
    OneCycle,
    Periods,
    Piecewise,
    Polynomial,
    Power,
    Rex,
    Schedule,
    Snapshot,
    Step,
    Tanh,
    TimeBased,
)

RUN = Horizon(steps=100, steps_per_epoch=10)


def complaint(make: Callable[[], Schedule]) -> ConfigError:
    """What is said of a schedule when it is built, or at the latest when it is planned."""
    with pytest.raises(ConfigError) as caught:
        make().plan(RUN)
    return caught.value


# --- milestones: PyTorch takes all of these --------------------------------------------------------


@pytest.mark.parametrize("milestones", [[30, 0], ["30st", "0st"], ["0%", "30%"]])
def test_a_milestone_at_0_would_cut_the_whole_run(milestones: list[Any]) -> None:
    error = complaint(lambda: MultiStep(milestones=milestones, gamma=0.2))
    assert (error.key, error.value) == ("milestones", tuple(milestones))
    text = str(error)
    assert text.startswith(f"milestones=[{','.join(map(str, milestones))}]: must rise strictly and lie after the start")
    assert "PyTorch accepts this and applies gamma at construction, so that the whole run trains at 0.2 times" in text


@pytest.mark.parametrize(
    ("milestones", "said"),
    [
        (["60st", "30%"], "steps 60, 30; PyTorch accepts this and sorts them"),
        (["3ep", "30%"], "steps 30, 30; PyTorch accepts this and applies gamma twice"),
        ([-5, 5], "steps -5, 5; PyTorch accepts this and never comes to it"),
        ([30, 60], "milestones=30: a duration carries its unit"),
        ([30, "60%"], "milestones=30: a duration carries its unit"),
        (["2.5st"], "milestones=2.5st: steps are whole numbers"),
        ([], "milestones=[]: must be a list of durations"),
        ("30%", "milestones=30%: must be a list of durations"),
    ],
)
def test_milestones(milestones: Any, said: str) -> None:
    assert said in str(complaint(lambda: MultiStep(milestones=milestones)))


# --- lengths that do not fit, with the numbers -----------------------------------------------------


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: WSD(warmup="30%", decay="80%"),
            "decay=80%: is 80 steps, but a warm-up of 30 leaves 70 of the run's 100 steps; shorten one of them",
        ),
        (lambda: FlatCosine(decay="11ep"), "decay=11ep: is 110 steps, but a warm-up of 0 leaves 100 of the run's 100"),
        (lambda: Linear(warmup="10ep"), "warmup=10ep: is 100 steps and leaves nothing of a run of 100 steps"),
        (lambda: OneCycle(rise="101%"), "rise=101%: is 101 steps, but the run leaves 100 for the cycle"),
        (
            lambda: OneCycle(rise="51%", three_phase=True),
            "rise=51%: is 51 steps up and as many down, but the run leaves 100",
        ),
        (
            lambda: SGDR(first="10st", cycle_warmup="10st"),
            "cycle_warmup=10st: is 10 steps and leaves nothing of cycle 0",
        ),
        (
            lambda: SGDR(first="40st", mult=0.5),
            "mult=0.5: cycles that start at 40 steps shrink below one step after 79 of 100",
        ),
        (lambda: Periods(lengths=["3ep", "30st"]), "lengths=[3ep,30st]: are cycles of 30, 30 steps, 60 of the 100"),
        (lambda: Periods(lengths=[]), "lengths=[]: are cycles of no steps"),
        (lambda: Periods(lengths=["0st", "100%"]), "lengths=[0st,100%]: holds a cycle of length 0"),
        (lambda: WSDS(lengths=["5%", "95%"]), "decay=10%: is 10 steps and does not fit into a period of 5 steps"),
        (lambda: WSDS(lengths=["20%"]), "lengths=[20%]: are cycles of 20 steps, 20 of the 100 they are to cover"),
    ],
)
def test_lengths_that_do_not_fit(make: Callable[[], Schedule], said: str) -> None:
    assert said in str(complaint(make))


@pytest.mark.parametrize(
    ("key", "make"),
    [
        ("every", Step),
        ("every", Exponential),
        ("every", InverseTime),
        ("every", TimeBased),
        ("timescale", InverseSqrt),
        ("warmup", Noam),
        ("up", Cyclic),
        ("down", Cyclic),
        ("first", SGDR),
    ],
)
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("0st", "must be at least one step"),
        ("0%", "must be at least one step"),
        ("-5st", "a duration carries its unit"),
        (30, "500st (steps) or 64000sp (samples); write 30st, 30ep or 30%"),
        ("2.5st", "steps are whole numbers; use % or ep for a part of the run"),
    ],
)
def test_lengths_of_nothing(key: str, make: type[Schedule], value: Any, said: str) -> None:
    error = complaint(lambda: make(**{key: value}))
    assert (error.key, error.value) == (key, value)
    assert said in str(error)


# --- numbers out of range --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Step(gamma=0), "gamma=0: must be a number in (0, 1]"),
        (lambda: Step(gamma=1.5), "gamma=1.5: must be a number in (0, 1]"),
        (lambda: Step(gamma=float("nan")), "gamma=nan: must be a number in (0, 1]"),
        (lambda: Step(gamma=True), "gamma=true: must be a number in (0, 1]"),
        (lambda: MultiStep(gamma=-0.1), "gamma=-0.1: must be a number in (0, 1]"),
        (lambda: Exponential(gamma=0), "gamma=0: must be a number in (0, 1]"),
        (lambda: Exponential(decay=-1), "decay=-1: must be a number in [0, inf)"),
        (lambda: Exponential(decay=1, gamma=0.5), "gamma=0.5: says in other words what decay says; give one of them"),
        (lambda: InverseTime(decay=-1), "decay=-1: must be a number in [0, inf)"),
        (lambda: TimeBased(decay=-1), "decay=-1: must be a number in [0, inf)"),
        (lambda: Cosine(power=0), "power=0: must be a number in (0, inf)"),
        (lambda: Polynomial(k=-1), "k=-1: must be a number in (0, inf)"),
        (lambda: Power(exponent=0.5), "exponent=0.5: must be a number in (-inf, 0]"),
        (lambda: Rex(beta=0), "beta=0: must be a number in (0, inf)"),
        (lambda: Tanh(lower=3, upper=-3), "lower=3: must be below upper=-3"),
        (lambda: Chebyshev(condition=0.5), "condition=0.5: must be a number in [1, inf)"),
        (lambda: Noam(dim=0), "dim=0: must be a whole number of at least 1"),
        (lambda: Snapshot(cycles=2.5), "cycles=2.5: must be a whole number of at least 1"),
        (lambda: SGDR(mult=0), "mult=0: must be a number in (0, 1000000]"),
        (lambda: SGDR(peak_decay=2), "peak_decay=2: must be a number in (0, 1]"),
        (lambda: Periods(weights=[1]), "weights=[1]: must be a list of 2, one for each of lengths"),
        (lambda: Periods(weights=[1, 2]), "weights=2: must be a number in [0, 1]"),
        (lambda: Cyclic(low=1.1), "low=1.1: must be a number in [0, 1]"),
        (lambda: OneCycle(start=2), "start=2: must be a number in [0, 1]"),
        (
            lambda: OneCycle(momentum=(0.95, 0.85)),
            "momentum=[0.95,0.85]: must be [low, high]: the first at most the second",
        ),
        (lambda: OneCycle(momentum=0.9), "momentum=0.9: must be [low, high], or null to leave the momentum alone"),
        (lambda: OneCycle(momentum=(0.9, 1.0)), "momentum=1.0: must be a number in [0, 1)"),
        (lambda: OneCycle(three_phase="no"), "three_phase=no: must be true or false"),
        (lambda: Linear(final=-1), "final=-1: must be a number in [0, inf)"),
        (lambda: Linear(final={"absolute": -1}), "final=-1: must be a number in [0, inf)"),
        (lambda: Linear(final={"ratio": 1}), "final={'ratio': 1}: is a ratio, or {absolute: VALUE}"),
        (lambda: Linear(warmup_start=-1), "warmup_start=-1: must be a number in [0, inf)"),
        (lambda: Linear(warmup_power=0), "warmup_power=0: must be a number in (0, inf)"),
    ],
)
def test_numbers_out_of_range(make: Callable[[], Schedule], said: str) -> None:
    assert said in str(complaint(make))


# --- words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: WSD(shape="cosin"), "shape=cosin: is not one of linear, cosine, sqrt"),
        (lambda: WSD(shape="cosin"), "did you mean 'cosine'?"),
        (lambda: OneCycle(anneal="cos"), "anneal=cos: is not one of cosine, linear; did you mean 'cosine'?"),
        (lambda: Cyclic(mode="triangle"), "did you mean 'triangular'?"),
        (lambda: Piecewise(shape="sqrt"), "shape=sqrt: is not one of constant, linear, cosine"),
        (lambda: Linear(past="bounce"), "past=bounce: is not one of hold, raise"),
        (lambda: Linear(warmup_shape="log"), "warmup_shape=log: is not one of linear, cosine"),
    ],
)
def test_words(make: Callable[[], Schedule], said: str) -> None:
    assert said in str(complaint(make))


# --- curves that cannot be -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: WSD(shape="exponential"),
            "final=0.0: an exponential never gets to 0; give final=0.01, or another shape",
        ),
        (
            lambda: OneCycle(warmup="1st", warmup_start=0.1),
            "warmup_start=0.1: lies above 0.04, which the warm-up leads to; lower it",
        ),
        (
            lambda: Linear(warmup="1st", warmup_shape="exponential"),
            "warmup_start=0.0: a warm-up of shape exponential that starts at 0 stays there; give a start above 0",
        ),
        (lambda: Linear(warmup="1st", warmup_shape="constant"), "shape constant that starts at 0 stays there"),
        (
            lambda: Piecewise(points=[("10%", 1)]),
            "points=[[10%,1]]: must start at 0 and rise strictly, but lie at steps 10",
        ),
        (lambda: Piecewise(points=[("0%", 1), ("5ep", 1), ("50%", 0.2)]), "but lie at steps 0, 50, 50"),
        (lambda: Piecewise(points=[("0%", -1)]), "points=-1: must be a number in [0, inf)"),
        (lambda: Piecewise(points=["0%", 1]), "points=[0%,1]: must be a list of pairs"),
        (lambda: Piecewise(points=[(0, 1)]), "points=0: a duration carries its unit"),
    ],
)
def test_curves_that_cannot_be(make: Callable[[], Schedule], said: str) -> None:
    assert said in str(complaint(make))
