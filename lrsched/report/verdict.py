"""What may be said of two candidates, and how many more seeds it would take to say more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lrsched.report.format import amount, distance, interval, p_value, percent
from lrsched.report.pairs import Pair
from lrsched.report.stats import LEVEL, fewest_pairs, smallest_p
from lrsched.units import PERCENT, after, apart, count, digits

ABSURD = 200
"""If more pairs than this were needed, the two are called equal to within what the interval leaves open.

It is a mean below a fifth of its standard deviation, (2.8/200^.5 = .2): less than what Cohen 1988 calls a small effect.
"""


@dataclass(frozen=True)
class Verdict:
    """A sentence, and what it rests on.

    Args:
        kind: ``better alone``: better if this were the only comparison, but not as one of several.
        text: in words, with the names of both.
        more_seeds: about how many would decide it; None where it is decided, or more than 200 would be needed.
        why: what would decide it, without the names: undecided pairs that share it share a sentence.
    """

    kind: Literal["better", "better alone", "undecided", "equal", "diverged"]
    text: str
    more_seeds: int | None = None
    why: str = ""


def verdict(pair: Pair, unit: str) -> Verdict:
    """The verdict on a pair: better if the sign-flip test gives p < .05, that is, if its 95 % interval excludes 0.

    With more than two candidates, p is also corrected for all comparisons, and the text says what no longer holds.

    Fewer than six pairs cannot give such a p. Du 2025, https://arxiv.org/abs/2511.19794, asks for a bootstrap interval
    beside it; with so few values that covers less than it says.

    Args:
        pair: the best against another.
        unit: of the differences, as a task says it.
    """
    if pair.seeds == 0:
        return _more(pair, unit, "at least", fewest_pairs(), "they share no seed")
    if not pair.differences:
        wins = f"{pair.best} wins {(pair.probability or 0) * pair.seeds:g} of {count(pair.seeds, 'pair')}"
        return Verdict("diverged", f"{pair.best} and {pair.other} cannot be compared by means: runs diverged; {wins}")
    if pair.p is None:
        return _more(pair, unit, "at least", fewest_pairs() - 1, "one seed says nothing about the spread")
    if not any(pair.differences):
        return Verdict("equal", f"{pair.best} and {pair.other} are equal with each of {count(pair.seeds, 'seed')}")
    if pair.seeds < fewest_pairs() or pair.interval is None:
        return _of_few(pair, unit)
    if pair.p < LEVEL:
        return _better(pair, unit, pair.interval)
    if pair.needed > ABSURD:
        return Verdict("equal", _equal(pair, unit, pair.interval))
    found = f"difference {interval(unit, pair.interval)}, {_level(pair)}, p {p_value(pair.p)}"
    return _more(pair, unit, "about", max(1, math.ceil(pair.needed) - pair.seeds), found)


def sentences(pairs: Sequence[Pair], unit: str) -> list[str]:
    """The verdicts in words; pairs that are undecided for the same reason share a sentence.

    >>> few = [Pair("a", name, (0.1,), 1, *[None] * 4, 1.0, means=(0.2, 0.3)) for name in ("b", "c")]
    >>> sentences(few, "nats")[0].partition(", not decided: ")[::2]
    ('a is ahead: 0.2000 nats against 0.3000 of b, 0.3000 of c', 'at least 5 more seeds would (one seed says nothing \
about the spread)')
    """
    alike: dict[tuple[str, str], list[Pair]] = {}
    for pair in pairs:
        found = verdict(pair, unit)
        alike.setdefault((_ahead(pair), found.why) if found.why else ("", found.text), []).append(pair)
    return [_not_decided(of, unit, text) if verdict(of[0], unit).why else text for (_, text), of in alike.items()]


def _ahead(pair: Pair) -> str:
    """Which of two has the better mean; empty where neither has."""
    better = pair.mean if pair.mean is not None else pair.lead
    return "" if not better or pair.means is None else pair.best if better > 0 else pair.other


def _not_decided(pairs: Sequence[Pair], unit: str, why: str) -> str:
    """Who is ahead, by what numbers, and what would decide it. The same one is ahead in all pairs."""
    leader = _ahead(pairs[0])
    means = [pair.means for pair in pairs if pair.means is not None]
    if not leader or len(means) < len(pairs):
        return f"{pairs[0].best} or {', '.join(pair.other for pair in pairs)}? not decided: {why}"
    leads = leader == pairs[0].best
    others = [pair.other if leads else pair.best for pair in pairs]
    numbers = [means[0][not leads], *(both[leads] for both in means)]
    first, *rest = apart(lambda more: digits(unit, *numbers, more=more), *numbers)
    sign = PERCENT if unit == PERCENT else ""
    against = ", ".join(f"{number}{sign} of {name}" for number, name in zip(rest, others, strict=True))
    return f"{leader} is ahead: {after(unit, first)} against {against}, not decided: {why}"


def _undecided(pair: Pair, unit: str, more: int | None, why: str) -> Verdict:
    return Verdict("undecided", _not_decided([pair], unit, why), more, why)


def _more(pair: Pair, unit: str, about: str, more: int, because: str) -> Verdict:
    return _undecided(pair, unit, more, f"{about} {count(more, 'more seed')} would ({because})")


def _of_few(pair: Pair, unit: str) -> Verdict:
    """For fewer pairs than can give such a p: their spread is not known well either."""
    least = f"{count(pair.seeds, 'seed')} cannot give a p below {p_value(smallest_p(pair.seeds))}"
    if pair.needed > ABSURD:
        why = f"if the difference is as small as it looks, it takes more than {count(ABSURD, 'seed')} ({least})"
        return _undecided(pair, unit, None, why)
    return _more(pair, unit, "about", max(fewest_pairs(), math.ceil(pair.needed)) - pair.seeds, least)


def _better(pair: Pair, unit: str, ends: tuple[float, float]) -> Verdict:
    assert pair.mean is not None
    first, second = (pair.best, pair.other) if pair.mean > 0 else (pair.other, pair.best)
    by = distance(unit, abs(pair.mean), sorted(ends if pair.mean > 0 else (-end for end in ends)))
    text = f"{first} is better than {second} by {by} ({_level(pair)}, {count(pair.seeds, 'seed')}, p {p_value(pair.p)}"
    if pair.comparisons == 1 or pair.p_holm is None:
        return Verdict("better", f"{text})")
    text += f", as one of {pair.comparisons} comparisons {p_value(pair.p_holm)}"
    if pair.p_holm < LEVEL:
        return Verdict("better", f"{text})")
    more = max(1, fewest_pairs(pair.comparisons) - pair.seeds)
    return Verdict("better alone", f"{text}: only on its own; about {count(more, 'more seed')} for all)", more)


def _equal(pair: Pair, unit: str, ends: tuple[float, float]) -> str:
    needed = f"about {_round(pair.needed):,} seeds" if math.isfinite(pair.needed) else "no number of seeds"
    return (
        f"{pair.best} and {pair.other} are equal to within {amount(unit, max(map(abs, ends)))} "
        f"({_level(pair)}, {count(pair.seeds, 'seed')}; it would take {needed} to tell them apart)"
    )


def _level(pair: Pair) -> str:
    return percent(pair.level or 0)


def _round(number: float) -> int:
    """To two digits: more would say more than is known."""
    return int(round(number, 1 - math.floor(math.log10(number))))
