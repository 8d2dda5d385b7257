"""Fork points: states that a run keeps for other runs to go on from."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any

from lrsched.checkpoint.places import MANIFEST, is_there, place
from lrsched.checkpoint.store import Store
from lrsched.errors import StorageError
from lrsched.train.journal import Journal
from lrsched.train.state import RunState

log = logging.getLogger("lrsched")


class Forks:
    """Keeps the state at rest at certain steps, each with the rows written so far.

    If a state cannot be kept, the other runs make these steps themselves: only time is lost.

    Args:
        store: separate from the run's checkpoints, so that pruning spares it.
        steps: completed updates.
    """

    def __init__(self, store: Store, steps: Collection[int]) -> None:
        self.store, self.steps = store, frozenset(steps)

    def keep(self, state: RunState, journal: Journal, about: Mapping[str, Any]) -> None:
        """Keep the state of this step, unless it is there: a resumed run passes here again."""
        try:
            if is_there(place(self.store.folder, state.step) / MANIFEST):
                return
            self.store.save(state.step, {"run": state.state_dict(), "rows": journal.so_far()}, about)
        except (StorageError, OSError) as error:
            log.warning("the state of step %d is not kept for other runs: %s", state.step, error)
