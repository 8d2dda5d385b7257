"""Read Hydra's flags before Hydra does, wherever they stand, so that a wrong one is one message, like a wrong key."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from hydra._internal.utils import get_args_parser

from lrsched.errors import UNSET, ConfigError

COMPLETION = ("--shell-completion", "-sc")
"""Hydra's flag, by which the script of a shell asks: ``-sc query=bash``."""


def flags_first(arguments: Sequence[str]) -> list[str]:
    """Put the flags before the overrides: Hydra reads no override after a flag that follows one.

    Raises:
        ConfigError: an unknown flag, one without its value, or ``--experimental-rerun``, which runs code from a file.
    """
    parser = get_args_parser()
    parser.error = _refuse  # argparse would print its usage, and end the process
    whole = "--help=all" in arguments
    words = ["--help" if word == "--help=all" else word for word in arguments]
    for place, following in enumerate(words[1:]):
        if words[place] in ("--info", "-i") and ("=" in following or following.startswith("~")):
            words[place] = "--info=all"  # else argparse takes the override for its value
    known, unknown = parser.parse_known_intermixed_args([word for word in words if word != "--version"])
    if unknown:
        _refuse(f"there is no flag {unknown[0]}")
    if known.experimental_rerun is not None:
        rule = "reads a pickled config, and whoever wrote the pickle chooses the code that runs"
        remedy = "resume a run with resume=FOLDER"
        raise ConfigError("--experimental-rerun", known.experimental_rerun, rule, remedy)
    if "--version" in words:  # argparse would print it at once
        return ["--version"]
    flags: list[str] = []
    for name, value in vars(known).items():
        if name != "overrides" and value not in (None, False):
            flags += [f"--{name.replace('_', '-')}", *([] if value is True else [value])]
    if whole:
        flags[flags.index("--help")] = "--help=all"
    return flags if known.hydra_help else [*flags, *known.overrides]  # Hydra's help knows no key of ours


def config_dir(arguments: Sequence[str]) -> str | None:
    """The folder of more configs that a command line names."""
    flags = argparse.ArgumentParser(add_help=False)
    flags.add_argument("--config-dir", "-cd")
    return flags.parse_known_args(list(arguments))[0].config_dir


def completed(line: str) -> str:
    """Put the flags first in a line that a shell completes, too; one that cannot be read yet stays as it is."""
    words = line.split()
    program = next((place for place, word in enumerate(words) if word.endswith(".py")), 0)
    if words[program + 1 : program + 2] == ["train"]:
        program += 1
    rest = words[program + 1 :]
    if rest and rest[-1].startswith("-"):
        return line
    try:
        first = flags_first(rest)
    except ConfigError:
        return line
    ended = not rest or line[-1].isspace()
    return " ".join(["lrsched", *first]) + (" " if ended else "")


def _refuse(message: str) -> NoReturn:
    raise ConfigError("command line", UNSET, message, "--help=all shows every key, and --hydra-help Hydra's own flags")
