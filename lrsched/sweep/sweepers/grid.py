"""``hydra/sweeper=grid``: every combination of the values that are given, or pairs of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig

from lrsched.compose.composer import Composer
from lrsched.config.run_id import is_neutral, key_of
from lrsched.console import say
from lrsched.errors import ConfigError
from lrsched.report.format import count
from lrsched.signals import StopFlag
from lrsched.sweep.combinations import combinations, swept
from lrsched.sweep.finish import close, hinting
from lrsched.sweep.launchers.dispatch import launch, make_folder
from lrsched.sweep.sweep import Invalid, Sweep, Valid


def run_grid(
    context: HydraContext, config: DictConfig, launcher: Launcher, arguments: list[str], stop: StopFlag
) -> list[JobReturn]:
    """Run a sweep over a grid, under any launcher.

    Raises:
        ConfigError: the sweep itself cannot be read.
        Incomplete: a run did not finish; the others did.
        Stopped: by a signal; the runs that were under way are saved.
    """
    sweep = Sweep(Composer(context.config_loader, config))
    with hinting(sweep):
        returns = launch(sweep, launcher, plan_grid(sweep, context, arguments))
        close(sweep, stop)
    return returns


def plan_grid(
    sweep: Sweep,
    context: HydraContext,
    arguments: list[str],
    check: Callable[[Sequence[Valid]], None] = lambda jobs: None,
) -> list[Valid]:
    """Plan the jobs of a command line; make the sweep's folder if one is valid.

    Args:
        sweep: that they are jobs of.
        context: Hydra's.
        arguments: the command line.
        check: refuses valid jobs that do not go together, before there is a folder.

    Raises:
        ConfigError: the sweep itself cannot be read.
    """
    parsed = OverridesParser.create(config_loader=context.config_loader).parse_overrides(arguments)
    jobs = combinations(parsed, sweep.options.zip)
    sweep.swept = swept(jobs)
    _check_swept(parsed, sweep.swept)
    planned = _without_doubles([sweep.plan(job) for job in jobs])
    valid = [job for job in planned if isinstance(job, Valid)]
    if valid:
        check(valid)
        make_folder(sweep)
        done = sum(job.entry.is_done for job in valid)
        before = f", {done} of them finished before" if done else ""
        say(f"{count(len(planned), 'run')} in {sweep.record.folder}{before}")
    return valid


def _check_swept(parsed: Sequence[Override], keys: set[str]) -> None:
    """Refuse several values of a key that changes nothing that a run computes: they would all be one run."""
    for key, override in {key_of(override.get_key_element()): override for override in parsed}.items():
        if key in keys and key != "resume" and is_neutral(key.replace("/", ".")):
            value = str(override.input_line).partition("=")[2]
            rule = "this key changes nothing that a run computes, so that all its values make one run"
            raise ConfigError(key, value, rule, "give it one value")


def _without_doubles(planned: Sequence[Valid | Invalid]) -> list[Valid | Invalid]:
    """Each run once; refuse two ways to go on with one run."""
    once: list[Valid | Invalid] = []
    folders = set[Path]()
    for job in planned:
        if isinstance(job, Invalid):
            once.append(job)
        elif job.folder.path not in folders:
            folders.add(job.folder.path)
            once.append(job)
        elif job.settings.resume is not None:
            raise ConfigError("resume", job.settings.resume, "a sweep goes on with a run once", "give two commands")
    doubles = len(planned) - len(once)
    if doubles:
        say(f"{count(doubles, 'job')} of {len(planned)} would make a run that another one makes")
    return once
