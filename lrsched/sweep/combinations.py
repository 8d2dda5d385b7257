"""List the jobs of a sweep: every combination of its values, zipped keys paired."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lrsched.compose.overrides import order_counts, standing, values_of, word_of
from lrsched.config.run_id import key_of
from lrsched.errors import ConfigError, nearest

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override


def combinations(overrides: Sequence[Override], zipped: bool | list[str]) -> list[list[str]]:
    """List the overrides of each job: the words of the command line, with one value of each.

    Args:
        overrides: as parsed, in the order of the command line; the last one that sets a key counts.
        zipped: keys whose values are paired, first with first; True: all keys with several values.

    Raises:
        ConfigError: a key has no values to try, or zipped keys have different numbers of values or only one.
    """
    left = standing(overrides)
    words = [words_of(override) for override in left]
    together = _together([override.get_key_element() for override in left], words, zipped)
    rows: list[list[list[tuple[int, str]]]] = []
    for place, given in enumerate(words):
        if place not in together:
            rows.append([[(place, word)] for word in given])
        elif place == together[0]:
            pairs = zip(*(words[other] for other in together), strict=True)
            rows.append([list(zip(together, row, strict=True)) for row in pairs])
    jobs = [list(itertools.chain.from_iterable(parts)) for parts in itertools.product(*rows)]
    if together and order_counts(left):
        jobs = [sorted(job) for job in jobs]
    return [[word for _, word in job] for job in jobs]


def words_of(override: Override) -> list[str]:
    """List the values of one override to try, each as an override; one of a single value is itself.

    Raises:
        ConfigError: there is none, or infinitely many.
    """
    if not override.is_sweep_override():
        return [word_of(override)]
    key, typed = override.get_key_element().lstrip("+~"), override.get_value_string()
    if not override.is_discrete_sweep():
        raise ConfigError(key, typed, "is an interval without values to try", "list them, as 0.1,0.3")
    values = values_of(override)
    if not values:
        raise ConfigError(key, typed, "stands for no value", "list some, as a,b; --help=all shows all choices")
    return [f"{override.get_key_element()}={value}" for value in values]


def _together(keys: Sequence[str], words: Sequence[Sequence[str]], zipped: bool | list[str]) -> list[int]:
    """The places of the zipped keys among the overrides."""
    swept = {place: key.lstrip("+~") for place, key in enumerate(keys) if len(words[place]) > 1}
    if isinstance(zipped, bool):
        wanted = list(swept.values()) if zipped else []
    elif not isinstance(zipped, list):
        raise ConfigError("sweep.zip", zipped, "must be true, false or a list of keys", "write [key,key]")
    else:
        wanted = [str(key) for key in zipped]
        for key in wanted:
            if key not in swept.values():
                raise ConfigError("sweep.zip", key, "this key has at most one value", nearest(key, swept.values()))
    together = [place for place, key in swept.items() if key in wanted]
    if len({len(words[place]) for place in together}) > 1:
        counts = ", ".join(f"{keys[place]} has {len(words[place])}" for place in together)
        raise ConfigError("sweep.zip", wanted, f"zipped keys must have the same number of values; {counts}")
    return together


def swept(jobs: Sequence[Sequence[str]]) -> set[str]:
    """The keys in which jobs differ.

    >>> sorted(swept([["name=x", "seed=0", "+a=1"], ["name=x", "seed=1", "+a=2"]]))
    ['a', 'seed']
    """
    common = in_common(jobs)
    return {key_of(item) for job in jobs for item in job if item not in common}


def in_common(jobs: Sequence[Sequence[str]]) -> set[str]:
    """The overrides that all jobs have."""
    return set.intersection(*map(set, jobs)) if jobs else set()
