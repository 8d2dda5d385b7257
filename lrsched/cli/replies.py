"""TAB: what may stand at the end of a command line."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

from hydra._internal.utils import get_args_parser

from lrsched.cli.flags import COMPLETION, completed, config_dir
from lrsched.cli.help import choices
from lrsched.compose.choices import own_folders
from lrsched.compose.hydra_setup import call
from lrsched.config.project import with_own_configs
from lrsched.console import tell

SHELLS = ("bash", "zsh")

OVERRIDES = ("train", "preview", "find")
"""The commands that take overrides."""

PATHS = re.compile(r"(^|\.)(resume|init_from|root|path|test_path|cache_root)$")
"""Keys whose values are files or folders."""


def answer(words: Sequence[str], train: Callable[[], Any], commands: Sequence[str]) -> bool:
    """Answer a shell, or print its script.

    Args:
        words: of the command line that the script runs: ``-sc query=bash``, or ``-sc install=bash``.
        train: the function of Hydra.
        commands: of ``lrsched``; none for ``train.py``.

    Returns:
        False where Hydra has to do it: another shell, another wish.
    """
    wish, _, shell = (words or [""])[-1].partition("=")
    if shell not in SHELLS or wish not in ("install", "query"):
        return False
    if wish == "install":
        from lrsched.cli.completion import SCRIPTS

        tell(SCRIPTS[shell].strip())
    elif found := replies(os.environ.get("COMP_LINE", ""), train, commands):
        tell("\n".join(found))
    return True


def replies(line: str, train: Callable[[], Any], commands: Sequence[str]) -> list[str]:
    """What may stand in the place of the last word of a line.

    Args:
        line: up to the cursor.
        train: the function of Hydra.
        commands: of ``lrsched``; none for ``train.py``.
    """
    words = line.split()
    word = "" if line[-1:].isspace() or not words else words.pop()
    rest = words[2 if words and Path(words[0]).name.startswith("python") else 1 :]
    if commands and not rest:
        return [name for name in (*commands, "--help") if name.startswith(word)]
    command, given = (rest[0], rest[1:]) if commands else ("train", rest)
    if command not in (*commands, "train"):
        return []
    if word.startswith("-"):
        return [flag for flag in _flags(command) if flag.startswith(word)]
    asks = given[-1] if given else ""
    if command not in OVERRIDES or asks.startswith("-"):
        known = [action for action in _actions(command) if asks in action.option_strings and action.nargs != 0]
        known = known or [action for action in _actions(command) if not action.option_strings]
        if command not in OVERRIDES or known[0].option_strings:
            return [str(name) for name in known[0].choices or () if str(name).startswith(word)]
    own = _of_find(word) if command == "find" else []
    return own or _override(word, with_own_configs(given), train)


def _of_find(word: str) -> list[str]:
    """The keys of ``lrsched find`` and their values."""
    from lrsched.finder.options import AMONG, FindConfig

    rules = {f"{AMONG}{item.name}": item.metadata.get("rule") for item in fields(FindConfig)}
    rules["method"] = rules[f"{AMONG}method"]
    key, equals, value = word.partition("=")
    if equals:
        known = getattr(rules.get(key), "limits", {}).get("enum", ())
        return [f"{key}={choice}" for choice in known if choice.startswith(value)]
    return [f"{name}=" for name in rules if word and name.startswith(word)]


def _actions(command: str) -> list[Any]:
    """The arguments of a command."""
    of = get_args_parser() if command == "train" else import_module(f"lrsched.cli.{command}").parser()
    return of._actions


def _flags(command: str) -> list[str]:
    own = [name for action in _actions(command) for name in action.option_strings if name.startswith("--")]
    hidden = ("--experimental-rerun", COMPLETION[0], "--run", "--package")
    return [*(name for name in own if name not in hidden), *(["--help=all"] if command == "train" else [])]


def _override(word: str, given: Sequence[str], train: Callable[[], Any]) -> list[str]:
    """An override: a choice of a group, a value of a key, or a key."""
    key, equals, value = word.partition("=")
    name = key.lstrip("+~")
    if not equals:
        return _keys(word, given, train)
    if PATHS.search(name):
        return [f"{key}={path}" for path in _paths(value)]
    begun, last = re.fullmatch(r"(.*[\[,])?([^\[,]*)", value, re.DOTALL).groups()  # type: ignore[union-attr]
    known = choices(given, plugins=[name] if name.startswith("hydra/") else ()).get(name)
    if known is None:
        from lrsched.cli.values import values_of

        known = values_of(name, given, own_folders())
    if known:
        return [f"{key}={begun or ''}{choice}" for choice in known if choice.startswith(last)]
    return _keys(word, given, train)


def _paths(begun: str) -> list[str]:
    """Files and folders, those with ``/`` behind."""
    folder, _, name = begun.rpartition("/")
    place = Path(folder or ("/" if begun.startswith("/") else "."))
    with contextlib.suppress(OSError):
        found = sorted(path for path in place.iterdir() if path.name.startswith(name) and (name or path.name[0] != "."))
        return [f"{begun[: len(begun) - len(name)]}{path.name}{'/' * path.is_dir()}" for path in found]
    return []


def _keys(word: str, given: Sequence[str], train: Callable[[], Any]) -> list[str]:
    """What Hydra offers: the keys and groups of the config that the line so far makes."""
    os.environ["COMP_LINE"] = completed(" ".join(["lrsched", *given, word]))
    offered = io.StringIO()
    with contextlib.redirect_stdout(offered):
        call(train, [COMPLETION[0], "query=bash"])
    own = config_dir(given)
    folders = [*own_folders(), *([] if own is None else [Path(own)])]
    found = offered.getvalue().split()
    return [f"{name}=" if any((folder / name.lstrip("+")).is_dir() for folder in folders) else name for name in found]
