"""The running trials of a study, and the judge that pauses some of them at the rungs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from lrsched.assembly.horizon import foreseen
from lrsched.config.settings import Settings
from lrsched.console import say
from lrsched.errors import CheckpointError, ConfigError
from lrsched.records import RunFolder, read_metrics
from lrsched.runs.resume import finished
from lrsched.runs.steps import stands_at
from lrsched.sweep.sweep import Invalid, Valid
from lrsched.sweep.sweepers.options import StudyOptions
from lrsched.sweep.sweepers.pruning import Values, bracket, place_beyond, rungs, worse_than_median
from lrsched.sweep.sweepers.study import Study
from lrsched.units import count, exactly, unit_of

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


@dataclass(eq=False)
class Trial:
    """A running trial of a study.

    Args:
        place: among the trials of the study, from 0.
        stored: as the study began it.
        runs: one for each seed.
        pruned: a pruner has paused it.
    """

    place: int
    stored: FrozenTrial
    runs: list[Valid | Invalid]
    pruned: bool = False

    def is_at(self, step: int) -> bool:
        """Whether all its runs are at this step, beyond it or finished; one that failed before it is not."""
        return all(isinstance(run, Valid) and is_at(run, step) for run in self.runs)


@dataclass(frozen=True)
class Metric:
    """The metric that trials are judged by.

    Args:
        name: of it.
        way: ``min`` or ``max``: which values are better.
        folder: of the sweep, whose runs say its unit: they all have one task.
    """

    name: str
    way: str
    folder: Path

    @property
    def sign(self) -> int:
        """1 if less is better, −1 if more is."""
        return 1 if self.way == "min" else -1

    def exactly(self, value: float) -> str:
        """A value to six digits, and its unit."""
        results = (RunFolder(file.parent).read_result() or {} for file in sorted(self.folder.glob("*/result.json")))
        units: dict[str, str] = next((result["units"] for result in results if "units" in result), {})
        return exactly(unit_of(self.name, units), value)


class Judge:
    """Pauses trials at a rung, by the values that a batch and the ones before it reached there.

    Args:
        study: holds all values.
        options: the pruner.
        rungs: steps at which trials are judged.
        size: trials of a batch.
        metric: what they are judged by.
    """

    def __init__(self, study: Study, options: StudyOptions, rungs: Sequence[int], size: int, metric: Metric) -> None:
        self.rungs, self.metric = rungs, metric
        self._study, self._options, self._size = study, options, size

    def judges(self, trial: Trial, rung: int) -> bool:
        """Whether a trial is judged at a rung; where it is not, it need not pause there."""
        if self._options.pruner == "median":
            return len(self._complete(trial.place, self._study.trials())) >= self._options.n_startup_trials
        return self.rungs.index(rung) >= self._bracket(trial.place)

    def __call__(self, trials: Sequence[Trial], rung: int) -> None:
        """Judge the trials that are at a rung.

        The values of all are stored first, then all are judged, and only then is one stored as pruned: a process that
        is killed in between leaves what the next one judges in the same way.
        """
        for trial in trials:
            self.report(trial, rung)
        known = self._study.trials()
        verdicts = [(trial, self._why(trial.place, known, rung)) for trial in trials]
        used = {run.run_id for trial, why in verdicts if why is None for run in trial.runs}
        for trial, why in verdicts:
            if why is not None:
                self._prune(trial, f"pruned at step {rung}: {why}", used)
        paused = [str(trial.stored.number) for trial in trials if trial.pruned]
        if paused:
            left = len(trials) - len(paused)
            say(f"step {rung}: {count(len(paused), 'trial')} paused ({', '.join(paused)}), {left} go on")
        elif trials and not any(rung in known[trial.place].intermediate_values for trial in trials):
            say(f"step {rung}: no trial can be judged, for none has a {self.metric.name} there")

    def report(self, trial: Trial, until: int) -> None:
        """Store what a running trial has reached at the rungs up to a step."""
        found = {rung: _value_at(trial, rung, self.metric.name) for rung in self.rungs if rung <= until}
        self._study.report(trial.stored, {rung: value for rung, value in found.items() if value is not None})

    def _prune(self, trial: Trial, why: str, used: set[str]) -> None:
        self._study.prune(trial.stored, why)
        trial.pruned = True
        for run in trial.runs:
            if isinstance(run, Valid) and run.run_id not in used and not finished(run.folder):
                run.entry.leave(why)

    def _why(self, place: int, known: Sequence[FrozenTrial], rung: int) -> str | None:
        """Why a trial is paused at a rung, in words; None: it goes on.

        Args:
            place: of the trial in the study.
            known: the trials of the study.
            rung: the step.
        """
        mine = self._signed(known[place])
        if rung not in mine:
            return None
        if self._options.pruner == "median":
            complete = self._complete(place, known)
            middle = worse_than_median(mine, rung, complete, self._options.n_startup_trials)
            worse = f"its best {self.metric.name} is worse than {{}}, the median of the complete trials"
            return None if middle is None else worse.format(self.metric.exactly(self.metric.sign * middle))
        same = [i for i in range(self._end(place, known)) if i != place and self._bracket(i) == self._bracket(place)]
        values = [self._signed(known[i]) for i in same]
        others = [found[rung] for found in values if rung in found]
        beyond = place_beyond(mine[rung], others, self._options.eta)
        if beyond is None:
            return None
        return f"ranked {beyond[0]} of {len(others) + 1} in its bracket, of which the best {beyond[1]} may go on"

    def _complete(self, place: int, known: Sequence[FrozenTrial]) -> list[Values]:
        """The values of the complete trials of earlier batches."""
        earlier = known[: place - place % self._size]
        return [self._signed(trial) for trial in earlier if trial.state.name == "COMPLETE"]

    def _end(self, place: int, known: Sequence[FrozenTrial]) -> int:
        """The place after the last trial of the batch."""
        return min(place - place % self._size + self._size, len(known))

    def _signed(self, trial: FrozenTrial) -> Values:
        return {step: self.metric.sign * value for step, value in trial.intermediate_values.items()}

    def _bracket(self, place: int) -> int:
        return bracket(place, len(self.rungs), self._options.eta)


def shared_rungs(runs: Sequence[Settings], options: StudyOptions) -> list[int]:
    """The rungs of all trials of a study, none without a pruner.

    Args:
        runs: of the corners of its space.
        options: the pruner.

    Raises:
        ConfigError: they have several lengths, unknown ones, or too few evaluations.
    """
    if options.pruner == "none":
        return []
    plans: set[tuple[int, int]] = set()
    for run in runs:
        horizon = foreseen(run, native=False)
        plans.add((horizon.steps, horizon.resolve(run.trainer.evaluate_every, "trainer.evaluate_every", least=1)))
    for key, which, words in (
        ("trainer.steps", 0, "one length"),
        ("trainer.evaluate_every", 1, "the same evaluations"),
    ):
        found = sorted({plan[which] for plan in plans})
        if len(found) > 1:
            values = [f"{value}st" for value in found] if which else found
            rule = f"the trials of a study with a pruner have {words}: they are judged at the same steps"
            raise ConfigError(key, values, rule, f"give {key}={values[0]}, or hydra.sweeper.pruner=none")
    steps, every = plans.pop()
    return rungs(options.pruner, steps, every, options.rungs, options.eta)


def is_at(run: Valid, step: int) -> bool:
    """Whether a run is at a step, beyond it, or finished."""
    return finished(run.folder) or stands_at(run.folder) >= step


def _value_at(trial: Trial, step: int, monitor: str) -> float | None:
    """The mean metric of a trial's evaluations at a step; None if a run has none."""
    found = [_metric_at(run.folder, step, monitor) for run in trial.runs if isinstance(run, Valid)]
    values = [value for value in found if value is not None]
    return fmean(values) if values and len(values) == len(trial.runs) else None


def _metric_at(folder: RunFolder, step: int, monitor: str) -> float | None:
    with suppress(OSError, CheckpointError):
        rows: list[Mapping[str, float]] = [row for row in read_metrics(folder.metrics) if row.get("step") == step]
        return next((row[monitor] for row in rows if monitor in row), None)
    return None
