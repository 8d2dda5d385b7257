"""Snapshots: the weights of a run at the minima of its schedule, each in a folder as a checkpoint has one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from lrsched.checkpoint.places import is_there
from lrsched.checkpoint.store import Store


@dataclass(frozen=True)
class Snapshots:
    """Keeps the weights of a run at rest at certain steps: ``snapshots/step-0000000468/{state.pt, manifest.json}``.

    What is written depends on the weights and the config alone, so that a run which comes to a step again, however
    often it was killed, writes the same bytes there.

    Args:
        folder: of the snapshots; made with the first one.
        minima: steps of the run's plan at which they are taken, in order.
        keep: how many of the latest; None: all.
    """

    folder: Path
    minima: Collection[int]
    keep: int | None = None

    def due(self, before: int, here: int) -> bool:
        """Whether a minimum lies behind one step of the plan, and not behind another."""
        return any(before < minimum <= here for minimum in self.minima)

    def take(self, step: int, weights: Mapping[str, Any], about: Mapping[str, Any]) -> None:
        """Write the weights durably, and delete what is not to be kept beside them.

        Args:
            step: completed updates.
            weights: the model's state.
            about: what the manifest says of the run.

        Raises:
            StorageError: the file system refused; earlier snapshots are intact.
        """
        Store(self.folder).save(step, {"model": weights}, about)  # one of its own: no manifest names another snapshot
        if self.keep is not None:
            Store(self.folder).prune(self.keep)

    def forget(self, after: int) -> None:
        """Delete snapshots of later steps, durably: the run comes to them again.

        Raises:
            OSError: the file system refused.
        """
        if is_there(self.folder):
            Store(self.folder).forget(after)

    def bytes(self, weights: Mapping[str, Any]) -> int:
        """How much they take on disk in the end, about."""
        one = sum(item.numel() * item.element_size() for item in weights.values() if isinstance(item, Tensor))
        return one * min(len(self.minima), self.keep or len(self.minima))
