"""A project of one's own: what the current folder's ``pyproject.toml`` says of lrsched, and the configs beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from lrsched.errors import UNSET, ConfigError

CONF = "conf"
"""The folder of a project's own configs."""


FILE = "pyproject.toml"

_OURS = re.compile(r"""^\s*(\[\s*)?(tool\s*\.\s*)?["']?lrsched["']?[ \t]*([]=.]|$)""", re.MULTILINE)
"""A line of TOML that is about lrsched, for a file that is none as a whole."""


def project() -> Mapping[str, Any] | None:
    """The table ``[tool.lrsched]`` in the ``pyproject.toml`` of the current folder; None where there is none.

    Raises:
        ConfigError: the file cannot be read, or is no TOML and seems to have that table.
    """
    try:
        text = Path(FILE).read_text("utf-8")
    except (FileNotFoundError, IsADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        rule = f"cannot be read, and may say which conf/ and which modules are meant: {reason}"
        raise ConfigError(FILE, UNSET, rule, "mend it, or run from another folder") from error
    import tomllib  # most folders hold no such file

    try:
        tools = _table(tomllib.loads(text).get("tool"))
    except tomllib.TOMLDecodeError as error:
        if not _OURS.search(text):
            return None
        rule = f"is no TOML, so that its table [tool.lrsched] cannot be read: {error}"
        raise ConfigError(FILE, UNSET, rule, "mend it, or run from another folder") from error
    return None if tools is None else _table(tools.get("lrsched"))


def _table(value: Any) -> Mapping[str, Any] | None:
    return cast(Mapping[str, Any], value) if isinstance(value, dict) else None


def own_configs() -> str | None:
    """The folder of the project's own configs, which needs no flag from the project's folder; None outside of one."""
    return CONF if project() is not None and Path(CONF).is_dir() else None


def with_own_configs(words: Sequence[str]) -> list[str]:
    """Add the project's own configs to the words of a command, which may name another folder of them."""
    own = own_configs()
    named = any(word.partition("=")[0] in ("--config-dir", "-cd") for word in words)
    return list(words) if own is None or named else ["--config-dir", own, *words]
