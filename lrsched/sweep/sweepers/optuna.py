"""``hydra/sweeper=optuna``: Optuna proposes values, any launcher trains with them, and the study learns the outcome.

Every trial counts towards ``n_trials``, however it ended:

- finished: its value is the monitored metric, the mean of it over several seeds;
- paused at a rung by a pruner: pruned, with its values at the rungs. Its runs can be resumed;
- diverged: pruned, which a sampler takes as worse than any value, so that it avoids the region. The same steps would
  diverge again: it is not retried;
- failed in another way: failed, from which a sampler learns nothing. The same command retries it, as a trial of the
  same values that takes its place;
- stopped, or left to another process: still running. The same command resumes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from statistics import fmean
from typing import Any

from hydra.core.override_parser.types import Override

from lrsched.checkpoint.lock import RunLock
from lrsched.compose.errors import as_user_errors
from lrsched.config.run_id import key_of
from lrsched.config.settings import Settings, direction, settings
from lrsched.ended import Ended, Why, ending_of
from lrsched.errors import ConfigError, NotFinite, RunFolderBusy
from lrsched.preview.forecast import check_schedule
from lrsched.runs.resume import finished
from lrsched.sweep.finish import close
from lrsched.sweep.launchers.dispatch import make_folder
from lrsched.sweep.launchers.gpus import gpus_for
from lrsched.sweep.processes import cores
from lrsched.sweep.record import Entry
from lrsched.sweep.sweep import Invalid, Valid
from lrsched.sweep.sweepers.announce import say_best, say_known, say_pruned
from lrsched.sweep.sweepers.base import SweepRunner
from lrsched.sweep.sweepers.conditions import branches
from lrsched.sweep.sweepers.define import defined
from lrsched.sweep.sweepers.options import StudyOptions
from lrsched.sweep.sweepers.pruning import BATCH
from lrsched.sweep.sweepers.space import space
from lrsched.sweep.sweepers.study import Study, why_paused
from lrsched.sweep.sweepers.taken import refuse_other_sweep
from lrsched.sweep.sweepers.trials import Judge, Metric, Trial, is_at, shared_rungs

DRAWN = 8
"""Random points of a space that the user's function defines, which are checked beforehand."""


class OptunaSearch(SweepRunner):
    """A sweep by a study: trains until the study has its trials."""

    options_class = StudyOptions
    conditions = True
    _options: StudyOptions

    def _run(self, overrides: Sequence[Override]) -> None:
        """Run the study.

        Raises:
            ConfigError: the space cannot be searched, or the study has other settings.
            RunFolderBusy: another process runs this study.
            StorageError: the study cannot be read or written.
        """
        from lrsched.assembly.checks import all_metrics  # imports torch

        given = {key_of(override.get_key_element()) for override in overrides if not override.is_sweep_override()}
        define = defined(self._options.custom_search_space, self._sweep.config, given)
        conditional = branches(self._sweep.config, self._typed, self._loader)
        self._space = space(overrides, conditional, self._typed, define)
        run, rungs = self._checked()
        self._monitor = run.checkpoint.monitor
        folder = self._sweep.record.folder
        refuse_other_sweep(folder, str(self._sweep.config.hydra.sweeper._target_))
        make_folder(self._sweep)
        with RunLock(folder), ExitStack() as ends:  # the lock: two processes would propose the same trial
            way = direction(all_metrics(run), self._monitor)
            self._study = Study(self._options, folder, self._space.always, self._monitor, way, self._space)
            ends.callback(self._study.close)
            running = self._recalled()
            say_known(self._study, self._options.n_trials, len(running), folder)
            size = self._options.n_jobs or self._batch_size(run)
            self._judge = Judge(self._study, self._options, rungs, size, Metric(self._monitor, way, folder))
            self._search(running, size)
            try:
                close(self._sweep, self._stop)
            finally:
                say_best(self._study, self._sweep, self._space, self._judge.metric)
                say_pruned(self._study, self._sweep, self._judge.metric)

    def _checked(self) -> tuple[Settings, list[int]]:
        """The settings of one job and its rungs; refuses a space with an invalid corner before a trial is spent."""
        from lrsched.assembly.checks import check_choices  # imports torch

        runs: list[Settings] = []
        for job in (job for values in self._points() for job in self._space.jobs(values)):
            with as_user_errors(job), self._space.explaining():
                run = settings(self._sweep.composer.resolved(job))
                check_choices(run)
                _refuse(run)
                check_schedule(run)
            runs.append(run)
        return runs[-1], shared_rungs(runs, self._options)

    def _points(self) -> list[dict[str, Any]]:
        """Points of the space that are composed before a trial is spent."""
        return [*self._space.corners(), *(self._space.drawn(DRAWN) if self._space.define else ())]

    def _recalled(self) -> list[Trial]:
        """The running trials of an earlier process, and retries of failed ones; enters all runs on the record."""
        from optuna.trial import TrialState

        running, planned = list[Trial](), [(trial, self._planned(trial.params)) for trial in self._study.trials()]
        self._sweep.refuse_other_data()
        for place, (trial, runs) in enumerate(planned):
            self._study.same_runs(trial, _digests(runs))
            if trial.state == TrialState.FAIL and all(isinstance(run, Valid) for run in runs):
                trial = self._study.begin(trial.params, _digests(runs), again=trial)
            if trial.state == TrialState.RUNNING:
                running.append(Trial(place, trial, runs))
            for run in runs:
                result = (run.folder.read_result() if isinstance(run, Valid) else None) or {}
                if trial.state == TrialState.COMPLETE:
                    run.entry.skip(result)
                elif trial.state == TrialState.PRUNED and run.entry.status is None:
                    reason = why_paused(trial) or result.get("reason", "it diverged")
                    if why_paused(trial) or ending_of(result).ended is Ended.PAUSED:
                        run.entry.leave(str(reason))
                    else:
                        run.entry.record_end(NotFinite(str(reason)))
        return running

    def _batch_size(self, run: Settings) -> int:
        """The number of trials that keep the launcher's processes busy; with a pruner, one for every machine."""
        if self._options.pruner != "none":
            return BATCH
        return -(-(run.sweep.jobs or len(gpus_for([run])) or cores()) // self._space.repeats)

    def _search(self, running: list[Trial], size: int) -> None:
        while batch := self._filled(running, size):
            failed = self._train(batch)
            for trial in batch:
                self._tell(trial)
            if self._stop.number is not None or (failed and self._sweep.options.fail_fast):
                break
            running = []

    def _train(self, batch: Sequence[Trial]) -> bool:
        """Train the trials of a batch from rung to rung, those that go on at each, and the last ones to their end.

        Returns:
            Whether a run failed.
        """
        going = list(batch)
        for rung in self._judge.rungs:
            judged = [trial for trial in going if self._judge.judges(trial, rung)]
            failed = self._train_until(judged, rung)
            if self._stop.number is not None or (failed and self._sweep.options.fail_fast):
                return failed
            there = [trial for trial in judged if trial.is_at(rung)]
            self._judge(there, rung)
            going = [trial for trial in going if trial not in judged or (trial in there and not trial.pruned)]
            self._sweep.record.write()
        return self._train_until(going, None)

    def _train_until(self, trials: Sequence[Trial], rung: int | None) -> bool:
        """Train the runs of trials up to a rung, or to their end.

        Returns:
            Whether one failed.
        """
        runs = {run.run_id: run for trial in trials for run in trial.runs if isinstance(run, Valid)}  # trials may share
        due = [run for run in runs.values() if rung is None or not is_at(run, rung)]
        for run in due:
            if run.entry.why is Why.PAUSED:
                run.entry.reopen()
        due = [run for run in due if run.entry.status is None]
        asked = [self._sweep.plan([*run.overrides, f"sweep.until={rung}"]) for run in due] if rung else due
        self._launch([run for run in asked if isinstance(run, Valid)])
        return any(not run.entry.is_done for run in due)

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
            batch.append(Trial(proposed, self._study.begin(values, _digests(runs)), runs))
            proposed += 1
        return batch

    def _planned(self, values: Mapping[str, Any]) -> list[Valid | Invalid]:
        self._sweep.swept = {*self._space.varied, *map(key_of, values)}
        return [self._sweep.plan(job) for job in self._space.jobs(values)]

    def _tell(self, trial: Trial) -> None:
        """Record the outcome of a trial, unless a run of it has still to end."""
        from optuna.trial import TrialState

        entries = [run.entry for run in trial.runs]
        if trial.pruned or any(_is_to_go_on(entry) for entry in entries):
            return
        if all(entry.status in ("finished", "skipped") for entry in entries):
            results = [run.folder.read_result() or {} for run in trial.runs if isinstance(run, Valid)]
            value = fmean(result["metrics"][self._monitor] for result in results)
            if self._judge.rungs:
                last = max(result["step"] for result in results)
                self._judge.report(trial, last)
                self._study.report(trial.stored, {last: value})
            self._study.tell(trial.stored, TrialState.COMPLETE, value)
        elif any(entry.status == "failed" for entry in entries):
            diverged = any(entry.ended is Ended.DIVERGED for entry in entries)
            self._study.tell(trial.stored, TrialState.PRUNED if diverged else TrialState.FAIL)


def _is_to_go_on(entry: Entry) -> bool:
    """Whether a run was stopped, or left to another process, and will be resumed."""
    stopped = entry.status == "stopped" and entry.why is not Why.PAUSED
    return stopped or entry.status is None or entry.exit_code == RunFolderBusy.exit_code


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
