"""The keys ``find.…``: they belong to the command, not to a run, and no run's config holds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lrsched.compose.overrides import parse
from lrsched.config.check import check_numbers, read
from lrsched.config.rules import ABOVE_0, duration, must, null_or_duration, one_of, ruled
from lrsched.errors import UNSET, ConfigError

METHODS = ("horizon", "range", "grid")
SHAPES = ("exponential", "linear")
AMONG = "find."

STOP = must({"exclusiveMinimum": 1}, "must be above 1", "4 ends the ramp at four times the best loss; null: never")
SMOOTH = must({"minimum": 0, "exclusiveMaximum": 1}, "must be at least 0 and below 1", "0 looks at each loss as it is")
SEEDS = must({"minimum": 1, "maximum": 1000}, "must lie between 1 and 1000")
ROUNDS = must({"minimum": 0, "maximum": 10}, "must lie between 0 and 10")
STEPS = must({"minimum": 20, "maximum": 1_000_000}, "must lie between 20 and 1000000")
HORIZONS = must({"minItems": 2, "maxItems": 10}, "are at least 2 lengths, and at most 10", "give [5%,25%]")
RATES = must({"minimum": 3, "maximum": 1000}, "must lie between 3 and 1000", "a minimum has a rate on either side")


def lengths(key: str, value: Any) -> None:
    """Require a list of durations or nothing."""
    HORIZONS(key, None if value is None else list(value))
    for number, each in enumerate(value or ()):
        duration(f"{key}[{number}]", each)


# OmegaConf 2.3 does not know int | None inside a container; these are read as the keys of a run are.
@dataclass
class FindConfig:
    """What ``lrsched find`` does.

    Args:
        method: how to find the rate.
        low, high: rates between which to look; None: 1e-7 and 10 (range), a thirtieth and thirty times ``optimizer.lr``
            (grid).
        seeds: how many, from the run's own on: each has weights and an order of the data of its own.
        budget: the most that it may cost: steps (``4000st``), or a part of a full grid, ``rates`` × ``seeds`` runs
            trained to their end (``50%``); None: no limit (range), three full grids (grid).
        rates: of the grid.
        horizons: of horizon, the lengths of the short runs, rising: updates (``100st``) or parts of the run (``5%``);
            None: three that the budget allows.
        refine: of a grid, how many times to look between the best rate and its neighbours.
        group: of range, the entry of ``optimizer.groups`` whose rate to find, instead of ``optimizer.lr``.
        steps: of range, updates of a ramp.
        shape: of range: the rate rises by equal factors (exponential) or by equal amounts (linear).
        stop: of range: end a ramp when the smoothed loss is this many times its best, the first tenth aside; None:
            never.
        smooth: of range: of the mean of the losses so far, what is left of a loss after one more update.
    """

    method: str = ruled("horizon", one_of(*METHODS))
    low: float | None = ruled(None, ABOVE_0)
    high: float | None = ruled(None, ABOVE_0)
    seeds: int = ruled(3, SEEDS)
    budget: str | None = ruled(None, null_or_duration)
    rates: int = ruled(7, RATES)
    horizons: tuple[str, ...] | None = ruled(None, lengths)
    refine: int = ruled(2, ROUNDS)
    group: str | None = None
    steps: int = ruled(100, STEPS)
    shape: str = ruled("exponential", one_of(*SHAPES))
    stop: float | None = ruled(4.0, STOP)
    smooth: float = ruled(0.98, SMOOTH)


ONLY = {
    **dict.fromkeys(("group", "steps", "shape", "stop", "smooth"), ("range",)),
    **dict.fromkeys(("low", "high"), ("range", "grid")),
    "refine": ("grid",),
    "horizons": ("horizon",),
}
"""Keys that not every method has, and the methods that have them."""


def options_in(words: Sequence[str]) -> tuple[FindConfig, list[str]]:
    """Read the words of a command line that are the finder's own; the rest are those of a run.

    Raises:
        ConfigError: an unknown key, a value of another type or out of its range, or a key of another method.

    >>> found, rest = options_in(["method=range", "find.seeds=1", "optimizer=adamw"])
    >>> found.seeds, rest
    (1, ['optimizer=adamw'])
    """
    given: dict[str, Any] = {}
    rest: list[str] = []
    for word in words:
        word = f"{AMONG}{word}" if word.startswith("method=") else word
        if not word.lstrip("+~").startswith((AMONG, "find=")):
            rest.append(word)
            continue
        override = parse([word])[0]
        key = override.key_or_group
        if override.is_delete() or override.is_sweep_override() or not key.startswith(AMONG):
            rule = "is no key of a config: it says how to look, once"
            raise ConfigError(key, UNSET, rule, "write find.KEY=VALUE, as in find.seeds=3")
        value = override.value()
        bare = key == f"{AMONG}budget" and isinstance(value, (int, float))  # a duration without its unit
        if key == f"{AMONG}horizons" and isinstance(value, list):
            value = [str(each) if isinstance(each, (int, float)) else each for each in value]
        given[key.removeprefix(AMONG)] = str(value) if bare else value
    check_numbers(given, "find")
    found = read(FindConfig, given, "find")
    for key, methods in ONLY.items():
        if key in given and found.method not in methods:
            rule = f"is a key of find.method={' or '.join(methods)}, and this is {found.method}"
            raise ConfigError(f"find.{key}", given[key], rule, "leave it out")
    if found.low is not None and found.high is not None and not found.low < found.high:
        raise ConfigError("find.low", found.low, f"must be below find.high={found.high:g}", "exchange the two")
    return found, rest
