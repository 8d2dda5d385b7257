"""Check Hydra's flags before Hydra does, so that a wrong one is one message, like a wrong key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from hydra._internal.utils import get_args_parser

from lrsched.errors import UNSET, ConfigError


def check_flags(arguments: Sequence[str]) -> None:
    """Refuse unknown flags, and the flag that runs code from a file.

    Raises:
        ConfigError: an unknown flag, one without its value, or ``--experimental-rerun``.
    """
    parser = get_args_parser()
    parser.error = _refuse  # argparse would print its usage, and end the process
    known, unknown = parser.parse_known_args([word for word in arguments if word != "--version"])  # Hydra answers that
    if unknown:
        word = unknown[0]
        _refuse(f"there is no flag {word}" if word.startswith("-") else f"{word} must stand beside the other overrides")
    if known.experimental_rerun is not None:
        rule = "reads a pickled config, and whoever wrote the pickle chooses the code that runs"
        remedy = "resume a run with resume=FOLDER"
        raise ConfigError("--experimental-rerun", known.experimental_rerun, rule, remedy)


def _refuse(message: str) -> NoReturn:
    raise ConfigError("command line", UNSET, message, "--help shows every key, and --hydra-help Hydra's own flags")
