"""A sweep as Hydra's sweeper sees it: the jobs composed, judged, launched and recorded."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from lrsched.app.auto import AUTO
from lrsched.app.combine import combinations
from lrsched.app.messages import complaint, say
from lrsched.app.naming import plain, readable
from lrsched.app.resume import finished
from lrsched.config import schema
from lrsched.config.check import read, settings
from lrsched.errors import ConfigError, Incomplete, Stopped, StorageError, UserError
from lrsched.loggers.out import tell
from lrsched.records import RunFolder, check_name, write_atomically
from lrsched.signals import StopFlag
from lrsched.sweep.record import Entry, Record


@dataclass
class Planned:
    """One job of a sweep: composed and found valid, or with what is wrong with it."""

    overrides: list[str]
    entry: Entry
    config: DictConfig | None = None
    settings: schema.Run | None = None
    folder: RunFolder | None = None
    error: UserError | None = None


@dataclass
class Sweep:
    """The jobs that are known so far, and what became of them.

    A sweeper may plan all at once or some after it saw others; the launcher is handed overrides alone,
    and finds here what the sweeper composed.
    """

    config: DictConfig
    planned: dict[tuple[str, ...], Planned] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.record = Record(Path(str(self.config.hydra.sweep.dir)))
        self.options = options_of(self.config)

    def plan(self, loader: ConfigLoader, overrides: Sequence[str]) -> Planned:
        """One job, composed, and checked as far as can be without its data."""
        known = self.planned.get(tuple(overrides))
        if known is not None:
            return known
        planned = Planned(list(overrides), Entry(readable(list(overrides)), list(overrides)))
        try:
            self._fill(planned, loader.load_sweep_config(self.config, list(overrides)))
        except (HydraException, OmegaConfBaseException) as error:
            planned.error = complaint(error)
        except Stopped:
            raise
        except UserError as error:
            planned.error = error
        if planned.error is not None:
            planned.entry.close(planned.error)
            say(f"[{' '.join(overrides)}] {planned.error}")
        self.planned[tuple(overrides)] = planned
        known_runs = {entry.run_id: entry for entry in self.record.entries}
        if planned.entry.run_id in known_runs:  # the same run, to be taken further
            planned.entry = known_runs[planned.entry.run_id]
        elif planned.config is None or planned.config.resume is None:
            self.record.entries.append(planned.entry)
        return planned

    def _fill(self, planned: Planned, config: DictConfig) -> None:
        with open_dict(config):
            config.hydra.job.id = str(len(self.planned))
            config.hydra.job.num = len(self.planned)
            config.threads = config.threads or 1  # jobs side by side: more threads would only be in each other's way
        subdir = check_name("run id", str(OmegaConf.select(config, "hydra.sweep.subdir")))
        planned.folder = RunFolder(Path(str(OmegaConf.select(config, "hydra.sweep.dir"))) / subdir)
        if config.resume not in (None, AUTO):  # a run that lies elsewhere
            planned.folder = RunFolder(Path(str(config.resume)))
        planned.entry.run_id = subdir
        own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        planned.settings = settings(plain(own))
        planned.config = config
        if finished(planned.folder):
            planned.entry.status = "skipped"


def options_of(config: DictConfig) -> schema.Sweep:
    """The keys of ``sweep``."""
    node = OmegaConf.to_container(config.sweep, resolve=True)
    assert isinstance(node, dict)
    return read(schema.Sweep, {str(key): value for key, value in node.items()}, "sweep")


_under_way: Sweep | None = None


def under_way(config: DictConfig) -> Sweep:
    """The sweep of this process; begun here where a sweeper of somebody else's did not begin it."""
    global _under_way
    if _under_way is None or _under_way.record.folder != Path(str(config.hydra.sweep.dir)):
        _under_way = Sweep(config)
    return _under_way


def begin(config: DictConfig) -> Sweep:
    """A new sweep, the one that launchers of this process find."""
    global _under_way
    _under_way = Sweep(config)
    return _under_way


def plan_grid(sweep: Sweep, context: HydraContext, arguments: list[str]) -> list[Planned]:
    """The jobs that a command line means; the sweep's folder is made if one of them is valid.

    Raises:
        ConfigError: the sweep itself cannot be read.
    """
    parsed = OverridesParser.create(config_loader=context.config_loader).parse_overrides(arguments)
    planned = [sweep.plan(context.config_loader, job) for job in combinations(parsed, sweep.options.zip)]
    if any(plan.error is None for plan in planned):
        make(sweep)
        done = sum(plan.entry.is_done for plan in planned)
        say(f"{len(planned)} runs in {sweep.record.folder}" + (f", {done} of them finished before" if done else ""))
    return planned


def run_grid(
    context: HydraContext, config: DictConfig, launcher: Launcher, arguments: list[str], stop: StopFlag
) -> list[JobReturn]:
    """A whole sweep over a grid, under any launcher.

    Raises:
        ConfigError: the sweep itself cannot be read.
        Incomplete: a run did not finish; the others did.
        Stopped: by a signal; the runs that were under way are saved.
    """
    sweep = begin(config)
    valid = [plan for plan in plan_grid(sweep, context, arguments) if plan.error is None]
    returns: list[JobReturn] = []
    if valid:
        returns = launched(launcher, valid)
    close(sweep, stop)
    return returns


def close(sweep: Sweep, stop: StopFlag) -> None:
    """Record how all ended, compare what ended well, and say by an error what did not."""
    if sweep.record.folder.is_dir():
        sweep.record.write()
        _compare(sweep.record.folder)
    conclude(sweep.record.entries, stop)


def launched(launcher: Launcher, valid: list[Planned]) -> list[JobReturn]:
    """Hand the jobs to the launcher; ours alone is told of those that are finished, which others would start again.

    A launcher of somebody else's may lose a job with its worker, and then says nothing of the others either:
    what became of them is read from their folders.
    """
    handed = valid if getattr(launcher, "knows_finished", False) else [one for one in valid if not one.entry.is_done]
    returns: list[JobReturn] = []
    try:
        if handed:
            returns = list(launcher.launch([plan.overrides for plan in handed], initial_job_idx=0))
    except UserError:
        raise
    except Exception as error:
        traceback.print_exc()
        lost = UserError(f"the launcher failed: {type(error).__name__}: {str(error).partition(chr(10))[0]}")
        returns = [JobReturn(overrides=plan.overrides) for plan in handed]
        for plan, back in zip(handed, returns, strict=True):
            done = plan.folder is not None and finished(plan.folder)
            back.status, back.return_value = (JobStatus.COMPLETED, None) if done else (JobStatus.FAILED, lost)
    for plan, back in zip(handed, returns, strict=True):
        if plan.entry.status is None:
            plan.entry.close(None if back.status == JobStatus.COMPLETED else _why(back))
    return returns


def conclude(entries: Sequence[Entry], stop: StopFlag) -> None:
    """End a sweep: nothing where all runs are done, else an error with the exit code that says so."""
    stop.check()
    undone = [entry for entry in entries if not entry.is_done]
    if undone:
        raise Incomplete(len(undone), len(entries), all_invalid=all(entry.exit_code == 2 for entry in entries))


def make(sweep: Sweep) -> None:
    """Make the sweep's folder.

    Raises:
        StorageError: the file system refused.
    """
    folder = sweep.record.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "multirun.yaml", OmegaConf.to_yaml(sweep.config).encode())
        sweep.record.write()
    except OSError as error:
        raise StorageError(f"the sweep's folder {folder} cannot be written: {error.strerror}") from error


def _compare(folder: Path) -> None:
    """Leave the numbers of all runs in ``sweep.csv``, and say which schedule won, or that none did."""
    from lrsched.report import sweep_table, write_sweep_csv
    from lrsched.report.runs import read_runs

    with suppress(ConfigError):  # there is no run to speak of
        write_sweep_csv(folder, read_runs([folder]))
        tell(sweep_table(folder))


def _why(back: JobReturn) -> UserError:
    error = back._return_value
    return error if isinstance(error, UserError) else UserError(f"{type(error).__name__}: {error}")
