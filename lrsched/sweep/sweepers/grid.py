"""``hydra/sweeper=grid``: run every combination of the given values, or pairs of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.types import Override

from lrsched.config.digest import is_named_by_root
from lrsched.config.run_id import is_neutral, key_of
from lrsched.console import say
from lrsched.errors import ConfigError, UserError
from lrsched.sweep.combinations import combinations, swept
from lrsched.sweep.finish import close
from lrsched.sweep.launchers.dispatch import make_folder
from lrsched.sweep.sweep import Invalid, Valid
from lrsched.sweep.sweepers.base import SweepRunner
from lrsched.sweep.sweepers.taken import refuse_study
from lrsched.units import count


class Grid(SweepRunner):
    """A sweep over a grid."""

    def _run(self, overrides: Sequence[Override]) -> None:
        jobs = self._planned(overrides)
        if jobs:
            self._train(jobs)
        close(self._sweep, self._stop)

    def _planned(self, overrides: Sequence[Override]) -> list[Valid]:
        """Plan the jobs; make the sweep's folder if one is valid."""
        jobs = combinations(overrides, self._sweep.options.zip)
        self._sweep.swept = swept(jobs)
        every = [self._sweep.plan(job) for job in jobs]
        _check_swept(overrides, self._sweep.swept, every)
        planned = _without_duplicates(every)
        valid = [job for job in planned if isinstance(job, Valid)]
        if valid:
            self._check(valid)
            refuse_study(self._sweep.record.folder)
            make_folder(self._sweep)
            done = sum(job.entry.is_done for job in valid)
            before = f", {done} of them finished before" if done else ""
            left = _left([job.error for job in planned if isinstance(job, Invalid)])
            say(f"{count(len(planned), 'run')} in {self._sweep.record.folder}{before}{left}")
        return valid

    def _check(self, jobs: Sequence[Valid]) -> None:
        """Refuse valid jobs that cannot be in one sweep, before it has a folder."""

    def _train(self, jobs: list[Valid]) -> None:
        self._launch(jobs)


def _left(errors: Sequence[UserError]) -> str:
    """How many jobs are left out; a config is blamed where nothing else is to blame, as a folder may be."""
    if not errors:
        return ""
    of_config = all(error.exit_code == ConfigError.exit_code for error in errors)
    why = "with a config that cannot be used" if of_config else "cannot be begun"
    return f", {len(errors)} of them {why}, as said above; the others run"


def _check_swept(overrides: Sequence[Override], keys: set[str], planned: Sequence[Valid | Invalid]) -> None:
    """Refuse several values of a key that does not affect a run's result: they would all make one run."""
    if any(isinstance(job, Valid) and is_named_by_root({"_target_": job.settings.dataset.target}) for job in planned):
        keys = keys - {"dataset.root"}
    for key, override in {key_of(override.get_key_element()): override for override in overrides}.items():
        if key in keys and key != "resume" and is_neutral(key.replace("/", ".")):
            value = str(override.input_line).partition("=")[2]
            rule = "this key changes no result of a run: all its values would make the same run"
            raise ConfigError(key, value, rule, "give it one value")


def _without_duplicates(planned: Sequence[Valid | Invalid]) -> list[Valid | Invalid]:
    """Keep each run once; refuse two ways to resume one run."""
    once: list[Valid | Invalid] = []
    folders = set[Path]()
    for job in planned:
        if isinstance(job, Invalid):
            once.append(job)
        elif job.folder.path not in folders:
            folders.add(job.folder.path)
            once.append(job)
        elif job.settings.resume is not None:
            raise ConfigError("resume", job.settings.resume, "a sweep resumes a run only once", "give two commands")
    duplicates = len(planned) - len(once)
    if duplicates:
        say(f"{count(duplicates, 'job')} of {len(planned)} would repeat the run of another job")
    return once
