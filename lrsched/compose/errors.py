"""Translate errors of Hydra and OmegaConf to ours: key, value, rule and remedy."""

from __future__ import annotations

import re
import shlex
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import is_dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import get_type_hints

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    MissingMandatoryValue,
    OmegaConfBaseException,
    ValidationError,
)

from lrsched.compose import plugins
from lrsched.compose.choices import choices_in
from lrsched.compose.plugins import how_to_install, installed
from lrsched.compose.unknown import unknown_key
from lrsched.config import schema
from lrsched.config.peers import nearest_key
from lrsched.errors import UNSET, ConfigError, UserError, nearest, refused
from lrsched.masked import mask

GROUPS = (*schema.OPEN, "trainer", "checkpoint", "logger", "experiment", "debug")
"""Groups of ``conf/``, Hydra's own aside."""

RAISED = (UserError, HydraException, OmegaConfBaseException, ValueError, OverflowError)
"""The classes of a user's mistake: Hydra raises some that are not its own."""

WRITTEN = "an override is written key=value"
"""The remedy for one that is not."""

_TYPES = {"Integer": "a whole number", "Float": "a number", "Boolean": "true or false", "String": "text"}


def as_user_error(error: Exception, overrides: Sequence[str] = ()) -> UserError:
    """Translate an error to what a user reads. Raise it again if it is no user's, no file system's and no Hydra's.

    Args:
        error: the error.
        overrides: the overrides that were composed; the message names the one at fault.
    """
    if isinstance(error, UserError):
        return error
    if isinstance(error, OSError) and not isinstance(error, HydraException):
        return refused(error)
    if not _hydra_raised(error):
        raise error
    return complaint(error, overrides)


def shown_cause(failure: BaseException, error: UserError) -> BaseException | None:
    """What a traceback may say that an error comes from: nothing that is the error itself, or that tells a secret."""
    told: BaseException | None = None if failure is error else failure
    while told is not None:
        if mask().hide(str(told)) != str(told):
            return None
        told = told.__cause__ or told.__context__
    return None if failure is error else failure


def _hydra_raised(error: BaseException) -> bool:
    """Whether Hydra or OmegaConf raised an error, of whatever class."""
    if isinstance(error, (HydraException, OmegaConfBaseException)):
        return True
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    home = "" if last is None else str(last.tb_frame.f_globals.get("__name__", ""))
    return home.split(".")[0] in ("hydra", "omegaconf", "antlr4")


@contextmanager
def as_user_errors(overrides: Sequence[str]) -> Generator[None]:
    """Translate errors of Hydra and OmegaConf that are raised inside, about these overrides."""
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        raise complaint(error, overrides) from error


def complaint(error: BaseException, overrides: Sequence[str] = ()) -> ConfigError:
    """Translate an error of Hydra or OmegaConf; ``overrides`` are those that were composed."""
    if isinstance(error, MissingConfigException):
        return _missing_choice(error)
    if isinstance(error, OverrideParseException):
        return _unreadable(error)
    inside = re.match(r"In '([^']+)': \w+ raised while composing config", str(error))
    if inside and isinstance(error.__context__, OmegaConfBaseException):  # a file's own fault, and no override's
        found = complaint(error.__context__)
        return ConfigError(found.key, found.value, f"{found.rule} (in {inside[1]}.yaml)", found.remedy)
    cause = error.__cause__ if isinstance(error, HydraException) else error
    while isinstance(cause, HydraException) and cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, (ConfigAttributeError, ConfigKeyError)):
        return unknown_key(error, cause, overrides)
    if isinstance(cause, MissingMandatoryValue):
        return _missing_value(cause)
    if isinstance(cause, ValidationError):
        return _wrong_type(cause)
    if isinstance(cause, OmegaConfBaseException):
        return ConfigError(cause.full_key or "config", UNSET, _first_line(cause))
    return _other(error, overrides)


def _missing_choice(error: MissingConfigException) -> ConfigError:
    missing = str(error.missing_cfg_file or "config")
    of_hydra = next((group for group in plugins.GROUPS if missing.startswith(f"{group}/")), "")
    group, _, choice = (of_hydra, "/", missing[len(of_hydra) + 1 :]) if of_hydra else missing.partition("/")
    if not choice:
        folders = ", ".join(map(str, _searched(str(error)))) or "the folder given"
        remedy = "leave it out: the config is lrsched's own, and --config-dir adds to it"
        return ConfigError("--config-name", group, f"there is no such config in {folders}", remedy)
    options = {name for folder in _searched(str(error)) for name in choices_in(folder / group)}
    if remedy := how_to_install(group, choice):
        return ConfigError(group, choice, "is not installed", remedy)
    inner, _, name = choice.partition("/")
    if group == "experiment" and inner in GROUPS and name:  # of its defaults list, which names are relative to
        return ConfigError(f"experiment/{inner}", name, "there is no such choice", f"write override /{inner}: {name}")
    known = options | installed(group) if of_hydra else options
    if remedy := _not_searched(group, choice):
        return ConfigError(group, choice, "there is no such choice", remedy)
    return ConfigError(group, choice, "there is no such choice", nearest(choice, known))


def _not_searched(group: str, choice: str) -> str:
    """The remedy where a folder that lies here has such a file, and was not named."""
    found = next((path for path in sorted(Path().glob("[!.]*")) if (path / group / f"{choice}.yaml").is_file()), None)
    return f"one lies in {found}: add --config-dir {shlex.quote(str(found))}" if found else ""


def _searched(message: str) -> list[Path]:
    """Read the folders of the search path off the end of Hydra's message."""
    folders: list[Path] = []
    for scheme, path in re.findall(r"provider=\S+, path=(pkg|file)://(\S+)", message):
        spec = find_spec(path.replace("/", ".")) if scheme == "pkg" else None
        folders += map(Path, (spec.submodule_search_locations or []) if spec else [path])
    return folders


def _unreadable(error: OverrideParseException) -> ConfigError:
    key, equals, value = error.override.partition("=")
    remedy = "quote a value that holds = , { } [ ] or blanks: \"key='value'\"" if equals else WRITTEN
    return ConfigError(key, value or UNSET, "this override cannot be read", remedy)


def _missing_value(cause: MissingMandatoryValue) -> ConfigError:
    key = str(cause.full_key)
    return ConfigError(key, UNSET, "has no value", f"give {key}={'FILE' if key.endswith('path') else 'VALUE'}")


def _wrong_type(cause: ValidationError) -> ConfigError:
    match = re.search(r"Value '(.*)' of type '.*' could not be converted to (\w+)", str(cause), re.DOTALL)
    if match:
        value = match[1].lower() if match[1] in ("True", "False") else match[1]
        return ConfigError(str(cause.full_key), value, f"must be {_TYPES.get(match[2], match[2])}")
    match = re.search(r"Value '(.*)' is not a valid bool", str(cause), re.DOTALL)
    if match:
        return ConfigError(str(cause.full_key), match[1], "must be true or false")
    if "is not Optional" in str(cause) or "Incompatible value 'None'" in str(cause):
        return ConfigError(str(cause.full_key), None, "must have a value")
    match = re.search(r"Merge error: \w+ is not a subclass of (\w+)\. value: (.*)", str(cause))
    if match:
        key, keys = next(_mappings(match[1], schema.RunConfig))
        return ConfigError(key, match[2], f"must be a mapping of {', '.join(keys)}")
    return ConfigError(str(cause.full_key), UNSET, _first_line(cause))


def _mappings(name: str, cls: type) -> Iterator[tuple[str, list[str]]]:
    """Keys of the typed config whose values are mappings of this class, and the keys in them."""
    for key, hint in get_type_hints(cls).items():
        if is_dataclass(hint) and isinstance(hint, type):
            if hint.__name__ == name:
                yield key, schema.names(hint)
            yield from ((f"{key}.{below}", names) for below, names in _mappings(name, hint))


def _other(error: BaseException, overrides: Sequence[str]) -> ConfigError:
    text = str(error)
    match = re.search(r"Could not override '([^']*)'. No match in the defaults list", text)
    if match and not match[1]:
        return _no_choice([])
    if match:
        known = [*GROUPS, *schema.names(schema.RunConfig)]
        return ConfigError(match[1], UNSET, "there is no such group or key", nearest_key(match[1], known))
    match = re.search(r"Multiple values for (\S+)\. To override a value use 'override \S+: (\S+)'", text)
    if match:
        rule = "is chosen in a defaults list, and the config has a choice already"
        return ConfigError(match[1], match[2], rule, f"write override /{match[1]}: {match[2]}")
    match = re.search(r"Could not delete from config\. '([^']+)' does not exist", text)
    if match:
        return ConfigError(f"~{match[1]}", UNSET, "there is no such key to take away", "leave it out")
    match = re.search(r"Ambiguous value for argument '([^=]+)=([^']*)'", text)
    if match:
        as_list = "" if match[1] in GROUPS else f", or give a list where the key takes one: {match[1]}=[{match[2]}]"
        return ConfigError(
            match[1], match[2], "several values are a sweep", f"add -m to run them side by side{as_list}"
        )
    if "Config group override must be" in text:
        return _no_choice(overrides)
    endless = next((word for word in overrides if re.search(r"\d{300}", word)), None)
    if endless is not None:
        key, _, value = endless.partition("=")
        return ConfigError(key.lstrip("+"), value, "holds a number that is beyond all use", "give a smaller one")
    return ConfigError("config", UNSET, " ".join(text.split()))


def _no_choice(overrides: Sequence[str]) -> ConfigError:
    """Name the group that was given a number or null instead of a file's name."""
    for override in overrides:
        key, equals, value = override.partition("=")
        group = key.lstrip("+~").partition("@")[0]
        if equals and not group:
            break
        if group in GROUPS and equals and not re.match(r"[A-Za-z\[]", value.replace("null", "0")):
            remedy = f"give {group}=NAME, a file of conf/{group}/"
            return ConfigError(group, value, "is no choice of this group", remedy)
    return ConfigError("config", UNSET, "an override has no key", WRITTEN)


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
