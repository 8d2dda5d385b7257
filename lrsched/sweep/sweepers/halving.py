"""Successive halving: all runs a little way, the best part of them further, and the best of those to the end.

The rungs are the whole run divided by powers of eta: with nine runs and eta = 3 all nine go to T/9, the best
three to T/3, the best one to T. A run that goes on is resumed: no step is trained twice.

Ranked is not the raw loss of a run whose rate has not decayed (it favours small rates: science knows errors of
half the loss), but what a copy of it reaches after a short cooldown from where it stands; the copies are the price,
``cooldown`` times the steps of the rung.

Runs that differ in their seed alone go on together or not at all, by their mean: the best of many single runs would be
the luckiest, and what is left of each choice could not be compared seed against seed.

Source: Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization",
AISTATS 2016, https://arxiv.org/abs/1502.07943
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig

from lrsched.assembly.horizon import foreseen
from lrsched.config.check import read
from lrsched.config.run_id import key_of
from lrsched.config.schema import ruled
from lrsched.console import say
from lrsched.errors import ConfigError, Stopped
from lrsched.records import RunFolder
from lrsched.runs.resume import finished
from lrsched.runs.steps import made_since, stands_at
from lrsched.signals import StopFlag
from lrsched.sweep.combinations import swept
from lrsched.sweep.finish import close
from lrsched.sweep.launchers.dispatch import launched
from lrsched.sweep.record import Entry
from lrsched.sweep.sweep import Planned, begin
from lrsched.sweep.sweepers.grid import plan_grid
from lrsched.sweep.sweepers.rung import copy_at, score


def rungs(choices: int, steps: int, eta: int) -> list[int]:
    """The steps at which runs are ranked, and last the end: one rung for each time that eta divides their number.

    >>> rungs(9, 900, 3), rungs(8, 900, 3), rungs(2, 900, 3)
    ([100, 300, 900], [300, 900], [900])
    """
    levels = 0
    while eta ** (levels + 1) <= choices:
        levels += 1
    return [max(1, steps // eta**level) for level in range(levels, -1, -1)]


def _at_least_two(key: str, value: Any) -> None:
    if value < 2:
        raise ConfigError(key, value, "must be at least 2: one choice in so many goes on")


def _part(key: str, value: Any) -> None:
    if not 0 < value <= 1:
        raise ConfigError(key, value, "is a part of the steps done: above 0, at most 1")


@dataclass
class Options:
    """The keys of ``hydra.sweeper`` (conf/hydra/sweeper/halving.yaml says what they are)."""

    eta: int = ruled(3, _at_least_two)
    cooldown: float = ruled(0.2, _part)


class Halving:
    """One sweep by successive halving.

    Args:
        context, config, launcher: as Hydra hands them to a sweeper.
        stop: raised by a signal.
        options: the keys of ``hydra.sweeper``.
    """

    def __init__(
        self, context: HydraContext, config: DictConfig, launcher: Launcher, stop: StopFlag, options: Mapping[str, Any]
    ) -> None:
        self._context, self._config, self._launcher, self._stop = context, config, launcher, stop
        self._options = read(Options, options, "hydra.sweeper")

    def __call__(self, arguments: list[str]) -> list[JobReturn]:
        """Run it.

        Raises:
            ConfigError: the sweep cannot be read, or its runs have different lengths.
            Incomplete: a run that was to go on did not.
            Stopped: by a signal; the runs that were under way are saved.
        """
        self._sweep = begin(self._context.config_loader, self._config)
        planned = plan_grid(self._sweep, self._context, arguments, _check)
        alive = [one for one in planned if one.error is None]
        returns: list[JobReturn] = []
        try:
            if alive:
                returns = self._climb(alive)
        except Stopped:
            pass  # the flag knows, and what there is is told first
        close(self._sweep, self._stop)
        return returns

    def _climb(self, alive: list[Planned]) -> list[JobReturn]:
        for rung in rungs(len(_choices(alive)), _length(alive[0]), self._options.eta)[:-1]:
            self._launch([self._sweep.plan([*one.overrides, f"sweep.until={rung}"]) for one in alive])
            alive = self._ranked(alive, rung)
        return self._launch(alive)

    def _launch(self, runs: Sequence[Planned]) -> list[JobReturn]:
        for one in runs:
            if one.folder is not None and not finished(one.folder):
                one.entry.reopen()
        returns = launched(self._sweep, self._launcher, runs)
        self._stop.check()
        return returns

    def _ranked(self, runs: list[Planned], rung: int) -> list[Planned]:
        """The best of some runs that came to a rung, or died before it; the others are done with."""
        copies = {id(one): copy_at(one.folder, rung) for one in runs if one.folder and one.entry.is_done}
        self._cool(list(copies.values()), rung)
        scores = {id(one): score(one, copies[id(one)]) if id(one) in copies else math.inf for one in runs}
        choices = _choices(runs)
        mean = {name: sum(scores[id(one)] for one in of) / len(of) for name, of in choices.items()}
        order = sorted(mean, key=mean.__getitem__)
        kept = order[: max(1, len(order) // self._options.eta)]
        for place, name in enumerate(order[len(kept) :], start=len(kept) + 1):
            for one in choices[name]:
                if id(one) in copies and one.folder and not finished(one.folder):  # else it is on record with its end
                    one.entry.drop(f"ranked {place} of {len(order)} at step {rung}")
        self._sweep.record.write()
        monitor = runs[0].settings.checkpoint.monitor if runs[0].settings else ""
        best = ", ".join(f"{name or 'all'} ({monitor} {abs(mean[name]):.4g})" for name in kept)
        say(f"step {rung}: {len(kept)} of {len(order)} go on: {best}")
        return [one for name in kept for one in choices[name] if id(one) in copies]

    def _cool(self, copies: Sequence[RunFolder], rung: int) -> None:
        """Bring copies to the rung where they are not there yet, and cool them down from it."""
        ahead = max(1, round(self._options.cooldown * rung))
        self._launch_beside([copy for copy in copies if stands_at(copy) < rung], f"sweep.until={rung}")
        decay = (f"trainer.steps={rung + ahead}", "trainer.on_extend=reanneal")
        self._launch_beside([copy for copy in copies if not finished(copy)], *decay)
        known = {entry.run_id for entry in self._sweep.record.besides}
        for copy in copies:  # those of an earlier command cost steps, too
            run_id = str(copy.path.relative_to(self._sweep.record.folder))
            if run_id not in known:
                self._sweep.record.besides.append(Entry(run_id, [], "finished", trained=made_since(copy)))

    def _launch_beside(self, copies: Sequence[RunFolder], *options: str) -> None:
        common = (f"name={self._sweep.record.folder.name}", "trainer.progress=false", *options)
        self._launch([self._sweep.plan([f"resume={copy.path}", *common], beside=True) for copy in copies])


def _choices(runs: Sequence[Planned]) -> dict[str, list[Planned]]:
    """The runs by what tells them apart, but for the seed."""
    differ = swept([one.overrides for one in runs]) - {"seed"}
    found: dict[str, list[Planned]] = {}
    for one in runs:
        name = " ".join(item for item in one.overrides if key_of(item) in differ)
        found.setdefault(name, []).append(one)
    return found


def _check(runs: Sequence[Planned]) -> None:
    """Refuse runs that cannot be halved."""
    lengths = {_length(one) for one in runs}
    if len(lengths) > 1:
        rule = "the runs of a halving have one length: they share its rungs"
        raise ConfigError("trainer.steps", sorted(lengths), rule, "give trainer.steps=NUMBER")
    until = runs[0].settings.sweep.until if runs[0].settings else None
    if until is not None:
        raise ConfigError("sweep.until", until, "a halving pauses its runs at its rungs", "leave it out")


def _length(run: Planned) -> int:
    assert run.settings is not None
    return foreseen(run.settings, native=False).steps
