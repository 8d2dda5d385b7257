"""Successive halving: train all runs a little, the best part further, and the best of those to the end.

The rungs are the length of a run divided by powers of eta: with nine runs and eta = 3 all nine train to T/9, the best
three to T/3, the best one to T. Runs are resumed at each rung: no step is trained twice.

The raw loss of a run whose rate has not decayed favours small rates (errors of half the loss are known). So runs are
ranked by the metric that a copy of each reaches after a short cooldown; the copies cost ``cooldown`` times the steps
of the rung.

Runs that differ only in their seed continue together, by their mean, or not at all: the best of many single runs would
be the luckiest, and the remaining runs could not be compared seed by seed.

Source: Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization",
AISTATS 2016, https://arxiv.org/abs/1502.07943
"""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lrsched.assembly.horizon import foreseen
from lrsched.assembly.kinds import live_class
from lrsched.config.rules import at_least, must, ruled
from lrsched.config.run_id import key_of
from lrsched.config.settings import direction
from lrsched.console import say
from lrsched.errors import ConfigError, Stopped
from lrsched.records import RunFolder
from lrsched.runs.resume import finished
from lrsched.runs.steps import FORK, stands_at, trained_here
from lrsched.sweep.combinations import swept
from lrsched.sweep.record import Entry
from lrsched.sweep.sweep import Valid
from lrsched.sweep.sweepers.grid import Grid
from lrsched.units import shown, unit_of

RUNGS = ".rungs"
"""The folder of the copies, inside a sweep's folder."""


def rungs(choices: int, steps: int, eta: int) -> list[int]:
    """The steps at which runs are ranked, and the last step: one rung for each time eta divides their number.

    >>> rungs(9, 900, 3), rungs(8, 900, 3), rungs(2, 900, 3)
    ([100, 300, 900], [300, 900], [900])
    """
    levels = 0
    while eta ** (levels + 1) <= choices:
        levels += 1
    return [max(1, steps // eta**level) for level in range(levels, -1, -1)]


PART = must({"exclusiveMinimum": 0, "maximum": 1}, "is a part of the steps done: above 0, at most 1")


@dataclass
class HalvingOptions:
    """The keys of ``hydra.sweeper`` (conf/hydra/sweeper/halving.yaml says what they are)."""

    eta: int = ruled(3, at_least(2))
    cooldown: float = ruled(0.2, PART)


class Halving(Grid):
    """A sweep by successive halving over a grid."""

    options_class = HalvingOptions
    _options: HalvingOptions

    def _check(self, jobs: Sequence[Valid]) -> None:
        lengths = {_length(job) for job in jobs}
        if len(lengths) > 1:
            rule = "the runs of a halving have one length: they share its rungs"
            raise ConfigError("trainer.steps", sorted(lengths), rule, "give trainer.steps=NUMBER")
        until = jobs[0].settings.sweep.until
        if until is not None:
            raise ConfigError("sweep.until", until, "a halving pauses its runs at its rungs", "leave it out")

    def _train(self, jobs: list[Valid]) -> None:
        with suppress(Stopped):  # close() raises it again, once it has compared the runs
            for rung in rungs(len(_choices(jobs)), _length(jobs[0]), self._options.eta)[:-1]:
                self._plan_and_launch([[*job.overrides, f"sweep.until={rung}"] for job in jobs])
                jobs = self._ranked(jobs, rung)
                if not jobs:
                    break  # every run failed
            self._launch(jobs)

    def _plan_and_launch(self, jobs: Sequence[Sequence[str]], *, probe: bool = False) -> None:
        planned = [self._sweep.plan(job, probe=probe) for job in jobs]
        self._launch([job for job in planned if isinstance(job, Valid)])

    def _launch(self, jobs: Sequence[Valid]) -> None:
        for job in jobs:
            if not finished(job.folder):
                job.entry.reopen()
        super()._launch(jobs)
        self._stop.check()

    def _ranked(self, jobs: list[Valid], rung: int) -> list[Valid]:
        """Rank runs at a rung; keep the best, drop the others."""
        copies = {job.run_id: copy_at(job.folder, rung) for job in jobs if job.entry.is_done}
        live = [copies[job.run_id] for job in jobs if job.run_id in copies and live_class(job.settings.scheduler)]
        self._cool_down(list(copies.values()), live, rung)
        scores = {job.run_id: score(job, copies[job.run_id]) if job.run_id in copies else math.inf for job in jobs}
        choices = _choices(jobs)
        mean = {name: sum(scores[job.run_id] for job in of) / len(of) for name, of in choices.items()}
        ended = {name for name, of in choices.items() if not any(job.run_id in copies for job in of)}
        order = sorted(mean, key=lambda name: (mean[name], name in ended))
        kept = order[: max(1, len(order) // self._options.eta)]
        unranked = all(map(math.isinf, mean.values()))
        for place, name in enumerate(order[len(kept) :], start=len(kept) + 1):
            why = "not ranked, like all others," if unranked else f"ranked {place} of {len(order)}"
            for job in choices[name]:
                if job.run_id in copies and not finished(job.folder):  # a finished run keeps its end on the record
                    job.entry.drop(f"{why} at step {rung}")
        self._sweep.record.write()
        monitor = jobs[0].settings.checkpoint.monitor
        known = {} if unranked else self._means(jobs, copies, {name: mean[name] for name in kept})
        left = [name for name in kept if name not in ended]
        best = ", ".join(f"{name or 'all'}{known.get(name, '')}" for name in left)
        if unranked and left:
            say(f"step {rung}: nothing can be ranked, for no choice has a {monitor}; the first in order go on: {best}")
        elif left:
            say(f"step {rung}: {len(kept)} of {len(order)} go on: {best}")
        return [job for name in kept for job in choices[name] if job.run_id in copies]

    def _means(
        self, jobs: Sequence[Valid], copies: Mapping[str, RunFolder], mean: Mapping[str, float]
    ) -> dict[str, str]:
        """The means of the choices that go on, as people read them."""
        monitor, sign = jobs[0].settings.checkpoint.monitor, _sign(jobs[0])
        units: dict[str, str] = next(
            (found["units"] for found in map(_result, copies.values()) if "units" in found), {}
        )
        found = {
            name: "not known" if math.isinf(value) else shown(unit_of(monitor, units), sign * value)
            for name, value in mean.items()
        }
        return {name: f" ({monitor} {value})" for name, value in found.items()}

    def _cool_down(self, copies: Sequence[RunFolder], live: Sequence[RunFolder], rung: int) -> None:
        """Train copies up to the rung if they are behind it, then cool them down; a live one goes on as planned."""
        ahead = max(1, round(self._options.cooldown * rung))
        self._probe([copy for copy in copies if stands_at(copy) < rung], f"sweep.until={rung}")
        for policy in ("reanneal", "keep"):
            group = [copy for copy in copies if not finished(copy) and (copy in live) == (policy == "keep")]
            self._probe(group, f"trainer.steps={rung + ahead}", f"trainer.on_extend={policy}")
        known = {entry.run_id for entry in self._sweep.record.probes}
        for copy in copies:  # copies of an earlier command cost steps, too
            run_id = str(copy.path.relative_to(self._sweep.record.folder))
            if run_id not in known:
                self._sweep.record.probes.append(Entry(run_id, [], "finished", steps_trained=trained_here(copy)))

    def _probe(self, copies: Sequence[RunFolder], *options: str) -> None:
        """Train copies further."""
        common = (f"name={self._sweep.record.folder.name}", "trainer.progress=false", *options)
        self._plan_and_launch([[f"resume={copy.path}", *common] for copy in copies], probe=True)


def copy_at(run: RunFolder, rung: int) -> RunFolder:
    """Copy a run at a rung, atomically.

    The copy starts from the state of a run that stands at the rung. A run beyond the rung (an earlier sweep trained it
    further) no longer has that state: its copy repeats the steps up to the rung, so that all runs are ranked after
    equally many steps.
    """
    path = run.path.parent / RUNGS / run.path.name / str(rung)
    if path.exists():
        return RunFolder(path)
    half = RunFolder(path.with_name(f"{path.name}.half"))
    shutil.rmtree(half.path, ignore_errors=True)
    if stands_at(run) == rung and not finished(run):
        own = (".lock", "result.json", "timing.jsonl", "tensorboard", "shown")
        shutil.copytree(run.path, half.path, ignore=shutil.ignore_patterns(*own))
        half.timing.write_text(json.dumps({"event": FORK, "time": time.time(), "step": rung}) + "\n")
    else:
        half.path.mkdir(parents=True)
        shutil.copy(run.config, half.config)
    os.replace(half.path, path)
    return RunFolder(path)


def score(job: Valid, copy: RunFolder) -> float:
    """The monitored metric of a copy, lower is better; infinite if it did not finish."""
    result = _result(copy)
    value = result.get("metrics", {}).get(job.settings.checkpoint.monitor)
    if value is None or not finished(copy):
        say(f"{job.run_id}: its cooldown did not end: {result.get('reason', 'no result')}; it is ranked last")
        return math.inf
    return _sign(job) * value


def _result(copy: RunFolder) -> dict[str, Any]:
    return copy.read_result() or {}


def _sign(job: Valid) -> int:
    """1 if less of the monitored metric is better, −1 if more is."""
    from lrsched.assembly.checks import all_metrics  # imports torch

    run = job.settings
    return 1 if direction(all_metrics(run), run.checkpoint.monitor) == "min" else -1


def _choices(jobs: Sequence[Valid]) -> dict[str, list[Valid]]:
    """The jobs by the overrides in which they differ, except the seed."""
    differ = swept([job.overrides for job in jobs]) - {"seed"}
    found: dict[str, list[Valid]] = {}
    for job in jobs:
        name = " ".join(item for item in job.overrides if key_of(item) in differ)
        found.setdefault(name, []).append(job)
    return found


def _length(job: Valid) -> int:
    return foreseen(job.settings, native=False).steps
