"""What a study says: what was known before, its best trial, and how to take up a pruned one."""

from __future__ import annotations

import shlex
from pathlib import Path

from lrsched.compose.nodes import as_written
from lrsched.config.targets import needed_trust
from lrsched.console import path_override, say, typed
from lrsched.sweep.sweep import Sweep
from lrsched.sweep.sweepers.distributions import SEED
from lrsched.sweep.sweepers.space import Space
from lrsched.sweep.sweepers.study import RUNS, Study, why_paused
from lrsched.sweep.sweepers.trials import Metric
from lrsched.units import count


def say_known(study: Study, wanted: int, running: int, folder: Path) -> None:
    """Say how many of the wanted trials were made before, and how many of these are running."""
    trials = len(study.trials())
    known = count(wanted, "trial")
    if trials >= wanted and not running:
        known = f"all {count(trials, 'trial')} were made before; a greater hydra.sweeper.n_trials asks for more"
    elif trials:
        known = f"{trials} of {count(wanted, 'trial')} were made before, {running} of them to be resumed"
    say(f"study {study.name} in {folder}: {known}")


def say_best(study: Study, sweep: Sweep, space: Space, metric: Metric) -> None:
    """Say the best trial as a line that makes its run again."""
    best = study.best()
    if best is None or best.value is None:
        return
    job, *others = space.jobs(best.params)
    left_out = ("name=", "resume=", *([f"{SEED}="] if others else []))
    words = [word for word in job if not word.startswith(left_out)]
    if "hydra.mode=MULTIRUN" not in sweep.config.hydra.overrides.hydra:  # of -m: else the config asks for it
        words.append("hydra.mode=RUN")
    found = f"best of {count(len(study.trials()), 'trial')}: {metric.name} {metric.exactly(best.value)}"
    line = typed(shlex.join(words), needed_trust(as_written(sweep.config)))
    say(f"{found}, trial {best.number}: {line}")


def say_pruned(study: Study, sweep: Sweep, metric: Metric) -> None:
    """Say how many trials are pruned, and the line that goes on with the one that came furthest."""
    pruned = [trial for trial in study.trials() if why_paused(trial) is not None]
    if not pruned:
        return
    best = min(pruned, key=lambda trial: (-(trial.last_step or 0), metric.sign * (trial.value or 0)))
    folders = [sweep.record.folder / run_id for run_id in best.user_attrs[RUNS]]
    words = path_override("resume", folders[0])
    if len(folders) > 1:
        own = f"name={sweep.record.folder.name}-resumed"  # a study's name is no other sweep's
        words = shlex.join(["-m", own, f"resume={','.join(map(str, folders))}"])
    line = typed(words, needed_trust(as_written(sweep.config)))
    say(f"pruned: {count(len(pruned), 'trial')}, paused; the best of them, trial {best.number}, goes on by: {line}")
