"""Choose once for each work, and keep the figures: in the sweep's folder, for all its jobs and for the next command."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrsched.config.given import NOTHING, Given
from lrsched.config.schema import SPEED
from lrsched.config.settings import Settings, settings
from lrsched.config.walk import is_mapping
from lrsched.console import say
from lrsched.errors import UNSET, ConfigError, UserError, storage
from lrsched.fast.figures import Figures
from lrsched.fast.keys import asked
from lrsched.fast.work import work_of
from lrsched.records import write_json

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from lrsched.assembly.data import Loaded

FILE = "fast.json"


def choose(config: Mapping[str, Any], run: Settings, loaded: Mapping[str, Loaded]) -> dict[str, Any]:
    """The values for a single run, timed in this process.

    Args:
        config: plain and resolved, with keys that are ``auto``.
        run: its settings.
        loaded: data sets in memory.

    Raises:
        UserError: the run cannot be made.
    """
    names = asked(config)
    figures = timed(run, names, loaded, None)
    values = figures.values(names, figures.steps(config["trainer"]))
    say(figures.told(values))
    return values


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

    with with_threads(None), closing(Timing(run, names, loaded)) as timing:
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
        self._folder, self._here = folder, here
        self._known = _read(folder / FILE)
        self._hopeless: set[str] = set()

    def values(self, config: Mapping[str, Any], objects: Mapping[str, Given] = NOTHING) -> dict[str, Any]:
        """The values for a job; nothing where no key is ``auto``.

        Args:
            config: plain and resolved.
            objects: given in Python, by the key of the node that each stands in for.

        Raises:
            ConfigError: the config cannot be used.
        """
        names = asked(config)
        if not names:
            return {}
        known, work = self._known, work_of(config)
        figures = known.get(work)
        if figures is None or figures.may_compile(names, figures.steps(config["trainer"])):
            run = settings(config, objects)
            found = None if work in self._hopeless else self._timed(run, names, figures)
            if found is None:  # the run itself will say what is wrong
                self._hopeless.add(work)
                return {name: SPEED[name] for name in names}
            known[work] = figures = found
            say(figures.told(figures.values(names, figures.steps(config["trainer"]))))
            if self._folder.is_dir():
                self.write()
        return figures.values(names, figures.steps(config["trainer"]))

    def write(self) -> None:
        """Write the figures into the folder of the sweep, if there are any.

        Raises:
            StorageError: the file system refused.
        """
        if self._known:
            with storage(f"{self._folder / FILE} cannot be written"):
                write_json(self._folder / FILE, {work: each.plain() for work, each in self._known.items()})

    def _timed(self, run: Settings, names: Sequence[str], known: Figures | None) -> Figures | None:
        def work() -> dict[str, Any]:
            from lrsched.assembly.data import load_each

            return timed(run, names, load_each([run]), known).plain()

        try:
            content = work() if self._here else _in_a_child(work)
        except UserError:
            return None
        return None if content is None else Figures.of(content, FILE)


def _read(path: Path) -> dict[str, Figures]:
    """The figures of each work that a command before this one has timed."""
    try:
        content = json.loads(path.read_text("utf-8"))
        if not is_mapping(content):
            raise ConfigError(FILE, content, "must be a mapping")
        return {str(work): Figures.of(each, work) for work, each in content.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError, ConfigError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(
            str(path), UNSET, f"cannot be read: {reason}", "take it away, and what is fastest is timed anew"
        ) from error


def _in_a_child(work: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """What a function gives in a forked process; None where it raised an error."""
    import multiprocessing  # most sweeps need none

    fork = multiprocessing.get_context("fork")
    mine, theirs = fork.Pipe(duplex=False)
    child = fork.Process(target=_child, args=(work, theirs))
    child.start()
    theirs.close()
    try:
        return mine.recv()
    except EOFError:  # it was killed
        return None
    finally:
        if child.is_alive():
            child.join(1.0)
            child.kill()
        child.join()


def _child(work: Callable[[], dict[str, Any]], theirs: Connection) -> None:
    try:
        theirs.send(work())
    except UserError:
        theirs.send(None)
    finally:
        theirs.close()
        os._exit(0)
