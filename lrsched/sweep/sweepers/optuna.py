"""A search by Optuna: it proposes values, any launcher trains with them, it learns the outcome.

Every trial counts towards ``n_trials``, however it ended:

- finished: its value is the monitored metric, over several seeds the mean of it;
- diverged: told as pruned, which to a sampler is worse than any value, so that it keeps away from there. The same
  steps would come to the same end: it is not tried again;
- failed in another way: told as failed, from which a sampler learns nothing. The same command tries it again, as a
  trial of the same values that takes its place;
- stopped, or left to another process: still under way. The same command goes on with it.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig
from optuna.trial import FrozenTrial, TrialState

from lrsched.checkpoint.lock import RunLock
from lrsched.compose.composer import Composer
from lrsched.compose.errors import as_user_errors
from lrsched.compose.nodes import plain
from lrsched.config.check import read
from lrsched.config.settings import Settings, settings
from lrsched.console import command, say
from lrsched.ended import Ended
from lrsched.errors import ConfigError, NotFinite, RunFolderBusy
from lrsched.report.format import count
from lrsched.runs.resume import finished
from lrsched.signals import StopFlag
from lrsched.sweep.finish import close, hinting
from lrsched.sweep.launchers.dispatch import launch, make_folder
from lrsched.sweep.launchers.gpus import gpus_for
from lrsched.sweep.processes import cores
from lrsched.sweep.sweep import Invalid, Sweep, Valid
from lrsched.sweep.sweepers.space import SEED, space
from lrsched.sweep.sweepers.study import Study, StudyOptions


@dataclass
class Asked:
    """A running trial, and its runs."""

    trial: FrozenTrial
    runs: list[Valid | Invalid]


class Search:
    """One sweep by a study.

    Args:
        context, config, launcher: as Hydra hands them to a sweeper.
        stop: raised by a signal.
        options: the keys of ``hydra.sweeper``.
    """

    def __init__(
        self, context: HydraContext, config: DictConfig, launcher: Launcher, stop: StopFlag, options: Mapping[str, Any]
    ) -> None:
        self._loader, self._launcher, self._stop = context.config_loader, launcher, stop
        self._composer = Composer(context.config_loader, config)
        self._sweep = Sweep(self._composer)
        self._options = read(StudyOptions, options, "hydra.sweeper")
        self._options.check_storage()

    def __call__(self, arguments: list[str]) -> list[JobReturn]:
        """Go on with the study until it has its trials.

        Raises:
            ConfigError: the space cannot be searched, or the study is one of other settings.
            RunFolderBusy: another process is at this study.
            StorageError: the study cannot be read or written.
            Incomplete: a run did not finish; the others did.
            Stopped: by a signal; the runs that were under way are saved, and the study knows of them.
        """
        with hinting(self._sweep):
            return self._run(arguments)

    def _run(self, arguments: list[str]) -> list[JobReturn]:
        self._space = space(OverridesParser.create(config_loader=self._loader).parse_overrides(arguments))
        self._sweep.swept = self._space.varied
        run = self._checked()
        _refuse(run)
        self._monitor = run.checkpoint.monitor
        make_folder(self._sweep)
        folder = self._sweep.record.folder
        with RunLock(folder):  # two processes would ask for the same trial
            mode = run.checkpoint.mode
            self._study = Study(self._options, folder.name, folder, self._space.searched, self._monitor, mode)
            under_way = self._recalled()
            self._say_what_is_there(len(under_way))
            returns = self._search(under_way, self._options.n_jobs or self._busy(run))
            try:
                close(self._sweep, self._stop)
            finally:
                self._say_best()
        return returns

    def _checked(self) -> Settings:
        """The settings of one job; refuses a space with an invalid end, before a trial is spent."""
        from lrsched.assembly.checks import check_choices  # imports torch

        for job in (job for values in self._space.corners() for job in self._space.jobs(values)):
            with as_user_errors(job):
                run = settings(plain(self._composer.bare(job)))
            check_choices(run)
        return run

    def _recalled(self) -> list[Asked]:
        """The unfinished trials of an earlier process; enters all trials on the record."""
        under_way = []
        for trial in self._study.trials():
            runs = self._planned(trial.params)
            self._study.same_runs(trial, _configs(runs))
            if trial.state == TrialState.FAIL and all(isinstance(run, Valid) for run in runs):
                trial = self._study.begin(trial.params, _configs(runs), again=trial)
            if trial.state == TrialState.RUNNING:
                under_way.append(Asked(trial, runs))
            for run in runs:
                result = (run.folder.read_result() if isinstance(run, Valid) else None) or {}
                if trial.state == TrialState.COMPLETE:
                    run.entry.skip(result)
                elif trial.state == TrialState.PRUNED and run.entry.status is None:
                    run.entry.record_end(NotFinite(str(result.get("reason", "it diverged"))))
        return under_way

    def _busy(self, run: Settings) -> int:
        """Trials that keep the launcher pool busy."""
        return -(-(run.sweep.jobs or len(gpus_for([run])) or cores()) // self._space.repeats)

    def _search(self, under_way: list[Asked], size: int) -> list[JobReturn]:
        returns: list[JobReturn] = []
        while batch := self._filled(under_way, size):
            runs = {run.run_id: run for asked in batch for run in asked.runs}  # two trials may be of one run
            due = [run for run in runs.values() if isinstance(run, Valid) and run.entry.status is None]
            returns += launch(self._sweep, self._launcher, due)
            for asked in batch:
                self._tell(asked)
            failed = any(not run.entry.is_done for run in due)
            if self._stop.number is not None or (failed and self._sweep.options.fail_fast):
                break
            under_way = []
        return returns

    def _filled(self, under_way: list[Asked], size: int) -> list[Asked]:
        """A batch: the running trials, and new ones beside them.

        Batches end at multiples of their size, also where a process was killed while it asked or told: each trial
        is asked with the same knowledge as in a study that nobody disturbed.
        """
        batch, asked = list(under_way), len(self._study.trials())
        while asked < self._options.n_trials and (not batch or asked % size):
            values = self._study.propose()
            runs = self._planned(values)
            for run in runs:
                if isinstance(run, Valid) and run.entry.status == "skipped" and not finished(run.folder):
                    run.entry.reopen()  # an equal trial was made in another folder
            batch.append(Asked(self._study.begin(values, _configs(runs)), runs))
            asked += 1
        return batch

    def _planned(self, values: Mapping[str, Any]) -> list[Valid | Invalid]:
        return [self._sweep.plan(job) for job in self._space.jobs(values)]

    def _tell(self, asked: Asked) -> None:
        entries = [run.entry for run in asked.runs]
        if all(entry.status in ("finished", "skipped") for entry in entries):
            self._study.tell(asked.trial, TrialState.COMPLETE, fmean(map(self._value, asked.runs)))
        elif not any(entry.status == "stopped" or entry.exit_code == RunFolderBusy.exit_code for entry in entries):
            diverged = any(entry.ended is Ended.DIVERGED for entry in entries)
            self._study.tell(asked.trial, TrialState.PRUNED if diverged else TrialState.FAIL)

    def _value(self, run: Valid | Invalid) -> float:
        result = run.folder.read_result() if isinstance(run, Valid) else None
        assert result is not None
        return result["metrics"][self._monitor]

    def _say_what_is_there(self, under_way: int) -> None:
        trials, wanted = len(self._study.trials()), self._options.n_trials
        there = count(wanted, "trial")
        if trials >= wanted and not under_way:
            there = f"all {trials} trials were made before; a greater hydra.sweeper.n_trials asks for more"
        elif trials:
            there = f"{trials} of {wanted} trials were asked for before, {under_way} to be gone on with"
        say(f"study {self._study.name} in {self._sweep.record.folder}: {there}")

    def _say_best(self) -> None:
        best = self._study.best()
        if best is None:
            return
        job, *others = self._space.jobs(best.params)
        left_out = ("name=", "resume=", *([f"{SEED}="] if others else []))
        line = shlex.join(word for word in job if not word.startswith(left_out))
        trials = count(len(self._study.trials()), "trial")
        found = f"best of {trials}: {self._monitor} {best.value:.6g}, trial {best.number}"
        say(f"{found}: {command()} {line}")


def _refuse(run: Settings) -> None:
    """Refuse what a study cannot do.

    Raises:
        ConfigError: it was asked for.
    """
    for key, value, rule in (
        ("resume", run.resume, "a study goes on by itself"),
        ("sweep.until", run.sweep.until, "a study needs the value that a run ends with"),
        ("sweep.zip", run.sweep.zip or None, "the sampler chooses the values of each key"),
    ):
        if value is not None:
            raise ConfigError(key, value, rule, "leave it out")


def _configs(runs: Sequence[Valid | Invalid]) -> dict[str, str]:
    """The hash of each run's config, by its id."""
    return {run.run_id: run.digest for run in runs}
