"""Choose once for each work, and keep the figures: in the sweep's folder, for all its jobs and for the next command."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrsched.config.blame import raised
from lrsched.config.given import NOTHING, Given
from lrsched.config.schema import SPEED
from lrsched.config.settings import Settings, settings
from lrsched.console import say
from lrsched.errors import Stopped, UserError
from lrsched.fast.figures import Figures
from lrsched.fast.kept import REMEDY, Kept
from lrsched.fast.keys import asked
from lrsched.fast.work import work_of

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from lrsched.assembly.data import Loaded


def choose(config: Mapping[str, Any], run: Settings, loaded: Callable[[], Mapping[str, Loaded]]) -> dict[str, Any]:
    """The values for a single run, timed in this process; the plain ones where the run cannot be made.

    Args:
        config: plain and resolved, with keys that are ``auto``.
        run: its settings.
        loaded: gives the data sets in memory.
    """
    names = asked(config)
    figures = _attempted(names, lambda: timed(run, names, loaded(), None))
    if figures is None:
        return _plain(names)
    values = figures.values(names, figures.steps(config["trainer"]))
    say(figures.told(values))
    return values


def _plain(names: Sequence[str]) -> dict[str, Any]:
    return {name: SPEED[name] for name in names}


def _attempted(names: Sequence[str], time: Callable[[], Figures]) -> Figures | None:
    """The figures; None where the run cannot be made, which the run itself will say: as if nothing had been timed."""
    try:
        return time()
    except Stopped:
        raise
    except UserError:
        return None
    except (Exception, SystemExit) as error:
        return Figures.untimed(names, raised(error))


def timed(run: Settings, names: Sequence[str], loaded: Mapping[str, Loaded], known: Figures | None) -> Figures:
    """Time what is not known yet.

    Args:
        run: the settings, ``auto`` still in them.
        names: the keys that are.
        loaded: data sets in memory.
        known: figures without a compilation that is worth a try; None: there are none.
    """
    from lrsched.fast.timing import Timing  # imports torch
    from lrsched.train.environment import with_threads

    with with_threads(None), ExitStack() as ends:
        timing = Timing(run, names, loaded, ends)
        figures = known or timing.figures()
        if figures.may_compile(names, figures.steps(vars(run.trainer))):
            figures = timing.compiled(figures)
        return figures


class Chooser:
    """The choices of a sweep.

    Args:
        folder: of the sweep.
        here: time in this process, which no process may be forked from; else in a forked one, which may do to its
            memory, its threads and its GPU what it likes.

    Raises:
        ConfigError: the figures of an earlier command cannot be read.
    """

    def __init__(self, folder: Path, *, here: bool = False) -> None:
        self._here, self._kept = here, Kept(folder)
        self._known = self._kept.read()
        self._hopeless: set[str] = set()

    def values(self, config: Mapping[str, Any], objects: Mapping[str, Given] = NOTHING) -> dict[str, Any]:
        """The values for a job; nothing where no key is ``auto``.

        Args:
            config: plain and resolved.
            objects: given in Python, by the key of the node that each stands in for.

        Raises:
            ConfigError: the config, or the file of the figures, cannot be used.
            StorageError: the file system refused to keep them.
        """
        names = asked(config)
        if not names:
            return {}
        work, trainer = work_of(config), config["trainer"]
        if self._is_due(work, names, trainer):  # another command may have timed it meanwhile
            self._known |= self._kept.read()
        if self._is_due(work, names, trainer):
            run = settings(config, objects)
            found = None if work in self._hopeless else self._timed(run, names, self._known.get(work))
            if found is None:
                self._hopeless.add(work)
                return _plain(names)
            self._known = self._kept.merge({**self._known, work: found})
            self._tell(self._known[work], names, trainer)
        figures = self._known[work]
        missing = [name for name in names if name != "compile" and name not in figures.chosen]
        if missing:
            raise self._kept.damaged(f"{work}.chosen.{missing[0]} is missing")
        return figures.values(names, figures.steps(trainer))

    def _is_due(self, work: str, names: Sequence[str], trainer: Mapping[str, Any]) -> bool:
        figures = self._known.get(work)
        return figures is None or figures.may_compile(names, figures.steps(trainer))

    def _tell(self, figures: Figures, names: Sequence[str], trainer: Mapping[str, Any]) -> None:
        said = figures.told(figures.values(names, figures.steps(trainer)))
        say(said if figures.tried else f"{said}; {self._kept.path} keeps this: {REMEDY}")

    def _timed(self, run: Settings, names: Sequence[str], known: Figures | None) -> Figures | None:
        from lrsched.assembly.data import load_each

        def time() -> Figures:
            return timed(run, names, load_each([run]), known)

        if self._here:
            return _attempted(names, time)
        try:
            return _in_a_child(lambda: _attempted(names, time))
        except EOFError:
            return Figures.untimed(names, "the process that timed it was ended: for want of memory, perhaps")


def _in_a_child(work: Callable[[], Figures | None]) -> Figures | None:
    """What a function gives in a forked process.

    Raises:
        EOFError: the process was ended.
    """
    import multiprocessing  # most sweeps need none

    fork = multiprocessing.get_context("fork")
    mine, theirs = fork.Pipe(duplex=False)
    child = fork.Process(target=_child, args=(work, theirs))
    child.start()
    theirs.close()
    try:
        return mine.recv()
    finally:
        if child.is_alive():
            child.join(1.0)
            child.kill()
        child.join()


def _child(work: Callable[[], Figures | None], theirs: Connection) -> None:
    try:
        theirs.send(work())
    finally:
        theirs.close()
        os._exit(0)
