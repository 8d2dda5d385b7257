"""Schedules by name: what may stand in the ``also`` and ``groups`` of a schedule, frozen and checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar, cast

from lrsched.errors import UNSET, ConfigError, nearest
from lrsched.schedules.checks import require

V = TypeVar("V")


class Frozen(Mapping[str, V], Generic[V]):
    """Names with their values, in order; never changed, so a part of a frozen value.

    Two are equal when their pairs are equal in the same order: in ``groups`` the first match wins.

    >>> held = Frozen({"a": 1, "b": 2})
    >>> held["b"], held == {"a": 1, "b": 2}, held == {"b": 2, "a": 1}, hash(held) == hash(Frozen(held))
    (2, True, False, True)
    """

    __slots__ = ("_pairs",)

    def __init__(self, items: Mapping[str, V]) -> None:
        self._pairs = tuple(items.items())

    def __getitem__(self, name: str) -> V:
        return dict(self._pairs)[name]

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, _ in self._pairs])

    def __len__(self) -> int:
        return len(self._pairs)

    def __eq__(self, other: object) -> bool:
        return (
            self._pairs == tuple(cast("Mapping[str, V]", other).items())
            if isinstance(other, Mapping)
            else NotImplemented
        )

    def __hash__(self) -> int:
        return hash(self._pairs)

    def __repr__(self) -> str:
        return repr(dict(self._pairs))


def check_also(also: Mapping[str, Any], kind: type) -> None:
    """Refuse an entry of ``also`` that is neither of ``kind``, which is a schedule, nor ``"same"``."""
    for name, curve in also.items():
        key = f"also.{name}"
        require(name != "lr", key, UNSET, "lr is what the schedule itself moves", "leave it out")
        good = isinstance(curve, kind) or curve == "same"
        require(good, key, curve, "must be a schedule, or same", "same moves it as lr")


def check_groups(groups: Mapping[str, Any], kind: type) -> None:
    """Refuse an entry of ``groups`` that is no schedule, or whose name is no regular expression."""
    for word, other in groups.items():
        key = f"groups.{word}"
        require(isinstance(other, kind), key, other, "must be a schedule", "write its _target_")
        require(not other.groups, f"{key}.groups", UNSET, "a group has no groups of its own", "leave it out")
        try:
            re.compile(word)
        except re.error as error:
            raise ConfigError(key, UNSET, f"is no regular expression: {error}") from error


def matches(word: str, name: str) -> bool:
    """Whether an entry of ``groups`` speaks of the parameter group ``name``.

    >>> matches("head.*", "head/no_decay"), matches("head", "ahead"), matches("c++", "c++")
    (True, False, True)
    """
    return word == name or re.fullmatch(word, name) is not None


def whole(name: str) -> str:
    """The group that a part belongs to: ``head/no_decay`` holds the biases and norms of ``head``."""
    return name.partition("/")[0]


def refuse_strangers(groups: Mapping[str, Any], names: Iterable[str]) -> None:
    """Refuse an entry of ``groups`` that speaks of none of the parameter groups ``names``."""
    names = list(names)
    for word in groups:
        found = any(matches(word, part) for name in names for part in (name, whole(name)))
        require(found, f"groups.{word}", UNSET, "matches no parameter group", nearest(word, names))
