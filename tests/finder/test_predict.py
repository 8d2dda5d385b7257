"""What a run will come to, and which schedule wins: against power laws by hand and exact regressions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lrsched.finder.answer import Candidate
from lrsched.finder.plan import Plan
from lrsched.finder.predict import FLOOR, Bests, Interval, extrapolated
from lrsched.finder.rivals import Gaps, measured, ranked, student

STEPS = np.array([50.0, 100.0, 500.0])
SEEDS = range(3)


def law(slope: float, at_end: float = 0.0, noise: float = 0.0) -> Bests:
    """ln loss = at_end + slope·ln(h / 2000), a seed ± noise; the seeds' mean is on the line."""
    line = at_end + slope * np.log(STEPS / 2000)
    return Bests(STEPS, line[:, None] + noise * np.array([-1.0, 0.0, 1.0]), np.zeros(3))


def test_a_power_law_is_continued() -> None:
    found = extrapolated(law(-0.5, at_end=math.log(0.01)), 2000)
    assert math.isclose(math.exp(found.mean), 0.01)
    assert found.high - found.mean == pytest.approx(2.45 * FLOOR)  # 6 degrees of freedom


def test_the_noise_of_the_seeds_widens_the_interval_as_a_line_carries_it() -> None:
    """Weights 1 + r and −r of the last two horizons, r = ln 4 / ln 5; a seed's variance 0.01 from 6 residuals."""
    reach = math.log(4) / math.log(5)
    wanted = 2.45 * math.sqrt(0.01 * ((1 + reach) ** 2 + reach**2) / 3 + FLOOR**2)
    found = extrapolated(law(-0.5, noise=0.1), 2000)
    assert found.high - found.mean == pytest.approx(wanted)
    assert found.mean - found.low == pytest.approx(wanted)


def test_a_horizon_held_out_that_the_line_misses_widens_the_interval() -> None:
    bent = law(-0.5)
    bent.each[0] += 0.2
    assert extrapolated(bent, 2000).high - extrapolated(bent, 2000).mean > 0.2 > 2.45 * FLOOR


def test_noise_that_two_schedules_share_does_not_hide_their_difference() -> None:
    first, second = law(-0.5, noise=0.3), law(-0.5, at_end=0.05, noise=0.3)
    gap = extrapolated(second, 2000, first)
    assert gap.mean == pytest.approx(0.05)
    assert 0 < gap.low < gap.high < 0.1
    assert extrapolated(second, 2000).low < extrapolated(first, 2000).mean


def test_horizons_that_differ_a_little_are_brought_together() -> None:
    first = law(-0.5)
    steps = STEPS * 1.05
    second = Bests(steps, (0.02 - 0.5 * np.log(steps / 2000))[:, None].repeat(3, 1), np.zeros(3))
    assert extrapolated(second, 2000, first).mean == pytest.approx(0.02)


def test_schedules_are_ranked_and_near_ones_undecided() -> None:
    places = ranked([law(-0.5, 0.2), law(-0.5, 0.003), law(-0.5, 0.0)], 2000)
    assert [place.number for place in places] == [2, 1, 0]
    assert places[0].behind is None
    near, far = (place.behind for place in places[1:])
    assert near is not None
    assert near.low < 0 < near.high
    assert far is not None
    assert 15 < far.low < 100 * (math.exp(0.2) - 1) < far.high
    assert [place.predicted.mean for place in places] == pytest.approx([1.0, math.exp(0.003), math.exp(0.2)], rel=2e-3)


def test_a_gap_that_moves_is_followed_and_widens_the_intervals() -> None:
    """It falls by 0.02 with ln steps, from 0.1 at 50 steps to 0.026 at 2,000."""
    level, moving = law(-0.5, 0.0), law(-0.52, 0.1 - 0.02 * math.log(40))
    assert moving.each[0, 0] - level.each[0, 0] == pytest.approx(0.1)
    gaps = Gaps.of([moving, level], 2000)
    assert gaps.mean[0, 1] == pytest.approx(0.1 - 0.02 * math.log(40), abs=0.004)
    assert gaps.sd[0, 1] > Gaps.of([law(-0.5, 0.1), level], 2000).sd[0, 1]


def test_more_seeds_decide_more() -> None:
    def pair(seeds: int) -> Interval:
        spread = np.resize([-0.06, 0.0, 0.06], seeds)
        first, second = law(-0.5), law(-0.5, 0.08)
        return Gaps.of(
            [
                Bests(STEPS, first.each[:, :1] + 0 * spread, first.sd),
                Bests(STEPS, second.each[:, :1] + spread, first.sd),
            ],
            2000,
        ).between(1, 0)

    assert pair(3).low < 0 < pair(30).low


def test_an_interval_is_students() -> None:
    assert student(0.05, 6) == pytest.approx(2.447, abs=0.005)
    gaps = Gaps.of([law(-0.5, 0.1 * n, noise=0.1 * n) for n in range(2)], 2000)
    found = gaps.between(1, 0)
    assert (found.high - found.mean) / gaps.sd[1, 0] == pytest.approx(student(0.05, gaps.freedom))


def test_whole_runs_are_ranked_by_their_paired_differences() -> None:
    """More is better: 0.02 ± 0.01 below a mean of 0.8 is 2.5 ± 1.25 percent behind."""
    first, second = [0.7, 0.8, 0.9], [0.69, 0.78, 0.87]
    best, other = measured([second, first], sign=-1)
    assert (best.number, other.number) == (1, 0)
    assert other.behind is not None
    assert other.behind.mean == pytest.approx(2.5)
    assert other.behind.low == pytest.approx(2.5 - 4.303 * 1.25 / 3**0.5, abs=0.1)
    assert other.spread == pytest.approx(1.25)
    assert best.predicted.mean == pytest.approx(0.8)


def test_intervals_behind_the_best_hold_for_all_others_together() -> None:
    """Of k − 1 = 2 others each has 97.5 %: Student's t is 6.205 for 2 degrees of freedom, 2.560 for 12."""
    _, second, third = measured([[1.0, 2.0, 3.0], [1.1, 2.2, 3.0], [1.3, 2.3, 3.3]], sign=1)
    assert second.behind is not None
    assert third.behind is not None
    assert second.behind.mean == pytest.approx(5.0)  # 0.1, 0.2, 0 on 2
    assert second.behind.high - second.behind.mean == pytest.approx(6.205 * 5.0 / 3**0.5, rel=1e-3)
    assert third.behind.low == pytest.approx(15.0)  # no spread
    gaps = Gaps.of([law(-0.5, a, noise=0.01 * (1 + a)) for a in (0.0, 0.5, 1.0)], 2000)
    found = gaps.between(1, 0)
    assert (found.high - found.mean) / gaps.sd[1, 0] == pytest.approx(student(0.025, gaps.freedom))
    assert gaps.freedom == 12
    assert student(0.025, 12) == pytest.approx(2.560, abs=0.005)


def test_two_ends_of_one_seed_decide_nothing() -> None:
    _, other = measured([[1.0], [2.0]], sign=1)
    assert other.behind == (pytest.approx(100.0), -math.inf, math.inf)
    gaps = Gaps.of([Bests(STEPS, law(-0.5, a).each[:, :1], np.zeros(3)) for a in (0.0, 1.0)], 2000)
    assert gaps.between(1, 0)[1:] == (-math.inf, math.inf)


def test_one_seed_decides_nothing() -> None:
    one = Bests(STEPS, law(-0.5).each[:, :1], np.zeros(3))
    found = extrapolated(one, 2000)
    assert math.isfinite(found.mean)
    assert (found.low, found.high) == (-math.inf, math.inf)


def test_the_loss_of_the_run_is_predicted_from_short_ones() -> None:
    def loss(lr: float, steps: int, seed: int) -> float:
        d = math.log(lr / (0.5 * steps**-0.4))
        return 3 * steps**-0.5 * math.cosh(0.8 * d) * (1 + 0.01 * (seed - 1))

    plan, trials = Plan(horizon=2000, seeds=SEEDS, start=0.1, budget=6300), list[Candidate]()
    while asked := plan.next(trials):
        trials += [Candidate(a.lr, a.horizon, seed, loss(a.lr, a.horizon, seed)) for a in asked for seed in SEEDS]
    found = plan.answer(trials)
    assert found is not None
    predicted = extrapolated(Bests.of(found.fit, trials, SEEDS), 2000)
    assert math.exp(predicted.mean) == pytest.approx(3 * 2000**-0.5, rel=0.03)
    assert predicted.low < math.log(3 * 2000**-0.5) < predicted.high
