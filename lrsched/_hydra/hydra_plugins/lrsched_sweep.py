"""What Hydra finds of lrsched: sweepers and a launcher. Hydra takes plugins from this top-level namespace alone.

Imported at every start of Hydra, so nothing heavy is imported here.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from lrsched.signals import stop_flag


class GridSweeper(Sweeper):
    """``hydra/sweeper=grid``: every combination of the values given, or pairs (``sweep.zip``), under any launcher."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from hydra.core.plugins import Plugins

        self._context, self._config = hydra_context, config
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        from lrsched.sweep.sweepers.grid import run_grid

        return run_grid(self._context, self._config, self._launcher, arguments, stop_flag())


class HalvingSweeper(GridSweeper):
    """``hydra/sweeper=halving``: the grid, of which only the best part is trained further, again and again.

    Args:
        options: the keys of ``conf/hydra/sweeper/halving.yaml``, where each is explained.
    """

    def __init__(self, **options: Any) -> None:
        self._options = options

    def sweep(self, arguments: list[str]) -> Any:
        from lrsched.sweep.sweepers.halving import Halving

        return Halving(self._context, self._config, self._launcher, stop_flag(), self._options)(arguments)


class OptunaSweeper(GridSweeper):
    """``hydra/sweeper=optuna``: a study of Optuna over intervals and choices, which goes on where it was left.

    Args:
        options: the keys of ``conf/hydra/sweeper/optuna.yaml``, where each is explained.
    """

    def __init__(self, **options: Any) -> None:
        self._options = options

    def sweep(self, arguments: list[str]) -> Any:
        from lrsched.errors import ConfigError

        if find_spec("optuna") is None:
            raise ConfigError("hydra/sweeper", "optuna", "is not installed", "pip install 'hydra-lrsched[optuna]'")
        from lrsched.sweep.sweepers.optuna import Search

        return Search(self._context, self._config, self._launcher, stop_flag(), self._options)(arguments)


class OptunaIsOurs(SearchPathPlugin):
    """Lets ``hydra/sweeper=optuna`` mean ours, where a plugin of somebody else's has put one of this name in store.

    Hydra would take that one for the schema of our file, and refuse it. It calls this when it has found all plugins
    and before it composes anything.
    """

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        ConfigStore.instance().repo.get("hydra", {}).get("sweeper", {}).pop("optuna.yaml", None)


class PoolLauncher(Launcher):
    """``hydra/launcher=pool``: a process a job, side by side, from one that has everything loaded."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._context, self._config = hydra_context, config
        self._sweep: Any = None

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run jobs of another library's sweeper; all its batches are of one sweep."""
        from lrsched.compose.composer import Composer
        from lrsched.sweep.launchers.pool import launch_overrides
        from lrsched.sweep.sweep import Sweep

        self._sweep = self._sweep or Sweep(Composer(self._context.config_loader, self._config))
        return launch_overrides(self._context, self._sweep, job_overrides, stop_flag())

    def launch_jobs(self, sweep: Any, jobs: Sequence[Any]) -> list[JobReturn]:
        """Run jobs of a sweeper of ours."""
        from lrsched.sweep.launchers.pool import launch

        return launch(self._context, sweep, jobs, stop_flag())
