"""Read the space of a study from overrides in Hydra's grammar: intervals, ranges and choices."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep

from lrsched.compose.overrides import standing, values_of
from lrsched.config.run_id import is_neutral
from lrsched.errors import ConfigError, nearest

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

LOG = "log"
"""The tag of a logarithmic interval: ``tag(log,interval(0.001,0.1))``."""

SEED = "seed"
"""The key that is repeated instead of searched: the best of several seeds is luck."""


@dataclass(frozen=True)
class Space:
    """The searched keys, and the overrides common to all runs.

    Args:
        searched: the distribution of each key.
        given: the overrides of every other key: one each, and several of the seed.
        order: all keys as typed (``+model.width``), in the order of the command line, which run ids follow. A key that
            adds to an earlier one of its name has a number: ``+optimizer.groups#2``.
    """

    searched: dict[str, BaseDistribution]
    given: dict[str, list[str]]
    order: list[str]

    @property
    def repeats(self) -> int:
        """The runs of a trial: one for each seed."""
        return len(self.given.get(SEED, [""]))

    @property
    def varied(self) -> set[str]:
        """The keys in which runs differ."""
        return {*map(_key, self.searched), *([SEED] if self.repeats > 1 else [])}

    def jobs(self, values: Mapping[str, Any]) -> list[list[str]]:
        """The overrides of each run of a trial.

        Args:
            values: of the searched keys; each float reads back exactly.
        """
        columns = [self.given.get(key) or [f"{_key(key)}={values[key.lstrip('+')]}"] for key in self.order]
        return [list(row) for row in itertools.product(*columns)]

    def corners(self) -> list[dict[str, Any]]:
        """Points at which every choice and both ends of every range occur at least once."""
        ends = {key: _ends(distribution) for key, distribution in self.searched.items()}
        first = {key: values[0] for key, values in ends.items()}
        return [first, *({**first, key: value} for key, values in ends.items() for value in values[1:])]


def space(overrides: Sequence[Override]) -> Space:
    """Read the space from overrides; the last one that sets a key counts.

    Raises:
        ConfigError: no key is searched, or one cannot be searched.
    """
    searched: dict[str, BaseDistribution] = {}
    given: dict[str, list[str]] = {}
    order: list[str] = []
    names = Counter[str]()
    for override in standing(overrides):
        key = override.get_key_element()
        names[key.lstrip("+")] += 1
        if names[key.lstrip("+")] > 1:
            key = f"{key}#{names[key.lstrip('+')]}"
        order.append(key)
        if not override.is_sweep_override():
            given[key] = [str(override.input_line)]
        elif key == SEED and override.is_discrete_sweep():
            given[key] = [f"{key}={value}" for value in values_of(override)]
        else:
            searched[key.lstrip("+")] = _distribution(override)
    if not searched:
        rule = "there is nothing to search: no key has several values"
        remedy = "give an interval or choices, as in optimizer.lr=tag(log,interval(0.001,0.5)) scheduler=cosine,wsd"
        raise ConfigError("hydra/sweeper", "optuna", rule, remedy)
    return Space(searched, given, order)


def _key(name: str) -> str:
    """The key of a name in ``Space.order``."""
    return name.partition("#")[0]


def rounded(value: Any, distribution: BaseDistribution) -> Any:
    """Round a sampled float to four significant digits of its interval's width, or of itself if that is smaller.

    >>> from optuna.distributions import FloatDistribution
    >>> rounded(0.0989636690291, FloatDistribution(0.001, 0.5, log=True))
    0.09896
    >>> rounded(0.9941273549, FloatDistribution(0.99, 0.9999))
    0.994127
    """
    from optuna.distributions import FloatDistribution

    if not isinstance(distribution, FloatDistribution) or distribution.step is not None:
        return value
    low, high = distribution.low, distribution.high
    scale = min(value, high - low) if distribution.log else high - low
    return min(max(round(value, 3 - math.floor(math.log10(scale))), low), high)


def _distribution(override: Override) -> BaseDistribution:
    key = override.get_key_element().lstrip("+")
    text = str(override.input_line).partition("=")[2]
    value: Any = override.value()
    tags, shuffled = getattr(value, "tags", set()), getattr(value, "shuffle", False)
    if is_neutral(key.replace("/", ".")):
        raise ConfigError(key, text, "changes nothing that a run computes, so there is nothing to search", "give one")
    if key == SEED:
        raise ConfigError(key, text, "the best of many seeds is luck, and not searched", "list some, as in seed=0,1,2")
    if shuffled:
        raise ConfigError(key, text, "the sampler chooses the order by itself", "leave out shuffle")
    for tag in sorted(tags):
        if not isinstance(value, IntervalSweep):
            raise ConfigError(key, text, "only an interval has a tag", f"leave out {tag}")
        if tag != LOG:
            raise ConfigError(key, text, f"there is no tag {tag!r}", nearest(tag, [LOG]))
    if isinstance(value, IntervalSweep):
        return _interval(key, text, value)
    if isinstance(value, RangeSweep):
        return _range(key, text, value)
    return _choices(key, text, override)


def _choices(key: str, text: str, override: Override) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution

    choices = list(dict.fromkeys(values_of(override)))
    if not choices:
        raise ConfigError(key, text, "matches none of the choices", "give one of conf/")
    return CategoricalDistribution(choices)


def _interval(key: str, text: str, interval: IntervalSweep) -> BaseDistribution:
    low, high, log = interval.start, interval.end, LOG in interval.tags
    assert low is not None
    assert high is not None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ConfigError(key, text, "an interval goes from a finite number to a greater one")
    if log and low <= 0:
        raise ConfigError(key, text, "a logarithmic interval lies above 0", "give a greater lower end")
    return _numbers(low, high, log=log)


def _range(key: str, text: str, given: RangeSweep) -> BaseDistribution:
    """The values of a range of Hydra's, which includes its start and excludes its stop."""
    values = sorted(given.range()) if given.step else []
    if len(values) < 2:
        raise ConfigError(key, text, "a range holds at least two values", "write range(start,stop,step)")
    return _numbers(values[0], values[-1], step=abs(given.step))


def _numbers(low: Any, high: Any, **options: Any) -> BaseDistribution:
    from optuna.distributions import FloatDistribution, IntDistribution

    whole = isinstance(low, int) and isinstance(high, int)
    return (IntDistribution if whole else FloatDistribution)(low, high, **options)


def _ends(distribution: BaseDistribution) -> Sequence[Any]:
    from optuna.distributions import CategoricalDistribution

    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    bounded: Any = distribution
    return [bounded.low, bounded.high]
