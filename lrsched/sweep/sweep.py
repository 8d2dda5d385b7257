"""The jobs of a sweep as they are known so far: composed, judged, named, and recorded as they end."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from hydra.core.config_loader import ConfigLoader
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from lrsched.assembly.horizon import LONGEST, foreseen
from lrsched.compose.composer import Composer
from lrsched.compose.errors import complaint
from lrsched.compose.nodes import plain
from lrsched.compose.stored import read_config
from lrsched.config import schema
from lrsched.config.check import read, settings
from lrsched.config.digest import config_sha256
from lrsched.config.run_id import DIGITS, id_of
from lrsched.console import say
from lrsched.errors import CheckpointError, Stopped, UserError
from lrsched.records import RunFolder, check_name
from lrsched.runs.auto_resume import AUTO
from lrsched.runs.resume import finished
from lrsched.runs.steps import made_since, stands_at
from lrsched.sweep.record import Entry, Record

ALONE = 1
"""Threads of a job where the user says nothing: beside others, more would only be in their way. It is one under every
launcher, so that all come to the same bits."""

OURS = "${run_id:}"
"""The name of that folder where the user chose none."""


@dataclass
class Planned:
    """One job of a sweep: composed and found valid, or with what is wrong with it.

    Args:
        number: among the jobs, from 0.
        overrides: that make it what it is.
        entry: what is on record of it.
        digest: hash of its config.
        settings: the config, checked.
        folder: of the run.
        alone: it is to have ALONE threads.
        stood: the step that it had come to before, where it is a run that lies elsewhere.
        error: why it is not valid, or did not finish.
    """

    number: int
    overrides: list[str]
    entry: Entry
    digest: str = ""
    settings: schema.RunConfig | None = None
    folder: RunFolder | None = None
    alone: bool = False
    stood: int = 0
    error: UserError | None = None

    @property
    def handed(self) -> list[str]:
        """The overrides for a launcher, with what is decided by now: the folder, and threads where nobody said."""
        threads = [f"threads={ALONE}"] if self.alone else []
        return [*self.overrides, *threads, f"hydra.sweep.subdir={self.entry.run_id}"]


class Sweep:
    """The jobs that are known so far, and what became of them.

    A sweeper may plan all at once or some after it saw others; the launcher is handed overrides alone,
    and finds here what the sweeper composed.

    Args:
        loader: Hydra's, of configs.
        config: of the sweep.
    """

    def __init__(self, loader: ConfigLoader, config: DictConfig) -> None:
        self.config = config
        self.record = Record(Path(str(config.hydra.sweep.dir)))
        self.options = options_of(config)
        self.swept: Collection[str] = ()
        self._compose = Composer(loader, config)
        self._planned: dict[tuple[str, ...], Planned] = {}  # by their overrides, with and without what is handed on
        self._numbers = count()
        self._names_runs = OmegaConf.to_container(config.hydra.sweep, resolve=False)["subdir"] == OURS  # type: ignore[index]
        self._there = _by_digits(self.record.folder)

    def plan(self, overrides: Sequence[str], *, beside: bool = False) -> Planned:
        """One job, composed, and checked as far as can be without its data.

        Args:
            overrides: that make it what it is.
            beside: it is no run of the sweep, but made to learn something of one.
        """
        if tuple(overrides) in self._planned:
            return self._planned[tuple(overrides)]
        own = list(overrides)
        planned = Planned(next(self._numbers), own, Entry("", own))
        try:
            self._fill(planned, self._compose.bare(own))
        except (HydraException, OmegaConfBaseException) as error:
            planned.error = complaint(error, own)
        except Stopped:
            raise
        except UserError as error:
            planned.error = error
        if planned.error is not None:
            planned.entry.run_id = planned.entry.run_id or id_of(own, "", self.swept)
            planned.entry.record_end(planned.error)
            say(f"[{' '.join(own)}] {planned.error}")
        self._enter(planned, self.record.besides if beside else self.record.entries)
        self._planned |= {tuple(own): planned, tuple(planned.handed): planned}
        return planned

    def close(self, planned: Planned, error: UserError | None) -> None:
        """Note how a job ended, and what it cost."""
        planned.error = error
        planned.entry.record_end(error, planned.folder.read_result() if planned.folder else None)
        if planned.folder is not None:
            planned.entry.trained = made_since(planned.folder, planned.stood)

    def config_of(self, planned: Planned) -> DictConfig:
        """The config that a job is run with."""
        config = self._compose.whole(planned.overrides)
        with open_dict(config):
            config.hydra.job.num, config.hydra.job.id = planned.number, str(planned.number)
            config.hydra.sweep.subdir = planned.entry.run_id
            config.threads = config.threads or ALONE
        return config

    def _fill(self, planned: Planned, config: DictConfig) -> None:
        own, elsewhere = plain(config), config.resume not in (None, AUTO)
        planned.alone = own["threads"] is None and not elsewhere
        own["threads"] = own["threads"] or ALONE
        planned.digest = config_sha256(own)
        planned.folder = self._folder(planned, config)
        planned.entry.run_id = os.path.relpath(planned.folder.path, self.record.folder)
        planned.settings = settings(own)
        with suppress(UserError):  # data of unknown length: the run will know
            until = planned.settings.sweep.until or LONGEST
            planned.entry.asked = min(foreseen(planned.settings, native=False).steps, until)
        if elsewhere:
            planned.stood = stands_at(planned.folder)
        elif finished(planned.folder):
            _must_be_of(planned.folder, planned.digest)
            planned.entry.skip(planned.folder.read_result())
            planned.entry.trained = made_since(planned.folder)

    def _folder(self, planned: Planned, config: DictConfig) -> RunFolder:
        """Where a job's run lies: where one of this config lies already, by whatever overrides it was asked for."""
        if config.resume not in (None, AUTO):  # a run that goes on, as it was made
            return RunFolder(Path(str(config.resume)))
        if not self._names_runs:
            name = str(OmegaConf.select(self.config_of(planned), "hydra.sweep.subdir"))
            return RunFolder(self.record.folder / check_name("run id", name))
        name = id_of(planned.overrides, planned.digest, self.swept)
        alike = [RunFolder(self.record.folder / other) for other in self._there.get(planned.digest[:DIGITS], ())]
        if not any(folder.path.name == name for folder in alike):
            for folder in alike:
                if _is_of(folder, planned.digest):
                    return folder
        return RunFolder(self.record.folder / name)

    def _enter(self, planned: Planned, entries: list[Entry]) -> None:
        """Put a job on record, once: a run may be taken further by a later one."""
        known = [entry for entry in entries if entry.run_id == planned.entry.run_id and planned.error is None]
        if known:
            known[0].asked = max(known[0].asked, planned.entry.asked)
            planned.entry = known[0]
        else:
            entries.append(planned.entry)


def options_of(config: DictConfig) -> schema.SweepConfig:
    """The keys of ``sweep``."""
    return read(schema.SweepConfig, plain(config.sweep), "sweep")


def _by_digits(folder: Path) -> dict[str, list[str]]:
    """The run folders in a sweep's folder, by the digits of a hash at the end of their names."""
    found: dict[str, list[str]] = defaultdict(list)
    if folder.is_dir():
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    found[entry.name[-DIGITS:]].append(entry.name)
    return found


def _is_of(folder: RunFolder, digest: str) -> bool:
    """Whether the run in a folder was made with a config of this hash."""
    with suppress(UserError):
        return config_sha256(plain(read_config(folder))) == digest
    return False


def _must_be_of(folder: RunFolder, digest: str) -> None:
    """Refuse to take a finished run for one of a sweep that it is not any more."""
    made = (folder.read_result() or {}).get("config_sha256")
    if made != digest:
        raise CheckpointError(
            f"{folder} holds a run of another config than its name says: it was taken further, or changed, since; "
            "move it away, or give the sweep another name"
        )


_under_way: Sweep | None = None


def under_way(loader: ConfigLoader, config: DictConfig) -> Sweep:
    """The sweep of this process; begun here where a sweeper of somebody else's did not begin it."""
    if _under_way is None or _under_way.record.folder != Path(str(config.hydra.sweep.dir)):
        return begin(loader, config)
    return _under_way


def current() -> Sweep | None:
    """The sweep of this process, if it has one."""
    return _under_way


def begin(loader: ConfigLoader, config: DictConfig) -> Sweep:
    """A new sweep, the one that launchers of this process find."""
    global _under_way
    _under_way = Sweep(loader, config)
    return _under_way
