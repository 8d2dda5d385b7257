"""TAB: what may stand at the end of a command line."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

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

LAST = re.compile(r"(?:\\.|[^\s\\])*\Z", re.DOTALL)
"""The last word of a line, as it was typed."""

ACTIVE = re.compile(r"[^\w@%+=:,./-]")
"""Characters that a shell may read as more than themselves."""


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
        return True
    line = os.environ.get("COMP_LINE", "")
    if found := replies(line, train, commands):
        tell("\n".join(as_typed(line, found)))
    return True


def as_typed(line: str, found: Sequence[str]) -> list[str]:
    r"""What a shell puts in the place of the last word: that word as it was typed, and the rest of a reply, quoted.

    A name of a file or a folder can hold anything, also what a shell would run. One that fits on no line is left out.

    >>> as_typed("lrsched train resume=a", ["resume=a b", "resume=a;b", "resume=a.b"])
    ['resume=a\\ b', 'resume=a\\;b', 'resume=a.b']
    """
    _, word, typed = _words(line)
    rests = [reply[len(word) :] for reply in found if reply.startswith(word) and reply.isprintable()]
    return [typed + ACTIVE.sub(r"\\\g<0>", rest) for rest in rests]


def _words(line: str) -> tuple[list[str], str, str]:
    """The words before the last one; the last one as it is meant, and as it was typed.

    Raises:
        ValueError: the last one is quoted, or the shell puts another in its place: no reply would go on from it.
    """
    words, typed = shlex.split(line), LAST.findall(line)[0]
    if set(typed) & set("'\"$`"):
        raise ValueError(typed)
    return words, words.pop() if typed else "", typed


def replies(line: str, train: Callable[[], Any], commands: Sequence[str]) -> list[str]:
    """What may stand in the place of the last word of a line.

    Args:
        line: up to the cursor.
        train: the function of Hydra.
        commands: of ``lrsched``; none for ``train.py``.
    """
    try:
        words, word, _ = _words(line)
    except ValueError:
        return []
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
    if PATHS.search(name) or value[:1] in (".", "/"):
        return [f"{key}={path}" for path in _paths(value) if _is_itself(path)]
    begun, last = re.fullmatch(r"(.*[\[,])?([^\[,]*)", value, re.DOTALL).groups()  # type: ignore[union-attr]
    known = choices(given, plugins=[name] if name.startswith("hydra/") else ()).get(name)
    known = None if known is None else [choice for choice in known if _is_itself(choice)]
    if known is None:
        from lrsched.cli.values import values_of

        known = values_of(name, given, own_folders())
    if known:
        return [f"{key}={begun or ''}{choice}" for choice in known if choice.startswith(last)]
    return _keys(word, given, train)


def _is_itself(value: str) -> bool:
    """Whether an override takes this text as it is: another is no number, list or interpolation, nor refused."""
    try:
        return OverridesParser.create().parse_override(f"key={value}").value() == value and "${" not in value
    except HydraException:
        return False


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
    given = [each for each in given if "=" not in each or not re.search(r"\s", each)]  # Hydra splits at each space
    os.environ["COMP_LINE"] = completed(" ".join(["lrsched", *given, word]))
    offered = io.StringIO()
    with contextlib.redirect_stdout(offered):
        call(train, [COMPLETION[0], "query=bash"])
    own = config_dir(given)
    folders = [*own_folders(), *([] if own is None else [Path(own)])]
    found = offered.getvalue().split()
    return [f"{name}=" if any((folder / name.lstrip("+")).is_dir() for folder in folders) else name for name in found]
