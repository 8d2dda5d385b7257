"""List the jobs of a sweep: every combination of its values, zipped keys paired."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lrsched.config.run_id import key_of
from lrsched.errors import ConfigError, nearest

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override


def combinations(overrides: Sequence[Override], zipped: bool | list[str]) -> list[list[str]]:
    """List the overrides of each job.

    Args:
        overrides: as parsed, in the order of the command line; the last one of a key counts.
        zipped: keys whose values are paired, first with first; True: all keys with several values.

    Raises:
        ConfigError: a key has no values to try, or zipped keys have different numbers of values or only one.
    """
    values: dict[str, list[str]] = {}
    for override in overrides:
        key = override.get_key_element()
        if override.is_sweep_override():
            values[key] = [f"{key}={value}" for value in values_of(override)]
        else:
            values[key] = [f"{key}={override.get_value_element_as_str()}"]
    together = _together(values, zipped)
    columns: list[list[list[str]]] = []
    for key, given in values.items():
        if key not in together:
            columns.append([[item] for item in given])
        elif key == together[0]:
            columns.append([list(row) for row in zip(*(values[name] for name in together), strict=True)])
    return [list(itertools.chain.from_iterable(parts)) for parts in itertools.product(*columns)]


def values_of(override: Override) -> list[str]:
    """The values of one key to try, as typed.

    Raises:
        ConfigError: there is none, or infinitely many.
    """
    key, typed = override.get_key_element().lstrip("+~"), override.get_value_string()
    if not override.is_discrete_sweep():
        raise ConfigError(key, typed, "is an interval without values to try", "list them, as 0.1,0.3")
    values = list(override.sweep_string_iterator())
    if not values:
        raise ConfigError(key, typed, "stands for no value", "list some, as a,b; --help shows all choices")
    return values


def _together(values: dict[str, list[str]], zipped: bool | list[str]) -> list[str]:
    """The zipped keys, spelled and ordered as in the overrides."""
    swept = {key.lstrip("+~"): key for key, given in values.items() if len(given) > 1}
    if isinstance(zipped, bool):
        wanted = list(swept) if zipped else []
    elif not isinstance(zipped, list):
        raise ConfigError("sweep.zip", zipped, "must be true, false or a list of keys", "write [key,key]")
    else:
        wanted = [str(key) for key in zipped]
        for key in wanted:
            if key not in swept:
                raise ConfigError("sweep.zip", key, "this key has at most one value", nearest(key, swept))
    together = [key for name, key in swept.items() if name in wanted]
    if len({len(values[key]) for key in together}) > 1:
        counts = ", ".join(f"{key} has {len(values[key])}" for key in together)
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
