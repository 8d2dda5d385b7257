"""``hydra/sweeper=grid``: every combination of the values that are given, or pairs of them."""

from __future__ import annotations

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig

from lrsched.app.combine import combinations, swept
from lrsched.app.launching import close, launched, make_folder
from lrsched.app.messages import say
from lrsched.app.sweep import Planned, Sweep, begin
from lrsched.report.shown import count
from lrsched.signals import StopFlag


def run_grid(
    context: HydraContext, config: DictConfig, launcher: Launcher, arguments: list[str], stop: StopFlag
) -> list[JobReturn]:
    """A whole sweep over a grid, under any launcher.

    Raises:
        ConfigError: the sweep itself cannot be read.
        Incomplete: a run did not finish; the others did.
        Stopped: by a signal; the runs that were under way are saved.
    """
    sweep = begin(context.config_loader, config)
    valid = [one for one in plan_grid(sweep, context, arguments) if one.error is None]
    returns = launched(sweep, launcher, valid)
    close(sweep, stop)
    return returns


def plan_grid(sweep: Sweep, context: HydraContext, arguments: list[str]) -> list[Planned]:
    """The jobs that a command line means; the sweep's folder is made if one of them is valid.

    Raises:
        ConfigError: the sweep itself cannot be read.
    """
    parsed = OverridesParser.create(config_loader=context.config_loader).parse_overrides(arguments)
    jobs = combinations(parsed, sweep.options.zip)
    sweep.swept = swept(jobs)
    planned = [sweep.plan(job) for job in jobs]
    if any(one.error is None for one in planned):
        make_folder(sweep)
        done = sum(one.entry.is_done for one in planned)
        say(
            f"{count(len(planned), 'run')} in {sweep.record.folder}"
            + (f", {done} of them finished before" if done else "")
        )
    return planned
