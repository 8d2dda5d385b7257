"""Any map-style data set of PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lrsched.data.items import Items
from lrsched.data.source import Source


@dataclass(frozen=True, kw_only=True)
class TorchDataset(Source):
    """Any map-style ``torch.utils.data.Dataset``, or two or three of them; see :class:`lrsched.data.Items`.

    Args:
        train, validation, test: the data sets; ``validation`` and ``test`` where they are nodes with a ``_target_``,
            and else the fractions that are held out of ``train``.
        facts, collate, workers, prefetch, cache, cache_root: as for :class:`lrsched.data.Items`.
    """

    train: Any
    validation: Any = None
    test: Any = None
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    collate: Any = None
    workers: int = 2
    prefetch: int = 2
    cache: bool = False
    cache_root: str | None = None

    def load(self) -> Items:
        """The samples, not made yet."""
        return Items(
            self.train,
            self.validation,
            self.test,
            facts=self.facts,
            collate=self.collate,
            workers=self.workers,
            prefetch=self.prefetch,
            cache=self.cache,
            cache_root=self.cache_root,
        )
