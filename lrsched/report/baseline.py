"""Adam with its defaults, a baseline that wants no tuning: what it came to, or the command that adds it."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from lrsched.config.project import own_configs
from lrsched.config.targets import needed_trust
from lrsched.console import typed
from lrsched.report.candidates import RATE, SEED
from lrsched.report.compare import Comparison
from lrsched.report.folders import own_text
from lrsched.report.format import of_seeds, value
from lrsched.report.rates import Rate, mean
from lrsched.report.runs import RunRecord
from lrsched.units import PERCENT

ADAM: Mapping[str, object] = {
    "optimizer._target_": "torch.optim.Adam",
    RATE: 1e-3,
    "optimizer.betas": "[0.9,0.999]",
    "optimizer.eps": 1e-8,
    "optimizer.weight_decay": 0.0,
    "optimizer.amsgrad": False,
    "scheduler._target_": "lrsched.schedules.Constant",
    "scheduler.warmup": "0st",
}
"""The baseline: keys and values of conf/optimizer/adam.yaml and conf/scheduler/constant.yaml."""

WORDS = ("optimizer=adam", "scheduler=constant")

MOST_SEEDS = 6
"""Seeds that the command asks for: enough for an interval, and no more than a baseline is worth."""

GRID = "hydra_plugins.lrsched_sweep.GridSweeper"

MADE_ANEW = r"[+~]*(optimizer|scheduler|seed|name|sweep|hydra)([./=]|$)"
"""Keys that are not taken over from the jobs of a sweep."""


def baseline(comparison: Comparison) -> list[str]:
    """Adam with its defaults, which wants no tuning: what it came to."""
    metric, rows = comparison.metric, comparison.candidates
    found = [rate for row in rows for rate in row.rates if rate.lr == ADAM[RATE] and _is_adam(rate)]
    if any(rate.comparing for rate in found):
        (rate, *_) = [rate for rate in found if rate.comparing]
        unit = comparison.unit()
        number = f"{value(unit, mean(rate.comparing.values()))}{'' if unit in ('', PERCENT) else f' {unit}'}"
        return [f"baseline, Adam with its defaults: {metric.name} {number} ({of_seeds(tuple(rate.comparing))})"]
    return []


def missing_baseline(comparison: Comparison) -> tuple[str, str] | None:
    """A word that Adam with its defaults is not there, and the command that adds it, empty where nobody knows it.

    None: it is there, or nothing has finished that it could be compared with.
    """
    rates = [rate for row in comparison.candidates for rate in row.rates]
    runs = [run for rate in rates for run in rate.runs.values()]
    if any(rate.lr == ADAM[RATE] and _is_adam(rate) for rate in rates) or not any(run.finished for run in runs):
        return None
    words, command = _adding(runs)
    return f"Adam with its defaults, a baseline that wants no tuning, is not among them; {words}", command


def _is_adam(rate: Rate) -> bool:
    """Whether its runs had Adam, each value at its default, and a constant learning rate."""
    config = next(iter(rate.runs.values())).config
    return all(config.get(key, wanted) == wanted for key, wanted in ADAM.items()) and "optimizer._target_" in config


def _adding(runs: Sequence[RunRecord]) -> tuple[str, str]:
    """The command that makes the baseline for the seeds of these runs; in words where nobody wrote theirs down."""
    if not all(run.overrides for run in runs):
        return f"the same command with {' '.join(WORDS)} in place of its own optimizer and scheduler adds it", ""
    shared = [item for item in runs[0].overrides if all(item in run.overrides for run in runs)]
    kept = [item for item in shared if not re.match(MADE_ANEW, item)]
    seeds = sorted({str(run.config.get(SEED, 0)) for run in runs}, key=lambda seed: (len(seed), seed))[:MOST_SEEDS]
    folders = {run.path.absolute().parent for run in runs}
    words, says = [], "this adds it:"
    if len(folders) == 1:
        (folder,) = folders
        made = _made(folder)
        beside = folder.with_name(f"{folder.name}-adam")
        if made.get("sweeper", GRID) != GRID:  # which would be its own no more
            says = f"this trains it, for lrsched report {shlex.join([_near(folder), _near(beside)])}:"
            folder = beside
        words = [*_configs(made), f"name={folder.name}"]
    command = ["-m", *kept, *WORDS, *_defaults(kept, runs), f"seed={','.join(seeds)}", *words]
    named = {key: item for key, item in runs[0].config.items() if not re.match(MADE_ANEW, key)}
    return says, typed(shlex.join(command), needed_trust(named), "lrsched train")


def _defaults(kept: Sequence[str], runs: Sequence[RunRecord]) -> list[str]:
    """What an experiment may set otherwise: its values come after those of ``optimizer=adam``."""
    if not any(item.lstrip("+").startswith("experiment=") for item in kept):
        return []
    values = {key: wanted for key, wanted in ADAM.items() if not key.endswith("._target_")}
    other = [key for key in values if any(run.config.get(key, values[key]) != values[key] for run in runs)]
    return [f"{key}={values[key]}" for key in values if key == RATE or key in other]


def _made(folder: Path) -> dict[str, str]:
    """Which sweeper made a sweep, and which folder of configs was given: what is known of both."""
    try:
        hydra = yaml.safe_load(own_text(folder / "multirun.yaml"))["hydra"]
        sources = {item["provider"]: str(item["path"]) for item in hydra["runtime"]["config_sources"]}
        return {"sweeper": str(hydra["sweeper"]["_target_"]), **sources}
    except (OSError, ValueError, KeyError, TypeError, RecursionError, yaml.YAMLError):
        return {}


def _configs(made: Mapping[str, str]) -> list[str]:
    """The flag for a folder of one's own configs; a project's needs none in the project."""
    folder, own = made.get("command-line"), own_configs()
    if folder is None or (own is not None and os.path.realpath(own) == os.path.realpath(folder)):
        return []
    return ["--config-dir", _near(Path(folder))]


def _near(path: Path) -> str:
    """A path as one would type it here."""
    here = Path.cwd()
    return os.fspath(path.relative_to(here) if path.is_relative_to(here) else path)
