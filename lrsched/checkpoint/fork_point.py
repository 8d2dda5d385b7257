"""Fork points: states that a run of a sweep keeps for others to start from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lrsched.checkpoint.places import MANIFEST, place
from lrsched.records import RunFolder

FORKS = ".forks"
"""The folder for these states, inside a sweep's folder, until every run that needs them has started."""


@dataclass(frozen=True)
class Point:
    """The state of run ``source`` after ``step`` updates, kept for others."""

    source: RunFolder
    step: int

    @property
    def folder(self) -> Path:
        """The folder for the states of that run."""
        return kept_by(self.source)

    @property
    def path(self) -> Path:
        """The folder of this state."""
        return place(self.folder, self.step)

    def is_there(self) -> bool:
        """Whether the state is complete: its manifest comes last."""
        return (self.path / MANIFEST).exists()


@dataclass(frozen=True)
class Share:
    """One run's part in a stage tree.

    Args:
        begin: the state that it starts from, or None to start at step 0.
        keep: steps whose state it keeps for others.
    """

    begin: Point | None = None
    keep: frozenset[int] = frozenset()


def kept_by(folder: RunFolder) -> Path:
    """The folder for the states that a run keeps for others."""
    return folder.path.parent / FORKS / folder.path.name
