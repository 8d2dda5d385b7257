"""What the options of single schedules do: values by hand or as the formula, exact or to 1 ulp."""

from __future__ import annotations

from math import cos, exp, pi, sqrt
from typing import Any

import numpy as np
import pytest

from lrsched.horizon import Horizon
from lrsched.schedules import (
    SGDR,
    WSD,
    WSDS,
    Absolute,
    Constant,
    Cosine,
    Cyclic,
    Exponential,
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
    Schedule,
    Snapshot,
    Step,
    TimeBased,
)

RUN = Horizon(steps=10, steps_per_epoch=2)
T = range(10)


def check(schedule: Schedule, expected: list[float], run: Horizon = RUN, peak: float = 1.0) -> None:
    np.testing.assert_array_max_ulp(schedule.plan(run, peak).table(), np.array(expected, dtype=float), maxulp=1)


def wave(x: float) -> float:
    return (1 + cos(pi * x)) / 2


# --- warm-up: included at its end, not at its start -----------------------------------------------


@pytest.mark.parametrize(
    ("options", "ramp"),
    [
        ({}, [1 / 4, 2 / 4, 3 / 4, 1]),
        ({"warmup_start": 0.2}, [0.2 + 0.8 * x for x in (0.25, 0.5, 0.75, 1)]),
        ({"warmup_shape": "cosine"}, [1 + (0 - 1) * wave(x) for x in (0.25, 0.5, 0.75, 1)]),
        ({"warmup_shape": "polynomial"}, [1 / 16, 4 / 16, 9 / 16, 1]),
        ({"warmup_shape": "polynomial", "warmup_power": 3.0}, [1 / 64, 8 / 64, 27 / 64, 1]),
        ({"warmup_shape": "sqrt"}, [1 / 2, sqrt(1 / 2), sqrt(3 / 4), 1]),
        ({"warmup_shape": "exponential", "warmup_start": 0.0625}, [1 / 8, 1 / 4, 1 / 2, 1]),
        ({"warmup_shape": "constant", "warmup_start": 0.3}, [0.3] * 4),
    ],
)
def test_warmup(options: dict[str, Any], ramp: list[float]) -> None:
    check(Constant(warmup="40%", **options), ramp + [1.0] * 6)


def test_the_clock_starts_after_the_warmup_but_a_percentage_is_of_the_whole_run() -> None:
    check(Linear(warmup="2st"), [0.5, 1] + [1 - i / 8 for i in range(8)])
    check(MultiStep(warmup="2st", milestones=["30%"]), [0.5] + [1] * 4 + [0.1] * 5)
    check(WSD(warmup="2st", decay="40%"), [0.5] + [1] * 6 + [0.75, 0.5, 0.25])


def test_the_warmup_leads_to_the_first_value_of_the_schedule() -> None:
    cycle = OneCycle(warmup="2st", rise="4st", start=0.5, end=0.0, anneal="linear")
    check(cycle, [0.25, 0.5, 0.5, 0.625, 0.75, 0.875, 1, 0.75, 0.5, 0.25])


# --- final -----------------------------------------------------------------------------------------


def test_an_absolute_floor_is_measured_against_each_peak() -> None:
    schedule = Linear(final={"absolute": 0.1})
    assert schedule.final == Absolute(0.1)
    check(schedule, [1 + (0.2 - 1) * (t / 10) for t in T], peak=0.5)
    check(schedule, [1 + (0.1 - 1) * (t / 10) for t in T], peak=1.0)
    check(schedule, [1 - t / 10 for t in T], peak=0.0)  # nothing to scale


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Step(every="2st", gamma=0.5, final=0.2), [1, 1, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2, 0.2, 0.2]),
        (MultiStep(milestones=["2st", "3st"], gamma=0.5, final=0.4), [1, 1, 0.5] + [0.4] * 7),
        (Exponential(gamma=0.5, every="1st", final=0.1), [1, 0.5, 0.25, 0.125] + [0.1] * 6),
        (InverseTime(every="1st", final=0.3), [1, 1 / 2, 1 / 3] + [0.3] * 7),
        (TimeBased(decay=1.0, every="1st", final=0.3), [1, 1, 0.5] + [0.3] * 7),
        (InverseSqrt(timescale="1st", final=0.5), [1, sqrt(1 / 2), sqrt(1 / 3)] + [0.5] * 7),
        (Power(exponent=-1.0, final=0.3), [1, 1 / 2, 1 / 3] + [0.3] * 7),
        (Noam(warmup="1st", final=0.6), [1, sqrt(1 / 2)] + [0.6] * 8),
        (Piecewise(points=[["0%", 1], ["50%", 0.1]], final=0.2), [1] * 5 + [0.2] * 5),
        (Cyclic(low=0.0, up="2st", final=0.25), [0.25, 0.5, 1, 0.5, 0.25, 0.5, 1, 0.5, 0.25, 0.5]),
        (
            OneCycle(rise="20%", start=0.5, end=0.0, anneal="linear", final=0.3),
            [0.5, 0.75] + [1 - i / 8 for i in range(6)] + [0.3, 0.3],
        ),
    ],
)
def test_a_curve_that_tends_to_nothing_is_never_below_final(schedule: Schedule, expected: list[float]) -> None:
    check(schedule, expected)


def test_the_floor_does_not_lift_the_warmup() -> None:
    check(Step(warmup="4st", every="3st", final=0.5), [0.25, 0.5, 0.75, 1, 1, 1, 1, 0.5, 0.5, 0.5])


# --- decays ----------------------------------------------------------------------------------------


def test_power_and_k() -> None:
    check(Cosine(power=2.0), [wave(t / 10) ** 2 for t in T])
    check(Cosine(k=2.0), [wave((t / 10) ** 2) for t in T])
    check(Polynomial(power=3.0, k=2.0, final=0.5), [0.5 + 0.5 * (1 - (t / 10) ** 2) ** 3 for t in T])


def test_three_ways_to_say_an_exponential() -> None:
    check(Exponential(decay=0.3, every="4st"), [exp(-0.3 * (t / 4)) for t in T])
    check(Exponential(gamma=0.5, every="4st", staircase=True), [1] * 4 + [0.5] * 4 + [0.25] * 2)
    check(Exponential(final=0.01), [0.01 ** (t / 10) for t in T])
    check(Exponential(final=0.01, every="5st", staircase=True), [1] * 5 + [0.1] * 5)
    check(Exponential(final={"absolute": 0.001}), [0.01 ** (t / 10) for t in T], peak=0.1)


def test_staircase_of_inverse_time() -> None:
    check(InverseTime(decay=0.5, every="4st", staircase=True), [1] * 4 + [1 / 1.5] * 4 + [1 / 2] * 2)


def test_inverse_time_and_time_based_are_two_curves() -> None:
    periods = Horizon(steps=5)
    check(InverseTime(decay=0.5, every="1st"), [1, 1 / 1.5, 1 / 2, 1 / 2.5, 1 / 3], periods)
    check(TimeBased(decay=0.5, every="1st"), [1, 1, 1 / 1.5, 1 / 1.5 / 2, 1 / 1.5 / 2 / 2.5], periods)


def test_the_timescale_of_inverse_sqrt_is_the_warmup() -> None:
    check(InverseSqrt(warmup="4st"), [0.25, 0.5, 0.75, 1] + [sqrt(4 / (t + 4)) for t in range(6)])
    check(InverseSqrt(warmup="1st", timescale="4st"), [1.0] + [sqrt(4 / (t + 4)) for t in range(9)])


def test_noam_is_the_papers_when_not_normalised() -> None:
    formula = [64**-0.5 * min((t + 1) ** -0.5, (t + 1) * 4**-1.5) for t in T]
    check(Noam(warmup="4st", dim=64, normalise=False), formula)


def test_noam_may_end_before_its_peak() -> None:
    check(Noam(), [(t + 1) / 4000 for t in T])


def test_power_without_a_warmup_counts_from_one() -> None:
    check(Power(exponent=-1.0), [1 / (t + 1) for t in T])


@pytest.mark.parametrize(
    ("shape", "tail"),
    [
        ("linear", [1, 0.75, 0.5, 0.25]),
        ("cosine", [wave(i / 4) for i in range(4)]),
        ("sqrt", [1, 0.5, 1 - sqrt(0.5), 1 - sqrt(0.75)]),
        ("square", [1, 15 / 16, 12 / 16, 7 / 16]),
        ("mirror_cosine", [2 * (1 - i / 4) - wave(i / 4) for i in range(4)]),
    ],
)
def test_tails_of_wsd(shape: Any, tail: list[float]) -> None:
    check(WSD(decay="40%", shape=shape), [1.0] * 6 + tail)


def test_an_exponential_tail() -> None:
    check(WSD(decay="40%", shape="exponential", final=0.0625), [1] * 6 + [1, 0.5, 0.25, 0.125])


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("constant", [0.5] * 2 + [1.0] * 4 + [0.25] * 4),
        ("linear", [0.5, 0.75, 1, 0.8125, 0.625, 0.4375, 0.25, 0.25, 0.25, 0.25]),
        ("cosine", [0.5, 0.75] + [0.25 + 0.75 * wave(i / 4) for i in range(4)] + [0.25] * 4),
    ],
)
def test_piecewise(shape: Any, expected: list[float]) -> None:
    check(Piecewise(points=[["0st", 0.5], ["20%", 1], ["3ep", 0.25]], shape=shape), expected)


def test_a_point_after_the_run_is_not_reached() -> None:
    check(Piecewise(points=[["0st", 0.5], ["6st", 1], ["12st", 0.25]]), [0.5] * 6 + [1.0] * 4)


def test_a_piece_that_the_run_cuts_keeps_its_course() -> None:
    check(Piecewise(points=[["0st", 1], ["16st", 0]], shape="linear"), [1 - t / 16 for t in T])


# --- cycles ----------------------------------------------------------------------------------------


def test_one_cycle_in_three_phases() -> None:
    cycle = OneCycle(rise="20%", start=0.5, end=0.1, anneal="linear", three_phase=True, momentum=(0.8, 0.9))
    columns = cycle.table(RUN, 1.0)
    lr = [0.5, 0.75, 1, 0.75] + [0.5 + (0.1 - 0.5) * (i / 6) for i in range(6)]
    momentum = [0.9, 0.9 + (0.8 - 0.9) / 2, 0.8, 0.8 + (0.9 - 0.8) / 2] + [0.9] * 6
    np.testing.assert_array_max_ulp(columns["lr"], np.array(lr), maxulp=1)
    np.testing.assert_array_max_ulp(columns["momentum"], np.array(momentum), maxulp=1)


def test_momentum_is_absolute_and_waits_at_its_high_during_the_warmup() -> None:
    cycle = OneCycle(warmup="2st", rise="4st", anneal="linear", momentum=(0.5, 0.75))
    momentum = [0.75] * 2 + [0.75, 0.6875, 0.625, 0.5625] + [0.5, 0.5625, 0.625, 0.6875]
    assert cycle.table(RUN, 3.0)["momentum"].tolist() == momentum
    assert set(OneCycle(momentum=None).table(RUN)) == {"lr"}


def test_the_end_of_one_cycle_follows_its_start() -> None:
    assert OneCycle(start=0.1).plan(RUN)[9] == OneCycle(start=0.1, end=1e-5).plan(RUN)[9]
    assert OneCycle(start=0.1).plan(RUN)[9] > OneCycle(start=0.1, end=4e-6).plan(RUN)[9]


@pytest.mark.parametrize(
    ("mode", "scale"),
    [
        ("triangular", [1.0] * 10),
        ("triangular2", [1.0] * 3 + [0.5] * 3 + [0.25] * 3 + [0.125]),
        ("exp_range", [0.9**t for t in T]),
    ],
)
def test_triangles(mode: Any, scale: list[float]) -> None:
    cyclic = Cyclic(low=0.5, up="1st", down="2st", mode=mode, gamma=0.9, momentum=[0.8, 0.9])
    height = [h * s for h, s in zip([0, 1, 0.5] * 3 + [0], scale, strict=True)]
    columns = cyclic.table(RUN)
    np.testing.assert_array_max_ulp(columns["lr"], np.array([0.5 + 0.5 * h for h in height]), maxulp=1)
    np.testing.assert_array_max_ulp(columns["momentum"], np.array([0.9 - (0.9 - 0.8) * h for h in height]), maxulp=1)


def test_each_cycle_warms_up() -> None:
    schedule = SGDR(first="5st", cycle_warmup="2st", peak_decay=0.5, final=0.1)
    falls = [[0.1 + (p - 0.1) * wave(i / 3) for i in range(3)] for p in (1.0, 0.5)]
    rises = [[0.1 + (p - 0.1) * 0.5, p] for p in (1.0, 0.5)]
    check(schedule, [*rises[0], *falls[0], *rises[1], *falls[1]])


def test_a_peak_is_not_below_final() -> None:
    check(SGDR(first="5st", peak_decay=0.1, final=0.5), [0.5 + 0.5 * wave(i / 5) for i in range(5)] + [0.5] * 5)
    check(Periods(weights=[1, 0.1], final=0.5), [0.5 + 0.5 * wave(i / 5) for i in range(5)] + [0.5] * 5)


def test_snapshots_are_taken_where_the_cycles_end() -> None:
    schedule = Snapshot(cycles=4, warmup="1st")
    assert schedule.minima(RUN) == [3, 5, 7, 10]
    table = schedule.plan(RUN).table()
    assert [table[end - 1] == table[:end].min() for end in schedule.minima(RUN)] == [True] * 4
    assert [table[end] for end in schedule.minima(RUN)[:-1]] == [1.0] * 3


def test_wsd_s_always_ends_decayed() -> None:
    check(WSDS(lengths=["4st", "20st"], decay="2st"), [1, 1, 1, 0.5, 1, 1, 1, 1, 1, 0.5])
    check(WSDS(lengths=["50%", "50%"], decay="2st", warmup="1st"), [1, 1, 1, 1, 1, 0.5, 1, 1, 1, 0.5])
    check(WSDS(lengths=["50%", "50%", "50%"], decay="2st"), [1, 1, 1, 1, 0.5, 1, 1, 1, 1, 0.5])
