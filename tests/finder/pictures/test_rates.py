"""The picture of runs: their losses over the rate, what is fitted, and what is suggested."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from lrsched.finder.answer import Answer, Candidate, override_of
from lrsched.finder.pictures import rates
from lrsched.finder.pictures.rates import Panel
from lrsched.finder.predict import Interval

pytest.importorskip("matplotlib")


def loss(lr: float, steps: int, seed: int) -> float:
    """Best at 0.5·steps^−0.4 with steps^−0.5; seeds 5 % apart; nothing learns above 3."""
    best = 0.5 * (steps / 100) ** -0.4
    rise = math.cosh(0.8 * math.log(lr / best))
    return math.inf if lr > 3 else steps**-0.5 * rise * (1 + 0.05 * (seed - 1))


def answer(method: str, lengths: dict[int, Sequence[float]], **more: Any) -> Answer:
    tried = [Candidate(lr, n, seed, loss(lr, n, seed)) for n, lrs in lengths.items() for lr in lrs for seed in range(3)]
    return Answer(method, 0.2, override_of(0.2), tried, 0, more)


SHORT = answer(
    "horizon",
    {50: (0.1, 0.3, 0.6, 1.2, 4.0), 100: (0.25, 0.5, 1.0), 500: (0.12, 0.25, 0.5)},
    interval=[0.1, 0.4],
    horizon=2000,
    passes=1.0,
)


def drawn(monkeypatch: pytest.MonkeyPatch, *shown: Panel, unit: str = "nats", **more: Any) -> Any:
    figures: list[Any] = []
    monkeypatch.setattr(rates, "as_png", lambda figure: figures.append(figure) or b"")
    rates.draw(shown, "val/loss", unit, "x.png", **more)
    return figures[0].axes


def lines(panel: Any) -> dict[str, Any]:
    return {line.get_label(): line for line in panel.lines}


def test_short_runs_their_means_and_the_curve_at_the_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """At its own length the predicted loss stands: the curve is least there."""
    (panel,) = drawn(monkeypatch, Panel("cosine", SHORT, range(3), Interval(0.022, 0.02, 0.024)))
    assert (panel.get_xscale(), panel.get_ylabel(), panel.get_title()) == ("log", "val/loss (nats)", "cosine")
    assert panel.get_xlabel().startswith("learning rate")
    found = lines(panel)
    mean = found["500 steps, mean of 3 seeds (dots)"]
    assert mean.get_ydata() == pytest.approx([loss(lr, 500, 1) for lr in (0.12, 0.25, 0.5)])
    assert list(found["a seed diverged"].get_xdata()) == [4.0]
    assert list(found["suggestion: 0.2"].get_xdata()) == [0.2, 0.2]
    curve = found["2000 steps, as predicted"]
    assert min(curve.get_ydata()) == pytest.approx(0.022, rel=0.05)
    best = 0.5 * 20**-0.4
    assert curve.get_xdata()[np.argmin(curve.get_ydata())] == pytest.approx(best, rel=0.4)
    fitted = found["fitted"]  # that of the longest short runs goes through them
    at = np.interp(np.log(0.25), np.log(fitted.get_xdata()), fitted.get_ydata())
    assert at == pytest.approx(loss(0.25, 500, 1), rel=0.05)
    assert any(patch.get_label() == "95 %: 0.1 to 0.4" for patch in panel.patches)


def test_a_panel_for_each_schedule_over_one_axis(monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = Panel("a_$x$", SHORT, range(3), Interval(0.02, 0.0, 1e304))  # as one seed tells it
    first, second = drawn(monkeypatch, Panel("wsd", SHORT, range(3)), unknown, unit="")
    told = [[text.get_text() for text in panel.get_legend().get_texts()] for panel in (first, second)]
    assert [any(text.startswith("its loss: ") for text in each) for each in told] == [True, False]
    assert (first.get_title(), second.get_title(), first.get_ylabel()) == ("wsd", r"a_\$x\$", "val/loss")
    assert first.get_xlim() == second.get_xlim()


def test_the_axis_of_rates_holds_those_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (answer("grid", {20: tried}) for tried in ((0.01, 0.1), (0.5, 1.0)))
    (panel, _) = drawn(monkeypatch, Panel("wsd", one, range(3)), Panel("linear", other, range(3)))
    low, high = panel.get_xlim()
    assert low < 0.01 < 1.0 < high


def test_a_grid_has_no_fit_and_no_cliff(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = answer("grid", {2000: (0.001, 0.1, 0.2, 0.4)}, as_good=[0.1])
    (panel,) = drawn(monkeypatch, Panel("linear", grid, range(3)))
    found = lines(panel)
    assert "fitted" not in found
    assert list(found["mean beyond the axis"].get_xdata()) == [0.001]
    assert list(found["the seeds do not tell it from the best"].get_xdata()) == [0.1]
    assert panel.get_ylim()[1] < loss(0.001, 2000, 1)


def test_more_may_be_better(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = [Candidate(lr, 100, 0, value) for lr, value in ((0.1, 0.02), (0.2, 0.95), (0.4, 0.9))]
    found = Answer("grid", 0.2, "optimizer.lr=0.2", tried, 0, {})
    (panel,) = drawn(monkeypatch, Panel("linear", found, [0]), unit="%", less_is_better=False)
    assert panel.get_ylabel() == "val/loss (fraction)"
    assert panel.get_ylim()[1] > 0.95


def test_equal_pictures_give_equal_bytes() -> None:
    panel = Panel("linear", answer("grid", {20: (0.1, 0.2)}), range(3))
    first, again = (rates.draw([panel], "val/loss", "", "x.png") for _ in range(2))
    assert first == again
    assert first.startswith(b"\x89PNG")
