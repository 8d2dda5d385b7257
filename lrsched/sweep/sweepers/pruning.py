"""The rules of pruning: at which steps the trials of a study are judged, and which of them are paused there.

A trial is judged at rungs: evaluations that its runs have anyway, so that no row of a run depends on the rungs. Only
when every trial of a batch has reached a rung are its trials judged, by values alone, never by which of them came
first: a study has the same trials with any number of processes, and after a kill at any moment.

Values are signed: less is better.

Sources: Golovin et al., "Google Vizier", KDD 2017, §3.4 (the median rule);
Li et al., "Hyperband", JMLR 18, 2018, https://jmlr.org/papers/v18/16-558.html; in Optuna's form of both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median

from lrsched.errors import ConfigError
from lrsched.units import count

PRUNERS = ("none", "median", "hyperband")

MOST = 4
"""Rungs of a run if the user gives no number: each ends the runs' processes and begins them again."""

BATCH = 8
"""Trials of a batch if the user gives no number: with a pruner it must not depend on the machine."""

GOLDEN = (math.sqrt(5) - 1) / 2

Values = Mapping[int, float]
"""The values of a trial by the rung's step, as far as it came."""


def rungs(pruner: str, steps: int, every: int, number: int | None, eta: int) -> list[int]:
    """List the steps at which trials are judged.

    ``median``: evenly spaced evaluations; ``hyperband``: those nearest to the length divided by powers of eta.

    Args:
        pruner: median or hyperband.
        steps: the length of a run.
        every: steps between two evaluations.
        number: of the rungs; None: as many as there are evaluations for, at most ``MOST``.
        eta: of hyperband.

    Raises:
        ConfigError: a run has too few evaluations before its end.

    >>> rungs("median", 100, 10, None, 3), rungs("median", 100, 25, None, 3), rungs("median", 100, 25, 1, 3)
    ([20, 40, 60, 80], [25, 50, 75], [50])
    >>> rungs("hyperband", 100, 1, 3, 3), rungs("hyperband", 100, 10, None, 3)
    ([4, 11, 33], [10, 30])
    """
    there = list(range(every, steps, every))
    wanted = MOST if number is None else number
    if pruner == "median":
        wanted = min(wanted, len(there))
        found = [there[round(k * (len(there) + 1) / (wanted + 1)) - 1] for k in range(1, wanted + 1)]
    else:
        places = [steps / eta**k for k in range(wanted, 0, -1)] if there else []
        found = sorted({min(there, key=lambda step: (abs(step - place), step)) for place in places})
    if number is not None and len(found) < number:
        rule = f"a run of {count(steps, 'step')} has evaluations for {count(len(found), 'rung')} of {pruner}"
        at_most = f"give at most {len(found)}, or " if found else ""
        raise ConfigError("hydra.sweeper.rungs", number, rule, f"{at_most}evaluate more often: trainer.evaluate_every")
    if not found:
        rule = f"judges trials at evaluations, and a run of {count(steps, 'step')} has none before its end"
        raise ConfigError("hydra.sweeper.pruner", pruner, rule, "give trainer.evaluate_every=10%")
    return found


def worse_than_median(mine: Values, step: int, complete: Sequence[Values], startup: int) -> float | None:
    """Judge a trial by the median of the complete ones.

    Args:
        mine: the trial's values.
        step: of the rung.
        complete: the values of the trials of earlier batches that trained to their end.
        startup: how many of them there must be.

    Returns:
        The median at this rung if the trial's best value so far is worse, else None: it goes on.

    >>> worse_than_median({10: 0.9, 20: 0.8}, 20, [{20: 0.5}, {20: 0.6}, {20: 0.7}], 3)
    0.6
    >>> worse_than_median({10: 0.4, 20: 0.8}, 20, [{20: 0.5}, {20: 0.6}, {20: 0.7}], 3)
    """
    there = [values[step] for values in complete if step in values]
    if len(complete) < startup or not there:
        return None
    middle = median(there)
    best = min(value for at, value in mine.items() if at <= step)
    return middle if best > middle else None


def place_beyond(mine: float, others: Sequence[float], eta: int) -> tuple[int, int] | None:
    """Judge a trial by its place among those of its bracket: the best 1 / eta of them go on, at least one.

    Args:
        mine: the trial's value at a rung.
        others: the values there of all other trials of its bracket, of earlier batches and of its own.
        eta: one in so many goes on.

    Returns:
        Its place and how many go on, if it is beyond them, else None: it goes on. Equal values share a place.

    >>> place_beyond(0.3, [0.1, 0.2, 0.4, 0.5, 0.6], 3), place_beyond(0.2, [0.1, 0.3, 0.4, 0.5, 0.6], 3)
    ((3, 2), None)
    """
    kept = max(1, (len(others) + 1) // eta)
    place = 1 + sum(value < mine for value in others)
    return (place, kept) if place > kept else None


def bracket(position: int, rungs: int, eta: int) -> int:
    """The bracket of a trial: the number of rungs at which hyperband does not judge it yet.

    A bracket gets trials in proportion to Hyperband's budget n = ⌈(s_max + 1) · eta^s / (s + 1)⌉, spread evenly.

    Args:
        position: of the trial in the study.
        rungs: their number, s_max.
        eta: one in so many goes on.

    >>> [bracket(position, 2, 3) for position in range(8)]
    [0, 1, 0, 2, 0, 0, 1, 0]
    """
    weights = [math.ceil((rungs + 1) * eta**s / (s + 1)) for s in range(rungs, -1, -1)]
    left = position * GOLDEN % 1 * sum(weights)
    for number, weight in enumerate(weights):
        left -= weight
        if left < 0:
            return number
    return rungs
