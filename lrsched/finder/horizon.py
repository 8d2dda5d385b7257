"""``find.method=horizon``: short runs of the real schedule, and the rate that follows for the run's own length."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite
from typing import TYPE_CHECKING, Any

from lrsched.assembly.checks import all_metrics
from lrsched.assembly.horizon import length_of
from lrsched.assembly.kinds import NativeSpec, OpenLoopSpec, spec_of
from lrsched.assembly.native import depends_on_length
from lrsched.compose.overrides import written
from lrsched.config.settings import Settings, base_rate, direction
from lrsched.config.walk import is_list, is_mapping
from lrsched.console import say
from lrsched.errors import ConfigError
from lrsched.finder.answer import Answer, Candidate, override_of
from lrsched.finder.request import FindRequest
from lrsched.finder.trained import Job, Trained
from lrsched.horizon import Horizon
from lrsched.units import count

if TYPE_CHECKING:
    from lrsched.finder.plan import Ask, Found, Plan

BUDGET = "15%"
"""The most that it costs if nobody says it."""

LEAST = 5
"""In percent of a full grid: for less, no horizon is long enough to tell anything."""

SHORTEST = 200
"""Updates of a run of which a part can stand for the whole."""

LEARNED = 0.005
"""A loss that longer runs lower by less than this part of it shows that nothing is learned."""

WIDE = 10.0
"""An interval over more than this factor is told to be wide."""

DURATION = re.compile(r"\s*[\d.]+\s*(ep|st|sp)\s*")


@dataclass(frozen=True)
class Extrapolation:
    """What short runs told.

    Args:
        found: the rate, its interval, and what it rests on.
        answer: as it is written.
    """

    found: Found
    answer: Answer


def search(asked: FindRequest, trained: Trained) -> Extrapolation:
    """Train short runs, in rounds that follow from the losses before.

    Raises:
        ConfigError: this schedule, run, or budget is none for it, or every rate diverged.
        UserError: a run did not finish.
    """
    plan, horizon = plan_of(asked), asked.horizon or length_of(asked.runs[0])
    shape = rescaled(asked.runs[0], horizon)
    say(f"short runs of a schedule of {count(horizon.steps, 'step')}: at most {asked.told(plan.budget)}")
    say(f"a rate is judged by {asked.runs[0].checkpoint.monitor} at the end of its runs")
    number = 0
    while asks := plan.next(trained.candidates):
        number += 1
        say(f"round {number}: {told(asks)}")
        trained(jobs_of(asks, shape), asked.seeds)
    return concluded(asked, plan, trained)


def told(asks: Sequence[Ask]) -> str:
    """Runs of one length in words."""
    return f"{count(asks[0].horizon, 'step')} with {', '.join(f'{ask.lr:g}' for ask in asks)}"


def jobs_of(asks: Sequence[Ask], shape: Sequence[str]) -> list[Job]:
    """Short runs, of the schedule whose lengths these words say as parts of the run."""
    return [Job(ask.lr, [*override_of(ask.lr).split(), f"trainer.steps={ask.horizon}", *shape]) for ask in asks]


def concluded(asked: FindRequest, plan: Plan, trained: Trained) -> Extrapolation:
    """What the runs told.

    Raises:
        ConfigError: every rate diverged.
    """
    found = plan.answer(trained.candidates)
    longest = max(candidate.horizon for candidate in trained.candidates)
    stable = any(isfinite(candidate.loss) for candidate in trained.candidates if candidate.horizon == longest)
    if found is None or not stable:
        lowest = min(candidate.lr for candidate in trained.candidates if candidate.horizon == longest)
        rule = f"every rate diverged in {count(longest, 'step')}, down to {lowest:g}"
        raise ConfigError("optimizer.lr", base_rate(asked.runs[0].optimizer), rule, "start from a lower one")
    more: dict[str, Any] = {
        "interval": [found.low, found.high],
        "horizon": plan.horizon,
        "passes": plan.passes,
        "exponent": dict(zip(("mean", "sd"), found.exponent, strict=True)),
        "largest_stable": found.largest,
        "at_the_edge": found.edge,
        "expected_regret": found.regret,
        "learned": not unlearned(trained.candidates),
    }
    answer = Answer("horizon", found.rate, override_of(found.rate), trained.candidates, trained.cost, more)
    return Extrapolation(found, answer)


def plan_of(asked: FindRequest) -> Plan:
    """Which short runs to make.

    Raises:
        ConfigError: this schedule, run, or budget is none for it.
    """
    from lrsched.finder.plan import SHORTEST as SHORT
    from lrsched.finder.plan import Plan, cost_of
    from lrsched.finder.rates import CLEAR, USUAL

    run, find = asked.runs[0], asked.find
    horizon, base = asked.horizon or length_of(asked.runs[0]), base_rate(run.optimizer)
    _refuse_shape(run)
    if horizon.steps < SHORTEST:
        rule = f"a run of {count(horizon.steps, 'step')} has no short part that stands for it: at least {SHORTEST}"
        raise ConfigError("find.method", "horizon", rule, "give find.method=grid: such runs cost little")
    if not base:
        raise ConfigError("optimizer.lr", base, "the search begins with it", "give a rate that may be far off")
    full, passes = find.rates * find.seeds * horizon.steps, horizon.epochs
    if asked.horizons:
        budget = asked.budget() or cost_of(asked.horizons, CLEAR) * find.seeds
        least = cost_of(asked.horizons, USUAL) * find.seeds
        if asked.horizons[0] < SHORT:
            rule = f"are {', '.join(map(str, asked.horizons))} steps, and less than {SHORT} say nothing"
            raise ConfigError("find.horizons", list(find.horizons or ()), rule, "give longer ones")
        if budget < least:
            rule = f"allows {budget} steps, and runs of find.horizons take at least {least}"
            raise ConfigError("find.budget", find.budget, rule, "give more of it, or shorter find.horizons")
        return Plan(
            horizon=horizon.steps,
            seeds=asked.seeds,
            start=base,
            budget=budget,
            horizons=asked.horizons,
            passes=passes,
        )
    budget = asked.budget(BUDGET) or full
    if 100 * budget < LEAST * full:
        rule = f"allows {budget} steps, and at least {LEAST} % of a full grid are needed, of {full} steps"
        raise ConfigError("find.budget", find.budget, rule, "give more of it, or fewer find.seeds")
    return Plan(horizon=horizon.steps, seeds=asked.seeds, start=base, budget=budget, passes=passes)


def _refuse_shape(run: Settings) -> None:
    """Refuse a schedule that has no shape to be made shorter, and a metric that is not a loss."""
    spec, monitor = spec_of(run.scheduler), run.checkpoint.monitor
    remedy = "give find.method=grid, or another schedule"
    if isinstance(spec, NativeSpec):
        if spec.node.own.interval != "step" or not depends_on_length(spec.node):
            rule = "counts lengths of its own, which a shorter run does not shorten"
            raise ConfigError("scheduler._target_", run.scheduler.target, rule, remedy)
    elif not isinstance(spec, OpenLoopSpec):
        rule = "sets the rate by what it sees, and has no shape that a shorter run could have"
        raise ConfigError("scheduler._target_", run.scheduler.target, rule, remedy)
    if direction(all_metrics(run), monitor) != "min":
        rule = "is better the larger it is, and losses of short runs are fitted"
        raise ConfigError("checkpoint.monitor", monitor, rule, "give checkpoint.monitor=val/loss")


def rescaled(run: Settings, horizon: Horizon) -> list[str]:
    """The overrides that say the schedule's lengths as parts of the run, so that a shorter run has the same shape."""
    found = {name: _in_percent(value, horizon) for name, value in run.scheduler.arguments.items()}
    changed = {name: value for name, value in found.items() if value != run.scheduler.arguments[name]}
    return [f"scheduler.{name}={written(value)}" for name, value in changed.items()]


def _in_percent(value: Any, horizon: Horizon) -> Any:
    """A value with every duration in it as a part of the run."""
    if is_mapping(value):
        return {name: _in_percent(item, horizon) for name, item in value.items()}
    if is_list(value):
        return [_in_percent(item, horizon) for item in value]
    if not isinstance(value, str) or not DURATION.fullmatch(value):
        return value
    part = Fraction(horizon.exact(value), horizon.steps)
    return f"{float(100 * part):.12f}".rstrip("0").rstrip(".") + "%" if part else value


def table(found: Extrapolation, seeds: Sequence[int]) -> list[str]:
    """The mean loss of each rate at each horizon, and what follows."""
    of: dict[tuple[int, float], list[Candidate]] = {}
    for candidate in found.answer.candidates:
        of.setdefault((candidate.horizon, candidate.lr), []).append(candidate)
    rows = [["steps", "rate", "mean loss", *(f"seed {seed}" for seed in seeds)]]
    for (steps, rate), candidates in sorted(of.items()):
        losses = [candidate.loss for candidate in candidates]
        rows.append([str(steps), f"{rate:g}", *(f"{loss:.5g}" for loss in [sum(losses) / len(losses), *losses])])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]
    rate, steps = found.found, found.answer.more["horizon"]
    best = f"best rate at {steps} steps: {rate.rate:g}, 95 % from {rate.low:.3g} to {rate.high:.3g}"
    return [*lines, "", best, f"it goes with steps^{rate.exponent[0]:.2f} (± {rate.exponent[1]:.2f})"]


def unlearned(candidates: Sequence[Candidate]) -> str:
    """What to say where the best loss of the longest runs is no lower than that of the shortest: nobody learned."""
    best: dict[int, float] = {}
    for horizon in {candidate.horizon for candidate in candidates}:
        by_rate: dict[float, list[float]] = {}
        for candidate in candidates:
            if candidate.horizon == horizon:
                by_rate.setdefault(candidate.lr, []).append(candidate.loss)
        best[horizon] = min(sum(losses) / len(losses) for losses in by_rate.values())
    short, long = min(best), max(best)
    if short == long or not best[long] >= best[short] * (1 - LEARNED):
        return ""
    return (
        f"nothing was learned at any rate: the best loss is {best[long]:.4g} after {count(long, 'step')} and was "
        f"{best[short]:.4g} after {short}: the rate means nothing; look at the data, the model and the loss, or give a "
        "longer run"
    )


def cautions(found: Found, candidates: Sequence[Candidate] = ()) -> list[str]:
    """What limits the answer."""
    said = [caution] if candidates and (caution := unlearned(candidates)) else []
    if found.edge is not None:
        end = {"low": "lowest", "high": "highest"}[found.edge]
        said.append(
            f"the best rate of the shortest runs is the {end} that was tried; more find.budget would look beyond it"
        )
    if found.flat:
        said.append(
            "the rates of the longest short runs differ by no more than the seeds do: the curve is flat there, or "
            "find.seeds too few to tell"
        )
    if found.high > WIDE * found.low:
        said.append(
            f"the best rate is known within a factor of {found.high / found.low:.2g} only; more find.budget or "
            "find.seeds would narrow it"
        )
    if found.rate >= found.largest:
        said.append(f"{found.rate:g} is the largest rate with which the longest of the short runs was stable")
    return said
