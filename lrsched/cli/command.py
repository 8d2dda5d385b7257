"""Parse arguments, give exit codes and write files for the commands other than ``train``."""

from __future__ import annotations

import argparse
import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from lrsched.compose.errors import RAISED, as_user_error
from lrsched.console import say
from lrsched.errors import UNSET, ConfigError, storage
from lrsched.records import write_atomically

RECORDS = frozenset(
    {
        *("config.yaml", "metrics.jsonl", "timing.jsonl", "result.json", "train.log"),
        *("multirun.yaml", "sweep.json", "find.json", "study.db"),
    }
)
"""Names of files that hold what cannot be made again."""


class Parser(argparse.ArgumentParser):
    """Parses the arguments of ``lrsched NAME``. A wrong one raises ConfigError instead of ending the process.

    Args:
        name: of the command.
        texts: ``description`` and ``epilog`` of the help, printed as they are.
    """

    def __init__(self, name: str, **texts: Any) -> None:
        form = argparse.RawDescriptionHelpFormatter
        super().__init__(prog=f"lrsched {name}", formatter_class=form, allow_abbrev=False, **texts)

    def error(self, message: str) -> NoReturn:
        raise ConfigError(self.prog.split()[-1], UNSET, message, f"{self.prog} --help shows what it takes")


def exit_code(run: Callable[[], object], overrides: Sequence[str] = ()) -> int:
    """Run a command. Print a user's mistake, or what the file system refused, as one message.

    Args:
        run: the command.
        overrides: the overrides that it composes; the message names the one at fault.

    Returns:
        The exit code: 0, or that of the mistake.
    """
    try:
        run()
    except (*RAISED, OSError) as failure:
        error = as_user_error(failure, overrides)
        say(f"{error}{error.hint}")
        return error.exit_code
    return 0


def write(file: Path, content: bytes, *, folder: bool = False) -> None:
    """Write a file that the user asked for; with ``folder``, make its folder too.

    Raises:
        ConfigError: it is what a run or a sweep left.
        StorageError: it cannot be written.
    """
    refuse_records(file)
    with storage(f"{file} cannot be written"):
        if not file.name:  # "" and "/"
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
        if folder:
            file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, content)


def refuse_records(*files: Path) -> None:
    """Refuse to write over what a run or a sweep left.

    Raises:
        ConfigError: names the file.
    """
    for file in files:
        if file.name in RECORDS and os.path.lexists(file):
            raise ConfigError("FILE", str(file), "is what a run or a sweep left there", "give another name")
