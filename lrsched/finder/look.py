"""Look for a rate by the method that was asked for, and write the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from lrsched.assembly.horizon import foretold
from lrsched.compose.leaks import traced
from lrsched.compose.outside import hydra_of_ours, in_folder
from lrsched.console import say, terminal
from lrsched.errors import ConfigError
from lrsched.finder.answer import Answer
from lrsched.finder.folder import alone_in, question, refuse_other_answer, refuse_taken, with_data
from lrsched.finder.request import FindRequest, as_one_of
from lrsched.imports import collector_at_rest
from lrsched.page import write_page
from lrsched.preview.forecast import forecast
from lrsched.signals import StopFlag
from lrsched.units import unit_of

if TYPE_CHECKING:
    from lrsched.finder.pictures.rates import Panel
    from lrsched.finder.trained import Trained
    from lrsched.sweep.launchers.choose import Launch

WIDEST = 110

Launching = Callable[[Sequence[str]], "AbstractContextManager[Launch]"]
"""Sets up the launcher of the runs, given their words."""


@dataclass(frozen=True)
class Looked:
    """What was found.

    Args:
        asked: the question; of several schedules the first.
        answer: as it is written.
        file: that it was written to.
        lines: what to print of it.
        warnings: what limits it.
        draw: its picture, given the file that it is for.
    """

    asked: FindRequest
    answer: Answer
    file: Path
    lines: Sequence[str]
    warnings: Sequence[str]
    draw: Callable[[str], bytes]

    @property
    def text(self) -> str:
        """The lines, and the override to paste."""
        found = self.answer
        what = f"{found.method}, {self.file}; cost {self.asked.told(found.cost_steps)}"
        return "\n".join([*self.lines, "", f"{found.override}   ({what})"])


def look(several: Sequence[FindRequest], stop: StopFlag, launching: Launching) -> Looked:
    """Find the answer to a question, of one schedule or several, and write it.

    Args:
        several: the question for each schedule.
        stop: raised by a signal.
        launching: sets up what trains the runs, where runs are trained.

    Raises:
        UserError: it cannot be answered.
        Stopped: by a signal; the same question goes on with what is left.
    """
    with alone_in(several[0].folder):
        looked = _by_range(several, stop) if several[0].find.method == "range" else _by_runs(several, stop, launching)
    for caution in looked.warnings:
        say(f"warning: {caution}")
    return looked


def _by_range(several: Sequence[FindRequest], stop: StopFlag) -> Looked:
    from lrsched.finder.ramps.range import ALIKE, answer, of_each, range_test
    from lrsched.finder.ramps.show import block, png

    asked = replace(several[0], rivals=1)  # one test: the ramp takes the place of any schedule
    refuse_taken(asked.folder)
    with collector_at_rest():
        from lrsched.python.undisturbed import undisturbed  # imports torch
    with undisturbed():
        test = range_test(asked, stop)
    found, warned = answer(asked, test), list(test.disagreements)
    if len(several) > 1:
        found, warned = of_each(several, found), [ALIKE, *warned]
    file = found.write(asked.folder)
    lines = [block(test, min(get_terminal_size().columns, WIDEST), terminal()[1])]
    return Looked(asked, found, file, lines, warned, lambda name: png(test, name))


def _by_runs(several: Sequence[FindRequest], stop: StopFlag, launching: Launching) -> Looked:
    """By runs of a sweep: a grid, or short runs."""
    asked = several[0]
    method, run = asked.find.method, asked.runs[0]
    if run.sweep.until is not None:
        rule = f"pauses the runs, and find.method={method} compares their ends"
        raise ConfigError("sweep.until", run.sweep.until, rule, "leave it out")
    with hydra_of_ours():
        refuse_other_answer(several)
        asks = question(several)
    for each in several:
        if foretold(each.runs[0]) is not None:
            with as_one_of(each.own), traced(each.runs[0]):
                forecast(each.runs[0], each.runs[0].scheduler.target)  # refuse a schedule that cannot be
    with collector_at_rest():
        from lrsched.finder.pictures.rates import draw  # imports torch
        from lrsched.finder.trained import Trained
        from lrsched.python.undisturbed import undisturbed
        from lrsched.sweep.sweep import Sweep
    words = in_folder([*asked.words, f"name={asked.folder.name}"], asked.config_dir)  # now() moves
    with undisturbed():
        asks = with_data(asks, asked.folder, run)
    with undisturbed(), hydra_of_ours(), launching(words) as launch:
        sweep = Sweep(launch.context.config_loader, launch.config, asked.objects, here=asked.in_python)
        trained = [
            Trained(launch, each.runs[0], stop, None if number else asks, each.own, method == "horizon", sweep)
            for number, each in enumerate(several)
        ]
        found, lines, warned, panels = _trained(several, trained)
    file = found.write(asked.folder)
    write_page(asked.folder)  # the sweep wrote it before there was an answer
    metric, less = run.checkpoint.monitor, trained[0].sign == 1
    unit = unit_of(metric, trained[0].units)
    return Looked(asked, found, file, lines, warned, lambda name: draw(panels, metric, unit, name, less_is_better=less))


def _trained(
    several: Sequence[FindRequest], trained: Sequence[Trained]
) -> tuple[Answer, list[str], list[str], list[Panel]]:
    """The answer of the runs, its lines, what limits it, and what to draw."""
    from lrsched.finder import compare, grid, horizon
    from lrsched.finder.pictures.rates import Panel

    asked = several[0]
    by_grid = asked.find.method == "grid"
    if len(several) > 1:
        compared = (compare.by_grid if by_grid else compare.by_short_runs)(several, trained)
        panels = [Panel(r.asked.scheduler, r.answer, asked.seeds, r.predicted) for r in compared.rivals]
        return compared.answer, compared.table(), [], panels
    if by_grid:
        whole = grid.Grid(asked, trained[0])
        whole.search()
        found, lines, warned = whole.answer(), whole.table(), whole.cautions()
    else:
        short = horizon.search(asked, trained[0])
        found, lines = short.answer, horizon.table(short, asked.seeds)
        warned = horizon.cautions(short.found, short.answer.candidates)
    return found, lines, warned, [Panel(asked.scheduler, found, asked.seeds)]
