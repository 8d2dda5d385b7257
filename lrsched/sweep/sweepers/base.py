"""The base class of the sweepers: the sweep of one command line, its launcher and its options."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from hydra.core.override_parser.types import Override
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig

from lrsched.compose.overrides import parse
from lrsched.config.check import read
from lrsched.signals import StopFlag
from lrsched.sweep.finish import hinting
from lrsched.sweep.launchers.dispatch import hand_over
from lrsched.sweep.sweep import Sweep, Valid
from lrsched.sweep.sweepers.params import typed_in, with_params


@dataclass
class NoOptions:
    """``hydra.sweeper`` has no keys, ``params`` aside."""


class SweepRunner(ABC):
    """Runs one sweep under any launcher; a subclass says in ``_run`` which jobs, and in what order.

    Hydra reaches it by an adapter in ``_hydra/hydra_plugins/lrsched_sweep.py`` and a YAML in ``conf/hydra/sweeper``.

    Args:
        context, config, launcher: as Hydra hands them to a sweeper.
        stop: raised by a signal.
        options: the keys of ``hydra.sweeper``, ``params`` aside.

    Raises:
        ConfigError: an option is unknown or out of its range.
    """

    options_class: type[Any] = NoOptions
    conditions: ClassVar[bool] = False
    """Whether ``hydra.sweeper.params`` may hold keys under a condition."""

    def __init__(
        self, context: HydraContext, config: DictConfig, launcher: Launcher, stop: StopFlag, options: Mapping[str, Any]
    ) -> None:
        self._loader, self._launcher, self._stop = context.config_loader, launcher, stop
        self._sweep = Sweep(context.config_loader, config)
        self._options = read(self.options_class, options, "hydra.sweeper")

    def __call__(self, arguments: list[str]) -> None:
        """Run the sweep of a command line, and of ``hydra.sweeper.params``.

        Raises:
            ConfigError: the sweep cannot be read.
            Incomplete: a run did not finish; the others did.
            Stopped: by a signal; the interrupted runs are saved.
        """
        with hinting(self._sweep):
            self._typed = typed_in(arguments)
            words = with_params(self._sweep.config, arguments, conditions=self.conditions)
            self._run(parse(words, self._loader))

    @abstractmethod
    def _run(self, overrides: Sequence[Override]) -> None:
        """Plan jobs (``self._sweep.plan``), make the folder (``make_folder``), ``_launch`` the valid ones, ``close``.

        Args:
            overrides: of the command line, those with several values among them.
        """

    def _launch(self, jobs: Sequence[Valid]) -> None:
        hand_over(self._sweep, self._launcher, jobs)
