"""Train runs that differ in rate and seed, in the pool of a sweep; those that are finished already are not repeated."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lrsched.checkpoint.lock import LOCK
from lrsched.config.run_id import key_of
from lrsched.config.settings import Settings, direction
from lrsched.ended import Ended, ending_of
from lrsched.errors import ConfigError, Incomplete, Stopped, nearest, storage
from lrsched.finder.answer import Candidate
from lrsched.finder.folder import QUESTION
from lrsched.records import write_json
from lrsched.signals import StopFlag
from lrsched.sweep.launchers.dispatch import hand_over, make_folder
from lrsched.sweep.record import FILE, Entry
from lrsched.sweep.sweep import Invalid, Sweep, Valid

if TYPE_CHECKING:
    from lrsched.sweep.launchers.choose import Launch


class Job(NamedTuple):
    """A run to make with each seed.

    Args:
        lr: its rate.
        words: overrides that set it, and what else is its own.
    """

    lr: float
    words: Sequence[str]


class Planned(NamedTuple):
    """A run with one seed, of a rate."""

    lr: float
    seed: int
    job: Valid


@dataclass
class Trained:
    """Runs of one sweep, and what they came to.

    Args:
        launch: the config and the launcher of the sweep.
        run: the settings of one.
        stop: raised by a signal.
        question: what was asked, which their folder then holds.
        scout: train one run alone before the first others: what no run can be made with costs one line then.
        words: overrides that all of them have, beside those of the launch: a schedule that is compared.
        shared: the sweep of others; None: of its own.
        candidates: every run that ended, in order.
        cost: updates that were made for them.
        units: of their metrics.
    """

    launch: Launch
    run: Settings
    stop: StopFlag
    question: Mapping[str, Any] | None = None
    words: Sequence[str] = ()
    scout: bool = False
    shared: Sweep | None = None
    candidates: list[Candidate] = field(default_factory=list[Candidate])
    cost: int = 0
    units: Mapping[str, str] = field(default_factory=dict[str, str])
    _entries: dict[str, Entry] = field(default_factory=dict[str, Entry])

    @cached_property
    def sweep(self) -> Sweep:
        """The sweep."""
        return self.shared or Sweep(self.launch.context.config_loader, self.launch.config)

    @property
    def steps(self) -> int:
        """Updates that the runs have, those of earlier commands among them."""
        return sum(entry.steps_asked for entry in self._entries.values())

    @property
    def length(self) -> int:
        """Updates of the longest run; 0: there is none."""
        return max((entry.steps_asked for entry in self._entries.values()), default=0)

    def __call__(self, asked: Sequence[Job], seeds: Sequence[int]) -> None:
        """Train runs, each with all seeds.

        Raises:
            UserError: the config cannot be used; nothing is left behind.
            Incomplete: a run did not finish, and did not diverge either.
            Stopped: by a signal; the runs that were under way are saved.
        """
        train([(self, asked)], seeds)

    def planned(self, asked: Sequence[Job], seeds: Sequence[int]) -> list[Planned]:
        """Compose and check the runs."""
        keys = {key_of(word) for each in asked for word in [*self.words, *each.words]} | {"seed"}
        common = [word for word in self.launch.words if key_of(word) not in keys]
        self.sweep.swept, self.sweep.quiet = {*self.sweep.swept, *keys}, True  # the finder says what it makes
        jobs: list[Planned] = []
        for each in asked:
            for seed in seeds:
                job = self.sweep.plan([*common, *self.words, *each.words, f"seed={seed}"])
                if isinstance(job, Invalid):
                    raise job.error
                self._entries[job.run_id] = job.entry
                jobs.append(Planned(each.lr, seed, job))
        return jobs

    def take(self, jobs: Sequence[Planned]) -> None:
        """Keep what they came to."""
        longest = max([self.length, *(_steps(job) for *_, job in jobs)])  # where no run was begun to tell its length
        self.candidates += [Candidate(lr, job.entry.steps_asked or longest, seed, _loss(job)) for lr, seed, job in jobs]
        self.cost += sum(_steps(job) for *_, job in jobs)
        self.units = self.units or next((units for *_, job in jobs if (units := _units(job))), {})

    def train(self, jobs: Sequence[Valid]) -> None:
        """Train what is not finished; a run that diverged would do so again.

        Where every run says at once that the config cannot be used, one message says so and nothing is left behind.
        """
        folder = self.sweep.record.folder
        fresh = not (folder / FILE).exists()
        try:
            if fresh and self.scout:
                self._train(jobs[:1])
            self._train(jobs)
        except (Stopped, Incomplete) as error:  # more rounds may follow, even if every run of this one is done
            tried = [job for job in jobs if job.entry.status is not None]
            if fresh and tried and all(job.entry.exit_code == ConfigError.exit_code and job.error for job in tried):
                _clear(folder)
                raise tried[0].error or error from None
            error.hint = f"; the same command with name={self.sweep.record.folder.name} goes on with what is left"
            raise

    def _train(self, jobs: Sequence[Valid]) -> None:
        make_folder(self.sweep)
        if self.question is not None:
            with storage(f"{self.sweep.record.folder / QUESTION} cannot be written"):
                write_json(self.sweep.record.folder / QUESTION, self.question)
        hand_over(self.sweep, self.launch.launcher, [job for job in jobs if not _diverged(job)])
        self.sweep.record.write()
        self.stop.check()
        undone = [job for job in jobs if not job.entry.is_done and not _diverged(job)]
        if undone:
            invalid = all(job.entry.exit_code == ConfigError.exit_code for job in jobs)
            raise Incomplete(len(undone), len(jobs), all_invalid=invalid)

    def losses(self, rate: float) -> list[float]:
        """Of a rate, one for each seed."""
        return [candidate.loss for candidate in self.candidates if candidate.lr == rate]

    def mean(self, rate: float) -> float:
        """The mean over the seeds, lower is better; infinite where one diverged."""
        losses = self.losses(rate)
        return self.sign * sum(losses) / len(losses) if all(map(math.isfinite, losses)) else math.inf

    @cached_property
    def sign(self) -> int:
        """1 if less of the monitored metric is better, −1 if more is."""
        from lrsched.assembly.checks import all_metrics  # imports torch

        return 1 if direction(all_metrics(self.run), self.run.checkpoint.monitor) == "min" else -1


def train(asked: Sequence[tuple[Trained, Sequence[Job]]], seeds: Sequence[int]) -> None:
    """Train runs of one sweep, those of several schedules side by side, each with all seeds.

    Raises:
        UserError, Incomplete, Stopped: as for :class:`Trained`.
    """
    planned = [(trained, trained.planned(jobs, seeds)) for trained, jobs in asked]
    asked[0][0].train([each.job for _, jobs in planned for each in jobs])
    for trained, jobs in planned:
        trained.take(jobs)


def _clear(folder: Path) -> None:
    """Take away what was made in a folder that this process holds; not its lock."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != LOCK:
            path.unlink(missing_ok=True)


def _diverged(job: Valid) -> bool:
    """Whether its run diverged, now or in an earlier command: it would again."""
    return ending_of(job.folder.read_result() or {}).ended is Ended.DIVERGED


def _loss(job: Valid) -> float:
    """The monitored metric at its end."""
    if _diverged(job):
        return math.inf
    metrics, monitor = (job.folder.read_result() or {}).get("metrics", {}), job.settings.checkpoint.monitor
    if monitor not in metrics:  # a key that changes no run: one of another command may lack it
        known = [name for name in metrics if name.startswith("val/")]
        remedy = f"{nearest(monitor, known)}, or give another name"
        raise ConfigError("checkpoint.monitor", monitor, f"{job.folder}, which is finished, has no such metric", remedy)
    return float(metrics[monitor])


def _steps(job: Valid) -> int:
    return int((job.folder.read_result() or {}).get("step", job.entry.steps_asked))


def _units(job: Valid) -> Mapping[str, str]:
    return (job.folder.read_result() or {}).get("units", {})
