"""What the commands ``preview``, ``report`` and ``check`` share: a parser, exit codes, files."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from lrsched.compose.errors import RAISED, as_user_error
from lrsched.console import say
from lrsched.errors import UNSET, ConfigError, storage
from lrsched.records import write_atomically


class Parser(argparse.ArgumentParser):
    """The arguments of ``lrsched NAME``. A wrong one raises ConfigError instead of ending the process.

    Args:
        name: of the command.
        key: what an error names, as a config's error names a key.
        texts: ``description`` and ``epilog`` of the help, printed as they are.
    """

    def __init__(self, name: str, key: str, **texts: Any) -> None:
        form = argparse.RawDescriptionHelpFormatter
        super().__init__(prog=f"lrsched {name}", formatter_class=form, allow_abbrev=False, **texts)
        self._key = key

    def error(self, message: str) -> NoReturn:
        raise ConfigError(self._key, UNSET, message, f"{self.prog} --help shows what it takes")


def exit_code(run: Callable[[], object], overrides: Sequence[str] = ()) -> int:
    """Run a command; print a user's mistake as one message, which names the override at fault.

    Returns:
        The exit code: 0, or that of the mistake.
    """
    try:
        run()
    except RAISED as failure:
        error = as_user_error(failure, overrides)
        say(str(error))
        return error.exit_code
    return 0


def write(file: Path, content: bytes, *, folder: bool = False) -> None:
    """Write a file that the user asked for, and with ``folder`` the folder that it lies in.

    Raises:
        StorageError: it cannot be written.
    """
    with storage(f"{file} cannot be written"):
        if folder:
            file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, content)
