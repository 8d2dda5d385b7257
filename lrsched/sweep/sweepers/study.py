"""Persist every Optuna trial before acting on it.

Each trial is sampled by a study in memory, from all known trials and a seed derived from its position, and then stored
in one transaction: a killed process leaves no half trial, and the next process would sample the same values.

The storage is SQLite: its transactions are atomic, and the lock of a killed process ends with it. (Optuna's journal
file would stay locked for half a minute, and appending to a torn last line makes the whole file unreadable.)
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lrsched.errors import ConfigError, StorageError
from lrsched.seeds import key
from lrsched.sweep.sweepers.distributions import rounded_all
from lrsched.sweep.sweepers.options import StudyOptions

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, TrialState

    from lrsched.sweep.sweepers.space import Space

RUNS, AGAIN, PAUSED, MONITOR = "runs", "again", "paused", "monitor"
"""Attributes in Optuna's storage: the runs of a trial, the trial that it repeats, why a pruner paused it, and the
metric of the study."""


class Study:
    """The trials of one study.

    Args:
        options: its storage and sampler.
        folder: of the sweep; its name and a file in it stand in for a missing name and storage.
        searched: the distributions by name.
        monitor: the metric.
        mode: ``min`` or ``max``: which of its values are better.
        space: tells what a trial searches beyond these, by the values that it has; or None.

    Raises:
        StorageError: it cannot be opened.
        ConfigError: a study of this name has another metric or another space.
    """

    def __init__(
        self,
        options: StudyOptions,
        folder: Path,
        searched: Mapping[str, BaseDistribution],
        monitor: str,
        mode: str,
        space: Space | None = None,
    ) -> None:
        import optuna
        from sqlalchemy.pool import NullPool

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.name = options.study_name or folder.name
        self._options, self._searched, self._space = options, dict(searched), space
        self._distributions = dict(searched) if space is None else dict(space.searched)
        self._direction: Literal["minimize", "maximize"] = "minimize" if mode == "min" else "maximize"
        with self._storage():
            self._database = optuna.storages.RDBStorage(  # NullPool: no connection is open when jobs are forked
                options.storage or f"sqlite:///{folder / 'study.db'}", engine_kwargs={"poolclass": NullPool}
            )
        try:
            self._open(monitor)
        except BaseException:
            self.close()
            raise

    def _open(self, monitor: str) -> None:
        import optuna

        with self._storage():
            self._study = optuna.create_study(
                storage=self._database, study_name=self.name, direction=self._direction, load_if_exists=True
            )
            if MONITOR not in self._study.user_attrs:
                self._study.set_user_attr(MONITOR, monitor)
            found = (self._study.direction.name.lower(), self._study.user_attrs[MONITOR])
        if found != (self._direction, monitor):
            raise self._other(f"it is to {' '.join(found)}")
        for trial in self.trials():
            self._check(trial)

    def close(self) -> None:
        """Close the storage's connections."""
        self._database.remove_session()
        self._database.engine.dispose()

    def trials(self) -> list[FrozenTrial]:
        """The trials in the order in which their values were first proposed; a retry replaces its failed trial."""
        from optuna.trial import TrialState

        asked = {_first_number(trial): trial for trial in self._stored() if trial.state != TrialState.WAITING}
        return list(asked.values())

    def propose(self) -> dict[str, Any]:
        """Sample the values of the next trial; nothing is stored."""
        import optuna

        known = self._stored()
        seed = key(self._options.seed, "study", len(self.trials())) % 2**32
        scratch = optuna.create_study(sampler=_sampler(self._options.sampler, seed), direction=self._direction)
        scratch.add_trials([_as_sampled_from(trial) for trial in known])
        trial = scratch.ask(self._searched)
        if self._space is not None:
            self._space.suggest(trial)
        self._distributions |= trial.distributions
        return rounded_all(trial)

    def begin(
        self, values: Mapping[str, Any], runs: Mapping[str, str], again: FrozenTrial | None = None
    ) -> FrozenTrial:
        """Store a running trial.

        Args:
            values: of the searched keys.
            runs: the hash of each run's config, by its id.
            again: the failed trial that it repeats: Optuna never changes a trial that has ended.
        """
        from optuna.trial import TrialState, create_trial

        notes: dict[str, Any] = {RUNS: dict(runs)}
        if again is None:
            searched = {name: self._distributions[name] for name in values}
        else:
            notes[AGAIN], searched = _first_number(again), again.distributions  # (an interval may be narrower by now)
        trial = create_trial(state=TrialState.RUNNING, params=dict(values), distributions=searched, user_attrs=notes)
        with self._storage():
            self._study.add_trial(trial)
        return self._stored()[-1]

    def tell(self, trial: FrozenTrial, state: TrialState, value: float | None = None) -> None:
        """Store the outcome of a trial."""
        with self._storage():
            self._study.tell(trial.number, value, state=state, skip_if_finished=True)

    def report(self, trial: FrozenTrial, values: Mapping[int, float]) -> None:
        """Store what a running trial had reached at some steps, unless it is known already."""
        for step, value in values.items():
            if trial.intermediate_values.get(step) != value:
                with self._storage():
                    self._database.set_trial_intermediate_value(trial._trial_id, step, value)

    def prune(self, trial: FrozenTrial, why: str) -> None:
        """Store that a pruner paused a running trial; its value is its last one."""
        from optuna.trial import TrialState

        with self._storage():
            self._database.set_trial_user_attr(trial._trial_id, PAUSED, why)
        self.tell(trial, TrialState.PRUNED)

    def best(self) -> FrozenTrial | None:
        """The complete trial with the best value, the first of equals; None if none is complete."""
        from optuna.trial import TrialState

        complete = [trial for trial in self.trials() if trial.state == TrialState.COMPLETE]
        better = min if self._direction == "minimize" else max
        return better(complete, key=lambda trial: trial.value or 0.0, default=None)

    def same_runs(self, trial: FrozenTrial, runs: Mapping[str, str]) -> None:
        """Check that a trial's values still make the runs that it began with.

        Raises:
            ConfigError: they make others; the trials of a study may differ in the searched values only.
        """
        asked = trial.user_attrs.get(RUNS, runs)
        if list(asked.values()) != list(runs.values()):
            raise self._other(f"trial {trial.number} was {', '.join(asked)}, and this command makes {', '.join(runs)}")

    def _check(self, trial: FrozenTrial) -> None:
        from optuna.distributions import check_distribution_compatibility

        expected = self._searched if self._space is None else self._space.expected(trial.params)
        further = trial.params.keys() - expected.keys()
        if expected.keys() - trial.params.keys() or (further and (self._space is None or self._space.define is None)):
            raise self._other(f"trial {trial.number} searched {', '.join(trial.params) or 'nothing'}")
        for name, distribution in trial.distributions.items():
            try:
                check_distribution_compatibility(distribution, expected.get(name, distribution))
            except ValueError as error:
                raise self._other(f"trial {trial.number} searched another {name}: {distribution}") from error

    def _other(self, how: str) -> ConfigError:
        rule = f"a study of this name has other settings: {how}"
        return ConfigError("hydra.sweeper.study_name", self.name, rule, "repeat its command, or give another name=")

    def _stored(self) -> list[FrozenTrial]:
        with self._storage():
            return self._study.get_trials(deepcopy=False)

    @contextmanager
    def _storage(self) -> Iterator[None]:
        from optuna.exceptions import StorageInternalError
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (SQLAlchemyError, StorageInternalError) as error:
            reason = str(error.__cause__ or error).splitlines()[0]
            raise StorageError(
                f"study {self.name}: its storage refused: {reason}; mend it and repeat the command"
            ) from error


def _first_number(trial: FrozenTrial) -> int:
    """The number of the trial that first had these values: its own, or that of the failed trial it repeats."""
    return trial.user_attrs.get(AGAIN, trial.number)


def why_paused(trial: FrozenTrial) -> str | None:
    """Why a pruner paused a trial; None if none did."""
    from optuna.trial import TrialState

    return trial.user_attrs.get(PAUSED) if trial.state == TrialState.PRUNED else None


def _as_sampled_from(trial: FrozenTrial) -> FrozenTrial:
    """A trial as the sampler is to see it.

    One that diverged counts as the worst, however far it came: Optuna ranks those that are pruned by their last step.
    """
    from optuna.trial import TrialState

    if trial.state != TrialState.PRUNED or why_paused(trial) is not None or not trial.intermediate_values:
        return trial
    seen = copy(trial)
    seen.intermediate_values = {}
    return seen


def _sampler(name: str, seed: int) -> BaseSampler:
    """A sampler that depends on nothing but the known trials and the seed."""
    from optuna.exceptions import ExperimentalWarning
    from optuna.samplers import RandomSampler, TPESampler

    if name == "random":
        return RandomSampler(seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # constant_liar was experimental before Optuna 5
        return TPESampler(seed=seed, constant_liar=True)  # spreads the trials of one batch
