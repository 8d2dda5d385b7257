"""What a process that is not rank 0 has in the place of files: the same calls, and nothing is written."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from lrsched.checkpoint.places import Checkpoint
from lrsched.checkpoint.snapshots import Snapshots
from lrsched.checkpoint.store import Store
from lrsched.train.forks import Forks
from lrsched.train.journal import Journal
from lrsched.train.state import RunState

NOWHERE = Path("nowhere")
"""Stands where a folder would; nothing looks there."""


class SilentStore(Store):
    """Checkpoints of rank 0, which alone writes them."""

    def __init__(self) -> None:
        super().__init__(NOWHERE)

    def save(self, step: int, state: Mapping[str, Any], about: Mapping[str, Any]) -> Path:
        return NOWHERE

    def prune(self, keep: int, spare: Collection[int] = ()) -> None:
        pass

    def forget(self, after: int) -> None:
        pass

    def found(self) -> list[Checkpoint]:
        return []


class SilentJournal(Journal):
    """Rows of rank 0, which alone writes them."""

    def __init__(self) -> None:
        pass

    def row(self, row: Mapping[str, Any]) -> None:
        pass

    def rewind(self, offset: int, step: int) -> None:
        pass

    def show(self, step: int, found: Mapping[str, bytes | str]) -> None:
        pass

    def timing(self, event: str, **measured: Any) -> None:
        pass

    def flush(self) -> int:
        return 0

    def saved(self, step: int) -> None:
        pass

    def so_far(self) -> str:
        return ""

    def close(self, metrics: Mapping[str, float], status: str) -> None:
        pass


class SilentSnapshots(Snapshots):
    """Snapshots of rank 0, which alone writes them."""

    def take(self, step: int, weights: Mapping[str, Any], about: Mapping[str, Any]) -> None:
        pass

    def forget(self, after: int) -> None:
        pass


class SilentForks(Forks):
    """Fork points of rank 0, which alone keeps them."""

    def __init__(self, steps: Collection[int]) -> None:
        super().__init__(SilentStore(), steps)

    def keep(self, state: RunState, journal: Journal, about: Mapping[str, Any]) -> None:
        pass
