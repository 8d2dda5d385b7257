"""When a run logs, evaluates and saves, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass

from lrsched.ended import Ended


@dataclass(frozen=True)
class Timetable:
    """Steps between the recurring tasks of a run; all are also due at its end.

    Args:
        log: steps between two rows of training values.
        evaluate: steps between two evaluations.
        save: steps between two checkpoints; None: as often as 1 % of the run's time allows.
        keep: how many checkpoints to keep.
        patience: evaluations without improvement after which the run ends, or None.
        patient_from: the step before which no evaluation counts for that.
        pause: the step at which the run saves and stops, to be resumed later; or None.
        show: steps after which the next evaluation is shown; None: none is.
    """

    log: int
    evaluate: int
    save: int | None
    keep: int = 2
    patience: int | None = None
    patient_from: int = 0
    pause: int | None = None
    show: int | None = None


@dataclass(frozen=True)
class Outcome:
    """How a run ended, why in words, and by which signal."""

    ended: Ended
    reason: str
    signal: int | None = None
