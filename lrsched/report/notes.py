"""What the numbers of a comparison do not say by themselves: how the rates were chosen, and what was left out."""

from __future__ import annotations

from collections.abc import Iterator

from lrsched.report.candidates import RATE
from lrsched.report.compare import Comparison
from lrsched.report.rates import Candidate
from lrsched.report.shown import count, seeds

SURE = 0.9
"""A rate that is chosen again less often than this when the seeds are drawn anew is called uncertain."""


def notes(comparison: Comparison) -> list[str]:
    """Sentences, the weightiest first."""
    return [
        *_alone(comparison),
        *_edges(comparison),
        *_chances(comparison),
        *_choices(comparison),
        *_left_out(comparison),
    ]


def _alone(comparison: Comparison) -> Iterator[str]:
    if len(comparison.candidates) == 1:
        yield "there is nothing to compare it with: give runs of another schedule too"


def _edges(comparison: Comparison) -> Iterator[str]:
    for edge, direction in (("largest", "larger"), ("smallest", "smaller")):
        there = [f"{row.name} {row.best.lr}" for row in comparison.candidates if row.best and row.edge == edge]
        if there:
            yield f"the best rate is the {edge} tried ({', '.join(there)}): widen the sweep to {direction} {RATE}"


def _chances(comparison: Comparison) -> Iterator[str]:
    tried = {row.name: sum(rate.tried for rate in row.rates) for row in comparison.candidates}
    several = set(tried.values()) - {0}
    if several == {1}:
        yield f"only one {RATE} was tried: another may be better for some, and change the order"
    elif len(several) > 1:
        told = ", ".join(f"{name} {number}" for name, number in tried.items())
        yield f"not all were tried at as many rates ({told}): who has more has more chances"
    sizes = {len(row.values) for row in comparison.candidates if row.best}
    if len(sizes) > 1:
        yield "not all have as many seeds: means are over all of a row's own, comparisons over those that both have"


def _choices(comparison: Comparison) -> Iterator[str]:
    unsure = [
        f"{row.name} {row.best.lr} ({row.sure:.0%})"
        for row in comparison.candidates
        if row.best is not None and row.sure is not None and row.sure < SURE
    ]
    if unsure:
        yield f"the best rate hangs on the seeds; drawn anew they choose it again only so often: {', '.join(unsure)}"


def _left_out(comparison: Comparison) -> Iterator[str]:
    for row in comparison.candidates:
        dropped = ", ".join(str(rate.lr) for rate in row.rates if rate.dropped)
        if dropped:
            yield f"{row.name} at {dropped}: left behind by successive halving"
        elif row.best is None:
            yield f"{row.name}: no run has finished"
        if row.best is not None:
            yield from _rates(row, comparison.metric.chosen_by)
    if comparison.repeated:
        number = len(comparison.repeated)
        yield f"left out: {count(number, 'run')} with the config of another one"


def _rates(row: Candidate, metric: str) -> Iterator[str]:
    for rate in row.rates:
        if rate.diverged:
            yield f"{row.name} diverged at {rate.lr} with {rate.diverged} of {count(len(rate.choosing), 'seed')}"
        if rate.dropped:
            continue
        if rate.lacking and rate is row.best:
            yield f"{row.name}: every rate lacks runs, {rate.lr} those of seeds {seeds(rate.lacking)}"
        elif rate.lacking:
            yield f"{row.name} at {rate.lr} is not eligible: it has no {metric} for seeds {seeds(rate.lacking)}"
