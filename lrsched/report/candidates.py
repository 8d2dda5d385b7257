"""What is compared with what, and short names for it: workloads, and candidates on each.

A *workload* is a model and its data. A *candidate* is all the rest of a config without what is tuned for each (the
base learning rate) and what is repeated (the seed): the schedule, and the optimizer, the batch size, the length, …
where they differ too. It is named by exactly the keys that tell it from the others.
"""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Collection, Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any

import lrsched
from lrsched.config import digest
from lrsched.report.flat import Flat

RATE, SEED = "optimizer.lr", "seed"
GROUPS = ("scheduler", "optimizer", "model", "dataset")

NEUTRAL_WITHIN = (
    *(f"{group}.{name}" for group, names in digest.NEUTRAL_WITHIN.items() for name in names),
    "dataset.eval_batch_size",
    "trainer.log_every",
)
"""Keys that do not change a result; the last two change what is rounded or written down, and so a config's hash."""

TREATMENT = ("dataset.batch_size", "dataset.augment.")
"""Keys of the data set that say how it is trained on, not what it is."""

LENGTH = ("trainer.epochs", "trainer.steps", "trainer.extensions")
"""Keys in which a run that was continued for another length differs from those that were not."""

POLICIES = {
    "keep": "kept on",
    "stretch": "stretched",
    "cooldown": "cooled down",
    "restart": "restarted",
    "reanneal": "reannealed",
}
"""What a run was done to that was continued."""

_ABSENT = object()
EXTENDED = "extended"


def kept(key: str) -> bool:
    """Whether a key can change a result."""
    return key.split(".")[0] not in digest.NEUTRAL and key not in NEUTRAL_WITHIN


def of_workload(key: str) -> bool:
    """Whether a key says what is learned, not how."""
    return key.startswith(("model.", "dataset.")) and not key.startswith(TREATMENT)


def workload(config: Flat) -> Flat:
    """The part of a config that says what is learned."""
    return {key: value for key, value in config.items() if kept(key) and of_workload(key)}


def candidate(config: Flat) -> Flat:
    """The part of a config that is compared: how it is learned, without learning rate and seed."""
    return {
        key: value for key, value in config.items() if kept(key) and not of_workload(key) and key not in (RATE, SEED)
    }


def identity(part: Flat) -> Hashable:
    """Equal for equal parts of configs."""
    return frozenset(part.items())


def telling(parts: Sequence[Flat], always: Collection[str] = ()) -> list[dict[str, Any]]:
    """Of each part the entries that tell it from the others.

    The arguments of a class are compared among the parts that name the same class: that a step schedule has a
    ``gamma`` and a cosine has none is said by their names. Likewise the lengths of runs that were never continued are
    compared among these: what was continued says so.

    Args:
        parts: flat configs with the same groups.
        always: keys that are told even where they are equal.
    """
    told: list[dict[str, Any]] = [{} for _ in parts]
    for key in sorted({key for part in parts for key in part}, key=_order):
        peers = [_peers(part, key) for part in parts]
        values: dict[Any, set[Any]] = {}
        for part, peer in zip(parts, peers, strict=True):
            values.setdefault(peer, set()).add(part.get(key, _ABSENT))
        everywhere = set.union(*values.values())
        for part, peer, mine in zip(parts, peers, told, strict=True):
            differ = everywhere if peer == EXTENDED else values[peer]
            if key in part and (key in always or len(differ) > 1):
                mine[key] = part[key]
    return told


def _peers(part: Flat, key: str) -> Any:
    """What a part has in common with those that a value of it is compared with."""
    if key in LENGTH:
        return EXTENDED if part.get("trainer.extensions", "[]") != "[]" else None
    target = f"{key.split('.')[0]}._target_"
    return part.get(target) if key != target else None


def names(parts: Sequence[Flat], always: Collection[str] = ()) -> list[str]:
    """Short names by what tells the parts apart.

    >>> step = {"scheduler._target_": "lrsched.schedules.Step", "scheduler.gamma": 0.1}
    >>> cosine = {"scheduler._target_": "lrsched.schedules.Cosine", "scheduler.power": 1.0}
    >>> names([step, cosine, cosine | {"scheduler.power": 2.0}])
    ['step', 'cosine power=1.0', 'cosine power=2.0']
    """
    told = telling(parts, always)
    short = _short_keys({key for entries in told for key in entries})
    found = [" ".join(_word(short[key], key, value) for key, value in entries.items()) for entries in told]
    if len(set(found)) < len(found):  # two classes of one name
        found = [" ".join(f"{key}={value}" for key, value in entries.items()) for entries in told]
    return found


def target_name(target: str) -> str:
    """A class as it is chosen in a config.

    >>> [target_name(name) for name in ("lrsched.schedules.WSDS", "torch.optim.lr_scheduler.StepLR", "my.own.Rate")]
    ['wsd_s', 'torch/StepLR', 'Rate']
    """
    package, _, name = target.rpartition(".")
    if package in ("torch.optim.lr_scheduler", "torch.optim.swa_utils"):
        return f"torch/{name}"
    if package == "torch.optim":
        return name.lower()
    if package.startswith("lrsched."):  # a class is found in the file of its name
        folder = Path(lrsched.__file__).parent.joinpath(*package.split(".")[1:])
        files = [module.name for module in pkgutil.iter_modules([str(folder)])]
        return next((file for file in files if file.replace("_", "") == name.lower()), name)
    return name


def _word(short: str, key: str, value: Any) -> str:
    if key in {f"{group}._target_" for group in GROUPS}:
        return target_name(str(value))
    if key == "trainer.extensions" and _extended(value):
        return _extended(value)
    shown = target_name(str(value)) if key.endswith("._target_") else value
    return f"{short}={'null' if shown is None else str(shown).lower() if isinstance(shown, bool) else shown}"


def _extended(value: Any) -> str:
    """What a run was done to that was continued, and where; nothing if that cannot be read.

    >>> _extended('[{"at":210,"policy":"stretch","epochs":10,"steps":null}]')
    'stretched at 210'
    """
    try:
        return ", ".join(f"{POLICIES[past['policy']]} at {past['at']}" for past in json.loads(value))
    except (ValueError, TypeError, KeyError):
        return ""


def _order(key: str) -> tuple[int, int, str]:
    """Classes first, schedules before the rest."""
    group = key.split(".")[0]
    place = GROUPS.index(group) if group in GROUPS else len(GROUPS)
    return (0 if key == f"{group}._target_" else 1, place, key)


def _short_keys(keys: Iterable[str]) -> dict[str, str]:
    """For each dotted key its shortest end that no other key has."""
    known = list(keys)
    short = {}
    for key in known:
        parts = key.split(".")
        ends = [".".join(parts[-count:]) for count in range(1, len(parts) + 1)]
        short[key] = next(
            end for end in ends if end == key or not any(k != key and f".{k}".endswith(f".{end}") for k in known)
        )
    return short
