"""Successive halving: all runs a little way, the best part of them further, and the best of those to the end.

The rungs are the whole run divided by powers of eta: with nine runs and eta = 3 all nine go to T/9, the best
three to T/3, the best one to T. A run that goes on is resumed: no step is trained twice.

Ranked is not the raw loss of a run whose rate has not decayed (it favours small rates: science knows errors of
half the loss), but what a copy of it reaches after a short cooldown from where it stands. The copies lie in
``.rungs`` of the sweep's folder; they are the price, ``cooldown`` times the steps of the rung.

Runs that differ in their seed alone go on together or not at all, by their mean: the best of many single runs would be
the luckiest, and what is left of each choice could not be compared seed against seed.

Source: Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization",
AISTATS 2016, https://arxiv.org/abs/1502.07943
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig

from lrsched.app.combine import swept
from lrsched.app.grid import plan_grid
from lrsched.app.launching import close, conclude, launched
from lrsched.app.length import foreseen
from lrsched.app.messages import say
from lrsched.app.naming import key_of
from lrsched.app.resume import finished
from lrsched.app.sweep import Planned, begin
from lrsched.errors import ConfigError
from lrsched.records import RunFolder
from lrsched.report.runs import DROPPED
from lrsched.signals import StopFlag


def rungs(choices: int, steps: int, eta: int) -> list[int]:
    """The steps at which runs are ranked, and last the end: one rung for each time that eta divides their number.

    >>> rungs(9, 900, 3), rungs(8, 900, 3), rungs(2, 900, 3)
    ([100, 300, 900], [300, 900], [900])
    """
    levels = 0
    while eta ** (levels + 1) <= choices:
        levels += 1
    return [max(1, steps // eta**level) for level in range(levels, -1, -1)]


class Halving:
    """One sweep by successive halving.

    Args:
        context, config, launcher: as Hydra hands them to a sweeper.
        stop: raised by a signal.
        eta: one choice in so many goes on.
        cooldown: steps of the cooldown, as a part of the steps done.
    """

    def __init__(
        self,
        context: HydraContext,
        config: DictConfig,
        launcher: Launcher,
        stop: StopFlag,
        eta: int,
        cooldown: float,
    ) -> None:
        if eta < 2:
            raise ConfigError("hydra.sweeper.eta", eta, "must be at least 2: one run in so many goes on")
        if not 0 < cooldown <= 1:
            raise ConfigError("hydra.sweeper.cooldown", cooldown, "is a part of the steps done: above 0, at most 1")
        self._context, self._config, self._launcher, self._stop = context, config, launcher, stop
        self._eta, self._cooldown = eta, cooldown

    def __call__(self, arguments: list[str]) -> list[JobReturn]:
        """Run it.

        Raises:
            ConfigError: the sweep cannot be read, or its runs have different lengths.
            Incomplete: a run that was to go on did not.
        """
        self._sweep = begin(self._context.config_loader, self._config)
        planned = plan_grid(self._sweep, self._context, arguments)
        alive = [one for one in planned if one.error is None]
        if not alive:
            conclude(self._sweep.record.entries, self._stop)
        steps = _length(alive)
        for rung in rungs(len(_choices(alive)), steps, self._eta)[:-1]:
            self._launch([self._sweep.plan([*one.overrides, f"sweep.until={rung}"]) for one in alive])
            alive = self._ranked(alive, rung)
        returns = self._launch(alive)
        close(self._sweep, self._stop)
        return returns

    def _launch(self, runs: Sequence[Planned]) -> list[JobReturn]:
        for one in runs:
            if one.folder is not None and not finished(one.folder):
                one.entry.status = None
        returns = launched(self._sweep, self._launcher, runs)
        self._stop.check()
        return returns

    def _ranked(self, runs: list[Planned], rung: int) -> list[Planned]:
        """The best of some runs that stand at a rung, or died before it; the others are done with."""
        ahead = max(1, round(self._cooldown * rung))
        options = [f"trainer.steps={rung + ahead}", "trainer.on_extend=reanneal", "trainer.progress=false"]
        copies = {id(one): _copy(one, rung) for one in runs if one.entry.is_done}
        new = [copy for copy in copies.values() if not finished(copy)]
        self._launch([self._sweep.plan([f"resume={copy.path}", *options], beside=True) for copy in new])
        scores = {id(one): _score(one, copies[id(one)]) if id(one) in copies else math.inf for one in runs}
        choices = _choices(runs)
        mean = {name: sum(scores[id(one)] for one in of) / len(of) for name, of in choices.items()}
        order = sorted(mean, key=mean.__getitem__)
        kept = order[: max(1, len(order) // self._eta)]
        for place, name in enumerate(order[len(kept) :], start=len(kept) + 1):
            for one in choices[name]:
                if id(one) in copies:  # else it is on record with what it died of
                    one.entry.status, one.entry.reason = "stopped", f"{DROPPED} {place} of {len(order)} at step {rung}"
        self._sweep.record.write()
        best = ", ".join(f"{name or 'all'} ({abs(mean[name]):.4g})" for name in kept)
        say(f"step {rung}: {len(kept)} of {len(order)} go on: {best}")
        return [one for name in kept for one in choices[name] if id(one) in copies]


def _choices(runs: Sequence[Planned]) -> dict[str, list[Planned]]:
    """The runs by what tells them apart, but for the seed."""
    differ = swept([one.overrides for one in runs]) - {"seed"}
    found: dict[str, list[Planned]] = {}
    for one in runs:
        name = " ".join(item for item in one.overrides if key_of(item) in differ)
        found.setdefault(name, []).append(one)
    return found


def _length(runs: Sequence[Planned]) -> int:
    lengths = {foreseen(plan.settings, native=False).steps for plan in runs if plan.settings is not None}
    if len(lengths) > 1:
        raise ConfigError(
            "trainer.steps", sorted(lengths), "the runs of a halving have one length: they share its rungs"
        )
    return lengths.pop()


def _copy(plan: Planned, rung: int) -> RunFolder:
    """A copy of a run that stands at a rung, to be cooled down; whole or not there."""
    assert plan.folder is not None
    path = plan.folder.path.parent / ".rungs" / plan.folder.path.name / str(rung)
    if not path.exists():
        half = path.with_name(f"{path.name}.half")
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(plan.folder.path, half, ignore=shutil.ignore_patterns(".lock", "result.json", "tensorboard"))
        os.replace(half, path)
    return RunFolder(path)


def _score(plan: Planned, copy: RunFolder) -> float:
    """The monitored metric, the less the better; infinite where the copy did not come to its end."""
    assert plan.settings is not None
    result: dict[str, Any] = copy.read_result() or {}
    value = result.get("metrics", {}).get(plan.settings.checkpoint.monitor)
    if value is None or not finished(copy):
        say(f"{plan.entry.run_id}: its cooldown did not end: {result.get('reason', 'no result')}; it is ranked last")
        return math.inf
    return value if plan.settings.checkpoint.mode == "min" else -value
