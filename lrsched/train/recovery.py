"""Recover from a number that is not finite: end the run, or go back and pass over the batches since."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from lrsched.checkpoint.places import Checkpoint
from lrsched.checkpoint.store import Store, load
from lrsched.data.clock import Clock
from lrsched.errors import CheckpointError, NotFinite
from lrsched.ranks.world import ALONE, World
from lrsched.train.journal import Journal
from lrsched.train.nonfinite import all_finite
from lrsched.train.state import RunState
from lrsched.units import count

log = logging.getLogger("lrsched")

MOST_ROLLBACKS = 3
"""Rollbacks to the same checkpoint; one more, and the data are not the cause."""


class Recovery:
    """Decides at rest, by ``trainer.on_nonfinite``, how a run goes on after an update or a metric that is not finite.

    ``stop`` ends the run. So does ``skip`` here: the update has already passed over what it could.
    ``rollback`` returns to the checkpoint at the last multiple of ``every``, which depends on the config
    and never on a clock, and passes over all batches since. A run killed afterwards reaches the same
    numbers from that checkpoint and goes back again: to the same bytes.

    Args:
        policy: ``stop``, ``skip`` or ``rollback``.
        every: steps between two checkpoints; None only without ``rollback``.
        store: of the run's checkpoints.
        journal: of its rows.
        tell: prints a message.
        restore: loads a checkpoint into the run, with the settings that have changed since it was made.
            None: none can have changed.
        world: the processes of the run; the first one reads the checkpoint.
    """

    def __init__(
        self,
        policy: str,
        every: int | None,
        store: Store,
        journal: Journal,
        tell: Callable[[str], None],
        restore: Callable[[Checkpoint, dict[str, Any]], None] | None = None,
        world: World = ALONE,
    ) -> None:
        self._world = world
        self._every = every if policy == "rollback" else None
        self._restore = restore
        self._store, self._journal, self._tell = store, journal, tell

    def needed(self, step: int, clock: Clock) -> list[int]:
        """Steps of the checkpoints that a run at ``step`` may still have to go back to."""
        return [] if self._every is None else [clock.last(step, self._every)]

    def __call__(self, state: RunState, found: NotFinite) -> None:
        """Bring the run to rest at the step that it goes on from.

        Raises:
            NotFinite: it cannot go on; names the last good checkpoint.
        """
        if found.step is None:
            found = NotFinite(found.what, state.step)
        assert found.step is not None
        # At rest, numbers are checked before the save: the checkpoint of that step does not exist yet.
        newest = found.step - (not found.samples)
        target = newest if self._every is None else state.clock.last(newest, self._every)
        complaints, good = self._world.tell(lambda: self._newest(target))
        if good is None:
            raise found.advised("there is no good checkpoint")
        checkpoint, saved = good
        if self._every is None:
            raise found.advised(
                f"the last good checkpoint is step {checkpoint.step}, {checkpoint.path}", checkpoint.step
            )
        if state.rollbacks.count(checkpoint.step) == MOST_ROLLBACKS:
            went = f"the run has gone back to step {checkpoint.step} {MOST_ROLLBACKS} times"
            raise found.advised(f"{went}: suspect the weights, not the data", checkpoint.step, tried=True)
        if checkpoint.step < state.clock.start:
            before = f"step {checkpoint.step}, from before an epoch had other updates"
            raise found.advised(f"the last good checkpoint is {before}: resume the run from it", checkpoint.step)
        for complaint in complaints:
            self._tell(f"{complaint}; going back further, to step {checkpoint.step}")
        self._go_back(state, found, checkpoint, saved)

    def _go_back(self, state: RunState, found: NotFinite, checkpoint: Checkpoint, saved: dict[str, Any]) -> None:
        assert found.step is not None
        # At rest, the batch of update `step` has not been used yet.
        over = found.step - checkpoint.step + bool(found.samples)
        passed, rollbacks, seconds = state.passed, state.rollbacks, state.seconds
        # In this order: a process killed in between must not find a checkpoint whose rows are gone.
        self._store.forget(after=checkpoint.step)
        if self._restore is None:
            state.load_state_dict(saved)
        else:
            self._restore(checkpoint, saved)
        state.passed, state.rollbacks, state.seconds = passed + over, [*rollbacks, checkpoint.step], seconds
        self._journal.rewind(state.metrics_bytes, checkpoint.step)
        self._journal.timing("rollback", step=found.step, to=checkpoint.step)
        went = f"went back to the checkpoint of step {checkpoint.step}, passing over {count(over, 'batch')}"
        self._tell(f"{found.advised(went)}")
        log.warning("step %d: %s, with the samples %s; %s", found.step, found.what, list(found.samples), went)

    def _newest(self, step: int) -> tuple[list[str], tuple[Checkpoint, dict[str, Any]] | None]:
        """The newest valid checkpoint up to ``step``, and what is wrong with newer ones."""
        complaints = []
        for checkpoint in self._store.committed():
            if checkpoint.step <= step:
                try:
                    return complaints, (checkpoint, load(checkpoint))
                except CheckpointError as error:
                    complaints.append(str(error))
        return complaints, None


def refuse_to_save(state: RunState) -> None:
    """Refuse a state that is not finite.

    Raises:
        NotFinite: a weight, or a number in the optimizer's state, is not finite.
    """
    for name, parameter in state.model.named_parameters():
        kept = [value for value in state.optimizer.state.get(parameter, {}).values() if hasattr(value, "isfinite")]
        if not all_finite([parameter.detach()]):
            raise NotFinite(f"the weights of {name} are not finite", state.step)
        if not all_finite(kept):
            raise NotFinite(f"the optimizer's state of {name} is not finite", state.step)
