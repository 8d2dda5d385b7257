"""Open the loggers and the files of rows of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lrsched.assembly.parts import Parts
from lrsched.compose.hyperparameters import hyperparameters
from lrsched.config.walk import flat
from lrsched.loggers.base import Logger, RunInfo
from lrsched.records import RunFolder
from lrsched.runs.request import RunRequest
from lrsched.runs.restore import Restored
from lrsched.runs.steps import FORK
from lrsched.train.journal import Journal


def opened(
    parts: Parts, request: RunRequest, loggers: Sequence[Logger], shown: Mapping[str, Any], restored: Restored | None
) -> Journal:
    """Open the loggers and the files of rows.

    Args:
        parts: of the run, at rest at the step to begin with.
        request: its folder and context.
        loggers: not open yet.
        shown: the config for loggers, without values of the environment.
        restored: the checkpoint that the run goes on from, or None.
    """
    folder, forked = request.folder, restored is not None and restored.forked
    info = _info(parts, folder, shown, None if restored is None or forked else parts.state.step)
    for logger in loggers:
        logger.open(info)
    offset = restored.offset if restored else 0
    journal = Journal(folder, loggers, offset, 0 if forked else info.resumed_at, info)
    if forked:
        point = request.context.share.begin
        journal.timing(FORK, step=parts.state.step, source=None if point is None else point.source.path.name)
        journal.flush()
    return journal


def _info(parts: Parts, folder: RunFolder, shown: Mapping[str, Any], resumed_at: int | None) -> RunInfo:
    """The run, as loggers see it."""
    clock, above = parts.state.clock, folder.path.absolute().parent
    steps = clock.steps(parts.horizon.steps)
    return RunInfo(
        folder=folder.path,
        config=shown,
        steps=steps,
        steps_per_epoch=parts.horizon.steps_per_epoch,
        samples_per_step=parts.loader.samples_per_step,
        resumed_at=resumed_at,
        epochs=clock.epoch_at(steps) if clock.start else None,
        better=parts.better,
        units=parts.units,
        group=above.name if (above / "sweep.json").is_file() else None,
        hyperparameters=hyperparameters(flat(shown)),
        phases=[(clock.steps(place), name) for place, name in parts.state.scheduler.phases()],
    )
