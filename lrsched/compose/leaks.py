"""Tell where a key comes from that a user never wrote: from the choice of a group that is there by default."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from lrsched.compose.choices import choices_in
from lrsched.config.project import own_configs
from lrsched.config.walk import is_mapping, leaves
from lrsched.errors import ConfigError, NotMeant

if TYPE_CHECKING:
    from lrsched.config.settings import Settings


@contextmanager
def traced(run: Settings) -> Generator[None]:
    """Around the use of settings: of an argument that is refused, say whether it comes from a default choice.

    Raises:
        ConfigError: the error inside, with what to write where its value comes from a default.
    """
    try:
        yield
    except NotMeant as error:
        group, _, name = error.key.partition(".")
        found = {node.key: node.target for node in (run.optimizer, run.scheduler, run.task, run.model, run.dataset)}
        choice = default_with(group, found[group], name, error.value) if group in found else None
        if choice is None:
            experiment = _experiment_with(group, name, error.value)
            if experiment is None:
                raise
            remedy = f"experiment={experiment} has it for its own {group}: leave it out with ~{error.key}"
            raise ConfigError(error.key, error.value, error.rule, remedy) from error
        rule = f"{error.rule}; it comes from the default {group}={choice} (conf/{group}/{choice}.yaml), to which "
        rule += f"{group}._target_ was added"
        raise ConfigError(error.key, error.value, rule, _remedy(group, found[group])) from error


def _remedy(group: str, target: str) -> str:
    """How to leave out the default choice of a group, in an experiment and on a command line."""
    if name := _choice_of(group, target):
        instead, typed = name, f"{group}={name}"
    elif group == "dataset":  # it has keys of the trainer too
        instead, typed = "_dataset", f"dataset=_dataset dataset._target_={target}"
    else:
        instead, typed = "null", f"~{group} '+{group}={{_target_: {target}}}'"
    return f"write `override /{group}: {instead}` in the defaults of the experiment; on a command line: {typed}"


def default_with(group: str, target: str, name: str, value: Any) -> str | None:
    """The default choice of a group if it is of another class than ``target`` and gives this value; or None.

    >>> default_with("model", "mine.Net", "hidden", [128]), default_with("model", "mine.Net", "hidden", [64])
    ('mlp', None)
    """
    entries: list[Mapping[str, Any] | str] = _read("config")["defaults"]
    for entry in entries:
        choice = entry.get(group) if isinstance(entry, Mapping) else None
        if isinstance(choice, str):
            given = _read(f"{group}/{choice}")
            for shared in given.pop("defaults", []):
                given = {**({} if shared == "_self_" else _read(f"{group}/{shared}")), **given}
            return choice if given["_target_"] != target and name in given and given[name] == value else None
    return None


def _experiment_with(group: str, name: str, value: Any) -> str | None:
    """The first experiment that chooses a group and gives this value to a key of it; or None."""
    ours = Path(str(files("lrsched.conf")))
    for folder in (ours, *([Path(own)] if (own := own_configs()) else [])):
        for experiment in sorted(choices_in(folder / "experiment")):
            text = (folder / "experiment" / f"{experiment}.yaml").read_text("utf-8")
            given = leaves(_parsed(text), into_lists=False) if f"/{group}:" in text else ()
            if (f"{group}.{name}", value) in given:
                return experiment
    return None


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        found: Any = OmegaConf.to_container(OmegaConf.create(text), resolve=False)
    except (YAMLError, OmegaConfBaseException):
        return {}  # of a file that nobody chose
    return found if is_mapping(found) else {}


def _choice_of(group: str, target: str) -> str | None:
    """The choice of a group whose class is this one, the shortest name first; or None."""
    folder = Path(str(files("lrsched.conf").joinpath(group)))
    said = re.compile(rf"^_target_: {re.escape(target)}\s", re.MULTILINE)
    found = (name for name in choices_in(folder) if said.search((folder / f"{name}.yaml").read_text("utf-8")))
    return min(found, key=len, default=None)


def _read(name: str) -> dict[str, Any]:
    text = files("lrsched.conf").joinpath(f"{name}.yaml").read_text("utf-8")
    found: Any = OmegaConf.to_container(OmegaConf.create(text), resolve=False)
    return found
