"""The best weights: a file of their own, written once and linked into each later checkpoint."""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from lrsched.checkpoint.archive import write
from lrsched.checkpoint.encode import encoded

BEST_WEIGHTS = "best_weights"
"""Their name in a state."""


@dataclass(frozen=True)
class BestFile:
    """Weights in a file.

    Args:
        path: the file.
        entries: its size and hash, for the manifest.
        weights: their first tensor; as long as it lives, the same tensor means the same weights.
    """

    path: Path
    entries: Mapping[str, Any]
    weights: weakref.ref[Tensor] | None

    @classmethod
    def at(cls, path: Path, weights: Mapping[str, Any], last: BestFile | None) -> BestFile:
        """Put weights at a path: by a link to the file that holds them already, else by writing them.

        Raises:
            StateError: they could not be loaded again.
            OSError: the file system refused.
        """
        mark = first_tensor(weights)
        if last is None or mark is None or last.weights is None or last.weights() is not mark() or not last.link(path):
            return cls(path, write(path, encoded(weights), read=True), mark)
        return cls(path, last.entries, mark)

    def link(self, path: Path) -> bool:
        """Give the file another name; False where it is gone, or the file system has no links."""
        try:
            os.link(self.path, path, follow_symlinks=False)
            return path.stat().st_size == self.entries["bytes"]
        except OSError:
            return False


def first_tensor(weights: Mapping[str, Any]) -> weakref.ref[Tensor] | None:
    """A reference to the first tensor that keeps nothing alive."""
    return next((weakref.ref(item) for item in weights.values() if isinstance(item, Tensor)), None)
