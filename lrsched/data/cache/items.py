"""Decode the data sets of Items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lrsched.data.cache.cached import cached, place_of
from lrsched.data.cache.known import known_by
from lrsched.data.items import Items
from lrsched.data.stream.fetch import Part
from lrsched.data.stream.labels import Labels


def decoded(data: Items, arguments: Mapping[str, Any], labels: Labels | None, *, quiet: bool = False) -> Items:
    """The same samples, read from memory-mapped files; decoded into them first if that has not been done yet.

    Args:
        data: the samples.
        arguments: of each data set, from the config, by its name.
        labels: what targets may be, or None: not known.
        quiet: show no progress.

    Raises:
        DataError, StorageError: as for :func:`lrsched.data.cache.cached.cached`.
    """
    root = place_of(data.cache_root)
    made: dict[str, Any] = {
        name: cached(
            items,
            what=name,
            known=known_by(Part(name, items), arguments.get(name), root),
            root=root,
            collate=data.collate,
            workers=data.workers,
            labels=labels,
            quiet=quiet,
        )
        for name, items in data.given.items()
    }
    return replace(data, **made)
