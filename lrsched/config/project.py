"""A project of one's own: what the current folder's ``pyproject.toml`` says of lrsched, and the configs beside it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

CONF = "conf"
"""The folder of a project's own configs."""


def project() -> Mapping[str, Any] | None:
    """The table ``[tool.lrsched]`` in the ``pyproject.toml`` of the current folder; None where none can be read."""
    with suppress(FileNotFoundError, IsADirectoryError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        tools = _table(tomllib.loads(Path("pyproject.toml").read_text("utf-8")).get("tool"))
        return None if tools is None else _table(tools.get("lrsched"))
    return None


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
