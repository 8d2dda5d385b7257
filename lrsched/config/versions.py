"""Translate configs between versions: keys that were added, keys that moved.

Two runs compute the same if their configs do, whichever version wrote them. So a config is hashed in the form of the
oldest version that knows its keys, and read in the form of this one.

A version that adds a key adds a line to :data:`LATER`, if runs without the key computed what its default computes. A
version that moves a key adds a line to :data:`MOVED`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lrsched.config.walk import is_mapping, tree

LATER: Mapping[str, Any] = {
    "trainer.early_stop.start": "0st",
    "optimizer.groups.*.freeze": False,
    "optimizer.corrected_decay": None,
    "task._target_": "lrsched.tasks.Classification",
    "task.class_weights": None,
    "dataset.fold": None,
    "dataset.folds": 5,
    **{
        f"dataset.augment.{name}": 0
        for name in ("rotate", "shear", "scale", "shift", "brightness", "contrast", "saturation", "hue")
    },
    **{f"dataset.augment.{name}": 0 for name in ("cutout", "erase", "mixup", "cutmix")},
    "dataset.augment.mask_fill": None,
    "trainer.metrics": {},
    "init_from": None,
    "init_match": None,
    "average": {},
    "dataset.cache": False,
    "trainer.lanes": None,
    **{f"trainer.{name}": False for name in ("channels_last", "compile", "fused", "tf32")},
}
"""Dotted keys added after 0.1.0, each with the value that computes what versions without it computed.

A ``*`` stands for every name that its mapping holds.
"""

OF_OURS = ("dataset.cache",)
"""Those of them that classes of ours take as arguments; a class of a user's may mean something else by such a word."""

MOVED: Mapping[str, str] = {"trainer.label_smoothing": "task.label_smoothing"}
"""Dotted keys that moved after 0.1.0: ``{old place: new place}``."""

SPELT: Mapping[str, tuple[Any, Any]] = {"trainer.early_stop.mode": ("min", None)}
"""Dotted keys whose default is written otherwise after 0.1.0: ``{key: (before, now)}``; both compute the same."""

_ABSENT = object()


def _by_mapping(keys: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Sort dotted keys by the mapping that holds them.

    >>> _by_mapping({"trainer.lanes": None, "init_from": None, "trainer.tf32": False})
    {'trainer': {'lanes': None, 'tf32': False}, '': {'init_from': None}}
    """
    found: dict[str, dict[str, Any]] = {}
    for key, value in keys.items():
        above, _, name = key.rpartition(".")
        found.setdefault(above, {})[name] = value
    return found


BY_MAPPING = _by_mapping(LATER)
"""A mapping is looked for once for all of its keys: a sweep hashes thousands of configs, and a report reads as many."""


def as_written_first(config: Mapping[str, Any]) -> dict[str, Any]:
    """Write a config as the oldest version that knows its keys would: the form that is hashed.

    What stays as it is, is not copied: do not change it.
    """
    first = dict(config)
    for old, new in MOVED.items():
        _move(first, new, old)
    for key, (before, now) in SPELT.items():
        _replace(first, key, now, before)
    home = _find(first, "dataset._target_")
    foreign = OF_OURS if isinstance(home, str) and not home.startswith("lrsched.") else ()
    for above, later in _declared(first):
        holder = _find(first, above)
        if is_mapping(holder):
            same = [name for name, value in later.items() if holder.get(name, _ABSENT) == value]
            _leave_out(first, above, [name for name in same if _joined(above, name) not in foreign])
    return first


def as_read_now(config: Mapping[str, Any]) -> dict[str, Any]:
    """Read a stored config of any version in the form of this one.

    What stays as it is, is not copied: do not change it.
    """
    now = dict(config)
    for old, new in MOVED.items():
        _move(now, old, new)
    for key, (before, after) in SPELT.items():
        _replace(now, key, before, after)
    for above, later in _declared(now):
        holder = _find(now, above)
        for name, value in later.items():
            absent = not is_mapping(holder) or name not in holder
            if absent and not _belongs_to_a_class(now, above):
                _put(now, _joined(above, name), tree(value))
    return now


def computes_the_same_without(key: str, value: Any) -> bool:
    """Whether a config with this value computes what it computes without the key."""
    names = key.split(".")
    return any(
        len(names) == len(declared) and all(d in ("*", n) for d, n in zip(declared, names, strict=True))
        for declared in (later.split(".") for later, default in LATER.items() if default == value)
    )


def _declared(config: dict[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The mappings of :data:`LATER`, with the names that this config has in the place of each ``*``, and their keys."""
    return [(above, later) for declared, later in BY_MAPPING.items() for above in _written_out(config, declared)]


def _written_out(config: dict[str, Any], declared: str) -> list[str]:
    front, star, below = f"{declared}.".partition(".*.")
    if not star:
        return [declared]
    names = _find(config, front)
    return [
        key
        for name in (names if is_mapping(names) else ())
        for key in _written_out(config, f"{front}.{name}.{below}".removesuffix("."))
    ]


def _belongs_to_a_class(config: dict[str, Any], above: str) -> bool:
    """Whether a key in this mapping would be an argument of a class that the config names: not every class takes it."""
    groups = above.split(".") if above else []
    nodes = [_find(config, ".".join(groups[: n + 1])) for n in range(len(groups))]
    return any(node is not _ABSENT and (not isinstance(node, dict) or "_target_" in node) for node in nodes)


def _find(config: Any, key: str) -> Any:
    for name in key.split(".") if key else ():
        if not is_mapping(config):
            return _ABSENT
        config = config.get(name, _ABSENT)
    return config


def _move(config: dict[str, Any], old: str, new: str) -> None:
    if _find(config, old) is not _ABSENT:
        _put(config, new, _take(config, old))


def _replace(config: dict[str, Any], key: str, old: Any, new: Any) -> None:
    if _find(config, key) == old:
        _put(config, key, new)


def _own(config: dict[str, Any], above: str) -> dict[str, Any]:
    """A mapping in a config whose root is a copy, made one that may be changed: it and those above it are copied."""
    for part in above.split(".") if above else ():
        config[part] = config = dict(config.get(part, {}))
    return config


def _put(config: dict[str, Any], key: str, value: Any) -> None:
    above, _, name = key.rpartition(".")
    _own(config, above)[name] = value


def _take(config: dict[str, Any], key: str) -> Any:
    """Remove a value, and every mapping that it leaves empty; return the value."""
    above, _, name = key.rpartition(".")
    value = _find(config, key)
    _leave_out(config, above, [name])
    return value


def _leave_out(config: dict[str, Any], above: str, names: list[str]) -> None:
    """Remove values of a mapping, and every mapping that they leave empty."""
    if names:
        holder = _own(config, above)
        for name in names:
            del holder[name]
        if above and not holder:
            _take(config, above)


def _joined(above: str, name: str) -> str:
    return f"{above}.{name}" if above else name
