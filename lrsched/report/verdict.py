"""What may be said of two candidates, and how many more seeds it would take to say more."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lrsched.report.pairs import Pair
from lrsched.report.shown import amount, count, interval, p_value
from lrsched.report.stats import LEVEL, fewest_pairs, smallest_p

ABSURD = 200
"""Where more pairs than this were needed, the two are called equal to within what the interval leaves open.

It is a mean below a fifth of its standard deviation, (2.8/200^.5 = .2): less than what Cohen 1988 calls a small effect.
"""


@dataclass(frozen=True)
class Verdict:
    """A sentence, and what it rests on.

    Args:
        kind: ``better``; ``better alone``: as a comparison by itself, but not as one of several; ``undecided``,
            ``equal`` or ``diverged``.
        text: in words.
        more_seeds: about how many would decide it; None where it is decided, or no number would help.
    """

    kind: str
    text: str
    more_seeds: int | None = None


def verdict(pair: Pair, metric: str) -> Verdict:
    """Of a pair: better only if the interval excludes 0 and the sign-flip test gives p < .05.

    Where there are more than two candidates, p is corrected for all comparisons too; what does not hold then is told.

    Du 2025, https://arxiv.org/abs/2511.19794. Both are needed: of few seeds the interval alone is too narrow, and fewer
    than six pairs cannot give such a p.

    Args:
        pair: the best against another.
        metric: what the differences are of.
    """
    if pair.seeds == 0:
        return _undecided(pair, fewest_pairs(), "they share no seed")
    if not pair.differences:
        wins = f"{pair.best} wins {pair.probability:.0%} of {count(pair.seeds, 'pair')}"
        return Verdict("diverged", f"{pair.best} and {pair.other} cannot be told by a mean: runs diverged; {wins}")
    if pair.interval is None or pair.p is None or pair.mean is None:
        return _undecided(pair, fewest_pairs() - 1, "one seed says nothing of the spread")
    low, high = pair.interval
    if pair.p < LEVEL and (low > 0 or high < 0):
        return _better(pair, metric)
    if pair.seeds < fewest_pairs():
        least = f"{count(pair.seeds, 'seed')} cannot give a p below {p_value(smallest_p(pair.seeds))}"
        needed = fewest_pairs() if pair.needed > ABSURD else max(fewest_pairs(), math.ceil(pair.needed))
        return _undecided(pair, needed - pair.seeds, least)
    if pair.needed > ABSURD:
        return Verdict("equal", _equal(pair, metric))
    found = f"difference {_interval(pair, metric)}, p {p_value(pair.p)}"
    return _undecided(pair, max(1, math.ceil(pair.needed) - pair.seeds), found)


def _better(pair: Pair, metric: str) -> Verdict:
    assert pair.mean is not None
    first, second = (pair.best, pair.other) if pair.mean > 0 else (pair.other, pair.best)
    by = f"{amount(metric, abs(pair.mean))}, {_interval(pair, metric, flip=pair.mean < 0)}"
    text = f"{first} is better than {second} by {by} ({count(pair.seeds, 'seed')}, p {p_value(pair.p)}"
    if pair.comparisons == 1 or pair.p_holm is None:
        return Verdict("better", f"{text})")
    text += f", as one of {pair.comparisons} comparisons {p_value(pair.p_holm)}"
    if pair.p_holm < LEVEL:
        return Verdict("better", f"{text})")
    more = max(1, fewest_pairs(pair.comparisons) - pair.seeds)
    return Verdict("better alone", f"{text}: only taken by itself; about {count(more, 'more seed')} for all)", more)


def _undecided(pair: Pair, more: int, why: str) -> Verdict:
    text = f"{pair.best} or {pair.other}? undecided: about {count(more, 'more seed')} ({why})"
    return Verdict("undecided", text, more)


def _equal(pair: Pair, metric: str) -> str:
    assert pair.interval is not None
    within = max(map(abs, pair.interval))
    if within == 0:
        return f"{pair.best} and {pair.other} are equal with each of {count(pair.seeds, 'seed')}"
    needed = f"about {_round(pair.needed):,} seeds" if math.isfinite(pair.needed) else "no number of seeds"
    return (
        f"{pair.best} and {pair.other} are equal to within {amount(metric, within)} "
        f"({count(pair.seeds, 'seed')}; it would take {needed} to tell them apart)"
    )


def _interval(pair: Pair, metric: str, *, flip: bool = False) -> str:
    assert pair.interval is not None
    return interval(metric, sorted(-end if flip else end for end in pair.interval))


def _round(number: float) -> int:
    """To two digits: more would say more than is known."""
    return int(round(number, 1 - math.floor(math.log10(number))))
