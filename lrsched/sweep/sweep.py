"""The jobs of a sweep: compose, check and name them, and record how they end."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrsched.assembly.horizon import LONGEST, foreseen
from lrsched.compose.composer import Composer
from lrsched.compose.errors import as_user_errors
from lrsched.compose.nodes import place, plain, raw
from lrsched.config import schema
from lrsched.config.check import read
from lrsched.config.digest import config_sha256
from lrsched.config.given import NOTHING, Given, nodes_of
from lrsched.config.run_id import id_of
from lrsched.config.settings import Checked, Settings, settings
from lrsched.console import say
from lrsched.errors import Stopped, UserError
from lrsched.fast.chooser import Chooser
from lrsched.fast.keys import put_values, refuse_name, spelt
from lrsched.machine.threads import AUTO as AUTO_THREADS
from lrsched.records import RunFolder, check_name
from lrsched.runs.auto_resume import AUTO
from lrsched.runs.initial import refuse_changed_source
from lrsched.runs.steps import stands_at, trained_here
from lrsched.sweep.folders import Folders, must_be_of
from lrsched.sweep.record import Entry, Record
from lrsched.sweep.same_data import refuse_other_data

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader
    from omegaconf import DictConfig

THREADS = 1
"""Threads of a job if the user gives no number: jobs run side by side, and more threads would slow each other down.
The same under every launcher, so that all launchers produce the same bits."""

OURS = "${run_id:}"
"""The name of a run's folder if the user chose none."""


@dataclass
class Planned:
    """A planned job.

    Args:
        overrides: of the job.
        digest: hash of its config, empty if that cannot be composed.
        entry: its run on the record.
    """

    overrides: list[str]
    digest: str
    entry: Entry

    @property
    def run_id(self) -> str:
        """The name of its run."""
        return self.entry.run_id


@dataclass
class Invalid(Planned):
    """A job whose config cannot be used, and why."""

    error: UserError


@dataclass
class Valid(Planned):
    """A job with a valid config, as far as can be seen without its data.

    Args:
        number: among the jobs, from 0.
        settings: its config, checked.
        folder: of its run.
        resumed_at: the step of a run in another folder, before this sweep resumes it.
        one_thread: whether it gets THREADS, because it names no number itself.
        chosen: what is fastest for it, where its config says ``auto``.
        error: that ended its last attempt, or None.
    """

    number: int
    settings: Settings
    folder: RunFolder
    resumed_at: int
    one_thread: bool = False
    chosen: Mapping[str, Any] = field(default_factory=dict[str, Any])
    error: UserError | None = None

    @property
    def launcher_overrides(self) -> list[str]:
        """The overrides for another library's launcher, with the folder, the threads and what is fastest."""
        settled = _words({**({"threads": THREADS} if self.one_thread else {}), **spelt(self.chosen)})
        return [*self.overrides, *settled, f"hydra.sweep.subdir={self.run_id}"]


class Sweep:
    """The planned jobs and their outcomes.

    A sweeper may plan all jobs at once, or some only after it has seen the outcome of others.

    Args:
        loader: Hydra's, which composes the jobs' configs.
        config: of the sweep.
        objects: given in Python, by the key of the node that each stands in for.
        here: its jobs run in this process, which no process may be forked from.
    """

    def __init__(
        self, loader: ConfigLoader, config: DictConfig, objects: Mapping[str, Given] = NOTHING, *, here: bool = False
    ) -> None:
        self.config, self.composer, self.objects = config, Composer(loader, config), objects
        refuse_name(config)
        self.record = Record(Path(str(self.config.hydra.sweep.dir)))
        self.fast = Chooser(self.record.folder, here=here)
        self.options = read(schema.SweepConfig, plain(self.config.sweep), "sweep")
        self.swept: Collection[str] = ()
        self.quiet = False  # say no line for a run that ends well, nor for one that diverged
        self._jobs: dict[tuple[str, ...], Valid | Invalid] = {}  # by their overrides
        self._entered: dict[tuple[bool, str], Entry] = {}  # by whether they are probes, and the run
        self._names_runs = raw(self.config, "hydra.sweep.subdir") == OURS
        self._folders = Folders(self.record.folder)
        self._hashes: dict[str, str | None] = {}  # of data that were loaded
        self._compared = 0
        self._checked: Checked | None = None  # the latest of the configs

    def plan(self, overrides: Sequence[str], *, probe: bool = False) -> Valid | Invalid:
        """Compose a job, and check it as far as possible without its data.

        Args:
            overrides: of the job.
            probe: its run only measures a run of the sweep.
        """
        key = tuple(overrides)
        if key not in self._jobs:
            self._jobs[key] = self._planned(len(self._jobs), list(overrides), probe=probe)
        return self._jobs[key]

    def record_end(self, job: Valid, error: UserError | None) -> None:
        """Record how a job ended, and how many steps it trained."""
        job.error = error
        job.entry.record_end(error, job.folder.read_result())
        job.entry.steps_trained = trained_here(job.folder, job.resumed_at)

    def config_of(self, job: Valid) -> DictConfig:
        """The config to run a job with."""
        config = self.composer.job(job.overrides, job.number, job.entry.run_id, THREADS)
        place(config, self.objects)
        put_values(config, job.chosen)
        return config

    def refuse_other_data(self) -> None:
        """Refuse the jobs planned so far if the run of one is there already, made from other data than those of now.

        Raises:
            ConfigError: names the run.
        """
        jobs = list(self._jobs.values())[self._compared :]
        refuse_other_data(self.record.folder, [job for job in jobs if isinstance(job, Valid)], self._hashes)
        self._compared += len(jobs)

    def _planned(self, number: int, overrides: list[str], *, probe: bool) -> Valid | Invalid:
        entry, digest = Entry("", overrides), ""
        try:
            with as_user_errors(overrides):
                own = self._own(overrides)
                one_thread, elsewhere = own["threads"] in (None, AUTO_THREADS), own["resume"] not in (None, AUTO)
                more = _words({"threads": THREADS}) if one_thread else []
                own = self._own([*overrides, *more]) if more and self.composer.refers(overrides) else own
                own["threads"] = THREADS if one_thread else own["threads"]
                chosen = {} if elsewhere else self.fast.values(own, self.objects)
                own = self._own([*overrides, *more, *_words(spelt(chosen))]) if chosen else own
                digest = config_sha256(own)
                valid = self._valid(number, entry, own, digest, elsewhere=elsewhere)
                job = replace(valid, one_thread=one_thread and not elsewhere, chosen=chosen)
        except Stopped:
            raise
        except UserError as error:
            entry.run_id = entry.run_id or id_of(overrides, "", self.swept)
            entry.record_end(error)
            say(f"[{' '.join(overrides)}] {error}")
            job = Invalid(overrides, digest, entry, error)
        self._enter(job, probe=probe)
        return job

    def _own(self, overrides: Sequence[str]) -> dict[str, Any]:
        """The config of a job, resolved: keys may refer to what is chosen for others, which stands in the overrides."""
        own = self.composer.resolved(overrides)
        return own | nodes_of(self.objects, own["dataset"])

    def _valid(self, number: int, entry: Entry, own: dict[str, Any], digest: str, *, elsewhere: bool) -> Valid:
        folder = RunFolder(Path(str(own["resume"]))) if elsewhere else self._folder(number, entry.overrides, digest)
        entry.run_id = os.path.relpath(folder.path, self.record.folder)
        run = settings(own, self.objects, like=self._checked)
        self._checked = Checked(own, run)
        with suppress(UserError):  # the data will tell the length when the run loads them
            entry.steps_asked = min(foreseen(run, native=False, count=False).steps, run.sweep.until or LONGEST)
        if not elsewhere:
            refuse_changed_source(folder, run.init_from)
        result = None if elsewhere else folder.read_result()
        if result is not None and result.get("status") == "finished":
            must_be_of(folder, digest, result)
            entry.skip(result)
            entry.steps_trained = trained_here(folder, result=result)
        resumed_at = stands_at(folder) if elsewhere else 0
        return Valid(entry.overrides, digest, entry, number, run, folder, resumed_at)

    def _enter(self, job: Valid | Invalid, *, probe: bool) -> None:
        """Put a job on record; two jobs that extend the same run share one entry."""
        known = self._entered.setdefault((probe, job.run_id), job.entry)
        if isinstance(job, Valid) and known is not job.entry:
            known.steps_asked = max(known.steps_asked, job.entry.steps_asked)
            job.entry = known
        else:
            (self.record.probes if probe else self.record.entries).append(job.entry)

    def _folder(self, number: int, overrides: list[str], digest: str) -> RunFolder:
        """The folder of a job's run."""
        if not self._names_runs:
            name = str(self.composer.job(overrides, number, None, THREADS).hydra.sweep.subdir)
            return RunFolder(self.record.folder / check_name("run id", name))
        return self._folders.of(id_of(overrides, digest, self.swept), digest)


def _words(values: Mapping[str, Any]) -> list[str]:
    """Overrides that set these values.

    >>> _words({"threads": 1, "trainer.fused": True})
    ['threads=1', 'trainer.fused=true']
    """
    return [f"{key}={str(value).lower()}" for key, value in values.items()]
