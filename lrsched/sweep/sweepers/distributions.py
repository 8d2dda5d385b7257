"""Read a distribution of Optuna's from an override in Hydra's grammar, and draw from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep

from lrsched.compose.overrides import values_of
from lrsched.config.run_id import is_neutral
from lrsched.errors import ConfigError, nearest

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

LOG = "log"
"""The tag of a logarithmic interval: ``tag(log,interval(0.001,0.1))``."""

UNITS = {"percent": "%", "ep": "ep", "st": "st", "sp": "sp"}
"""The tags of an interval of durations, and the unit: ``tag(percent,interval(5,50))``."""

SEED = "seed"
"""The key that is repeated instead of searched: the best of several seeds is luck."""


def unit_of(override: Override) -> str:
    """The unit of the durations in an interval or a range; empty where it has none."""
    tags: set[str] = getattr(override.value(), "tags", set())
    return next((unit for tag, unit in UNITS.items() if tag in tags), "")


def refuse_unsearchable(key: str, text: Any) -> None:
    """Refuse to search a key that changes nothing, and the seed.

    Args:
        key: dotted.
        text: what it was to have, for the message.
    """
    if is_neutral(key.replace("/", ".")):
        raise ConfigError(key, text, "changes nothing that a run computes, so there is nothing to search", "give one")
    if key == SEED:
        raise ConfigError(key, text, "the best of many seeds is luck, and not searched", "list some, as in seed=0,1,2")


def suggest(trial: Trial, name: str, distribution: Any) -> None:
    """Let a trial draw a value from a distribution."""
    from optuna.distributions import CategoricalDistribution, IntDistribution

    if isinstance(distribution, CategoricalDistribution):
        trial.suggest_categorical(name, distribution.choices)
        return
    draw: Any = trial.suggest_int if isinstance(distribution, IntDistribution) else trial.suggest_float
    draw(name, distribution.low, distribution.high, step=distribution.step, log=distribution.log)


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


def rounded_all(trial: Trial) -> dict[str, Any]:
    """All that a trial has drawn, rounded."""
    return {name: rounded(value, trial.distributions[name]) for name, value in trial.params.items()}


def distribution_of(override: Override) -> BaseDistribution:
    key = override.get_key_element().lstrip("+")
    text = str(override.input_line).partition("=")[2]
    value: Any = override.value()
    tags, shuffled = getattr(value, "tags", set()), getattr(value, "shuffle", False)
    refuse_unsearchable(key, text)
    if shuffled:
        raise ConfigError(key, text, "the sampler chooses the order by itself", "leave out shuffle")
    for tag in sorted(tags):
        if tag not in (LOG, *UNITS):
            raise ConfigError(key, text, f"there is no tag {tag!r}", nearest(tag, [LOG, *UNITS]))
        if not isinstance(value, IntervalSweep) and not (tag in UNITS and isinstance(value, RangeSweep)):
            raise ConfigError(key, text, "only an interval has a tag", f"leave out {tag}")
    if len(tags - {LOG}) > 1:
        raise ConfigError(key, text, "a duration has one unit", f"leave out {' or '.join(sorted(tags - {LOG}))}")
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


def ends(distribution: BaseDistribution) -> Sequence[Any]:
    from optuna.distributions import CategoricalDistribution

    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    bounded: Any = distribution
    return [bounded.low, bounded.high]
