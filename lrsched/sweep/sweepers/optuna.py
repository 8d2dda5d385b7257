"""``hydra/sweeper=optuna``: Optuna proposes values, any launcher trains with them, and the study learns the outcome.

Every trial counts towards ``n_trials``, however it ended:

- finished: its value is the monitored metric, the mean of it over several seeds;
- diverged: pruned, which a sampler takes as worse than any value, so that it avoids the region. The same steps would
  diverge again: it is not retried;
- failed in another way: failed, from which a sampler learns nothing. The same command retries it, as a trial of the
  same values that takes its place;
- stopped, or left to another process: still running. The same command resumes it.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.types import Override

from lrsched.checkpoint.lock import RunLock
from lrsched.compose.errors import as_user_errors
from lrsched.compose.nodes import as_written, plain
from lrsched.config.settings import Settings, direction, settings
from lrsched.config.targets import needed_trust
from lrsched.console import say, typed
from lrsched.ended import Ended
from lrsched.errors import ConfigError, NotFinite, RunFolderBusy
from lrsched.records import RunFolder
from lrsched.runs.resume import finished
from lrsched.sweep.finish import close
from lrsched.sweep.launchers.dispatch import make_folder
from lrsched.sweep.launchers.gpus import gpus_for
from lrsched.sweep.processes import cores
from lrsched.sweep.sweep import Invalid, Valid
from lrsched.sweep.sweepers.base import SweepRunner
from lrsched.sweep.sweepers.space import SEED, space
from lrsched.sweep.sweepers.study import Study, StudyOptions
from lrsched.units import count, exactly, unit_of

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


@dataclass
class Trial:
    """A running trial of a study, and its runs."""

    stored: FrozenTrial
    runs: list[Valid | Invalid]


class OptunaSearch(SweepRunner):
    """A sweep by a study: trains until the study has its trials."""

    options_class = StudyOptions
    _options: StudyOptions

    def _run(self, overrides: Sequence[Override]) -> None:
        """Run the study.

        Raises:
            ConfigError: the space cannot be searched, or the study has other settings.
            RunFolderBusy: another process runs this study.
            StorageError: the study cannot be read or written.
        """
        from lrsched.assembly.checks import all_metrics  # imports torch

        self._space = space(overrides)
        self._sweep.swept = self._space.varied
        run = self._checked()
        _refuse(run)
        self._monitor = run.checkpoint.monitor
        make_folder(self._sweep)
        folder = self._sweep.record.folder
        with RunLock(folder), ExitStack() as ends:  # the lock: two processes would propose the same trial
            way = direction(all_metrics(run), self._monitor)
            self._study = Study(self._options, folder, self._space.searched, self._monitor, way)
            ends.callback(self._study.close)
            running = self._recalled()
            self._say_known(len(running))
            self._search(running, self._options.n_jobs or self._batch_size(run))
            try:
                close(self._sweep, self._stop)
            finally:
                self._say_best()

    def _checked(self) -> Settings:
        """The settings of one job; refuses a space with an invalid corner before a trial is spent."""
        from lrsched.assembly.checks import check_choices  # imports torch

        for job in (job for values in self._space.corners() for job in self._space.jobs(values)):
            with as_user_errors(job):
                run = settings(plain(self._sweep.composer.bare(job)))
            check_choices(run)
        return run

    def _recalled(self) -> list[Trial]:
        """The running trials of an earlier process, and retries of failed ones; enters all runs on the record."""
        from optuna.trial import TrialState

        running = []
        for trial in self._study.trials():
            runs = self._planned(trial.params)
            self._study.same_runs(trial, _digests(runs))
            if trial.state == TrialState.FAIL and all(isinstance(run, Valid) for run in runs):
                trial = self._study.begin(trial.params, _digests(runs), again=trial)
            if trial.state == TrialState.RUNNING:
                running.append(Trial(trial, runs))
            for run in runs:
                result = (run.folder.read_result() if isinstance(run, Valid) else None) or {}
                if trial.state == TrialState.COMPLETE:
                    run.entry.skip(result)
                elif trial.state == TrialState.PRUNED and run.entry.status is None:
                    run.entry.record_end(NotFinite(str(result.get("reason", "it diverged"))))
        return running

    def _batch_size(self, run: Settings) -> int:
        """The number of trials that keep the launcher's processes busy."""
        return -(-(run.sweep.jobs or len(gpus_for([run])) or cores()) // self._space.repeats)

    def _search(self, running: list[Trial], size: int) -> None:
        while batch := self._filled(running, size):
            runs = {run.run_id: run for trial in batch for run in trial.runs}  # two trials may share a run
            due = [run for run in runs.values() if isinstance(run, Valid) and run.entry.status is None]
            self._launch(due)
            for trial in batch:
                self._tell(trial)
            failed = any(not run.entry.is_done for run in due)
            if self._stop.number is not None or (failed and self._sweep.options.fail_fast):
                break
            running = []

    def _filled(self, running: Sequence[Trial], size: int) -> list[Trial]:
        """Fill a batch: the running trials, and new ones.

        Batches end at multiples of their size, even if a process was killed while it proposed or recorded trials:
        each trial is proposed from the same knowledge as in an undisturbed study.
        """
        batch, proposed = list(running), len(self._study.trials())
        while proposed < self._options.n_trials and (not batch or proposed % size):
            values = self._study.propose()
            runs = self._planned(values)
            for run in runs:
                if isinstance(run, Valid) and run.entry.status == "skipped" and not finished(run.folder):
                    run.entry.reopen()  # an equal trial ran in another folder
            batch.append(Trial(self._study.begin(values, _digests(runs)), runs))
            proposed += 1
        return batch

    def _planned(self, values: Mapping[str, Any]) -> list[Valid | Invalid]:
        return [self._sweep.plan(job) for job in self._space.jobs(values)]

    def _tell(self, trial: Trial) -> None:
        """Record the outcome of a trial, unless a run of it has still to end."""
        from optuna.trial import TrialState

        entries = [run.entry for run in trial.runs]
        if all(entry.status in ("finished", "skipped") for entry in entries):
            results = [run.folder.read_result() or {} for run in trial.runs if isinstance(run, Valid)]
            value = fmean(result["metrics"][self._monitor] for result in results)
            self._study.tell(trial.stored, TrialState.COMPLETE, value)
        elif not any(entry.status == "stopped" or entry.exit_code == RunFolderBusy.exit_code for entry in entries):
            diverged = any(entry.ended is Ended.DIVERGED for entry in entries)
            self._study.tell(trial.stored, TrialState.PRUNED if diverged else TrialState.FAIL)

    def _say_known(self, running: int) -> None:
        trials, wanted = len(self._study.trials()), self._options.n_trials
        known = count(wanted, "trial")
        if trials >= wanted and not running:
            known = f"all {count(trials, 'trial')} were made before; a greater hydra.sweeper.n_trials asks for more"
        elif trials:
            known = f"{trials} of {count(wanted, 'trial')} were made before, {running} of them to be resumed"
        say(f"study {self._study.name} in {self._sweep.record.folder}: {known}")

    def _units(self) -> dict[str, str]:
        """The units of the metrics, as some run says them: they all have one task."""
        files = sorted(self._sweep.record.folder.glob("*/result.json"))
        results = (RunFolder(file.parent).read_result() or {} for file in files)
        return next((result["units"] for result in results if "units" in result), {})

    def _say_best(self) -> None:
        best = self._study.best()
        if best is None or best.value is None:
            return
        job, *others = self._space.jobs(best.params)
        left_out = ("name=", "resume=", *([f"{SEED}="] if others else []))
        words = [word for word in job if not word.startswith(left_out)]
        if "hydra.mode=MULTIRUN" not in self._sweep.config.hydra.overrides.hydra:  # of -m: else the config asks for it
            words.append("hydra.mode=RUN")
        trials = count(len(self._study.trials()), "trial")
        value = exactly(unit_of(self._monitor, self._units()), best.value)
        found = f"best of {trials}: {self._monitor} {value}, trial {best.number}"
        say(f"{found}: {typed(shlex.join(words), needed_trust(as_written(self._sweep.config)))}")


def _refuse(run: Settings) -> None:
    """Refuse the keys that a study cannot honour."""
    for key, value, rule in (
        ("resume", run.resume, "a study goes on by itself"),
        ("sweep.until", run.sweep.until, "a study needs the value that a run ends with"),
        ("sweep.zip", run.sweep.zip or None, "the sampler chooses the values of each key"),
    ):
        if value is not None:
            raise ConfigError(key, value, rule, "leave it out")


def _digests(runs: Sequence[Valid | Invalid]) -> dict[str, str]:
    """The hash of each run's config, by its id."""
    return {run.run_id: run.digest for run in runs}
