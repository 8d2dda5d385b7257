"""Check Hydra's flags before Hydra does: a wrong one is one message, like a wrong key."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from hydra._internal.utils import get_args_parser

from lrsched.errors import UNSET, ConfigError


def check_flags(arguments: Sequence[str]) -> None:
    """Refuse unknown flags, and the one that runs code from a file.

    Raises:
        ConfigError: an unknown flag, one without its value, or ``--experimental-rerun``.
    """
    parser = get_args_parser()
    parser.error = _refuse  # argparse would print its usage, and end the process
    for action in parser._actions:
        if isinstance(action, argparse._VersionAction):
            action.__class__ = _Later  # Hydra answers it
    known, unknown = parser.parse_known_args(list(arguments))
    if unknown:
        word = unknown[0]
        _refuse(f"there is no flag {word}" if word.startswith("-") else f"{word} must stand beside the other overrides")
    if known.experimental_rerun is not None:
        raise ConfigError(
            "--experimental-rerun",
            known.experimental_rerun,
            "reads a pickled config, and whoever wrote the pickle chooses the code that runs",
            "continue a run with resume=FOLDER",
        )


class _Later(argparse._VersionAction):
    def __call__(self, *_: Any, **__: Any) -> None:
        """Do nothing."""


def _refuse(message: str) -> NoReturn:
    raise ConfigError("command line", UNSET, message, "--help shows every key, and --hydra-help Hydra's own flags")
