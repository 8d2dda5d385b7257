"""Compose the configs of a sweep's jobs, reading the YAML files once for many jobs.

Jobs that choose the same groups (``scheduler=cosine``) have the same files. They differ in values alone (``seed=3``),
which Hydra applies last. So this reads and merges the files once for each choice of groups, and applies the values to
a copy: it plans a thousand jobs in seconds, where Hydra, which reads the files for each job, takes a minute.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from hydra._internal import config_loader_impl
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict

from lrsched.machine.threads import AUTO


class Composer:
    """Composes jobs as Hydra's ``load_sweep_config`` does: the same configs, the same errors.

    Args:
        loader: Hydra's.
        sweep: the config of the sweep.
    """

    def __init__(self, loader: ConfigLoader, sweep: DictConfig) -> None:
        self.sweep, self._loader = sweep, loader
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
        self._bases: dict[tuple[str, ...], DictConfig] = {}
        self._bare: dict[tuple[str, ...], DictConfig] = {}

    def bare(self, overrides: Sequence[str]) -> DictConfig:
        """Compose the config of one job without Hydra's part, which is the larger one.

        Raises:
            HydraException, OmegaConfBaseException: it cannot be composed.
        """
        choices, values = self._split(overrides)
        if choices not in self._bare:
            self._bare[choices] = deepcopy(self._base(choices))
            with open_dict(self._bare[choices]):
                del self._bare[choices]["hydra"]
        return self._finished(deepcopy(self._bare[choices]), values)

    def whole(self, overrides: Sequence[str]) -> DictConfig:
        """Compose the config of one job as Hydra runs it.

        Raises:
            HydraException, OmegaConfBaseException: it cannot be composed.
        """
        choices, values = self._split(overrides)
        config = self._finished(deepcopy(self._base(choices)), values)
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
            self._bases[choices] = self._loader.load_sweep_config(self.sweep, list(choices))
        return self._bases[choices]

    def _finished(self, config: DictConfig, values: list[Override]) -> DictConfig:
        if values:
            self._apply(values, config)
        OmegaConf.copy_cache(from_config=self.sweep, to_config=config)  # ${now:} is the same in the whole sweep
        return config
