"""Compose the configs of a sweep's jobs, reading the YAML files once for many jobs.

Jobs that choose the same groups (``scheduler=cosine``) have the same files. They differ in values alone (``seed=3``),
which Hydra applies last. So this reads and merges the files once for each choice of groups, and applies the values to
a copy: it plans a thousand jobs in seconds, where Hydra, which reads the files for each job, takes a minute. Jobs that
give plain values to the same keys share the rest of their config, resolved (:meth:`Composer.resolved`).

A config is kept pickled: OmegaConf takes six times as long for a deep copy as Python for unpickling an equal one. One
with the types of a class that cannot be pickled, as one that a function defines, is copied.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any

from hydra._internal import config_loader_impl
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from lrsched.compose.nodes import as_written, plain
from lrsched.compose.read_once import reading_once
from lrsched.config.check import from_text
from lrsched.config.walk import is_list, is_mapping, leaves
from lrsched.machine.threads import AUTO

_PLAIN = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
"""A key that is a path of names."""

_OUTSIDE = re.compile(r"\$\{(?:now|oc\.env):[^${}]*\}")
"""A reference to what is the same for all jobs."""


@dataclass
class _Form:
    """What jobs share that give plain values to the same keys.

    Args:
        values: of the latest of them; the next job's replace those that are others.
        config: of the same job.
        resolved: the same as plain dicts and lists; None where a value refers to another one.
    """

    values: list[Override]
    config: DictConfig
    resolved: dict[str, Any] | None


class Composer:
    """Composes jobs as Hydra's ``load_sweep_config`` does: the same configs, the same errors.

    Args:
        loader: Hydra's.
        sweep: the config of the sweep.
    """

    def __init__(self, loader: ConfigLoader, sweep: DictConfig) -> None:
        self.sweep, self._loader = sweep, reading_once(loader)
        given = [str(item) for item in sweep.hydra.overrides.hydra]
        private: Any = loader  # uses three names that are not public
        try:
            self._files: Any = private._parse_overrides_and_create_caching_repo(sweep.hydra.job.config_name, given)[1]
            self._apply, self._dirname = private._apply_overrides_to_config, config_loader_impl.get_overrides_dirname
        except AttributeError:  # another Hydra: let it compose each job
            self._files = None
        self._parser = OverridesParser.create(config_loader=loader)
        self._parsed: dict[str, Override] = {}
        self._groups: dict[str, bool] = {}
        self._bases: dict[tuple[str, ...], Callable[[], DictConfig]] = {}
        self._bare: dict[tuple[str, ...], Callable[[], DictConfig]] = {}
        self._forms: dict[tuple[tuple[str, ...], tuple[str, ...]], _Form | None] = {}  # None: each job by itself

    def bare(self, overrides: Sequence[str]) -> DictConfig:
        """Compose the config of one job without Hydra's part, which is the larger one.

        Raises:
            HydraException, OmegaConfBaseException: it cannot be composed.
        """
        choices, values = self._split(overrides)
        if choices not in self._bare:
            config = self._base(choices)
            with open_dict(config):
                del config["hydra"]
            self._bare[choices] = _kept(config)
        return self._finished(self._bare[choices](), values)

    def resolved(self, overrides: Sequence[str]) -> dict[str, Any]:
        """The config of one job without Hydra's part, as plain dicts and lists, every interpolation resolved.

        Jobs share what is below its root: do not change that.

        Raises:
            HydraException, OmegaConfBaseException: it cannot be composed.
            ConfigError: a value is missing, or an interpolation cannot be resolved.
        """
        choices, values = self._split(overrides)
        form = (choices, tuple(override.key_or_group for override in values))
        are_plain = all(map(_is_plain, values)) and len(set(form[1])) == len(values)
        known = self._forms.get(form) if are_plain else None
        if known is not None:
            try:
                return self._filled(known, values)
            except (HydraException, OmegaConfBaseException):
                del self._forms[form]  # its config is half changed; what follows says what is wrong
        config = self.bare(overrides)
        found = plain(config)
        if are_plain and form not in self._forms:
            alone = dict(found) if _refers_to_nothing(config) else None
            self._forms[form] = _Form(values, config, alone) if _are_values(found, form[1]) else None
        return found

    def refers(self, overrides: Sequence[str]) -> bool:
        """Whether a value of a job that was resolved may refer to another one."""
        choices, values = self._split(overrides)
        form = self._forms.get((choices, tuple(override.key_or_group for override in values)))
        return form is None or form.resolved is None

    def _filled(self, form: _Form, values: list[Override]) -> dict[str, Any]:
        """The resolved config of a form with other values, converted and checked by the config's own types."""
        new = [value for value, old in zip(values, form.values, strict=True) if value is not old]
        self._apply(new, form.config)
        form.values = values
        if form.resolved is None:
            return plain(form.config)
        form.resolved = dict(form.resolved)  # the job before has the other one
        for override in new:
            key = override.key_or_group
            *path, name = key.split(".")
            holder = form.resolved
            for step in path:
                holder[step] = holder = dict(holder[step])
            holder[name] = from_text(key, OmegaConf.select(form.config, key))
        return dict(form.resolved)

    def whole(self, overrides: Sequence[str]) -> DictConfig:
        """Compose the config of one job as Hydra runs it.

        Raises:
            HydraException, OmegaConfBaseException: it cannot be composed.
        """
        choices, values = self._split(overrides)
        config = self._finished(self._base(choices), values)
        if self._files is None:
            return config
        task = [override for override in map(self._parse, overrides) if not override.is_hydra_override()]
        spelled: Any = config.hydra.job.config.override_dirname
        config.hydra.overrides.task = [override.input_line for override in task]
        config.hydra.job.override_dirname = self._dirname(
            task, exclude_keys=spelled.exclude_keys, item_sep=spelled.item_sep, kv_sep=spelled.kv_sep
        )
        return config

    def job(self, overrides: Sequence[str], number: int, run_id: str | None, threads: int) -> DictConfig:
        """Compose the config that a job of a sweep is run with.

        Args:
            overrides: of the job.
            number: among the jobs.
            run_id: the name of its folder; None: the one that the config names.
            threads: used if the config names no number itself (``auto``, null).

        Raises:
            HydraException, OmegaConfBaseException: it cannot be composed.
        """
        config = self.whole(overrides)
        with open_dict(config):
            config.hydra.job.num, config.hydra.job.id = number, str(number)
            config.hydra.sweep.dir = str(self.sweep.hydra.sweep.dir)  # a name may refer to what differs among jobs
            config.hydra.sweep.subdir = config.hydra.sweep.subdir if run_id is None else run_id
            config.threads = threads if config.threads in (None, AUTO) else config.threads
        return config

    def _split(self, overrides: Sequence[str]) -> tuple[tuple[str, ...], list[Override]]:
        """Split overrides into those that choose files or configure Hydra, and those that set values afterwards."""
        if self._files is None:
            return tuple(overrides), []
        parsed = [self._parse(override) for override in overrides]
        early = [override.is_hydra_override() or self._is_choice(override) for override in parsed]
        choices = tuple(text for text, first in zip(overrides, early, strict=True) if first)
        return choices, [override for override, first in zip(parsed, early, strict=True) if not first]

    def _is_choice(self, override: Override) -> bool:
        """Whether an override chooses a file instead of setting a value, by Hydra's own rule."""
        key = override.key_or_group
        if key not in self._groups:
            self._groups[key] = self._files.group_exists(key)
        return self._groups[key] and not isinstance(override.value(), dict)

    def _parse(self, override: str) -> Override:
        if override not in self._parsed:
            self._parsed[override] = self._parser.parse_overrides([override])[0]
        return self._parsed[override]

    def _base(self, choices: tuple[str, ...]) -> DictConfig:
        if choices not in self._bases:
            self._bases[choices] = _kept(self._loader.load_sweep_config(self.sweep, list(choices)))
        return self._bases[choices]()

    def _finished(self, config: DictConfig, values: list[Override]) -> DictConfig:
        if values:
            self._apply(values, config)
        OmegaConf.copy_cache(from_config=self.sweep, to_config=config)  # ${now:} is the same in the whole sweep
        return config


def _kept(config: DictConfig) -> Callable[[], DictConfig]:
    """What gives a copy of a config each time that it is called."""
    try:
        return partial(pickle.loads, pickle.dumps(config))
    except Exception:  # pickle raises what it likes, and the classes of a user's as well
        return partial(deepcopy, config)


def _is_plain(override: Override) -> bool:
    """Whether an override changes a value to one that neither holds nor refers to others."""
    value = override.value()
    is_value = value is None or isinstance(value, (bool, int, float)) or (isinstance(value, str) and "$" not in value)
    is_change = override.type == OverrideType.CHANGE and override.package is None
    return is_value and value != "???" and is_change and bool(_PLAIN.fullmatch(override.key_or_group))


def _refers_to_nothing(config: DictConfig) -> bool:
    """Whether no value of a config refers to another one."""
    texts = (text for leaf in leaves(as_written(config)) for text in leaf if isinstance(text, str))
    return not any("$" in _OUTSIDE.sub("", text) for text in texts)


def _are_values(found: Mapping[str, Any], keys: Sequence[str]) -> bool:
    """Whether these keys of a resolved config lead to single values through mappings."""
    for key in keys:
        node: Any = found
        for step in key.split("."):
            if not is_mapping(node) or step not in node:
                return False
            node = node[step]
        if is_mapping(node) or is_list(node):
            return False
    return True
