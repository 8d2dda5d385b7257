"""``find.method=grid``: whole runs on a grid of rates, coarse to fine on a log scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import stdev
from typing import Any

from lrsched.config.settings import base_rate
from lrsched.console import say
from lrsched.errors import ConfigError
from lrsched.finder.answer import Answer, override_of, rounded
from lrsched.finder.request import FindRequest
from lrsched.finder.rivals import student
from lrsched.finder.trained import Job, Trained
from lrsched.units import count

AROUND = 30.0
"""The grid goes from a part of ``optimizer.lr`` to this many times as much."""

BUDGET = "300%"
"""The most that it may cost if nobody says it."""

BEYOND = 2
"""Rates that are added at a time where the best lies at the edge."""


@dataclass
class Grid:
    """The search on a grid.

    ::

        rates from low to high by equal factors, each with all seeds
        while the best is the lowest or the highest: two more beyond it, by the same factor
        find.refine times: one more on either side of the best, in the middle on a log scale

    Args:
        asked: the question.
        trained: trains runs.
    """

    asked: FindRequest
    trained: Trained

    def __post_init__(self) -> None:
        self.tried: list[float] = []
        self.note = ""

    def search(self) -> None:
        """Train until the best rate is known as finely as it was asked for, or the budget is spent.

        Raises:
            ConfigError: no grid can be made, or it costs more than ``find.budget``.
            UserError: a run did not finish.
        """
        coarse = coarse_grid(self.asked)
        self._refuse_dear(coarse)
        factor = coarse[1] / coarse[0]
        self._train(coarse, "the grid")
        while not self.note and self.best in (self.tried[0], self.tried[-1]):
            up = self.best == self.tried[-1]
            more = [rounded(self.best * (factor if up else 1 / factor) ** (n + 1)) for n in range(BEYOND)]
            self._train(more, f"the best, {self.best:g}, is the {'highest' if up else 'lowest'} of all: beyond it")
        for _ in range(self.asked.find.refine):
            if self.note:
                break
            place = self.tried.index(self.best)
            beside = [rounded((self.best * self.tried[place + side]) ** 0.5) for side in (-1, 1)]
            new = [rate for rate in beside if rate not in self.tried]
            if new:
                self._train(new, f"about the best, {self.best:g}")

    @property
    def best(self) -> float:
        """The best rate so far; of equals the lowest.

        Raises:
            ConfigError: every run diverged.
        """
        best = min(self.tried, key=self.trained.mean)
        if self.trained.mean(best) == float("inf"):
            rule = f"every rate from {self.tried[0]:g} to {self.tried[-1]:g} diverged with one of the seeds"
            raise ConfigError("find.low", self.asked.find.low, rule, "give a lower find.low and find.high")
        return best

    def answer(self) -> Answer:
        """The answer as it is written."""
        means = {f"{rate:g}": self.trained.sign * self.trained.mean(rate) for rate in self.tried}
        losses = {f"{rate:g}": self.trained.losses(rate) for rate in self.tried}
        spread = {rate: stdev(of) if len(of) > 1 and all(map(isfinite, of)) else None for rate, of in losses.items()}
        more: dict[str, Any] = {
            "means": means,
            "spread": spread,
            "as_good": self.as_good,
            "monitor": self.asked.runs[0].checkpoint.monitor,
            "note": self.note,
        }
        return Answer("grid", self.best, override_of(self.best), self.trained.candidates, self.trained.cost, more)

    @property
    def as_good(self) -> list[float]:
        """Rates that the seeds do not tell from the best: the 95 % interval of their paired difference holds 0."""
        best, found = self.trained.losses(self.best), list[float]()
        for rate in self.tried:
            gaps = [
                self.trained.sign * (one - other) for one, other in zip(self.trained.losses(rate), best, strict=True)
            ]
            if rate == self.best or not all(map(isfinite, gaps)):
                continue
            mean, many = sum(gaps) / len(gaps), len(gaps)
            if not mean or (many > 1 and mean < student(0.05, many - 1) * stdev(gaps) / many**0.5):
                found.append(rate)
        return found

    def cautions(self) -> list[str]:
        """What limits the answer."""
        said, metric = list[str](), self.asked.runs[0].checkpoint.monitor
        if self.best in (self.tried[0], self.tried[-1]):
            end = "lowest" if self.best == self.tried[0] else "highest"
            said.append(f"the best rate, {self.best:g}, is the {end} that was tried: a better one may lie beyond it")
        if len(self.asked.seeds) == 1:
            said.append("one seed does not tell how far its noise goes; give find.seeds=3")
        if self.as_good:
            rates = ", ".join(f"{rate:g}" for rate in self.as_good)
            rule = (
                f"{count(len(self.asked.seeds), 'seed')} do not tell {rates} from the best, {self.best:g}, by {metric}"
            )
            said.append(f"{rule}; more find.seeds would")
        return said

    def table(self) -> list[str]:
        """Each rate, its mean over the seeds and their spread, and the loss of each seed."""
        seeds = self.asked.seeds
        rows = [["rate", "mean", "sd", *(f"seed {seed}" for seed in seeds)]]
        for rate in self.tried:
            losses = {c.seed: c.loss for c in self.trained.candidates if c.lr == rate}
            mean, spread = self.trained.sign * self.trained.mean(rate), "-"
            if len(seeds) > 1 and abs(mean) < float("inf"):
                spread = f"{stdev(losses.values()):.2g}"
            mark = "  <- best" if rate == self.best else ""
            shown = [f"{losses[seed]:.5g}" if losses[seed] < float("inf") else "diverged" for seed in seeds]
            rows.append([f"{rate:g}", f"{mean:.5g}", spread, *shown[:-1], shown[-1] + mark])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]

    def _refuse_dear(self, coarse: Sequence[float]) -> None:
        """Tell what the grid costs; refuse one that costs more than it may."""
        runs, full, budget = len(coarse) * len(self.asked.seeds), self.asked.full, self._budget
        if full is not None and budget is not None and full > budget:
            rule = f"allows {budget} steps, and the grid takes {self.asked.told(full)}"
            raise ConfigError("find.budget", self.asked.find.budget, rule, "give fewer find.rates or find.seeds")
        cost = count(runs, "run") if full is None else f"{count(runs, 'run')}, {count(full, 'step')}"
        most = (
            ""
            if budget is None
            else f", and at most {count(budget, 'step')} in the end (find.budget={self.asked.find.budget or BUDGET})"
        )
        judge = f"a rate is judged by {self.asked.runs[0].checkpoint.monitor} at the end of its runs"
        say(f"grid from {coarse[0]:g} to {coarse[-1]:g}: {cost}{most}; {judge}")

    def _train(self, rates: Sequence[float], why: str) -> None:
        """Train runs of more rates, if the budget allows."""
        rates = sorted(rate for rate in rates if rate > 0)
        budget, each = self._budget, len(rates) * len(self.asked.seeds) * self._length
        if self.tried and budget is not None and self.trained.steps + each > budget:
            self.note = f"{why}: {count(each, 'step')} more would exceed find.budget"
            say(f"warning: {self.note} ({count(budget, 'step')}); give more of it, and the same name goes on")
            return
        if self.tried:
            say(f"{why}: {', '.join(f'{rate:g}' for rate in rates)}")
        self.trained([Job(rate, override_of(rate).split()) for rate in rates], self.asked.seeds)
        self.tried = sorted({*self.tried, *rates})

    @property
    def _budget(self) -> int | None:
        """The most updates that it may cost; None: as long as nobody knows how long a run is."""
        full = self.asked.find.rates * self.asked.find.seeds * self._length
        return self.asked.budget(BUDGET, full) if full else None

    @property
    def _length(self) -> int:
        """Updates of one run; 0: its data will tell."""
        if self.asked.horizon is not None:
            return self.asked.horizon.steps
        return self.trained.length


def coarse_grid(asked: FindRequest) -> list[float]:
    """Rates from low to high by equal factors, with three digits.

    Raises:
        ConfigError: the ends are not known, or lie too close.
    """
    find, base = asked.find, base_rate(asked.runs[0].optimizer)
    if not base and (find.low is None or find.high is None):
        rule = "the grid lies around it, and around 0 there are no factors"
        raise ConfigError("optimizer.lr", base, rule, "give find.low and find.high")
    low = base / AROUND if find.low is None else find.low
    high = base * AROUND if find.high is None else find.high
    rates = [rounded(low * (high / low) ** (n / (find.rates - 1))) for n in range(find.rates)]
    if sorted(set(rates)) != rates:
        rule = f"the grid goes from {low:g} to {high:g} in {find.rates} rates of three digits, and must rise"
        raise ConfigError("find.rates", find.rates, rule, "give find.low and find.high further apart, or fewer rates")
    return rates
