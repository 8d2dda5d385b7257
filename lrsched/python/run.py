"""Make a run from a script or a notebook."""

from __future__ import annotations

import json
import shlex
import signal
from collections.abc import Callable, Mapping, Sequence
from os import PathLike, fspath
from typing import Any

from torch import nn

from lrsched.compose.errors import RAISED, as_user_error, shown_cause
from lrsched.config.given import Given, parameters
from lrsched.ended import Ended, ending_of
from lrsched.errors import ConfigError, Stopped
from lrsched.python.finished import Run
from lrsched.python.given import given_objects
from lrsched.python.undisturbed import undisturbed
from lrsched.python.words import checked, config_of
from lrsched.ranks.place import KEY, given_place
from lrsched.records import RunFolder
from lrsched.runs.context import WorkerContext
from lrsched.runs.start import make_run
from lrsched.signals import stop_flag
from lrsched.tasks.task import Task


def run(
    overrides: Sequence[str] = (),
    *,
    model: nn.Module | None = None,
    data: Any = None,
    task: Task | None = None,
    config_dir: str | PathLike[str] | None = None,
) -> Run:
    """Make one run, as ``train.py`` does, in this process.

    The same words give the same bits as on the command line. Generators, threads and settings of torch are afterwards
    as they were before. The limits of ``malloc`` are after ``trainer.keep_memory=true`` those of other processes: what
    the caller had set by ``mallopt`` cannot be asked for. How OpenMP's threads wait was settled when torch was loaded:
    where another program is busy, set ``OMP_WAIT_POLICY=passive`` and ``GOMP_SPINCOUNT=1000`` before that, as the
    command line does. Ctrl-C saves the run and returns it: its ``result["ended"]`` is ``signal``; before there is
    anything to save it raises KeyboardInterrupt. ``resume=FOLDER`` goes on with a run, and wants its objects again.

    Args:
        overrides: words of a command line, as ``["scheduler=wsd", "optimizer.lr=0.03"]``; no flags.
        model: trained instead of the config's. A copy is: this one stays as it is. Its weights to begin with are part
            of the config's hash.
        data: instead of the config's: arrays ``(x, y)`` or ``(x, y, weight)``, samples first, as tensors or what NumPy
            makes an array of; a mapping of arrays by name; two of these, the training and the test part; an
            ``lrsched.data.Data`` or ``Source``. Used as they are, not standardised. ``dataset.batch_size``,
            ``dataset.validation`` and other keys of the trainer count.
        task: instead of the config's. Parameters at their defaults that are facts of the data are filled in.
        config_dir: a folder with more YAML files.

    Raises:
        ConfigError, DataError: a word or an object that cannot be used; nothing is left behind.
        NotFinite, CheckpointError, RunFolderBusy, StorageError: as the command line's exit codes 3 to 6.
        Stopped: another signal than Ctrl-C's; the run is saved.

    Returns:
        The run: its result, its rows, and its model for predictions.
    """
    entered, objects = list[RunFolder](), dict[str, Given]()
    try:
        with stop_flag().alone() as stop, undisturbed():
            words = checked(overrides)
            try:
                _refuse_torchrun()
                objects |= given_objects(model, data, task)
                config = config_of(words, objects, None if config_dir is None else fspath(config_dir))
                context = WorkerContext(objects=objects, again=_again(objects), entered=entered.append)
                make_run(config, words, stop, context=context)
            except (*RAISED, OSError) as failure:
                error = as_user_error(failure, words)
                raise error from shown_cause(failure, error)
    except Stopped as stopped:  # by now the handlers are the caller's again
        if stopped.exit_code - 128 != signal.SIGINT:
            stop_flag().hand_on()
            raise
        if not entered or ending_of(entered[-1].read_result() or {}).ended is not Ended.SIGNAL:
            raise KeyboardInterrupt from stopped
    return Run(entered[-1].path, objects=objects)


def _refuse_torchrun() -> None:
    place = given_place()
    if place is not None:
        rule = f"this program is one of {place.size} that torchrun has started, and each would make the run"
        raise ConfigError("WORLD_SIZE", place.size, rule, f"start it without torchrun, and give {KEY}={place.size}")


def _again(objects: Mapping[str, Given]) -> Callable[[str], str]:
    """How to ask for a run by some words, with the same objects.

    >>> _again({})("resume=outputs/x trainer.epochs=40")
    'lrsched.run(["resume=outputs/x", "trainer.epochs=40"])'
    """
    more = f", {parameters(list(objects))}" if objects else ""
    return lambda words: f"lrsched.run({json.dumps(shlex.split(words), ensure_ascii=False)}{more})"
