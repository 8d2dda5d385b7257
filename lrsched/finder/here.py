"""Look for a rate from a script or a notebook."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from lrsched.compose.errors import RAISED, as_user_error, shown_cause
from lrsched.compose.outside import in_folder
from lrsched.errors import ConfigError, Stopped
from lrsched.finder.look import look
from lrsched.finder.request import FindRequest, requests_of
from lrsched.python.given import given_objects
from lrsched.python.undisturbed import undisturbed
from lrsched.python.words import as_open, checked
from lrsched.runs.context import WorkerContext
from lrsched.signals import StopFlag, stop_flag
from lrsched.sweep.in_turn import InTurn
from lrsched.sweep.launchers.choose import Launch, launching
from lrsched.sweep.launchers.pool import run_each
from lrsched.sweep.launchers.worker import run_job
from lrsched.sweep.sweep import Sweep, Valid
from lrsched.tasks.task import Task

if TYPE_CHECKING:
    from omegaconf import DictConfig


@dataclass(frozen=True)
class Found:
    """What was found; ``print`` shows it as the command does.

    Args:
        folder: with ``find.json``, and the runs where there are any.
        content: what ``find.json`` holds.
        text: as the command prints it.
        warnings: what limits it.
    """

    folder: Path
    content: Mapping[str, Any]
    text: str
    warnings: Sequence[str]

    @property
    def suggestion(self) -> float:
        """The learning rate; of several schedules the best one's."""
        return self.content["suggestion"]

    @property
    def override(self) -> list[str]:
        """The words that set it, and the schedule where several are compared: ``lrsched.run([*words, *override])``."""
        return shlex.split(self.content["override"])

    @property
    def interval(self) -> tuple[float, float] | None:
        """Where the best rate lies with 95 %; None: this method tells none."""
        answers = self.content.get("answers") or [self.content]
        ends = answers[0].get("interval")
        return None if ends is None else (ends[0], ends[1])

    @property
    def undecided(self) -> list[str]:
        """The schedules that may be the best; empty where that is decided, or there is one only."""
        return list(self.content.get("undecided", ()))

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Found {self.folder}: {' '.join(self.override)}>"


def find(
    overrides: Sequence[str] = (),
    *,
    model: nn.Module | None = None,
    data: Any = None,
    task: Task | None = None,
    config_dir: str | PathLike[str] | None = None,
) -> Found:
    """Find the learning rate, as ``lrsched find`` does, in this process.

    The same words give the same answer as on the command line, to the last bit. Its runs are made one after another,
    on one thread each unless ``threads`` says more. Generators, threads and settings of torch are afterwards as they
    were before. After Ctrl-C (KeyboardInterrupt) the same call with the same ``name`` goes on with what is left.

    Args:
        overrides: words of a command line, as ``["scheduler=cosine,wsd", "name=which"]``; no flags.
        model: trained instead of the config's, a copy for each run; all seeds begin with its weights.
        data: instead of the config's, as for ``lrsched.run``.
        task: instead of the config's.
        config_dir: a folder with more YAML files.

    Raises:
        ConfigError, DataError: a word or an object that cannot be used; nothing is left behind.
        UserError: a run did not finish; or as the command line's exit codes 3 to 6.
        Stopped: another signal than Ctrl-C's; the runs are saved.

    Returns:
        The answer; ``lrsched.run([*words, *found.override])`` trains with it.
    """
    try:
        with stop_flag().alone() as stop, undisturbed():
            words = checked(overrides, "asks for a sweep, and a finder makes the runs that it needs")
            try:
                folder = None if config_dir is None else fspath(config_dir)
                in_folder([], folder, key="config_dir")  # refuse one that is not there
                several = requests_of(words, folder, given_objects(model, data, task))
                several = [replace(each, in_python=True) for each in several]
                _refuse_other_processes(several[0])
                looked = look(several, stop, partial(_launching, stop))
            except (*RAISED, OSError) as failure:
                error = as_user_error(failure, words)
                raise error from shown_cause(failure, error)
    except Stopped as stopped:  # by now the handlers are the caller's again
        if stopped.exit_code - 128 != signal.SIGINT:
            stop_flag().hand_on()
            raise
        raise KeyboardInterrupt(f"{stopped}{stopped.hint}") from stopped
    return Found(looked.file.parent, looked.answer.content(), looked.text, list(looked.warnings))


def _refuse_other_processes(asked: FindRequest) -> None:
    """Refuse what only a process of its own can do to a run."""
    timeout = asked.runs[0].sweep.timeout
    if timeout is not None:
        rule = "ends the process of a run, and here the runs are made in this one"
        raise ConfigError("sweep.timeout", timeout, rule, "leave it out, or use the command lrsched find")


@contextmanager
def _launching(stop: StopFlag, words: Sequence[str]) -> Generator[Launch]:
    def never(config: DictConfig) -> None:
        raise AssertionError("jobs are handed to a launcher of ours")

    with launching(words, never) as launch:
        yield launch._replace(launcher=_Here(stop))


class _Here:
    """A launcher that makes the runs in this process."""

    def __init__(self, stop: StopFlag) -> None:
        self._stop = stop

    def launch_jobs(self, sweep: Sweep, jobs: Sequence[Valid]) -> None:
        """Make the runs that are not finished, one after another."""

        def run(job: Valid, slot: int, lent: WorkerContext) -> None:
            config = as_open(sweep.config_of(job))
            del config["hydra"]
            with undisturbed():
                run_job(config, job.overrides, job.folder, replace(lent, objects=sweep.objects), self._stop)

        run_each(sweep, jobs, self._stop, InTurn(fail_fast=sweep.options.fail_fast), run)
