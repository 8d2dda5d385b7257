"""Parse arguments, give exit codes and write files for the commands other than ``train``."""

from __future__ import annotations

import argparse
import errno
import os
import re
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, cast

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


EXAMPLES = "examples:\n"
"""The first line of an epilog that begins with them."""


class _Whole(argparse.Action):
    """Prints the whole help."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> NoReturn:
        cast(Parser, parser).whole = True
        parser.print_help()
        parser.exit()


class Parser(argparse.ArgumentParser):
    """Parses the arguments of ``lrsched NAME``. A wrong one raises ConfigError instead of ending the process.

    Args:
        name: of the command.
        description: what it does.
        epilog: examples, where it begins with them, and what ``--help=all`` says beside.
    """

    def __init__(self, name: str, description: str, epilog: str = "") -> None:
        form = argparse.RawDescriptionHelpFormatter
        super().__init__(
            prog=f"lrsched {name}", formatter_class=form, allow_abbrev=False, add_help=False, description=description
        )
        examples, _, more = epilog.partition("\n\n") if epilog.startswith(EXAMPLES) else ("", "", epilog)
        self.examples, self.more, self.whole = examples.removeprefix(EXAMPLES), more, False
        self._positionals.title, self._optionals.title = "Give", "Flags"
        hint = "; --help=all says more" if more else ""
        self.add_argument("--help", "-h", action="help", help=f"show this{hint}")
        if more:
            self.add_argument("--help=all", action=_Whole, nargs=0, dest="whole", help=argparse.SUPPRESS)

    def format_help(self) -> str:
        """The help in sections, what one needs first."""
        form = self._get_formatter()
        form.add_usage(self.usage, self._actions, self._mutually_exclusive_groups, prefix="Run\n  ")
        usage = form.format_help()
        form = self._get_formatter()
        for group in self._action_groups:
            form.start_section(group.title)
            form.add_arguments(group._group_actions)
            form.end_section()
        examples = f"Examples\n{self.examples.rstrip()}" if self.examples else ""
        what = re.sub(r"\n\n(?=\w)", "\n", form.format_help()).replace("Give:", "Give").replace("Flags:", "Flags")
        more = f"More\n{textwrap.indent(self.more.rstrip(), '  ')}" if self.whole else ""
        parts = (self.description, usage.rstrip(), examples, what.rstrip(), more)
        return "\n".join(part for part in parts if part) + "\n"

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
