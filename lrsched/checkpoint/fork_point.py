"""What a run of a sweep has in common with others: where it begins, and which states it keeps for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lrsched.checkpoint.places import MANIFEST, place
from lrsched.records import RunFolder

FORKS = ".forks"
"""The folder in a sweep's folder that the states lie in, until all who begin with them have begun."""


@dataclass(frozen=True)
class Point:
    """A state that a run has kept for others: that of run ``source`` after ``step`` updates."""

    source: RunFolder
    step: int

    @property
    def folder(self) -> Path:
        """Where the states of that run lie."""
        return kept_by(self.source)

    @property
    def path(self) -> Path:
        """Where this one lies."""
        return place(self.folder, self.step)

    def is_there(self) -> bool:
        """Whether it is whole: its manifest comes last."""
        return (self.path / MANIFEST).exists()


@dataclass(frozen=True)
class Share:
    """The part of a plan that one run must know.

    Args:
        begin: the state that it begins with, or None: with a first step of its own.
        keep: steps at which it keeps its state for others.
    """

    begin: Point | None = None
    keep: frozenset[int] = frozenset()


def kept_by(folder: RunFolder) -> Path:
    """Where the states lie that a run keeps for others."""
    return folder.path.parent / FORKS / folder.path.name
