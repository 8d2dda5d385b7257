"""Split configs into workloads and candidates, and give each a short name.

A *workload* is a model and its data. A *candidate* is the rest of a config, without the base learning rate, which is
tuned for each, and the seed, which is repeated: the schedule, and the optimizer, the batch size, the length, … where
they differ too. Its name lists exactly the keys that distinguish it from the others.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Hashable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from lrsched.config import digest
from lrsched.config.schema import GROUPS
from lrsched.config.walk import Flat
from lrsched.shelf import target_name

RATE, PEAK, SEED = "optimizer.lr", "scheduler.max_lr", "seed"

PEAKED = ("torch.optim.lr_scheduler.OneCycleLR", "torch.optim.lr_scheduler.CyclicLR")
"""Classes that train at their ``max_lr``, whatever ``optimizer.lr`` is."""

NEUTRAL_WITHIN = (
    *(f"{group}.{name}" for group, names in digest.NEUTRAL_WITHIN.items() for name in names),
    "dataset.eval_batch_size",
    "trainer.log_every",
)
"""Keys that do not change a result. The last two change rounding or what is written, and so a config's hash."""

TREATMENT = ("dataset.batch_size", "dataset.augment.")
"""Keys of the data set that say how to train on it, not what it is."""

LENGTH = ("trainer.epochs", "trainer.steps", "trainer.extensions")
"""Keys in which a run that was extended differs from those that were not."""

POLICIES = {
    "keep": "kept on",
    "stretch": "stretched",
    "cooldown": "cooled down",
    "restart": "restarted",
    "reanneal": "reannealed",
}
"""What each policy of an extension does to a run."""

_ABSENT = object()
_EXTENDED = "extended"


@lru_cache(maxsize=4096)
def changes_result(key: str) -> bool:
    """Whether a key can change a result."""
    return key.split(".")[0] not in digest.NEUTRAL and key not in NEUTRAL_WITHIN


@lru_cache(maxsize=4096)
def is_of_workload(key: str) -> bool:
    """Whether a key says what is learned, and not how."""
    return key.startswith(("model.", "dataset.")) and not key.startswith(TREATMENT)


def workload(config: Flat) -> Flat:
    """The part of a config that says what is learned."""
    root = ("dataset.root",) if digest.is_named_by_root({"_target_": config.get("dataset._target_")}) else ()
    return {key: value for key, value in config.items() if is_of_workload(key) and (changes_result(key) or key in root)}


def candidate(config: Flat) -> Flat:
    """The part of a config that is compared: how to learn, without learning rate and seed."""
    rest = (RATE, SEED, rate_key(config))
    return {
        key: value
        for key, value in config.items()
        if not is_of_workload(key) and changes_result(key) and key not in rest
    }


def rate_key(config: Flat) -> str:
    """The key that holds the rate at which a run was trained."""
    own = config.get("scheduler._target_") in PEAKED and isinstance(config.get(PEAK), (int, float))
    return PEAK if own else RATE


def identity(part: Flat) -> Hashable:
    """A key for a dictionary, equal for equal parts of configs."""
    return frozenset(part.items())


def differing(parts: Sequence[Flat], always: Collection[str] = ()) -> list[dict[str, Any]]:
    """The entries of each part that distinguish it from the others.

    The arguments of a class are compared among the parts of the same class: a step schedule has a ``gamma`` and a
    cosine has none, but their names say so already. Likewise the lengths of runs that were never extended are
    compared among these.

    Args:
        parts: flat configs with the same groups.
        always: keys that are included even where they are equal.
    """
    found: list[dict[str, Any]] = [{} for _ in parts]
    there = {key for part in parts for key in part}
    for key in sorted((key for key in there if key in always or not _equal_in_all(parts, key)), key=_order):
        groups = [_compared_among(part, key) for part in parts]
        values: dict[Any, set[Any]] = {}
        for part, group in zip(parts, groups, strict=True):
            values.setdefault(group, set()).add(part.get(key, _ABSENT))
        everywhere = set.union(*values.values())
        for part, group, entries in zip(parts, groups, found, strict=True):
            differ = everywhere if group == _EXTENDED else values[group]
            if key in part and (key in always or len(differ) > 1):
                entries[key] = part[key]
    return found


def _equal_in_all(parts: Sequence[Flat], key: str) -> bool:
    """Whether all parts hold a key, with one value: it distinguishes none."""
    return len({part.get(key, _ABSENT) for part in parts}) == 1


def _compared_among(part: Flat, key: str) -> Any:
    """What all parts have in common that the value of this key is compared with."""
    if key in LENGTH:
        return _EXTENDED if part.get("trainer.extensions", "[]") != "[]" else None
    target = f"{key.split('.')[0]}._target_"
    return part.get(target) if key != target else None


def names(parts: Sequence[Flat], always: Collection[str] = ()) -> list[str]:
    """Short names made of what distinguishes the parts.

    >>> step = {"scheduler._target_": "lrsched.schedules.Step", "scheduler.gamma": 0.1}
    >>> cosine = {"scheduler._target_": "lrsched.schedules.Cosine", "scheduler.power": 1.0}
    >>> names([step, cosine, cosine | {"scheduler.power": 2.0}])
    ['step', 'cosine power=1.0', 'cosine power=2.0']
    """
    differences = differing(parts, always)
    short = _short_keys({key for entries in differences for key in entries})
    found = [" ".join(_entry_name(short[key], key, value) for key, value in entries.items()) for entries in differences]
    if len(set(found)) < len(found):  # two classes of one name
        found = [" ".join(f"{key}={value}" for key, value in entries.items()) for entries in differences]
    return found


def _entry_name(short: str, key: str, value: Any) -> str:
    if key in {f"{group}._target_" for group in GROUPS}:
        return target_name(str(value))
    if key == "trainer.extensions" and (extensions := _extensions_name(value)):
        return extensions
    if key.endswith("._target_"):
        return f"{key.removesuffix('._target_')}={target_name(str(value))}"
    return f"{short}={'null' if value is None else str(value).lower() if isinstance(value, bool) else value}"


def _extensions_name(value: Any) -> str:
    """How and where a run was extended; empty if that cannot be read.

    >>> _extensions_name('[{"at":210,"policy":"stretch","epochs":10,"steps":null}]')
    'stretched at 210'
    """
    try:
        return ", ".join(f"{POLICIES[past['policy']]} at {past['at']}" for past in json.loads(value))
    except (ValueError, TypeError, KeyError):
        return ""


def _order(key: str) -> tuple[int, int, str]:
    """Sort key: classes first, schedules before the rest."""
    group = key.split(".")[0]
    place = GROUPS.index(group) if group in GROUPS else len(GROUPS)
    return (0 if key == f"{group}._target_" else 1, place, key)


def _short_keys(keys: Iterable[str]) -> dict[str, str]:
    """The shortest end of each dotted key that no other key shares."""
    known = list(keys)
    short = {}
    for key in known:
        parts = key.split(".")
        ends = [".".join(parts[-count:]) for count in range(1, len(parts) + 1)]
        short[key] = next(
            end for end in ends if end == key or not any(k != key and f".{k}".endswith(f".{end}") for k in known)
        )
    return short
