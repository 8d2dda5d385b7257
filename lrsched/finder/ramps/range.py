"""``find.method=range``: a ramp of the rate over a few hundred updates, for each of some seeds."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lrsched.console import say
from lrsched.errors import ConfigError
from lrsched.finder.answer import Answer, Candidate, override_of, rounded
from lrsched.finder.ramps.suggest import FIRST, SUGGESTIONS, centre, suggestions
from lrsched.finder.request import FindRequest
from lrsched.machine.allowance import allowance
from lrsched.schedules.shapes import Floats
from lrsched.signals import StopFlag

if TYPE_CHECKING:
    from lrsched.finder.ramps.ramp import Climb

LOW, HIGH = 1e-7, 10.0
"""Where a ramp goes if nobody says it."""

ANSWER = "minimum"
"""The suggestion that is given: a tenth of the rate at the smallest loss. Where the best rate is known it does about as
well as ``valley`` or better (``benchmarks/README.md``), and depends less on how the ramp was smoothed and cut."""

FALL = 0.02
"""A ramp in which the smoothed loss never falls by this part of its first value shows no descent."""

SEEDS_APART, NAMES_APART = 3.0, 10.0
"""Factors between suggestions from which on they disagree: one suggestion over the seeds, and all of them."""


@dataclass(frozen=True)
class RangeTest:
    """The curves of all seeds, and what they suggest.

    Args:
        climbs: one for each seed.
        found: the suggestions of each seed, by name.
        low, high: ends of the ramp.
        steps: of a whole ramp.
    """

    climbs: Sequence[Climb]
    found: Sequence[Mapping[str, float]]
    low: float
    high: float
    steps: int

    @property
    def of_seeds(self) -> dict[str, list[float]]:
        """The suggestions by name, one for each seed that has it."""
        there = {name: [found[name] for found in self.found if name in found] for name in SUGGESTIONS}
        return {name: rates for name, rates in there.items() if rates}

    @property
    def suggestions(self) -> dict[str, float]:
        """The median over the seeds, by name."""
        return {name: rounded(centre(rates)) for name, rates in self.of_seeds.items()}

    @property
    def disagreements(self) -> list[str]:
        """Where the seeds, or the suggestions, lie too far apart for an answer to be trusted."""
        flat = [each.seed for each in self.climbs if not descends(each.smooth, self.steps)]
        said = []
        if flat:
            seeds = ", ".join(map(str, flat))
            said.append(
                f"the loss hardly falls between {self.low:g} and {self.high:g} (seed {seeds}): noise makes the "
                "suggestions; give another find.low and find.high, more find.steps, or take find.method=horizon"
            )
        for name, rates in self.of_seeds.items():
            low, high = min(rates), max(rates)
            if high > SEEDS_APART * low:
                said.append(f"the seeds disagree about {name}: from {low:.3g} to {high:.3g}")
        low, high = (end(self.suggestions.items(), key=lambda item: item[1]) for end in (min, max))
        if high[1] > NAMES_APART * low[1]:
            said.append(f"the suggestions disagree: {low[0]} is {low[1]:g}, and {high[0]} {high[1]:g}")
        return said


def range_test(asked: FindRequest, stop: StopFlag) -> RangeTest:
    """Make the ramps.

    Raises:
        ConfigError: it would cost more than ``find.budget``, or the loss is not finite from the start.
        UserError: the run cannot be built.
        Stopped: by a signal.
    """
    find = asked.find
    low, high = ends(asked)
    cost, budget = find.steps * find.seeds, asked.budget()
    if budget is not None and cost > budget:
        rule = f"allows {budget} steps, and the ramps take {asked.told(cost)}"
        raise ConfigError("find.budget", find.budget, rule, "give fewer find.steps or find.seeds, or more of it")
    say(f"range test from {low:g} to {high:g}: at most {asked.told(cost)}")
    import torch

    from lrsched.assembly.data import load_each
    from lrsched.finder.ramps.ramp import climb
    from lrsched.train.environment import prepare

    first, allowed = asked.runs[0], allowance(torch.get_num_threads())
    device = prepare(first.device, first.threads, first.trainer.deterministic)
    loaded = load_each([first])
    climbs = []
    for run in asked.runs:
        climbs.append(climb(run, find, (low, high), device, loaded, stop, allowed))
        say(f"seed {run.seed}: {climbs[-1].steps} of {find.steps} updates: {climbs[-1].ended}")
    found = [_within(suggestions(each.rates, each.smooth, find.steps), low) for each in climbs]
    if not any(found):
        most = max(each.steps for each in climbs)
        rule = f"no ramp lasts long enough for a suggestion: {most} of {find.steps} updates, then {climbs[0].ended}"
        raise ConfigError("find.low", low, rule, "give a lower find.low, or more find.steps")
    return RangeTest(climbs, found, low, high, find.steps)


def descends(losses: Floats, steps: int) -> bool:
    """Whether smoothed losses fall, after the part of the ramp that no suggestion looks at."""
    looked = losses[min(steps // FIRST, len(losses) - 1) :]
    return float(looked.min()) < float(looked[0]) - FALL * abs(float(looked[0]))


def _within(found: Mapping[str, float], low: float) -> dict[str, float]:
    """The suggestions that were tried: a tenth of the rate at the smallest loss may lie below the ramp."""
    return {name: rate for name, rate in found.items() if rate >= low}


def ends(asked: FindRequest) -> tuple[float, float]:
    """The ends of the ramp.

    Raises:
        ConfigError: the one that was given is not below the other.
    """
    low = LOW if asked.find.low is None else asked.find.low
    high = HIGH if asked.find.high is None else asked.find.high
    if not low < high:
        key = "low" if asked.find.high is None else "high"
        rule = f"the ramp goes from {low:g} to {high:g}, and must rise"
        raise ConfigError(f"find.{key}", getattr(asked.find, key), rule, "give find.low and find.high")
    return low, high


def answer(asked: FindRequest, test: RangeTest) -> Answer:
    """The answer as it is written."""
    find, suggested = asked.find, test.suggestions
    rate = suggested.get(ANSWER, suggested.get("valley", next(iter(suggested.values()))))
    group = None if find.group is None else asked.runs[0].optimizer.own.groups[find.group]
    candidates = [
        Candidate(rate, step, each.seed, loss)
        for each in test.climbs
        for step, (rate, loss) in enumerate(zip(each.rates.tolist(), each.losses.tolist(), strict=True))
    ]
    more: dict[str, Any] = {
        "suggestions": suggested,
        "spread": {name: [min(rates), max(rates)] for name, rates in test.of_seeds.items()},
        "disagreements": test.disagreements,
        "seeds": [each.seed for each in test.climbs],
        "low": test.low,
        "high": test.high,
        "steps": test.steps,
        "shape": find.shape,
    }
    override = override_of(rate, find.group, scaled=group is not None and group.lr_scale is not None)
    return Answer("range", rate, override, candidates, sum(each.steps for each in test.climbs), more)


ALIKE = (
    "a range test knows no schedule: the ramp takes its place, so that all have the same answer, and none is ranked; "
    "find.method=horizon or grid compares them"
)


def of_each(several: Sequence[FindRequest], found: Answer) -> Answer:
    """The answer with one for each schedule: the same."""
    answers = [
        {"scheduler": each.scheduler, **found.content(), "override": f"{shlex.join(each.own)} {found.override}"}
        for each in several
    ]
    return replace(found, more={**found.more, "answers": answers, "undecided": [each.scheduler for each in several]})
