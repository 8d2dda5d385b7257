"""Several schedules in one answer: the rate of each, the loss that it comes to, and which is best, if that is known."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lrsched.assembly.horizon import length_of
from lrsched.config.given import parameters
from lrsched.config.targets import needed_trust
from lrsched.console import say, typed
from lrsched.finder.answer import Answer, rounded
from lrsched.finder.request import FindRequest, as_one_of
from lrsched.report.stats import QUANTILES, fewest_pairs
from lrsched.units import apart, count

if TYPE_CHECKING:
    from lrsched.finder.predict import Interval
    from lrsched.finder.rivals import Place
    from lrsched.finder.trained import Trained

MOST_RUNS = 30
"""Full runs of each schedule to ask for at most; what more of them would tell apart hardly matters."""

THIRDS = 1.25, 2.0
"""The factor between the rates of the full runs is a third of the interval, in ln rate, but within these."""


@dataclass(frozen=True, eq=False)
class Rival:
    """A schedule that is compared.

    Args:
        asked: the question.
        answer: its rate.
        predicted: its loss at the run's length, with a 95 % interval.
        behind: the paired difference of its loss from the first one's, in percent of that, with an interval that holds
            for all others together; None: it is the first.
        spread: of that difference, one seed's standard deviation in percent; not finite: nobody knows it.
    """

    asked: FindRequest
    answer: Answer
    predicted: Interval
    behind: Interval | None = None
    spread: float = 0.0

    @property
    def near(self) -> bool:
        """Whether it may be as good as the first."""
        return self.behind is not None and not self.behind.low > 0

    @property
    def rates(self) -> list[float]:
        """To make full runs with: the suggested one, which may be off if short runs tell it, and its neighbours."""
        if "interval" not in self.answer.more:
            return [self.answer.suggestion]
        rate, (least, most) = self.answer.suggestion, THIRDS
        low, high = self.answer.more["interval"]
        factor = min(max((high / low) ** (1 / 3), least), most)
        return [rounded(rate / factor), rate, rounded(rate * factor)]

    @property
    def pairs(self) -> float:
        """About how many seeds would tell it from the first."""
        mean = 0.0 if self.behind is None else abs(self.behind.mean)
        return (QUANTILES * self.spread / mean) ** 2 if mean and math.isfinite(self.spread) else math.inf

    def content(self, *, undecided: bool) -> dict[str, Any]:
        """What the file holds of it."""
        behind = None if self.behind is None else self.behind._asdict()
        first = {"scheduler": self.asked.scheduler, "predicted": self.predicted._asdict(), "behind_percent": behind}
        return {**first, "undecided": undecided, **self.answer.content()}


@dataclass(frozen=True)
class Comparison:
    """Schedules, the best first."""

    rivals: Sequence[Rival]

    @property
    def open(self) -> list[Rival]:
        """Those that may be the best: the first and others, or none if it is decided."""
        others = [rival for rival in self.rivals if rival.near]
        return [self.rivals[0], *others] if others else []

    @property
    def answer(self) -> Answer:
        """All of it, as it is written."""
        first = self.rivals[0].answer
        more = {
            "scheduler": self.rivals[0].asked.scheduler,
            "answers": [rival.content(undecided=rival in self.open) for rival in self.rivals],
            "undecided": [rival.asked.scheduler for rival in self.open],
            "decide": self.command if self.open else None,
        }
        cost = sum(rival.answer.cost_steps for rival in self.rivals)
        return Answer(first.method, first.suggestion, first.override, [], cost, more)

    @property
    def seeds(self) -> int:
        """Of the runs that would decide it, or tell more than now."""
        least, most = fewest_pairs(len(self.open) * (len(self.open) - 1) // 2), MOST_RUNS // len(self.rivals[0].rates)
        return max(least, math.ceil(min(most, max(rival.pairs for rival in self.open[1:]))))

    @property
    def command(self) -> str:
        """The full runs that would decide it."""
        asked = [rival.asked for rival in self.open]
        own = {word.partition("=")[0].lstrip("+") for each in asked for word in each.own}
        first = asked[0].runs[0].seed
        keys = {*own, "optimizer.lr", "seed", "name"}
        common = [word for word in asked[0].words if word.partition("=")[0].lstrip("+") not in keys]
        columns = [[*rival.asked.own, f"optimizer.lr={rate}"] for rival in self.open for rate in rival.rates]
        swept = [
            f"{row[0].partition('=')[0]}={','.join(word.partition('=')[2] for word in row)}"
            for row in zip(*columns, strict=True)
        ]
        zipped = ",".join(word.partition("=")[0].lstrip("+") for word in swept)
        if asked[0].objects:
            return self._calls(common, columns)
        words = [*common, *swept, f"sweep.zip=[{zipped}]", f"seed=range({first},{first + self.seeds})"]
        words += [] if asked[0].config_dir is None else ["--config-dir", asked[0].config_dir]
        run = asked[0].runs[0]
        targets = {node.key: {"_target_": node.target} for node in (run.model, run.dataset, run.task, run.optimizer)}
        words = ["-m", *words, f"name={asked[0].folder.name}-decide"]
        program = "lrsched train" if asked[0].in_python else None
        return typed(shlex.join(words), needed_trust(targets), program)

    def _calls(self, common: Sequence[str], columns: Sequence[Sequence[str]]) -> str:
        """The same in Python, where the objects are."""
        asked = self.rivals[0].asked
        first, name, more = asked.runs[0].seed, asked.folder.name, parameters(list(asked.objects))
        rows = [json.dumps([*common, *own], ensure_ascii=False) for own in columns]
        return (
            f"for seed in range({first}, {first + self.seeds}): "
            f'[lrsched.run([*words, f"seed={{seed}}", f"name={name}-decide-{{number}}-{{seed}}"], {more}) '
            f"for number, words in enumerate([{', '.join(rows)}])]"
        )

    def table(self) -> list[str]:
        """A line for each, and what would decide it."""
        rows = [["", "scheduler", "rate", "from", "to", "loss", "from", "to", "behind", "from", "to"]]
        for place, rival in enumerate(self.rivals, 1):
            low, high = rival.answer.more.get("interval", (math.nan, math.nan))
            mean, *ends = rival.predicted.mean, rival.predicted.low, rival.predicted.high
            cells = [
                f"{rival.answer.suggestion:g}",
                f"{low:.3g}",
                f"{high:.3g}",
                *(f"{end:.4g}" for end in (mean, *ends)),
            ]
            gap = rival.behind
            behind = ["", "", ""] if gap is None else [f"{end:+.1f} %" for end in (gap.mean, gap.low, gap.high)]
            mark = "undecided" if rival in self.open else ""
            rows.append([f"{place}.", rival.asked.scheduler, *(_shown(cell) for cell in [*cells, *behind]), mark])
        rows[0].append("")
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        ]
        return [*lines, "", *self.verdict()]

    def verdict(self) -> list[str]:
        """In words."""
        first = self.rivals[0].asked
        if not self.open:
            others = len(self.rivals) - 1
            held = "the 95 % interval" if others == 1 else f"every interval (95 % for all {others} together)"
            best = "is the best" if self.rivals[0].answer.method == "grid" else "is predicted to be the best"
            return [f"{first.scheduler} {best}: {held} of the paired difference from it lies above 0"]
        lead, *near = self.open
        means = [rival.predicted.mean for rival in self.open]
        first_mean, *others = apart(lambda more: [f"{mean:.{4 + more}g}" for mean in means], *means)
        against = ", ".join(f"{mean} of {rival.asked.scheduler}" for mean, rival in zip(others, near, strict=True))
        rates, seeds = [len(rival.rates) for rival in self.open], self.seeds
        made, runs = f"({count(max(rates), 'rate')} each, {count(seeds, 'seed')})", seeds * sum(rates)
        steps = "" if first.horizon is None else f", {count(runs * first.horizon.steps, 'step')}"
        gap = QUANTILES * max(rival.spread for rival in near) / seeds**0.5
        tell = f"gaps of about {gap:.2g} % or more, if seeds differ as they did here" if gap < math.inf else "more"
        ahead = f"{lead.asked.scheduler} is ahead: {first_mean} against {against}, not decided"
        return [f"{ahead}; {count(runs, 'full run')} {made}{steps} would tell {tell}:", f"  {self.command}"]


def _shown(cell: str) -> str:
    return cell.replace("nan", "-").replace("+inf %", "∞").replace("-inf %", "-∞").replace("inf", "∞")


def by_short_runs(asked: Sequence[FindRequest], trained: Sequence[Trained]) -> Comparison:
    """Train short runs of all schedules side by side, and predict what each comes to at its best rate.

    Raises:
        ConfigError: a schedule, the run, or the budget is none for it, or every rate of a schedule diverged.
        UserError: a run did not finish.
    """
    from lrsched.finder import horizon  # these import torch
    from lrsched.finder.plan import Plan
    from lrsched.finder.predict import Bests
    from lrsched.finder.rivals import Contest, ranked
    from lrsched.finder.trained import train

    plans, shapes, steps = dict[str, Plan](), dict[str, list[str]](), 0
    for each in asked:
        with as_one_of(each.own):
            plans[each.scheduler] = horizon.plan_of(each)
            steps = plans[each.scheduler].horizon
            shapes[each.scheduler] = horizon.rescaled(each.runs[0], each.horizon or length_of(each.runs[0]))
    budget = sum(plan.budget for plan in plans.values())
    what = f"{count(len(asked), 'schedule')} of {count(steps, 'step')}"
    say(f"short runs of {what}: at most {asked[0].told(budget)}")
    say(f"a rate is judged by {asked[0].runs[0].checkpoint.monitor} at the end of its runs")
    contest, by, number = Contest(plans), dict(zip(plans, trained, strict=True)), 0
    while asks := contest.next({name: each.candidates for name, each in by.items()}):
        number += 1
        say(f"round {number}: {'; '.join(f'{name}, {horizon.told(of)}' for name, of in asks.items())}")
        train([(by[name], horizon.jobs_of(of, shapes[name])) for name, of in asks.items()], asked[0].seeds)
    found, bests = list[Answer](), list[Bests]()
    for each, of in zip(asked, trained, strict=True):
        with as_one_of(each.own):
            extrapolation = horizon.concluded(each, plans[each.scheduler], of)
        for caution in horizon.cautions(extrapolation.found, of.candidates):
            say(f"warning: {each.scheduler}: {caution}")
        found.append(extrapolation.answer)
        bests.append(Bests.of(extrapolation.found.fit, of.candidates, each.seeds))
    return _in_order(asked, found, ranked(bests, steps))


def by_grid(asked: Sequence[FindRequest], trained: Sequence[Trained]) -> Comparison:
    """Train whole runs of each schedule on a grid, and compare what they came to at their best rates.

    Raises:
        ConfigError: no grid can be made, or it costs more than ``find.budget``.
        UserError: a run did not finish.
    """
    from lrsched.finder.grid import Grid  # imports torch
    from lrsched.finder.rivals import measured

    found, losses = list[Answer](), list[list[float]]()
    for each, of in zip(asked, trained, strict=True):
        say(f"{each.scheduler}:")
        with as_one_of(each.own):
            grid = Grid(each, of)
            grid.search()
        found.append(grid.answer())
        losses.append([c.loss for c in of.candidates if c.lr == grid.best])
    return _in_order(asked, found, measured(losses, trained[0].sign))


def _in_order(asked: Sequence[FindRequest], found: Sequence[Answer], ranking: Sequence[Place]) -> Comparison:
    rivals = []
    for number, predicted, behind, spread in ranking:
        each, answer = asked[number], found[number]
        override = f"{shlex.join(each.own)} {answer.override}"
        rivals.append(Rival(each, replace(answer, override=override), predicted, behind, spread))
    return Comparison(rivals)
