"""Hydra plugins: our sweepers and our launcher. Hydra finds plugins in this top-level namespace only.

Every start of Hydra imports this file, so it imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from lrsched.imports import collector_at_rest
from lrsched.signals import stop_flag

if TYPE_CHECKING:
    from lrsched.sweep.sweepers.base import SweepRunner


class GridSweeper(Sweeper):
    """``hydra/sweeper=grid``: every combination of the given values, or pairs (``sweep.zip``), under any launcher.

    Args:
        params: a sweep in YAML, read from the config itself, as it is written.
        options: the other keys of ``hydra.sweeper``, explained in ``conf/hydra/sweeper``.
    """

    def __init__(self, params: Any = None, **options: Any) -> None:
        self._options = options

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from hydra.core.plugins import Plugins

        self._context, self._config = hydra_context, config
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        self._runner()(self._context, self._config, self._launcher, stop_flag(), self._options)(arguments)

    def _runner(self) -> type[SweepRunner]:
        """Import the class that runs the sweep."""
        with collector_at_rest():
            from lrsched.sweep.sweepers.grid import Grid

        return Grid


class HalvingSweeper(GridSweeper):
    """``hydra/sweeper=halving``: successive halving over the grid; only the best part is trained further."""

    def _runner(self) -> type[SweepRunner]:
        from lrsched.sweep.sweepers.halving import Halving

        return Halving


class OptunaSweeper(GridSweeper):
    """``hydra/sweeper=optuna``: a resumable Optuna study over intervals and choices."""

    def _runner(self) -> type[SweepRunner]:
        from lrsched.errors import ConfigError

        if find_spec("optuna") is None:
            raise ConfigError("hydra/sweeper", "optuna", "is not installed", "pip install 'hydra-lrsched[optuna]'")
        from lrsched.sweep.sweepers.optuna import OptunaSearch

        return OptunaSearch


class OptunaIsOurs(SearchPathPlugin):
    """Make ``hydra/sweeper=optuna`` mean ours, even if another plugin has stored a config of this name.

    Hydra would take that config for the schema of our file and refuse our keys. It calls this method after it has
    found all plugins and before it composes anything.
    """

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        ConfigStore.instance().repo.get("hydra", {}).get("sweeper", {}).pop("optuna.yaml", None)


class PoolLauncher(Launcher):
    """``hydra/launcher=pool``: one process per job, side by side, forked from one that has everything loaded."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._context, self._config = hydra_context, config
        self._sweep: Any = None

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run jobs of another library's sweeper; all its batches belong to one sweep."""
        from lrsched.sweep.launchers.pool import run_overrides_in_pool
        from lrsched.sweep.sweep import Sweep

        self._sweep = self._sweep or Sweep(self._context.config_loader, self._config)
        return run_overrides_in_pool(self._context, self._sweep, job_overrides, stop_flag())

    def launch_jobs(self, sweep: Any, jobs: Sequence[Any]) -> None:
        """Run jobs of one of our sweepers."""
        from lrsched.sweep.launchers.pool import run_in_pool

        run_in_pool(self._context, sweep, jobs, stop_flag())
