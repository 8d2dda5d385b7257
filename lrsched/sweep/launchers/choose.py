"""Set up the launcher of a sweep that is begun without Hydra's main function."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig

from lrsched.compose.nodes import as_written
from lrsched.sweep.launchers.dispatch import JobLauncher


class Launch(NamedTuple):
    """What a sweeper is made with, and the overrides of its jobs that are not Hydra's own."""

    context: HydraContext
    config: DictConfig
    launcher: Launcher | JobLauncher
    words: list[str]


@contextmanager
def launching(words: Sequence[str], function: Callable[[DictConfig], Any]) -> Generator[Launch]:
    """Compose the config of a sweep as ``-m`` does, within ``hydra_of_ours``, and build its launcher.

    Args:
        words: overrides.
        function: what a launcher of another library calls for each job.

    Raises:
        HydraException, OmegaConfBaseException: they cannot be composed.
    """
    hydra = GlobalHydra.instance().hydra
    assert hydra is not None
    config = hydra.compose_config("config", [*words], RunMode.MULTIRUN)
    whole = HydraConfig.instance()
    before, whole.cfg = whole.cfg, None
    try:
        whole.set_config(config)
        context = HydraContext(config_loader=hydra.config_loader, callbacks=Callbacks(config))
        launcher = Plugins.instance().instantiate_launcher(hydra_context=context, task_function=function, config=config)
        yield Launch(context, config, launcher, [str(word) for word in as_written(config.hydra.overrides.task)])
    finally:
        whole.cfg = before
