"""Persist every Optuna trial before acting on it.

Each trial is sampled in a study in memory, from all that is known and a seed that is a function of its position, and
written down whole: a process that is killed leaves no half of one, and the next process would ask for the same.

The file is SQLite's: a transaction is there or is not, and the lock of a killed process ends with it. (Optuna's journal
file stays locked for half a minute then, and a torn last line makes all of it unreadable once another is appended.)
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import optuna
from optuna.distributions import BaseDistribution, check_distribution_compatibility
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import create_engine
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from lrsched.config.schema import at_least, one_of, ruled
from lrsched.errors import ConfigError, StorageError
from lrsched.seeds import key
from lrsched.sweep.sweepers.space import rounded

SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "tpe": lambda seed: TPESampler(seed=seed, constant_liar=True),  # trials of one batch keep away from each other
    "random": lambda seed: RandomSampler(seed=seed),
}
"""Samplers that look at nothing but trials and seed."""

RUNS, AGAIN, MONITOR = "runs", "again", "monitor"


@dataclass
class StudyOptions:
    """The keys of ``hydra.sweeper`` (conf/hydra/sweeper/optuna.yaml says what they are)."""

    n_trials: int = ruled(20, at_least(1))
    n_jobs: Optional[int] = ruled(None, at_least(1))  # noqa: UP045
    sampler: str = ruled("tpe", one_of(*SAMPLERS))
    seed: int = ruled(0, at_least(0))
    storage: Optional[str] = None  # noqa: UP045
    study_name: Optional[str] = None  # noqa: UP045

    def check_storage(self) -> None:
        """Check the URL, without connecting.

        Raises:
            ConfigError: it is none, or what speaks to such a database is not installed.
        """
        try:
            if self.storage is not None:
                create_engine(self.storage)
        except (ArgumentError, ImportError, ValueError) as error:  # (the URL may hold a password)
            remedy = "give a URL, as in sqlite:///study.db, and install what speaks to it"
            raise ConfigError("hydra.sweeper.storage", "…", str(error), remedy) from error


class Study:
    """The trials of one study.

    Args:
        options: where it is and how it samples.
        name: where the options give none.
        folder: of the sweep; the study's file lies there where the options name no storage.
        searched: the distributions by name.
        monitor: the metric.
        mode: ``min`` or ``max``: which of its values are the better ones.

    Raises:
        StorageError: it cannot be opened.
        ConfigError: there is a study of this name, of another metric or over another space.
    """

    def __init__(
        self,
        options: StudyOptions,
        name: str,
        folder: Path,
        searched: Mapping[str, BaseDistribution],
        monitor: str,
        mode: str,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.name = options.study_name or name
        self._options, self._searched = options, dict(searched)
        self._direction = StudyDirection.MINIMIZE if mode == "min" else StudyDirection.MAXIMIZE
        with self._storage():
            storage = optuna.storages.RDBStorage(  # no connection is open when jobs are forked
                options.storage or f"sqlite:///{folder / 'study.db'}", engine_kwargs={"poolclass": NullPool}
            )
            self._study = optuna.create_study(
                storage=storage, study_name=self.name, direction=self._direction, load_if_exists=True
            )
            if MONITOR not in self._study.user_attrs:
                self._study.set_user_attr(MONITOR, monitor)
            looks_for = (self._study.user_attrs[MONITOR], self._study.direction)
        if looks_for != (monitor, self._direction):
            raise self._other(f"it is to {looks_for[1].name.lower()} {looks_for[0]}")
        for trial in self.trials():
            self._check(trial)

    def trials(self) -> list[FrozenTrial]:
        """Each trial that was asked, in order; one that was tried again stands where it was asked first."""
        with self._storage():
            all_of_them = self._study.get_trials(deepcopy=False)
        asked: dict[int, FrozenTrial] = {}
        for trial in all_of_them:
            if trial.state != TrialState.WAITING:
                asked[_asked_as(trial)] = trial
        return list(asked.values())

    def propose(self) -> dict[str, Any]:
        """The values of the next trial; nothing is written."""
        with self._storage():
            known = self._study.get_trials(deepcopy=False)
        seed = key(self._options.seed, "study", len(self.trials())) % 2**32
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # constant_liar was one before Optuna 5
            sampler = SAMPLERS[self._options.sampler](seed)
        scratch = optuna.create_study(sampler=sampler, direction=self._direction)
        scratch.add_trials(known)
        values = scratch.ask(self._searched).params
        return {name: rounded(value, self._searched[name]) for name, value in values.items()}

    def begin(
        self, values: Mapping[str, Any], runs: Mapping[str, str], again: FrozenTrial | None = None
    ) -> FrozenTrial:
        """Record that a trial begins.

        Args:
            values: of the searched keys.
            runs: the hash of each run's config, by its id.
            again: the trial that is tried again: it failed, and Optuna changes nothing that has ended.
        """
        notes: dict[str, Any] = {RUNS: dict(runs)}
        searched = self._searched
        if again is not None:
            notes[AGAIN], searched = _asked_as(again), again.distributions  # (an interval may be narrower by now)
        trial = create_trial(state=TrialState.RUNNING, params=dict(values), distributions=searched, user_attrs=notes)
        with self._storage():
            self._study.add_trial(trial)
            return self._study.get_trials(deepcopy=False)[-1]

    def tell(self, trial: FrozenTrial, state: TrialState, value: float | None = None) -> None:
        """Record the outcome of a trial."""
        with self._storage():
            self._study.tell(trial.number, value, state=state, skip_if_finished=True)

    def best(self) -> FrozenTrial | None:
        """The complete trial with the best value, the first of equals; None where none is complete."""
        complete = [trial for trial in self.trials() if trial.state == TrialState.COMPLETE]
        sign = 1 if self._direction == StudyDirection.MINIMIZE else -1
        return min(complete, key=lambda trial: sign * (trial.value or 0.0), default=None)

    def same_runs(self, trial: FrozenTrial, runs: Mapping[str, str]) -> None:
        """Check that a trial's values still make the runs it was asked with.

        Raises:
            ConfigError: they make others: what a study compares must differ in its values alone.
        """
        asked = trial.user_attrs.get(RUNS, runs)
        if list(asked.values()) != list(runs.values()):
            raise self._other(f"trial {trial.number} was {', '.join(asked)}, and this command makes {', '.join(runs)}")

    def _check(self, trial: FrozenTrial) -> None:
        if set(trial.params) != set(self._searched):
            raise self._other(f"trial {trial.number} searched {', '.join(trial.params) or 'nothing'}")
        for name, distribution in trial.distributions.items():
            try:
                check_distribution_compatibility(distribution, self._searched[name])
            except ValueError as error:
                raise self._other(f"trial {trial.number} searched another {name}: {distribution}") from error

    def _other(self, how: str) -> ConfigError:
        rule = f"there is such a study with other settings: {how}"
        return ConfigError("hydra.sweeper.study_name", self.name, rule, "repeat its command, or give another name=")

    @contextmanager
    def _storage(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, StorageInternalError) as error:
            reason = str(error.__cause__ or error).splitlines()[0]
            raise StorageError(
                f"study {self.name}: its storage refused: {reason}; mend it and repeat the command"
            ) from error


def _asked_as(trial: FrozenTrial) -> int:
    """The number under which a trial's values were asked first."""
    return trial.user_attrs.get(AGAIN, trial.number)
